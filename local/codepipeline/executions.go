package codepipeline

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"portolan/local/wire"
)

type executionInput struct {
	PipelineName        string `json:"pipelineName"`
	PipelineExecutionID string `json:"pipelineExecutionId"`
	Filter              struct {
		PipelineExecutionID string `json:"pipelineExecutionId"`
	} `json:"filter"`
	MaxResults int    `json:"maxResults"`
	NextToken  string `json:"nextToken"`
}

type executionOutput struct {
	PipelineExecution executionView `json:"pipelineExecution"`
}

type executionView struct {
	PipelineExecutionID string             `json:"pipelineExecutionId"`
	PipelineName        string             `json:"pipelineName"`
	PipelineVersion     int                `json:"pipelineVersion"`
	Status              string             `json:"status"`
	ArtifactRevisions   []Revision         `json:"artifactRevisions"`
	ExecutionMode       string             `json:"executionMode"`
	ExecutionType       string             `json:"executionType"`
	Variables           []resolvedVariable `json:"variables,omitempty"`
}

type resolvedVariable struct {
	Name          string `json:"name"`
	ResolvedValue string `json:"resolvedValue"`
}

func (s *Server) getPipelineExecution(_ context.Context, in *executionInput) (*executionOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.find(in.PipelineName); err != nil {
		return nil, err
	}
	e, ok := s.executions[in.PipelineExecutionID]
	if !ok || e.Pipeline != in.PipelineName {
		return nil, wire.Errorf("PipelineExecutionNotFoundException", "The pipeline execution %s of pipeline '%s' was not found",
			in.PipelineExecutionID, in.PipelineName)
	}
	v := executionView{PipelineExecutionID: e.ID, PipelineName: e.Pipeline, PipelineVersion: e.Version, Status: e.Status,
		ArtifactRevisions: append([]Revision{}, e.Revisions...), ExecutionMode: "SUPERSEDED", ExecutionType: e.Type}
	for _, name := range slices.Sorted(maps.Keys(e.Variables)) {
		v.Variables = append(v.Variables, resolvedVariable{name, e.Variables[name]})
	}
	return &executionOutput{v}, nil
}

// cut returns the bounds of a page of n, and the next page's token.
func (in *executionInput) cut(n int) (from, to int, next string, err error) {
	if in.NextToken != "" {
		if from, err = strconv.Atoi(in.NextToken); err != nil || from < 0 || from > n {
			return 0, 0, "", wire.Errorf("InvalidNextTokenException", "The next token is invalid")
		}
	}
	size := in.MaxResults
	if size < 1 || size > 100 {
		size = 100
	}
	if to = min(from+size, n); to < n {
		next = strconv.Itoa(to)
	}
	return from, to, next, nil
}

type executionSummary struct {
	PipelineExecutionID string    `json:"pipelineExecutionId"`
	Status              string    `json:"status"`
	StartTime           wire.Time `json:"startTime"`
	LastUpdateTime      wire.Time `json:"lastUpdateTime"`
	SourceRevisions     []source  `json:"sourceRevisions"`
	ExecutionMode       string    `json:"executionMode"`
	ExecutionType       string    `json:"executionType"`
}

type source struct {
	ActionName      string `json:"actionName"`
	RevisionID      string `json:"revisionId"`
	RevisionSummary string `json:"revisionSummary,omitempty"`
	RevisionURL     string `json:"revisionUrl,omitempty"`
}

type listExecutionsOutput struct {
	PipelineExecutionSummaries []executionSummary `json:"pipelineExecutionSummaries"`
	NextToken                  string             `json:"nextToken,omitempty"`
}

func (s *Server) listPipelineExecutions(_ context.Context, in *executionInput) (*listExecutionsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.find(in.PipelineName); err != nil {
		return nil, err
	}
	found := s.of(in.PipelineName)
	from, to, next, err := in.cut(len(found))
	if err != nil {
		return nil, err
	}
	out := &listExecutionsOutput{PipelineExecutionSummaries: []executionSummary{}, NextToken: next}
	for _, e := range found[from:to] {
		v := executionSummary{PipelineExecutionID: e.ID, Status: e.Status, StartTime: wire.At(e.StartedAt),
			LastUpdateTime: wire.At(e.UpdatedAt), SourceRevisions: []source{}, ExecutionMode: "SUPERSEDED", ExecutionType: e.Type}
		for _, r := range e.Revisions {
			v.SourceRevisions = append(v.SourceRevisions, source{r.Name, r.RevisionID, r.RevisionSummary, r.RevisionURL})
		}
		out.PipelineExecutionSummaries = append(out.PipelineExecutionSummaries, v)
	}
	return out, nil
}

type actionView struct {
	PipelineExecutionID string       `json:"pipelineExecutionId"`
	ActionExecutionID   string       `json:"actionExecutionId"`
	PipelineVersion     int          `json:"pipelineVersion"`
	StageName           string       `json:"stageName"`
	ActionName          string       `json:"actionName"`
	StartTime           wire.Time    `json:"startTime"`
	LastUpdateTime      wire.Time    `json:"lastUpdateTime"`
	Status              string       `json:"status"`
	Input               actionInput  `json:"input"`
	Output              actionOutput `json:"output"`
}

type actionInput struct {
	ActionTypeID  actionType        `json:"actionTypeId"`
	Configuration map[string]string `json:"configuration"`
	Region        string            `json:"region"`
}

type actionType struct {
	Category string `json:"category"`
	Owner    string `json:"owner"`
	Provider string `json:"provider"`
	Version  string `json:"version"`
}

type actionOutput struct {
	OutputArtifacts []nothing         `json:"outputArtifacts"`
	OutputVariables map[string]string `json:"outputVariables"`
}

type listActionsOutput struct {
	ActionExecutionDetails []actionView `json:"actionExecutionDetails"`
	NextToken              string       `json:"nextToken,omitempty"`
}

// listActionExecutions lists the newest action first, as AWS does.
func (s *Server) listActionExecutions(_ context.Context, in *executionInput) (*listActionsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.find(in.PipelineName); err != nil {
		return nil, err
	}
	executions := s.of(in.PipelineName)
	if id := in.Filter.PipelineExecutionID; id != "" {
		executions = slices.DeleteFunc(executions, func(e *Execution) bool { return e.ID != id })
		if len(executions) == 0 {
			return nil, wire.Errorf("PipelineExecutionNotFoundException",
				"The pipeline execution %s of pipeline '%s' was not found", id, in.PipelineName)
		}
	}
	views := []actionView{}
	for _, e := range executions {
		for _, a := range slices.Backward(e.Actions) {
			v := actionView{PipelineExecutionID: e.ID, ActionExecutionID: a.ID, PipelineVersion: e.Version, StageName: a.Stage,
				ActionName: a.Name, StartTime: wire.At(a.StartedAt), LastUpdateTime: wire.At(a.UpdatedAt), Status: a.Status}
			v.Input = actionInput{ActionTypeID: actionType{a.Category, "AWS", a.Provider, "1"},
				Configuration: map[string]string{}, Region: s.config.Region}
			v.Output = actionOutput{OutputArtifacts: []nothing{}, OutputVariables: a.OutputVariables}
			views = append(views, v)
		}
	}
	from, to, next, err := in.cut(len(views))
	if err != nil {
		return nil, err
	}
	return &listActionsOutput{ActionExecutionDetails: views[from:to], NextToken: next}, nil
}
