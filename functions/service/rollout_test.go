package service

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/fault"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
	"portolan/shared/orchestrator/simulated"
	"portolan/shared/step/steptest"
)

func TestRolloutMakesAReleaseTheOneInEffect(t *testing.T) {
	play(t, contract.KindDeploy, []string{"web:1", "web:2"}, func(s *scene) {
		state := s.watch("ObserveRollout", s.do("ApplyRelease", State{}))
		if state.Verdict != decide.Healthy || state.Release != 1 {
			s.Fatalf("got %+v", state)
		}
		got := s.service()
		if got.Status != contract.ServiceHealthy || got.ReleaseObserved != 1 || got.ReplicasObserved != 2 || got.Observed != 1 {
			s.Errorf("the service is %+v", got)
		}
		s.want(2)
		s.deployed()
		if first, second := s.release(1).Status, s.release(2).Status; first != contract.ReleaseSuperseded || second != contract.ReleaseActive {
			s.Errorf("release 1 is %s, release 2 %s", first, second)
		}
	})
}

func TestCrashIsRolledBackAtTheScaleOfNow(t *testing.T) {
	play(t, contract.KindDeploy, []string{"web:1", "crash"}, func(s *scene) {
		s.deployed()
		s.want(2)
		state := s.do("ApplyRelease", State{})
		s.change(func(v *model.Service) { v.Replicas = 5 }) // an alarm, meanwhile
		state = s.watch("ObserveRollout", state)
		if state.Verdict != decide.Failed || !strings.Contains(state.Reason, "exited with code 1") {
			s.Fatalf("got %+v", state)
		}
		failure := state.Reason
		state = s.watch("ObserveRollBack", s.do("RollBack", state))
		if state.Verdict != decide.Healthy || state.Release != 1 || state.FailedRelease != 2 || state.Failure != failure {
			s.Fatalf("got %+v", state)
		}
		got, failed := s.service(), s.release(2)
		if got.Release != 1 || got.LastRelease != 2 || got.ReleaseObserved != 1 || got.Status != contract.ServiceHealthy || got.Reason != failure {
			s.Errorf("the service is %+v", got)
		}
		if got.Replicas != 5 || got.ReplicasObserved != 5 {
			s.Errorf("%d of %d tasks run", got.ReplicasObserved, got.Replicas)
		}
		if failed.Status != contract.ReleaseRolledBack || failed.Reason != failure {
			s.Errorf("release 2 is %s: %s", failed.Status, failed.Reason)
		}
	})
}

func TestFirstReleaseThatFailsIsRemoved(t *testing.T) {
	play(t, contract.KindDeploy, []string{"crash"}, func(s *scene) {
		state := s.watch("ObserveRollout", s.do("ApplyRelease", State{}))
		state = s.watch("ObserveRollBack", s.do("RollBack", state))
		if state.Verdict != decide.Healthy || state.Release != 0 || len(s.cluster.Names()) != 0 {
			s.Fatalf("got %+v, and there is %q", state, s.cluster.Names())
		}
		if got := s.service(); got.Status != contract.ServiceRetired || got.Release != 0 {
			s.Errorf("the service is %+v", got)
		}
	})
}

// What is wanted since a rollout failed stays wanted.
func TestNewerReleaseSurvivesARollBack(t *testing.T) {
	play(t, contract.KindDeploy, []string{"web:1", "crash", "web:3"}, func(s *scene) {
		s.deployed()
		s.want(2)
		state := s.watch("ObserveRollout", s.do("ApplyRelease", State{}))
		s.want(3)
		if state = s.watch("ObserveRollBack", s.do("RollBack", state)); state.Verdict != decide.Healthy {
			s.Fatalf("got %+v", state)
		}
		if got := s.service(); got.Release != 3 || got.Status != contract.ServiceDeploying || got.ReleaseObserved != 1 {
			s.Errorf("the service is %+v", got)
		}
	})
}

func TestNewerReleaseWaitsForItsTurn(t *testing.T) {
	play(t, contract.KindDeploy, []string{"web:1", "web:2"}, func(s *scene) {
		state := s.do("ApplyRelease", State{})
		s.want(2)
		if state = s.watch("ObserveRollout", state); state.Verdict != decide.Healthy || state.Release != 1 {
			s.Fatalf("got %+v", state)
		}
		if got := s.service(); got.Status != contract.ServiceDeploying || got.ReleaseObserved != 1 || got.Observed != 1 {
			s.Errorf("the service is %+v", got)
		}
	})
}

// A retirement that was asked for meanwhile waits for its turn, and stays known.
func TestRetirementSurvivesWhatIsUnderWay(t *testing.T) {
	retire := func(v *model.Service) { v.Status = contract.ServiceRetiring }
	for name, images := range map[string][]string{
		"rollout": {"web:1"}, "first one fails": {"crash"}, "roll back": {"web:1", "crash"},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, contract.KindDeploy, images, func(s *scene) {
				if len(images) > 1 {
					s.deployed()
					s.want(2)
				}
				state := s.do("ApplyRelease", State{})
				s.change(retire)
				if state = s.watch("ObserveRollout", state); state.Verdict == decide.Failed {
					state = s.watch("ObserveRollBack", s.do("RollBack", state))
				}
				if got := s.service(); state.Verdict != decide.Healthy || got.Status != contract.ServiceRetiring {
					s.Errorf("the service is %+v after %+v", got, state)
				}
			})
		})
	}
}

func TestRolloutEndsAtItsDeadline(t *testing.T) {
	play(t, contract.KindDeploy, []string{"web:1"}, func(s *scene) {
		s.change(func(v *model.Service) { v.Replicas = 50 }) // the cluster has room for 16
		begun := time.Now()
		state := s.watch("ObserveRollout", s.do("ApplyRelease", State{}))
		if state.Verdict != decide.Failed || !strings.Contains(state.Reason, "no node has room") {
			s.Fatalf("got %+v", state)
		}
		if took := time.Since(begun); took < decide.DefaultRolloutDeadline || took > decide.DefaultRolloutDeadline+time.Minute {
			s.Errorf("it took %s", took)
		}
	})
}

func TestServiceThatSomebodyRemovedFails(t *testing.T) {
	play(t, contract.KindDeploy, []string{"web:1"}, func(s *scene) {
		state := s.do("ObserveRollout", State{Release: 1, Deadline: time.Now().Add(time.Hour)})
		if state.Verdict != decide.Failed || state.Reason != "somebody else removed the service" {
			s.Errorf("got %+v", state)
		}
	})
}

func TestServiceWithoutAReleaseIsInvalid(t *testing.T) {
	play(t, contract.KindDeploy, nil, func(s *scene) {
		s.change(func(v *model.Service) { v.Release = 0 })
		s.call.Step = "ApplyRelease"
		if _, err := s.Handle(s.Context(), In{Call: s.call}); !fault.IsInvalid(err) {
			s.Errorf("got %v", err)
		}
	})
}

func TestFailedRollBackNamesWhatIsLeft(t *testing.T) {
	play(t, contract.KindDeploy, []string{"crash", "crash"}, func(s *scene) {
		s.change(func(v *model.Service) { v.ReleaseObserved, v.Release = 1, 2 })
		state := s.watch("ObserveRollout", s.do("ApplyRelease", State{}))
		state = s.watch("ObserveRollBack", s.do("RollBack", state))
		if state.Verdict != decide.Failed || len(state.Left) != 1 || state.Left[0] != "service web of cluster shop" {
			s.Errorf("got %+v", state)
		}
	})
}

func TestRepairPutsBackWhatIsWanted(t *testing.T) {
	play(t, contract.KindRepair, []string{"web:1"}, func(s *scene) {
		s.deployed()
		s.change(func(v *model.Service) { v.Drift = "7 tasks are asked for and not 2" })
		if err := s.cluster.Scale(s.Context(), orchestrator.ServiceRef{Name: "web"}, 7); err != nil {
			s.Fatal(err)
		}
		s.cluster.ChangeByHand("web", "other:1")
		time.Sleep(time.Minute)
		state := s.watch("ObserveRepair", s.do("RepairService", State{}))
		if got := s.service(); state.Verdict != decide.Healthy || got.Drift != "" || got.ReplicasObserved != 2 {
			s.Errorf("the service is %+v after %+v", got, state)
		}
	})
}

// While a newer release is on its way, a repair leaves it to its own operation.
func TestRepairLeavesANewerReleaseAlone(t *testing.T) {
	play(t, contract.KindRepair, []string{"web:1", "web:2"}, func(s *scene) {
		s.deployed()
		s.want(2)
		if state := s.do("RepairService", State{}); state.Release != 1 {
			s.Errorf("it repairs with release %d", state.Release)
		}
	})
}

func TestStepsStandBehindTheFence(t *testing.T) {
	for _, name := range []string{"ApplyRelease", "ObserveRollout", "RollBack", "ObserveRollBack", "ScaleService",
		"ObserveScale", "RepairService", "ObserveRepair", "RemoveService"} {
		play(t, contract.KindDeploy, []string{"web:1"}, func(s *scene) {
			s.call.Step = name
			steptest.Lose(s.T, s.store, s.call)
			if _, err := s.Handle(s.Context(), In{Call: s.call}); !fault.IsHalted(err) || len(s.cluster.Names()) != 0 {
				s.Errorf("%s without the lease: %v", name, err)
			}
		})
	}
}

// The lease is lost between a step's look and its write.
func TestWritesStandBehindTheFence(t *testing.T) {
	play(t, contract.KindDeploy, []string{"web:1"}, func(s *scene) {
		state := s.do("ApplyRelease", State{})
		time.Sleep(5 * time.Minute)
		s.Orchestrator = func(*model.Cluster, string) orchestrator.Services {
			steptest.Lose(s.T, s.store, s.call)
			return s.cluster
		}
		s.call.Step = "ObserveRollout"
		if _, err := s.Handle(s.Context(), In{Call: s.call, State: state}); !fault.IsHalted(err) {
			s.Errorf("got %v", err)
		}
		if got := s.service(); got.ReleaseObserved != 0 {
			s.Errorf("the service is %+v", got)
		}
	})
}

func TestFaultsOfTheOrchestratorKeepTheirKind(t *testing.T) {
	play(t, contract.KindDeploy, []string{"web:1"}, func(s *scene) {
		s.cluster.Inject(simulated.Fault{Verb: "Apply", Err: fault.New(fault.Unavailable, "throttled"), AfterEffect: true})
		s.call.Step = "ApplyRelease"
		if _, err := s.Handle(s.Context(), In{Call: s.call}); !fault.IsUnavailable(err) {
			s.Errorf("got %v", err)
		}
		s.deployed() // the step is retried, and finds its own work
	})
}

// applied keeps whether the releases that were applied were of a new service.
type applied struct {
	orchestrator.Services
	isNew []bool
}

func (a *applied) Apply(ctx context.Context, release orchestrator.Release) error {
	a.isNew = append(a.isNew, release.New)
	return a.Services.Apply(ctx, release)
}

func TestAServiceIsNewUntilAReleaseWasInEffect(t *testing.T) {
	play(t, contract.KindDeploy, []string{"web:1", "crash"}, func(s *scene) {
		a := &applied{Services: s.cluster}
		s.Orchestrator = func(*model.Cluster, string) orchestrator.Services { return a }
		s.do("ApplyRelease", State{})
		s.deployed()
		s.want(2)
		state := s.watch("ObserveRollout", s.do("ApplyRelease", State{}))
		s.watch("ObserveRollBack", s.do("RollBack", state))
		if want := []bool{true, true, false, false}; !slices.Equal(a.isNew, want) {
			s.Errorf("new were %v, want %v", a.isNew, want)
		}
	})
}
