package service

import (
	"context"
	"testing"
	"time"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
	"portolan/shared/orchestrator/simulated"
)

// A listener is a simulated cluster that sends no events and can be listened to.
type listener struct {
	*simulated.Orchestrator
	watches int
}

// Watch implements orchestrator.Watcher.
func (l *listener) Watch(ctx context.Context, service orchestrator.ServiceRef, until time.Time) (orchestrator.Observation, error) {
	l.watches++
	for {
		seen, err := l.Observe(ctx, service)
		if err != nil || seen.Rollout.State != orchestrator.InProgress || !time.Now().Before(until) {
			return seen, err
		}
		time.Sleep(time.Second)
	}
}

func TestARolloutIsListenedToWhereNobodyTellsOfIt(t *testing.T) {
	play(t, contract.KindDeploy, []string{"web:1"}, func(s *scene) {
		cluster := &listener{Orchestrator: s.cluster}
		s.Handler.Orchestrator = func(*model.Cluster, string) orchestrator.Services { return cluster }
		state := s.do("ApplyRelease", State{})
		if state.LookAfterSeconds != 1 {
			t.Errorf("the machine waits %d s for an event that nobody sends", state.LookAfterSeconds)
		}
		if state = s.watch("ObserveRollout", state); state.Verdict != decide.Healthy || cluster.watches != 1 {
			t.Errorf("after %d watches: %+v", cluster.watches, state)
		}
	})
}

func TestListeningEndsWithTheDeadline(t *testing.T) {
	play(t, contract.KindDeploy, []string{"web:1", "web:unhealthy"}, func(s *scene) {
		s.change(func(v *model.Service) { v.Release = 1 })
		s.deployed()
		s.change(func(v *model.Service) { v.Release, v.LastRelease = 2, 2 })
		cluster := &listener{Orchestrator: s.cluster}
		s.Handler.Orchestrator = func(*model.Cluster, string) orchestrator.Services { return cluster }
		began := time.Now()
		state := s.watch("ObserveRollout", s.do("ApplyRelease", State{}))
		if state.Verdict != decide.Failed {
			t.Errorf("got %+v", state)
		}
		if took := time.Since(began); took > decide.DefaultRolloutDeadline+time.Minute || cluster.watches > 4 {
			t.Errorf("took %s and %d watches", took, cluster.watches)
		}
	})
}
