package service

import (
	"fmt"
	"testing"
	"time"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/fault"
	"portolan/shared/model"
	"portolan/shared/step/steptest"
	"portolan/shared/store"
)

// One operation converges to the newest wish that it sees.
func TestScaleConvergesToTheNewestWish(t *testing.T) {
	play(t, contract.KindScale, []string{"web:1"}, func(s *scene) {
		s.deployed()
		s.change(func(v *model.Service) { v.Replicas, v.Generation = 4, 2 })
		state := s.do("ScaleService", State{})
		s.change(func(v *model.Service) { v.Replicas, v.Generation = 6, 3 })
		if state = s.do("ObserveScale", state); state.Verdict != decide.Progressing || state.Looks != 0 || state.Generation != 3 {
			s.Fatalf("the newer wish leads to %+v", state)
		}
		if state = s.watch("ObserveScale", state); state.Verdict != decide.Healthy {
			s.Fatalf("got %+v", state)
		}
		if got := s.service(); got.ReplicasObserved != 6 || got.Observed != 3 {
			s.Errorf("the service is %+v", got)
		}
	})
}

func TestScaleIn(t *testing.T) {
	play(t, contract.KindScale, []string{"web:1"}, func(s *scene) {
		s.deployed()
		s.change(func(v *model.Service) { v.Replicas = 0 })
		if state := s.watch("ObserveScale", s.do("ScaleService", State{})); state.Verdict != decide.Healthy || s.service().ReplicasObserved != 0 {
			s.Errorf("the service is %+v after %+v", s.service(), state)
		}
	})
}

func TestScaleWithoutRoomFailsAtTheDeadline(t *testing.T) {
	play(t, contract.KindScale, []string{"web:1"}, func(s *scene) {
		s.deployed()
		s.change(func(v *model.Service) { v.Replicas = 50 })
		state := s.watch("ObserveScale", s.do("ScaleService", State{}))
		if state.Verdict != decide.Failed || len(state.Left) != 1 {
			s.Errorf("got %+v", state)
		}
	})
}

func TestRemove(t *testing.T) {
	play(t, contract.KindRetire, []string{"web:1"}, func(s *scene) {
		s.deployed()
		state := s.do("RemoveService", State{})
		if state.Verdict != decide.Progressing || len(state.Left) == 0 {
			s.Fatalf("at once: %+v", state)
		}
		time.Sleep(time.Minute)
		if state = s.do("RemoveService", state); state.Verdict != decide.Healthy || state.Looks != 2 || len(state.Left) != 0 || state.Left == nil {
			s.Errorf("a minute later: %+v", state)
		}
		if state = s.do("RemoveService", state); state.Verdict != decide.Healthy {
			s.Errorf("once more: %+v", state)
		}
	})
}

// retiring sets a scene with the lease of the cluster, and more services than a
// page has.
func retiring(t *testing.T, act func(*scene)) {
	play(t, contract.KindRetire, []string{"web:1"}, func(s *scene) {
		s.call = steptest.Begin(s.T, s.store, "parent", contract.KindRetire, contract.Target{Cluster: "shop"})
		act(s)
	})
}

func TestRetireServicesAsksForEachOnce(t *testing.T) {
	retiring(t, func(s *scene) {
		for i := range 120 {
			more := steptest.Service()
			more.Name = fmt.Sprintf("more-%03d", i)
			steptest.Commit(s.T, s.store, store.CreateService(more))
		}
		state := s.do("RetireServices", State{})
		if state.Verdict != decide.Progressing || state.Looks != 1 || state.Reason != "121 services are being retired" {
			s.Fatalf("got %+v", state)
		}
		if again := s.do("RetireServices", State{}); again.Reason != state.Reason || s.ids != 121 {
			s.Errorf("a lost answer: %+v, and %d operations", again, s.ids)
		}
		child, err := s.store.Operation(s.Context(), "child-1")
		if err != nil || child.Parent != "parent" || child.Kind != contract.KindRetire || child.Cause.Who != "ada" {
			s.Errorf("the first operation is %+v, %v", child, err)
		}
	})
}

func TestRetireServicesWaitsForAllAndNamesTheStuck(t *testing.T) {
	retiring(t, func(s *scene) {
		state := s.do("RetireServices", State{})
		s.change(func(v *model.Service) { v.Status = contract.ServiceUnhealthy }) // its retirement failed
		stuck := s.do("RetireServices", state)
		if stuck.Verdict != decide.Failed || len(stuck.Left) != 1 || stuck.Left[0] != "service web of cluster shop" {
			s.Errorf("got %+v", stuck)
		}
		s.change(func(v *model.Service) { v.Status = contract.ServiceRetired })
		if done := s.do("RetireServices", state); done.Verdict != decide.Healthy {
			s.Errorf("got %+v", done)
		}
	})
}

func TestTargetsOfAnotherSortAreInvalid(t *testing.T) {
	play(t, contract.KindDeploy, []string{"web:1"}, func(s *scene) {
		for _, target := range []string{"cluster/shop", "nonsense", ""} {
			call := s.call
			call.Step, call.Target = "ApplyRelease", target
			if _, err := s.Handle(s.Context(), In{Call: call}); !fault.IsInvalid(err) {
				s.Errorf("%q: %v", target, err)
			}
		}
	})
}
