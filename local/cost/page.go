package cost

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

const introduction = `# What it costs

<!-- Written by go test ./local/cost -update from a run; do not edit. -->

Each kind of operation was run on a control plane of its own, in virtual time and at AWS's own pace, with
the template, the functions and the state machines that are deployed. What is counted is what AWS would bill, from
the event that comes in to the last audit record of what was done about it. A test runs it again and fails when a
number has changed; ` + "`go test ./local/cost -update`" + ` writes this page.

The prices are list prices of us-east-1, without free tiers. What the clusters themselves cost (instances, load
balancers, NAT gateways) is not in them, and neither is what somebody pays who looks at an operation while it runs:
each look is one API read.

`

const reading = `
- **Transitions** are the states that were entered and the tries after the first, of the operation's execution and
  of those that it starts. Each execution was attributed to its operation by the operation's id.
- **Lambda** counts all calls, those of the trail's door too: it keeps an audit record of every call of AWS that
  changes something or names a cluster, and AWS sends it one event for each. CloudFormation's calls for networks are left out.
- **DynamoDB** counts request units as ` + "`ReturnConsumedCapacity`" + ` tells them: a transaction costs twice, the index
  costs what is written to it, and a refused conditional write costs one unit, or two for each item of a transaction.
- **AWS calls** are what functions and state machines ask of other services, with AssumeRole; none is billed. What
  CloudFormation calls for a stack is not in it.
- **Events** are EventBridge's deliveries. Those of AWS's own services are free. That API calls become events needs
  a trail in the account, whose first copy of management events is free.
`

// Page is docs/cost.md.
func Page(measured []Measurement) string {
	var page strings.Builder
	page.WriteString(introduction)
	page.WriteString("| operation | | transitions | Lambda | write units | read units | AWS calls | events | a thousand of it |\n")
	page.WriteString("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	for _, m := range measured {
		c := m.Count
		fmt.Fprintf(&page, "| %s | %s | %d | %d | %s | %s | %d | %d | $%.4f |\n", m.Title, m.What, sum(c.Transitions),
			sum(c.Functions), units(c.Writes), units(c.Reads), sum(c.Calls), sum(c.Deliveries), 1000*c.price())
	}
	page.WriteString(reading)
	writePrices(&page)
	writeIdle(&page)
	page.WriteString("\n## Each operation\n")
	for _, m := range measured {
		m.write(&page)
	}
	return page.String()
}

func writePrices(page *strings.Builder) {
	fmt.Fprintf(page, `
## Prices

| what | list price |
| --- | --- |
| Step Functions, standard | $%.3f for 1,000 transitions |
| Lambda, arm64 | $%.2f for a million calls, and $%.10f for a GB-second: %g GB and, as an assumption, %g s each |
| DynamoDB, on demand | $%.3f for a million write units, $%.3f for a million read units |
| API Gateway, HTTP API | $%.2f for a million requests |
| Lambda's reads of the table's stream, STS, EventBridge's events of AWS | nothing |
`, 1_000*pricePerTransition, 1e6*pricePerCall, pricePerGBSecond, gigabytesPerFunction, secondsPerCall,
		1e6*pricePerWriteUnit, 1e6*pricePerReadUnit, 1e6*pricePerRequest)
}

// writeIdle tells what a control plane costs that nobody uses.
func writeIdle(page *strings.Builder) {
	alarms, dashboards := declared("AWS::CloudWatch::Alarm"), declared("AWS::CloudWatch::Dashboard")
	fmt.Fprintf(page, `
## At rest

Nothing runs while nothing happens but what has a schedule: see "an hour of nothing". A month costs what is kept:

| what | list price a month |
| --- | ---: |
| %d CloudWatch alarms on the control plane, $%.2f each | $%.2f |
| %d CloudWatch dashboard | $%.2f |
| table, for each GB: storage $0.25, point-in-time recovery $0.20 | $0.45 |
| logs, for each GB: $0.50 when written, then $0.03 a month until their retention ends | $0.53 |
| KMS, for 10,000 requests: the table's key is AWS's own, and asked for again after five minutes | $0.03 |

So a control plane that nobody uses costs $%.2f a month, and cents for its data.
`, alarms, pricePerAlarmMonth, float64(alarms)*pricePerAlarmMonth, dashboards, float64(dashboards)*pricePerDashboard,
		float64(alarms)*pricePerAlarmMonth+float64(dashboards)*pricePerDashboard)
}

// write tells the details of a measurement.
func (m Measurement) write(page *strings.Builder) {
	fmt.Fprintf(page, "\n### %s: %s\n\n", m.Title, m.What)
	for _, part := range []struct {
		name string
		text string
	}{
		{"operations", strings.Join(m.Operations, ", ")},
		{"transitions", list(m.Count.Transitions)},
		{"Lambda", list(m.Count.Functions)},
		{"events", list(m.Count.Deliveries)},
		{"AWS calls", list(m.Count.Calls)},
	} {
		if part.text != "" {
			fmt.Fprintf(page, "- %s: %s\n", part.name, part.text)
		}
	}
	if m.Count.Reads == 0 && m.Count.Writes == 0 && sum(m.Count.Functions) == 0 {
		page.WriteString("- nothing\n")
		return
	}
	fmt.Fprintf(page, "- DynamoDB: %s write units, %s read units\n", units(m.Count.Writes), units(m.Count.Reads))
}

func list(counts map[string]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, counts[name]))
	}
	return strings.Join(parts, ", ")
}

func units(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }
