package states

import (
	"context"

	"portolan/local/states/value"
	"portolan/local/wire"
)

type taskInput struct {
	TaskToken string  `json:"taskToken"`
	Output    string  `json:"output"`
	Error     *string `json:"error"`
	Cause     *string `json:"cause"`
}

// withTask calls fn on the task that waits for the token.
func (s *Server) withTask(token string, fn func(*execution, *frame)) error {
	return s.locked(func() error {
		arn, id, ok := readToken(token)
		if !ok {
			return wire.Errorf("InvalidToken", "Invalid Token: 'Invalid token'")
		}
		x := s.executions[arn]
		if x == nil || !x.open() {
			return over()
		}
		f := x.frames[id]
		if f == nil || f.task == nil || f.phase != working || f.task.token != token {
			return over()
		}
		fn(x, f)
		s.drive(x)
		return nil
	})
}

func over() error {
	return wire.Errorf("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")
}

// SendTaskSuccess ends a task that waits for the token, with output as its
// result. Its error is a *wire.Error: InvalidToken, TaskTimedOut, InvalidOutput.
func (s *Server) SendTaskSuccess(token, output string) error {
	if len(output) > maxPayload {
		return invalid("output", "", "Member must have length less than or equal to 262144")
	}
	result, err := value.ParseString(output)
	if err != nil {
		return wire.Errorf("InvalidOutput", "Invalid Output: '%v'", err)
	}
	return s.withTask(token, func(x *execution, f *frame) { s.taskSucceeded(x, f, result) })
}

// SendTaskFailure ends a task that waits for the token with an error.
func (s *Server) SendTaskFailure(token string, name, cause *string) error {
	return s.withTask(token, func(x *execution, f *frame) {
		s.taskFailed(x, f, &failure{Name: name, Cause: cause})
	})
}

// SendTaskHeartbeat puts the time of the next heartbeat off.
func (s *Server) SendTaskHeartbeat(token string) error {
	return s.withTask(token, func(x *execution, f *frame) {
		if t := f.task; t.interval > 0 {
			t.beat = s.now().Add(t.interval)
			s.rearm(x, f)
		}
	})
}

func (s *Server) sendTaskSuccess(_ context.Context, in *taskInput) (*struct{}, error) {
	return &struct{}{}, s.SendTaskSuccess(in.TaskToken, in.Output)
}

func (s *Server) sendTaskFailure(_ context.Context, in *taskInput) (*struct{}, error) {
	return &struct{}{}, s.SendTaskFailure(in.TaskToken, in.Error, in.Cause)
}

func (s *Server) sendTaskHeartbeat(_ context.Context, in *taskInput) (*struct{}, error) {
	return &struct{}{}, s.SendTaskHeartbeat(in.TaskToken)
}
