package service

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
	"portolan/shared/orchestrator/simulated"
	"portolan/shared/step"
	"portolan/shared/step/steptest"
	"portolan/shared/store"
	"portolan/shared/store/storetest"
)

// A scene is the handler on the real store, with a simulated cluster, in virtual
// time.
type scene struct {
	*testing.T
	*Handler
	store   *store.Store
	cluster *simulated.Orchestrator
	call    step.Call
	ids     int
}

// play runs a test on a service whose releases run those images, of which the
// first are in effect already.
func play(t *testing.T, kind contract.OperationKind, images []string, act func(*scene)) {
	synctest.Test(t, func(t *testing.T) {
		s := &scene{T: t, store: storetest.Open(t), cluster: simulated.New(simulated.Config{})}
		s.Handler = &Handler{
			Store: s.store, Now: time.Now, Log: steptest.Log(),
			NewID:        func() string { s.ids++; return fmt.Sprintf("child-%d", s.ids) },
			Orchestrator: func(*model.Cluster, string) orchestrator.Services { return s.cluster },
		}
		steptest.Commit(t, s.store, store.CreateCluster(steptest.Cluster()), store.CreateService(steptest.Service()))
		for i, image := range images {
			steptest.Commit(t, s.store, store.CreateRelease(steptest.Release(int64(i+1), image)))
		}
		s.call = steptest.Begin(t, s.store, "operation", kind, contract.Target{Cluster: "shop", Service: "web"})
		act(s)
	})
}

// do takes one step, as the machine does with what the step before answered.
func (s *scene) do(name string, state State) State {
	s.Helper()
	call := s.call
	call.Step = name
	out, err := s.Handle(s.Context(), In{Call: call, State: state})
	if err != nil {
		s.Fatalf("%s: %v", name, err)
	}
	return out
}

// watch repeats a step until it has a verdict.
func (s *scene) watch(name string, state State) State {
	s.Helper()
	for range 500 {
		time.Sleep(time.Duration(state.LookAfterSeconds) * time.Second)
		before := state.Looks
		state = s.do(name, state)
		if state.Verdict != decide.Progressing {
			return state
		}
		if state.Looks != before+1 {
			s.Fatalf("%s does not count its looks: %d after %d", name, state.Looks, before)
		}
	}
	s.Fatalf("%s never comes to a verdict", name)
	return state
}

func (s *scene) service() model.Service {
	s.Helper()
	v, err := s.store.Service(s.Context(), "shop", "web")
	if err != nil {
		s.Fatal(err)
	}
	return *v
}

func (s *scene) change(change func(*model.Service)) {
	s.Helper()
	v := s.service()
	change(&v)
	steptest.Commit(s.T, s.store, store.UpdateService(v))
}

func (s *scene) release(number int64) model.Release {
	s.Helper()
	r, err := s.store.Release(s.Context(), "shop", "web", number)
	if err != nil {
		s.Fatal(err)
	}
	return *r
}

func (s *scene) observed() orchestrator.Observation {
	s.Helper()
	observation, err := s.cluster.Observe(s.Context(), orchestrator.ServiceRef{Name: "web"})
	if err != nil {
		s.Fatal(err)
	}
	return observation
}

// deployed brings the newest release into effect.
func (s *scene) deployed() {
	s.Helper()
	if state := s.watch("ObserveRollout", s.do("ApplyRelease", State{})); state.Verdict != decide.Healthy {
		s.Fatalf("the scene cannot be set: %+v", state)
	}
}

// want makes a release the newest one that is wanted.
func (s *scene) want(number int64) {
	s.change(func(v *model.Service) {
		v.Release, v.LastRelease, v.Status = number, number, contract.ServiceDeploying
		v.Generation++
	})
}
