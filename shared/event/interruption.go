package event

import (
	"encoding/json"
	"errors"
)

// Interruption tells that EC2 takes a Spot instance back, two minutes before it does.
type Interruption struct {
	Header
	Instance string
}

func decodeInterruption(h Header, detail json.RawMessage) (any, error) {
	var d struct {
		Instance string `json:"instance-id"`
	}
	if err := json.Unmarshal(detail, &d); err != nil {
		return nil, err
	}
	if d.Instance == "" {
		return nil, errors.New("it has no instance")
	}
	return Interruption{Header: h, Instance: clip(d.Instance, 32)}, nil
}
