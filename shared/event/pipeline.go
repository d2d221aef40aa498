package event

import (
	"encoding/json"
	"errors"
)

// PipelineExecution is a change of the state of a CodePipeline execution. It has
// neither image nor commit; CodePipeline has to be asked for them.
type PipelineExecution struct {
	Header
	Pipeline  string
	Execution string

	// State is STARTED, SUCCEEDED, FAILED and so on; AWS adds states.
	State   string
	Version string

	// Trigger says what started the execution, where the event tells.
	Trigger string
}

// PipelineAction is a change of the state of one action of an execution.
type PipelineAction struct {
	Header
	Pipeline  string
	Execution string
	Stage     string
	Action    string
	State     string
	Version   string
	Provider  string
	Category  string

	// ErrorCode and Summary are of the action's result, where it has one.
	ErrorCode string
	Summary   string
}

func decodePipelineExecution(h Header, detail json.RawMessage) (any, error) {
	var d struct {
		Pipeline  string `json:"pipeline"`
		Execution string `json:"execution-id"`
		State     string `json:"state"`
		Version   loose  `json:"version"`
		Trigger   struct {
			Type string `json:"trigger-type"`
		} `json:"execution-trigger"`
	}
	if err := json.Unmarshal(detail, &d); err != nil {
		return nil, err
	}
	if d.Pipeline == "" || d.Execution == "" || d.State == "" {
		return nil, errors.New("it has no pipeline, execution-id or state")
	}
	return PipelineExecution{
		Header: h, Pipeline: clip(d.Pipeline, 100), Execution: clip(d.Execution, 100),
		State: clip(d.State, 50), Version: clip(string(d.Version), 20), Trigger: clip(d.Trigger.Type, 100),
	}, nil
}

func decodePipelineAction(h Header, detail json.RawMessage) (any, error) {
	var d struct {
		Pipeline  string `json:"pipeline"`
		Execution string `json:"execution-id"`
		Stage     string `json:"stage"`
		Action    string `json:"action"`
		State     string `json:"state"`
		Version   loose  `json:"version"`
		Type      struct {
			Provider string `json:"provider"`
			Category string `json:"category"`
		} `json:"type"`
		Result struct {
			ErrorCode string `json:"error-code"`
			Summary   string `json:"external-execution-summary"`
		} `json:"execution-result"`
	}
	if err := json.Unmarshal(detail, &d); err != nil {
		return nil, err
	}
	if d.Pipeline == "" || d.Execution == "" || d.Action == "" || d.State == "" {
		return nil, errors.New("it has no pipeline, execution-id, action or state")
	}
	return PipelineAction{
		Header: h, Pipeline: clip(d.Pipeline, 100), Execution: clip(d.Execution, 100),
		Stage: clip(d.Stage, 100), Action: clip(d.Action, 100), State: clip(d.State, 50),
		Version: clip(string(d.Version), 20), Provider: clip(d.Type.Provider, 50),
		Category: clip(d.Type.Category, 50), ErrorCode: clip(d.Result.ErrorCode, 100),
		Summary: clip(d.Result.Summary, 1000),
	}, nil
}
