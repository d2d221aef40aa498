package asl

import (
	"fmt"
	"strings"
)

// A Diagnostic is one thing that is wrong with a definition.
type Diagnostic struct {
	Severity string `json:"severity"`
	Code     string `json:"code"`
	Message  string `json:"message"`
	Location string `json:"location,omitempty"` // such as /States/Deploy/Next
}

const (
	codeJSON    = "INVALID_JSON_DESCRIPTION"
	codeSchema  = "SCHEMA_VALIDATION_FAILED"
	codeTarget  = "MISSING_TRANSITION_TARGET"
	codeEnd     = "MISSING_END_STATE"
	codeTwice   = "DUPLICATE_STATE_NAME"
	severityErr = "ERROR"
)

// Explain is the text of CreateStateMachine's InvalidDefinition error.
func Explain(diagnostics []Diagnostic) string {
	texts := make([]string, len(diagnostics))
	for i, d := range diagnostics {
		location := d.Location
		if location == "" {
			location = "null"
		}
		texts[i] = fmt.Sprintf("%s: %s at %s", d.Code, d.Message, location)
	}
	return "Invalid State Machine Definition: '" + strings.Join(texts, ", ") + "'"
}
