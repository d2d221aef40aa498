package states

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"portolan/local/states/asl"
	"portolan/local/wire"
)

func writePage(from int) string {
	return base64.StdEncoding.EncodeToString([]byte("page:" + itoa(from)))
}

func readPage(token string) (int, bool) {
	if token == "" {
		return 0, true
	}
	text, err := base64.StdEncoding.DecodeString(token)
	number, ok := strings.CutPrefix(string(text), "page:")
	from, bad := strconv.Atoi(number)
	return from, err == nil && ok && bad == nil && from >= 0
}

type machineRef struct {
	StateMachineArn string `json:"stateMachineArn"`
}

type createdMachine struct {
	StateMachineArn string    `json:"stateMachineArn"`
	CreationDate    wire.Time `json:"creationDate"`
}

func (s *Server) createStateMachine(_ context.Context, in *MachineInput) (*createdMachine, error) {
	m, err := s.create(in)
	if err != nil {
		return nil, err
	}
	return &createdMachine{m.arn, wire.At(m.created)}, nil
}

type updateMachineInput struct {
	StateMachineArn      string          `json:"stateMachineArn"`
	Definition           *string         `json:"definition"`
	RoleArn              *string         `json:"roleArn"`
	LoggingConfiguration json.RawMessage `json:"loggingConfiguration"`
	TracingConfiguration json.RawMessage `json:"tracingConfiguration"`
}

type updatedMachine struct {
	UpdateDate wire.Time `json:"updateDate"`
	RevisionID string    `json:"revisionId"`
}

func (s *Server) updateStateMachine(_ context.Context, in *updateMachineInput) (*updatedMachine, error) {
	var parsed *asl.Machine
	if in.Definition != nil {
		var err error
		if parsed, err = s.parse(*in.Definition); err != nil {
			return nil, err
		}
	}
	if in.Definition == nil && in.RoleArn == nil && in.LoggingConfiguration == nil && in.TracingConfiguration == nil {
		return nil, wire.Errorf("MissingRequiredParameter",
			"Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be specified")
	}
	var out *updatedMachine
	err := s.locked(func() error {
		m, err := s.find(in.StateMachineArn)
		if err != nil {
			return err
		}
		definition, role := m.revision.definition, m.revision.role
		if in.Definition == nil {
			parsed = m.revision.parsed
		} else {
			definition = *in.Definition
		}
		if in.RoleArn != nil {
			role = *in.RoleArn
		}
		if in.LoggingConfiguration != nil {
			m.logging = in.LoggingConfiguration
		}
		if in.TracingConfiguration != nil {
			m.tracing = in.TracingConfiguration
		}
		m.revision = m.revise(s.config.NewID(), definition, role, parsed, s.now())
		out = &updatedMachine{wire.At(m.revision.updated), m.revision.id}
		return s.saveMachine(m)
	})
	return out, err
}

type machineDescription struct {
	StateMachineArn      string          `json:"stateMachineArn"`
	Name                 string          `json:"name"`
	Status               string          `json:"status"`
	Definition           string          `json:"definition"`
	RoleArn              string          `json:"roleArn"`
	Type                 string          `json:"type"`
	CreationDate         wire.Time       `json:"creationDate"`
	LoggingConfiguration json.RawMessage `json:"loggingConfiguration"`
	TracingConfiguration json.RawMessage `json:"tracingConfiguration"`
	RevisionID           string          `json:"revisionId,omitempty"`
}

func orDefault(given json.RawMessage, otherwise string) json.RawMessage {
	if given == nil {
		return json.RawMessage(otherwise)
	}
	return given
}

const noLogging, noTracing = `{"level":"OFF","includeExecutionData":false}`, `{"enabled":false}`

func (s *Server) describeStateMachine(_ context.Context, in *machineRef) (*machineDescription, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, err := s.find(in.StateMachineArn)
	if err != nil {
		return nil, err
	}
	status := "ACTIVE"
	if m.deleting {
		status = "DELETING"
	}
	return &machineDescription{
		m.arn, m.name, status, m.revision.definition, m.revision.role, m.kind, wire.At(m.created),
		orDefault(m.logging, noLogging), orDefault(m.tracing, noTracing), m.revision.id,
	}, nil
}

type forExecution struct {
	StateMachineArn      string          `json:"stateMachineArn"`
	Name                 string          `json:"name"`
	Definition           string          `json:"definition"`
	RoleArn              string          `json:"roleArn"`
	UpdateDate           wire.Time       `json:"updateDate"`
	LoggingConfiguration json.RawMessage `json:"loggingConfiguration"`
	TracingConfiguration json.RawMessage `json:"tracingConfiguration"`
	RevisionID           string          `json:"revisionId,omitempty"`
}

func (s *Server) describeForExecution(_ context.Context, in *executionRef) (*forExecution, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.findExecution(in.ExecutionArn)
	if err != nil {
		return nil, err
	}
	r := x.revision
	return &forExecution{r.machineARN, r.name, r.definition, r.role, wire.At(r.updated),
		json.RawMessage(noLogging), json.RawMessage(noTracing), r.id}, nil
}

type listInput struct {
	MaxResults int    `json:"maxResults"`
	NextToken  string `json:"nextToken"`
}

type machineListItem struct {
	StateMachineArn string    `json:"stateMachineArn"`
	Name            string    `json:"name"`
	Type            string    `json:"type"`
	CreationDate    wire.Time `json:"creationDate"`
}

type machineList struct {
	StateMachines []machineListItem `json:"stateMachines"`
	NextToken     string            `json:"nextToken,omitempty"`
}

func (s *Server) listStateMachines(_ context.Context, in *listInput) (*machineList, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	part, next, err := page(s.order, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &machineList{StateMachines: []machineListItem{}, NextToken: next}
	for _, m := range part {
		out.StateMachines = append(out.StateMachines, machineListItem{m.arn, m.name, m.kind, wire.At(m.created)})
	}
	return out, nil
}

// deleteStateMachine succeeds for a machine that is not there, as AWS's does.
func (s *Server) deleteStateMachine(_ context.Context, in *machineRef) (*struct{}, error) {
	return &struct{}{}, s.locked(func() error {
		m, err := s.find(in.StateMachineArn)
		if refused, ok := err.(*wire.Error); ok && refused.Code == "StateMachineDoesNotExist" {
			return nil
		}
		if err != nil {
			return err
		}
		return s.removeMachine(m)
	})
}

type validateInput struct {
	Definition string `json:"definition"`
	Type       string `json:"type"`
	MaxResults int    `json:"maxResults"`
	Severity   string `json:"severity"`
}

type validation struct {
	Result      string           `json:"result"`
	Diagnostics []asl.Diagnostic `json:"diagnostics"`
	Truncated   bool             `json:"truncated"`
}

func (s *Server) validate(_ context.Context, in *validateInput) (*validation, error) {
	_, diagnostics := asl.Parse(in.Definition, s.config.Dialect)
	out := &validation{Result: "OK", Diagnostics: []asl.Diagnostic{}}
	if len(diagnostics) > 0 {
		out.Result = "FAIL"
		out.Diagnostics = diagnostics
	}
	most := in.MaxResults
	if most <= 0 || most > defaultPage {
		most = defaultPage
	}
	if len(out.Diagnostics) > most {
		out.Diagnostics, out.Truncated = out.Diagnostics[:most], true
	}
	return out, nil
}

type tagInput struct {
	ResourceArn string   `json:"resourceArn"`
	Tags        []Tag    `json:"tags"`
	TagKeys     []string `json:"tagKeys"`
}

type tagList struct {
	Tags []Tag `json:"tags"`
}

func (s *Server) tagged(arn string) (*machine, error) {
	m, err := s.find(arn)
	if err != nil {
		return nil, wire.Errorf("ResourceNotFound", "Resource not found: '%s'", arn)
	}
	return m, nil
}

func (s *Server) tagResource(_ context.Context, in *tagInput) (*struct{}, error) {
	return &struct{}{}, s.locked(func() error {
		m, err := s.tagged(in.ResourceArn)
		if err != nil {
			return err
		}
		for _, tag := range in.Tags {
			m.tags = slices.DeleteFunc(m.tags, func(t Tag) bool { return t.Key == tag.Key })
			m.tags = append(m.tags, tag)
		}
		return s.saveMachine(m)
	})
}

func (s *Server) untagResource(_ context.Context, in *tagInput) (*struct{}, error) {
	return &struct{}{}, s.locked(func() error {
		m, err := s.tagged(in.ResourceArn)
		if err != nil {
			return err
		}
		m.tags = slices.DeleteFunc(m.tags, func(t Tag) bool { return slices.Contains(in.TagKeys, t.Key) })
		return s.saveMachine(m)
	})
}

func (s *Server) listTags(_ context.Context, in *tagInput) (*tagList, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, err := s.tagged(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return &tagList{append([]Tag{}, m.tags...)}, nil
}
