package service

import (
	"fmt"
	"testing"
	"time"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/fault"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
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

// While an operation is at work nobody else repairs drift, so it does so itself.
func TestWhatSomebodyScalesMeanwhileIsPutRight(t *testing.T) {
	for name, test := range map[string]struct {
		kind        contract.OperationKind
		images      []string
		do, observe string
	}{
		"rollout":   {contract.KindDeploy, []string{"web:1", "web:2"}, "ApplyRelease", "ObserveRollout"},
		"roll back": {contract.KindDeploy, []string{"web:1", "crash"}, "RollBack", "ObserveRollBack"},
		"scale":     {contract.KindScale, []string{"web:1"}, "ScaleService", "ObserveScale"},
		"repair":    {contract.KindRepair, []string{"web:1"}, "RepairService", "ObserveRepair"},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, test.kind, test.images, func(s *scene) {
				s.deployed()
				if len(test.images) > 1 {
					s.want(2)
				}
				state := s.do(test.do, State{})
				if err := s.cluster.Scale(s.Context(), orchestrator.ServiceRef{Name: "web"}, 5); err != nil {
					s.Fatal(err)
				}
				time.Sleep(5 * time.Minute) // all five run, and the release with them
				if state = s.watch(test.observe, state); state.Verdict != decide.Healthy {
					s.Fatalf("got %+v", state)
				}
				if seen := s.observed(); seen.Desired != 2 || s.service().ReplicasObserved != 2 {
					s.Errorf("%d tasks are asked for", seen.Desired)
				}
			})
		})
	}
}

// A scale that somebody changes again and again keeps no rollout from its end.
func TestScaleThatDoesNotStayEndsWithTheDeadline(t *testing.T) {
	play(t, contract.KindDeploy, []string{"web:1"}, func(s *scene) {
		state := s.do("ApplyRelease", State{})
		for begun := time.Now(); state.Verdict == decide.Progressing; {
			if time.Since(begun) > decide.DefaultRolloutDeadline+10*time.Minute {
				s.Fatalf("it goes on: %+v", state)
			}
			if err := s.cluster.Scale(s.Context(), orchestrator.ServiceRef{Name: "web"}, 5); err != nil {
				s.Fatal(err)
			}
			time.Sleep(2 * time.Minute)
			state = s.do("ObserveRollout", state)
		}
		if state.Verdict != decide.Healthy || s.service().ReleaseObserved != 1 {
			s.Errorf("got %+v", state)
		}
	})
}

// A service is well again once what failed the last time succeeds.
func TestScaleMakesAnUnhealthyServiceHealthy(t *testing.T) {
	for _, wanted := range []int64{1, 2} {
		play(t, contract.KindScale, []string{"web:1", "web:2"}, func(s *scene) {
			s.deployed()
			s.change(func(v *model.Service) {
				v.Status, v.Reason, v.Release, v.Replicas = contract.ServiceUnhealthy, "no room", wanted, 3
			})
			if state := s.watch("ObserveScale", s.do("ScaleService", State{})); state.Verdict != decide.Healthy {
				s.Fatalf("got %+v", state)
			}
			if got := s.service(); (got.Status == contract.ServiceHealthy) != (wanted == 1) {
				s.Errorf("release %d is wanted, and the service is %s", wanted, got.Status)
			}
		})
	}
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
