package asl

import (
	"fmt"
	"slices"
	"strings"

	"portolan/local/states/value"
)

// maxName is the longest name of a state.
const maxName = 80

// A Dialect says which parts of the language beyond the JSONPath core are taken.
type Dialect struct {
	// DistributedMap runs a Map in DISTRIBUTED mode whose items come from the
	// state's input. Otherwise such a Map is refused.
	DistributedMap bool
}

// Parse reads a definition. The machine is nil when any diagnostic is returned.
func Parse(definition string, dialect Dialect) (*Machine, []Diagnostic) {
	d := &decoder{dialect: dialect, seen: map[string]bool{}}
	doc, err := value.ParseString(definition)
	if err != nil {
		d.report(codeJSON, "", "Invalid JSON: %v", err)
		return nil, d.found
	}
	root, ok := doc.(*value.Object)
	if !ok {
		d.report(codeJSON, "", "The definition must be a JSON object")
		return nil, d.found
	}
	m := d.machine(root)
	if len(d.found) == 0 {
		d.checkFlow(m.Flow, "")
	}
	if len(d.found) > 0 {
		return nil, d.found
	}
	return m, nil
}

type decoder struct {
	dialect Dialect
	found   []Diagnostic
	seen    map[string]bool // names of states, which are unique in a machine
	depth   int
}

func (d *decoder) report(code, location, format string, args ...any) {
	d.found = append(d.found, Diagnostic{severityErr, code, fmt.Sprintf(format, args...), location})
}

func (d *decoder) schema(location, format string, args ...any) {
	d.report(codeSchema, location, format, args...)
}

func (d *decoder) machine(root *value.Object) *Machine {
	f := d.fields(root, "")
	m := &Machine{}
	m.Comment, _ = f.text("Comment")
	f.text("Version")
	f.queryLanguage()
	m.TimeoutSeconds, _ = f.whole("TimeoutSeconds", 1)
	m.Flow = d.flow(f)
	f.unknown()
	return m
}

// queryLanguage refuses JSONata by name, wherever it is asked for.
func (f *fields) queryLanguage() {
	language, ok := f.text("QueryLanguage")
	switch {
	case !ok || language == "JSONPath":
	case language == "JSONata":
		f.d.schema(f.location+"/QueryLanguage",
			"QueryLanguage JSONata is not supported by the embedded Step Functions: use JSONPath")
	default:
		f.d.schema(f.location+"/QueryLanguage",
			"The field 'QueryLanguage' should have one of these values: [JSONPath, JSONata]")
	}
}

// maxFlows bounds how deep branches and processors nest.
const maxFlows = 60

func (d *decoder) flow(f *fields) *Flow {
	d.depth++
	defer func() { d.depth-- }()
	flow := &Flow{States: map[string]*State{}}
	if d.depth > maxFlows {
		d.schema(f.location, "States nest too deeply")
		return flow
	}
	f.require("StartAt", "States")
	flow.StartAt, _ = f.text("StartAt")
	states, ok := f.object("States")
	if !ok {
		return flow
	}
	if states.doc.Len() == 0 {
		d.schema(states.location, "There must be at least one state")
	}
	for i := range states.doc.Len() {
		name, _ := states.doc.At(i)
		inner, ok := states.object(name)
		if !ok {
			continue
		}
		d.name(name, inner.location)
		flow.States[name] = d.state(name, inner)
		flow.order = append(flow.order, name)
	}
	return flow
}

func (d *decoder) name(name, location string) {
	if name == "" || len([]rune(name)) > maxName {
		d.schema(location, "The name of a state must have between 1 and %d characters", maxName)
	}
	if d.seen[name] {
		d.report(codeTwice, location, "Duplicate State name: %s", name)
	}
	d.seen[name] = true
}

var stateTypes = []string{"Task", "Wait", "Pass", "Succeed", "Fail", "Choice", "Parallel", "Map"}

func (d *decoder) state(name string, f *fields) *State {
	s := &State{Name: name}
	f.require("Type")
	s.Type, _ = f.text("Type")
	f.text("Comment")
	f.queryLanguage()
	if f.has("Type") && !slices.Contains(stateTypes, s.Type) {
		d.schema(f.location+"/Type", "The field 'Type' should have one of these values: [%s]",
			strings.Join(stateTypes, ", "))
		return s
	}
	if s.Type == "" {
		return s
	}
	d.common(s, f)
	switch s.Type {
	case "Task":
		d.task(s, f)
	case "Wait":
		d.wait(s, f)
	case "Fail":
		d.failing(s, f)
	case "Choice":
		d.choice(s, f)
	case "Parallel":
		d.parallel(s, f)
	case "Map":
		d.mapping(s, f)
	}
	f.unknown()
	return s
}

// common reads the fields that most types share.
func (d *decoder) common(s *State, f *fields) {
	switch s.Type {
	case "Fail":
		return
	case "Succeed", "Choice":
	default:
		d.transition(s, f)
	}
	s.InputPath = f.selection("InputPath")
	s.OutputPath = f.selection("OutputPath")
	if s.Type != "Succeed" {
		s.Assign = f.assign("Assign")
	}
	switch s.Type {
	case "Pass", "Task", "Parallel", "Map":
		s.ResultPath = f.place("ResultPath")
		s.Parameters = f.template("Parameters")
	}
	switch s.Type {
	case "Pass":
		s.Result, s.HasResult = f.doc.Get("Result")
		f.used["Result"] = true
	case "Task", "Parallel", "Map":
		s.ResultSelector = f.template("ResultSelector")
		s.Retry = d.retriers(f)
		s.Catch = d.catchers(f)
	}
}

func (d *decoder) transition(s *State, f *fields) {
	s.Next, _ = f.text("Next")
	s.End, _ = f.boolean("End")
	switch hasNext := f.has("Next"); {
	case hasNext && s.End:
		d.schema(f.location, "There should only be one of the following fields: [Next, End]")
	case !hasNext && !s.End:
		d.schema(f.location, "State must have either 'Next' or 'End'")
	}
}
