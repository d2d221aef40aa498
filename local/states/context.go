package states

import (
	"time"

	"portolan/local/states/asl"
	"portolan/local/states/value"
)

// stamp writes a time as the context object has it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// scope is what the expressions of the frame's state see, with input for $.
func (s *Server) scope(x *execution, f *frame, input any) *asl.Scope {
	return &asl.Scope{
		Input:    input,
		Context:  func() any { return s.contextObject(x, f) },
		Variable: f.variable,
		Rand:     s.config.Rand,
		UUID:     s.config.NewID,
	}
}

// contextObject is what $$ stands for.
func (s *Server) contextObject(x *execution, f *frame) any {
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
			o.Set("Map", value.Members("Item", value.Members(
				"Index", value.Whole(int64(at.index)), "Value", at.item)))
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
