package states

import (
	"context"
	"encoding/json"
)

// Wait returns once the execution is closed, with what became of it. Its error
// is a *wire.Error where there is no such execution, or ctx's.
func (s *Server) Wait(ctx context.Context, arn string) (*StatusChange, error) {
	s.mu.Lock()
	x, err := s.findExecution(arn)
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	done := x.done
	s.mu.Unlock()
	select {
	case <-done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	change := x.change()
	return &change, nil
}

// History is all of the execution's events, the oldest first, as
// GetExecutionHistory has them.
func (s *Server) History(arn string) ([]json.RawMessage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.findExecution(arn)
	if err != nil {
		return nil, err
	}
	return s.events(x)
}
