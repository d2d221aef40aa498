package states

import (
	"net/http"

	"portolan/local/wire"
)

// service is the table of operations of the wire protocol.
func (s *Server) service() http.Handler {
	return &wire.Service{
		Name: "Step Functions", Target: "AWSStepFunctions", Protocol: wire.JSON10,
		Operations: map[string]wire.Operation{
			"CreateStateMachine":               wire.Op(s.createStateMachine),
			"UpdateStateMachine":               wire.Op(s.updateStateMachine),
			"DescribeStateMachine":             wire.Op(s.describeStateMachine),
			"DescribeStateMachineForExecution": wire.Op(s.describeForExecution),
			"ListStateMachines":                wire.Op(s.listStateMachines),
			"DeleteStateMachine":               wire.Op(s.deleteStateMachine),
			"ValidateStateMachineDefinition":   wire.Op(s.validate),
			"TagResource":                      wire.Op(s.tagResource),
			"UntagResource":                    wire.Op(s.untagResource),
			"ListTagsForResource":              wire.Op(s.listTags),
			"StartExecution":                   wire.Op(s.startExecution),
			"StartSyncExecution":               wire.Op(s.startSyncExecution),
			"DescribeExecution":                wire.Op(s.describeExecution),
			"ListExecutions":                   wire.Op(s.listExecutions),
			"StopExecution":                    wire.Op(s.stopExecution),
			"RedriveExecution":                 wire.Op(s.redriveExecution),
			"GetExecutionHistory":              wire.Op(s.getHistory),
			"SendTaskSuccess":                  wire.Op(s.sendTaskSuccess),
			"SendTaskFailure":                  wire.Op(s.sendTaskFailure),
			"SendTaskHeartbeat":                wire.Op(s.sendTaskHeartbeat),
		},
	}
}

// A page has as many results as the caller says, up to maxPage, or defaultPage.
const maxPage, defaultPage = 1000, 100

// page cuts a list. A token is where the next page starts.
func page[T any](all []T, size int, token string) (part []T, next string, err error) {
	if size < 0 || size > maxPage {
		return nil, "", invalid("maxResults", itoa(size), "Member must have value between 0 and 1000")
	}
	if size == 0 {
		size = defaultPage
	}
	from, ok := readPage(token)
	if !ok || from > len(all) {
		return nil, "", wire.Errorf("InvalidToken", "Invalid Token: 'Invalid token'")
	}
	to := min(len(all), from+size)
	if to < len(all) {
		next = writePage(to)
	}
	return all[from:to], next, nil
}
