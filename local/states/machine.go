package states

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"portolan/local/states/asl"
	"portolan/local/wire"
)

// A machine is a state machine as it stands now.
type machine struct {
	arn      string
	name     string
	kind     string // STANDARD or EXPRESS
	created  time.Time
	revision *revision
	tags     []Tag
	logging  json.RawMessage
	tracing  json.RawMessage
	deleting bool
}

// A revision is a machine's definition and role at a time. Executions keep the
// one that they started with.
type revision struct {
	id         string
	machineARN string
	name       string
	kind       string
	role       string
	definition string
	updated    time.Time
	parsed     *asl.Machine
}

// A Tag is a key and a value.
type Tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

const express, standard = "EXPRESS", "STANDARD"

// A MachineInput is what CreateStateMachine takes.
type MachineInput struct {
	Name                 string          `json:"name"`
	Definition           string          `json:"definition"`
	RoleArn              string          `json:"roleArn"`
	Type                 string          `json:"type"`
	Tags                 []Tag           `json:"tags"`
	LoggingConfiguration json.RawMessage `json:"loggingConfiguration"`
	TracingConfiguration json.RawMessage `json:"tracingConfiguration"`
}

// CreateStateMachine creates a machine and returns its ARN. It is idempotent for
// the same definition, role and type; a name that is taken by another machine,
// or a definition that is not valid, is a *wire.Error.
func (s *Server) CreateStateMachine(in MachineInput) (string, error) {
	m, err := s.create(&in)
	if err != nil {
		return "", err
	}
	return m.arn, nil
}

func (s *Server) create(in *MachineInput) (*machine, error) {
	if err := checkName(in.Name); err != nil {
		return nil, err
	}
	if in.Type == "" {
		in.Type = standard
	}
	if in.Type != standard && in.Type != express {
		return nil, invalid("type", in.Type, "Member must satisfy enum value set: [STANDARD, EXPRESS]")
	}
	parsed, err := s.parse(in.Definition)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(in.RoleArn, "arn:") {
		return nil, wire.Errorf("InvalidArn", "Invalid Arn: 'Invalid ARN prefix: %s'", in.RoleArn)
	}
	var m *machine
	err = s.locked(func() error {
		arn := s.arn("stateMachine", in.Name)
		if m = s.machines[arn]; m != nil {
			return m.same(in)
		}
		m = &machine{arn: arn, name: in.Name, kind: in.Type, created: s.now(), tags: in.Tags,
			logging: in.LoggingConfiguration, tracing: in.TracingConfiguration}
		m.revision = m.revise(s.config.NewID(), in.Definition, in.RoleArn, parsed, m.created)
		s.machines[arn] = m
		s.order = append(s.order, m)
		return s.saveMachine(m)
	})
	return m, err
}

func (m *machine) revise(id, definition, role string, parsed *asl.Machine, at time.Time) *revision {
	return &revision{id: id, machineARN: m.arn, name: m.name, kind: m.kind, role: role,
		definition: definition, updated: at, parsed: parsed}
}

// same refuses to create what exists unless it would be the same.
func (m *machine) same(in *MachineInput) error {
	if m.deleting {
		return wire.Errorf("StateMachineDeleting", "State Machine is being deleted: '%s'", m.arn)
	}
	if m.revision.definition != in.Definition || m.revision.role != in.RoleArn || m.kind != in.Type {
		return wire.Errorf("StateMachineAlreadyExists", "State Machine Already Exists: '%s'", m.arn)
	}
	return nil
}

// parse reads a definition; its error is InvalidDefinition.
func (s *Server) parse(definition string) (*asl.Machine, error) {
	if len(definition) > maxDefinition {
		return nil, invalid("definition", "", fmt.Sprintf("Member must have length less than or equal to %d", maxDefinition))
	}
	parsed, diagnostics := asl.Parse(definition, s.config.Dialect)
	if len(diagnostics) > 0 {
		return nil, wire.Errorf("InvalidDefinition", "%s", asl.Explain(diagnostics))
	}
	return parsed, nil
}

const maxDefinition = 1 << 20

func (s *Server) arn(kind, name string) string {
	return fmt.Sprintf("arn:aws:states:%s:%s:%s:%s", s.config.Region, s.config.Account, kind, name)
}

// checkName applies the rules for names of machines and executions.
func checkName(name string) error {
	if name == "" {
		return invalid("name", name, "Member must have length greater than or equal to 1")
	}
	if len(name) > 80 {
		return invalid("name", name, "Member must have length less than or equal to 80")
	}
	for _, r := range name {
		if r <= ' ' || r >= 0x7f && r <= 0x9f || strings.ContainsRune("<>{}[]?*\"#%\\^|~`$&,;:/", r) {
			return wire.Errorf("InvalidName", "Invalid Name: '%s'", name)
		}
	}
	return nil
}

func invalid(member, given, rule string) error {
	return wire.Errorf("ValidationException", "1 validation error detected: Value '%s' at '%s' "+
		"failed to satisfy constraint: %s", given, member, rule)
}

// find returns the machine of an ARN. A version or an alias is not known.
func (s *Server) find(arn string) (*machine, error) {
	if !strings.HasPrefix(arn, "arn:") {
		return nil, wire.Errorf("InvalidArn", "Invalid Arn: 'Invalid ARN prefix: %s'", arn)
	}
	m := s.machines[arn]
	if m == nil {
		return nil, wire.Errorf("StateMachineDoesNotExist", "State Machine Does Not Exist: '%s'", arn)
	}
	return m, nil
}

// removeMachine marks a machine as being deleted: it goes once none of its
// executions runs.
func (s *Server) removeMachine(m *machine) error {
	m.deleting = true
	if err := s.saveMachine(m); err != nil {
		return err
	}
	return s.retire(m)
}

// retire forgets a machine that is being deleted, unless an execution of it runs.
func (s *Server) retire(m *machine) error {
	for _, x := range s.executions {
		if x.open() && x.revision.machineARN == m.arn {
			return nil
		}
	}
	delete(s.machines, m.arn)
	for i, other := range s.order {
		if other == m {
			s.order = append(s.order[:i:i], s.order[i+1:]...)
			break
		}
	}
	return s.deleteMachine(m)
}
