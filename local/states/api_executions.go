package states

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"portolan/local/states/value"
	"portolan/local/wire"
)

type executionRef struct {
	ExecutionArn string `json:"executionArn"`
}

// findExecution returns the execution of an ARN.
func (s *Server) findExecution(arn string) (*execution, error) {
	if !strings.HasPrefix(arn, "arn:") {
		return nil, wire.Errorf("InvalidArn", "Invalid Arn: 'Invalid ARN prefix: %s'", arn)
	}
	x := s.executions[arn]
	if x == nil {
		return nil, wire.Errorf("ExecutionDoesNotExist", "Execution Does Not Exist: '%s'", arn)
	}
	return x, nil
}

// Started tells of an execution that was started.
type Started struct {
	ExecutionArn string
	StartDate    time.Time
}

// Start starts an execution of the machine. An empty name is given one, and an
// empty input is {}. It is idempotent while an execution of that name and input
// runs. Its error is a *wire.Error in AWS's words.
func (s *Server) Start(machineARN, name, input string) (*Started, error) {
	var out *Started
	err := s.locked(func() error {
		x, err := s.start(machineARN, name, input)
		if err == nil {
			out = &Started{x.arn, x.started}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (s *Server) start(machineARN, name, inputText string) (*execution, error) {
	m, err := s.find(machineARN)
	if err != nil {
		return nil, err
	}
	if m.deleting {
		return nil, wire.Errorf("StateMachineDeleting", "State Machine is being deleted: '%s'", m.arn)
	}
	if name == "" {
		name = s.config.NewID()
	}
	if err := checkName(name); err != nil {
		return nil, err
	}
	if inputText == "" {
		inputText = "{}"
	}
	if len(inputText) > maxPayload {
		return nil, wire.Errorf("ValidationException", "1 validation error detected: Value at 'input' failed to "+
			"satisfy constraint: Member must have length less than or equal to %d", maxPayload)
	}
	input, err := value.ParseString(inputText)
	if err != nil {
		return nil, wire.Errorf("InvalidExecutionInput", "Invalid State Machine Execution Input: '%v'", err)
	}
	arn := s.arn("execution", m.name+":"+name)
	if m.kind == express {
		arn = s.arn("express", m.name+":"+name+":"+s.config.NewID())
	} else if t := s.names[m.arn][name]; t != nil {
		if known, err := s.again(t, inputText); known != nil || err != nil {
			return known, err
		}
	}
	return s.begin(m.revision, arn, name, inputText, input), nil
}

// again is the answer for a name that was used before: the execution, when it
// still runs with the same input, or an error, or neither once the name is free.
func (s *Server) again(t *taken, inputText string) (*execution, error) {
	if !t.Closed.IsZero() && s.now().Sub(t.Closed) >= nameLasts {
		if old := s.executions[t.Execution]; old != nil {
			s.finished = slices.DeleteFunc(s.finished, func(x *execution) bool { return x == old })
			s.forgotten = append(s.forgotten, old)
		}
		return nil, nil
	}
	if x := s.executions[t.Execution]; x != nil && x.open() && x.inputText == inputText {
		return x, nil
	}
	return nil, wire.Errorf("ExecutionAlreadyExists", "Execution Already Exists: '%s'", t.Execution)
}

type startInput struct {
	StateMachineArn string `json:"stateMachineArn"`
	Name            string `json:"name"`
	Input           string `json:"input"`
}

type startOutput struct {
	ExecutionArn string    `json:"executionArn"`
	StartDate    wire.Time `json:"startDate"`
}

func (s *Server) startExecution(_ context.Context, in *startInput) (*startOutput, error) {
	x, err := s.Start(in.StateMachineArn, in.Name, in.Input)
	if err != nil {
		return nil, err
	}
	return &startOutput{x.ExecutionArn, wire.At(x.StartDate)}, nil
}

type executionDescription struct {
	ExecutionArn        string          `json:"executionArn"`
	StateMachineArn     string          `json:"stateMachineArn"`
	Name                string          `json:"name"`
	Status              string          `json:"status"`
	StartDate           wire.Time       `json:"startDate"`
	StopDate            *wire.Time      `json:"stopDate,omitempty"`
	Input               string          `json:"input"`
	InputDetails        json.RawMessage `json:"inputDetails"`
	Output              *string         `json:"output,omitempty"`
	OutputDetails       json.RawMessage `json:"outputDetails,omitempty"`
	Error               *string         `json:"error,omitempty"`
	Cause               *string         `json:"cause,omitempty"`
	RedriveCount        int64           `json:"redriveCount"`
	RedriveDate         *wire.Time      `json:"redriveDate,omitempty"`
	RedriveStatus       string          `json:"redriveStatus,omitempty"`
	RedriveStatusReason string          `json:"redriveStatusReason,omitempty"`
	BillingDetails      json.RawMessage `json:"billingDetails,omitempty"`
}

const included = `{"included":true}`

func (x *execution) describe() *executionDescription {
	d := &executionDescription{
		ExecutionArn: x.arn, StateMachineArn: x.revision.machineARN, Name: x.name, Status: x.status,
		StartDate: wire.At(x.started), Input: x.inputText, InputDetails: json.RawMessage(included),
		RedriveCount: x.redriven, RedriveStatus: x.redriveStatus(), RedriveStatusReason: x.redriveReason(),
	}
	if !x.open() {
		d.StopDate = wire.AtPtr(x.stopped)
	}
	if !x.redriveAt.IsZero() {
		d.RedriveDate = wire.AtPtr(x.redriveAt)
	}
	if x.hasOutput {
		d.Output, d.OutputDetails = new(value.Text(x.output)), json.RawMessage(included)
	}
	if x.failure != nil {
		d.Error, d.Cause = x.failure.Name, x.failure.Cause
	}
	return d
}

func (s *Server) describeExecution(_ context.Context, in *executionRef) (*executionDescription, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.findExecution(in.ExecutionArn)
	if err != nil {
		return nil, err
	}
	return x.describe(), nil
}

// startSyncExecution runs an express machine and answers with its end.
func (s *Server) startSyncExecution(ctx context.Context, in *startInput) (*executionDescription, error) {
	var x *execution
	err := s.locked(func() error {
		m, err := s.find(in.StateMachineArn)
		if err != nil {
			return err
		}
		if m.kind != express {
			return wire.Errorf("StateMachineTypeNotSupported",
				"This operation is not supported by this type of state machine")
		}
		x, err = s.start(in.StateMachineArn, in.Name, in.Input)
		return err
	})
	if err != nil {
		return nil, err
	}
	select {
	case <-x.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d := x.describe()
	d.RedriveStatus, d.RedriveStatusReason = "", ""
	d.BillingDetails = json.RawMessage(`{"billedDurationInMilliseconds":` +
		itoa(int(x.stopped.Sub(x.started).Milliseconds())) + `,"billedMemoryUsedInMB":64}`)
	return d, nil
}

type listExecutionsInput struct {
	StateMachineArn string `json:"stateMachineArn"`
	StatusFilter    string `json:"statusFilter"`
	MaxResults      int    `json:"maxResults"`
	NextToken       string `json:"nextToken"`
}

type executionListItem struct {
	ExecutionArn    string     `json:"executionArn"`
	StateMachineArn string     `json:"stateMachineArn"`
	Name            string     `json:"name"`
	Status          string     `json:"status"`
	StartDate       wire.Time  `json:"startDate"`
	StopDate        *wire.Time `json:"stopDate,omitempty"`
	RedriveCount    int64      `json:"redriveCount"`
	RedriveDate     *wire.Time `json:"redriveDate,omitempty"`
}

type executionList struct {
	Executions []executionListItem `json:"executions"`
	NextToken  string              `json:"nextToken,omitempty"`
}

var statuses = []string{running, succeeded, failed, timedOut, aborted, "PENDING_REDRIVE"}

// listExecutions lists the newest first.
func (s *Server) listExecutions(_ context.Context, in *listExecutionsInput) (*executionList, error) {
	if in.StatusFilter != "" && !slices.Contains(statuses, in.StatusFilter) {
		return nil, invalid("statusFilter", in.StatusFilter,
			"Member must satisfy enum value set: ["+strings.Join(statuses, ", ")+"]")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.find(in.StateMachineArn); err != nil {
		return nil, err
	}
	var all []*execution
	for _, x := range s.executions {
		if x.revision.machineARN == in.StateMachineArn && (in.StatusFilter == "" || x.status == in.StatusFilter) {
			all = append(all, x)
		}
	}
	slices.SortFunc(all, func(a, b *execution) int {
		if n := b.started.Compare(a.started); n != 0 {
			return n
		}
		return strings.Compare(a.arn, b.arn)
	})
	part, next, err := page(all, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &executionList{Executions: []executionListItem{}, NextToken: next}
	for _, x := range part {
		d := x.describe()
		out.Executions = append(out.Executions, executionListItem{
			x.arn, d.StateMachineArn, x.name, x.status, d.StartDate, d.StopDate, x.redriven, d.RedriveDate})
	}
	return out, nil
}

type stopInput struct {
	ExecutionArn string  `json:"executionArn"`
	Error        *string `json:"error"`
	Cause        *string `json:"cause"`
}

type stopOutput struct {
	StopDate wire.Time `json:"stopDate"`
}

func (s *Server) stopExecution(_ context.Context, in *stopInput) (*stopOutput, error) {
	var out *stopOutput
	err := s.locked(func() error {
		x, err := s.findExecution(in.ExecutionArn)
		if err != nil {
			return err
		}
		s.stop(x.arn, in.Error, in.Cause)
		out = &stopOutput{wire.At(x.stopped)}
		return nil
	})
	return out, err
}

type historyInput struct {
	ExecutionArn         string `json:"executionArn"`
	MaxResults           int    `json:"maxResults"`
	NextToken            string `json:"nextToken"`
	ReverseOrder         bool   `json:"reverseOrder"`
	IncludeExecutionData *bool  `json:"includeExecutionData"`
}

type historyOutput struct {
	Events    []json.RawMessage `json:"events"`
	NextToken string            `json:"nextToken,omitempty"`
}

func (s *Server) getHistory(_ context.Context, in *historyInput) (*historyOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.findExecution(in.ExecutionArn)
	if err != nil {
		return nil, err
	}
	all, err := s.events(x)
	if err != nil {
		return nil, err
	}
	if in.ReverseOrder {
		slices.Reverse(all)
	}
	part, next, err := page(all, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	return &historyOutput{append([]json.RawMessage{}, part...), next}, nil
}
