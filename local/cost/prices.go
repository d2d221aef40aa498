package cost

import (
	"io/fs"
	"strings"

	"portolan"
)

// List prices of us-east-1 in dollars, without free tiers. They are AWS's, from the
// pricing pages of Step Functions, Lambda, DynamoDB and API Gateway.
const (
	pricePerTransition   = 0.025 / 1_000 // Step Functions, standard
	pricePerCall         = 0.20 / 1_000_000
	pricePerGBSecond     = 0.0000133334 // Lambda, arm64
	pricePerWriteUnit    = 0.625 / 1_000_000
	pricePerReadUnit     = 0.125 / 1_000_000
	pricePerRequest      = 1.00 / 1_000_000 // API Gateway, HTTP API
	pricePerAlarmMonth   = 0.10
	pricePerDashboard    = 3.00
	secondsPerCall       = 0.1 // assumed: a call is a few requests of DynamoDB and AWS
	gigabytesPerFunction = 0.25
)

// price is what AWS asks for what was counted.
func (c Count) price() float64 {
	calls := float64(sum(c.Functions))
	return float64(sum(c.Transitions))*pricePerTransition +
		calls*(pricePerCall+secondsPerCall*gigabytesPerFunction*pricePerGBSecond) +
		c.Writes*pricePerWriteUnit + c.Reads*pricePerReadUnit + float64(c.Requests)*pricePerRequest
}

// declared is how many resources of a type template.yaml has.
func declared(resourceType string) int {
	text, err := fs.ReadFile(portolan.Files, "template.yaml")
	if err != nil {
		panic(err) // it is embedded in this binary
	}
	return strings.Count(string(text), "Type: "+resourceType+"\n")
}
