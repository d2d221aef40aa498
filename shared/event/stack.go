package event

import (
	"encoding/json"
	"errors"
	"strings"
)

// StackStatus is a change of the status of a CloudFormation stack.
type StackStatus struct {
	Header
	StackID string
	Stack   string
	Status  string
	Reason  string

	// Token is the client request token of the call that caused the change.
	Token string
}

// Final says whether nothing more happens to the stack before the next request.
func (s StackStatus) Final() bool { return !strings.HasSuffix(s.Status, "_IN_PROGRESS") }

func decodeStackStatus(h Header, detail json.RawMessage) (any, error) {
	var d struct {
		StackID string `json:"stack-id"`
		Token   string `json:"client-request-token"`
		Details struct {
			Status string `json:"status"`
			Reason string `json:"status-reason"`
		} `json:"status-details"`
	}
	if err := json.Unmarshal(detail, &d); err != nil {
		return nil, err
	}
	names := afterSlash(d.StackID, "stack")
	if len(names) == 0 || names[0] == "" || d.Details.Status == "" {
		return nil, errors.New("it has no stack-id or status")
	}
	return StackStatus{
		Header: h, StackID: clip(d.StackID, 300), Stack: clip(names[0], 128),
		Status: clip(d.Details.Status, 100), Reason: clip(d.Details.Reason, 1000), Token: clip(d.Token, 128),
	}, nil
}
