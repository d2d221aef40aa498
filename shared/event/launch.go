package event

import (
	"encoding/json"
	"errors"
)

// Launch tells that an Auto Scaling group has launched an instance.
type Launch struct {
	Header
	Group    string
	Instance string
}

func decodeLaunch(h Header, detail json.RawMessage) (any, error) {
	var d struct {
		Group    string `json:"AutoScalingGroupName"`
		Instance string `json:"EC2InstanceId"`
	}
	if err := json.Unmarshal(detail, &d); err != nil {
		return nil, err
	}
	if d.Group == "" || d.Instance == "" {
		return nil, errors.New("it has no group or instance")
	}
	return Launch{Header: h, Group: clip(d.Group, 255), Instance: clip(d.Instance, 32)}, nil
}
