package states

import (
	"time"

	"portolan/local/states/asl"
	"portolan/local/states/value"
)

// stamp writes a time as the context object has it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// A view is the scope of a frame, and the world that the scope sees.
type view struct {
	asl.Scope
	server    *Server
	execution *execution
	frame     *frame
	item      *frame // of a Map's iteration that is still to start
}

// scope is what the expressions of the frame's state see, with input for $.
func (s *Server) scope(x *execution, f *frame, input any) *asl.Scope {
	v := &view{server: s, execution: x, frame: f}
	v.Scope = asl.Scope{Input: input, World: v, Rand: s.config.Rand, UUID: s.config.NewID}
	return &v.Scope
}

// Variable looks a name up where the frame sees it.
func (v *view) Variable(name string) (any, bool) { return v.frame.variable(name) }

// Context makes the context object.
func (v *view) Context() any {
	o := v.server.contextObject(v.execution, v.frame)
	if v.item != nil {
		o.Set("Map", mapContext(v.item))
	}
	return o
}

func mapContext(f *frame) *value.Object {
	return value.Members("Item", value.Members("Index", value.Whole(int64(f.index)), "Value", f.item))
}

// contextObject is what $$ stands for.
func (s *Server) contextObject(x *execution, f *frame) *value.Object {
	state := value.Members("Name", f.state, "EnteredTime", stamp(f.entered))
	switch f.flow.States[f.state].Type {
	case "Task", "Parallel", "Map":
		state.Set("RetryCount", value.Whole(f.retries))
	}
	o := value.Members(
		"Execution", x.aboutExecution(),
		"StateMachine", value.Members("Id", x.revision.machineARN, "Name", x.revision.name),
		"State", state)
	for at := f; at != nil; at = at.parent {
		if at.mapped {
			o.Set("Map", mapContext(at))
			break
		}
	}
	if f.task != nil && f.task.token != "" {
		o.Set("Task", value.Members("Token", f.task.token))
	}
	return o
}

func (x *execution) aboutExecution() *value.Object {
	if x.about == nil {
		x.about = value.Members(
			"Id", x.arn, "Input", x.input, "StartTime", stamp(x.started), "Name", x.name,
			"RoleArn", x.revision.role, "RedriveCount", value.Whole(x.redriven))
	}
	return x.about
}
