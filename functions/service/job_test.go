package service

import (
	"errors"
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
	"portolan/shared/store"
)

// playJob runs a test with a job that was asked for, in virtual time.
func playJob(t *testing.T, image string, retries int, act func(*scene)) {
	play(t, contract.KindDeploy, []string{"web:1"}, func(s *scene) {
		job := model.Job{Cluster: "shop", Name: "migrate", Team: "storefront", Status: contract.JobPending, Operation: "jobs",
			CreatedAt: time.Now(), Spec: contract.JobSpec{Image: image, Retries: retries, DeadlineSeconds: 600}}
		steptest.Commit(s.T, s.store, store.CreateJob(job))
		s.call = steptest.Begin(s.T, s.store, "jobs", contract.KindRunJob, contract.Target{Cluster: "shop", Job: "migrate"})
		act(s)
	})
}

func (s *scene) job() model.Job {
	s.Helper()
	j, err := s.store.Job(s.Context(), "shop", "migrate")
	if err != nil {
		s.Fatal(err)
	}
	return *j
}

// removed takes steps until nothing of the job is left.
func (s *scene) removed(state State) {
	s.Helper()
	for range 60 {
		if state = s.do("RemoveJob", state); state.Removed {
			if left := s.cluster.JobNames(); len(left) > 0 {
				s.Errorf("left are %q", left)
			}
			return
		}
		time.Sleep(time.Duration(state.LookAfterSeconds) * time.Second)
	}
	s.Fatalf("it does not go away: %+v", state)
}

func TestAJobRunsToItsEnd(t *testing.T) {
	for _, test := range []struct {
		image   string
		retries int
		verdict decide.Verdict
		status  contract.JobStatus
		code    int
		failed  int
		reason  string
	}{
		{"batch", 0, decide.Healthy, contract.JobSucceeded, 0, 0, ""},
		{"exit-1", 0, decide.Failed, contract.JobFailed, 1, 1, "exited with code 1"},
		{"exit-1", 2, decide.Failed, contract.JobFailed, 1, 3, "exited with code 1"},
		{"pull-fail", 0, decide.Failed, contract.JobFailed, -1, 1, "could not be pulled"},
	} {
		playJob(t, test.image, test.retries, func(s *scene) {
			state := s.watch("ObserveJob", s.do("RunJob", State{}))
			if state.Verdict != test.verdict {
				t.Fatalf("%s: %+v", test.image, state)
			}
			j := s.job()
			code := -1
			if j.ExitCode != nil {
				code = *j.ExitCode
			}
			if j.Status != test.status || code != test.code || j.TasksFailed != test.failed || !strings.Contains(j.Reason, test.reason) ||
				j.StartedAt.IsZero() || !j.EndedAt.After(j.StartedAt) || j.Task == "" {
				t.Errorf("%s: the job is %+v with exit code %d", test.image, j, code)
			}
			s.removed(state)
			if after := s.job(); after.Status != test.status {
				t.Errorf("%s: removed, the job is %s", test.image, after.Status)
			}
		})
	}
}

// What took over from an execution that died goes on with the job, wherever it died.
func TestAJobThatIsTakenOverRunsOnce(t *testing.T) {
	for name, died := range map[string]func(*scene){
		"before the look was written": func(s *scene) {
			s.cluster.Inject(simulated.Fault{Verb: "ObserveJob", Err: errors.New("killed"), Times: 1})
			call := s.call
			call.Step = "RunJob"
			if _, err := s.Handle(s.Context(), In{Call: call}); err == nil {
				s.Fatal("nothing went wrong")
			}
		},
		"while the job ran":     func(s *scene) { s.do("RunJob", State{}) },
		"when it had ended":     func(s *scene) { s.watch("ObserveJob", s.do("RunJob", State{})) },
		"when it was removed":   func(s *scene) { s.removed(s.watch("ObserveJob", s.do("RunJob", State{}))) },
		"before anything begun": func(*scene) {},
	} {
		playJob(t, "batch", 0, func(s *scene) {
			died(s)
			before := s.job()
			time.Sleep(2 * time.Minute)
			state := s.do("RunJob", State{})
			if state.Verdict == decide.Progressing {
				state = s.watch("ObserveJob", state)
			}
			after := s.job()
			if state.Verdict != decide.Healthy || after.Status != contract.JobSucceeded || before.Task != "" && before.Task != after.Task {
				t.Errorf("%s: %+v, the job is %+v and was %+v", name, state, after, before)
			}
			s.removed(state)
			if page, err := s.cluster.ListNodes(s.Context(), orchestrator.NodeQuery{}); err != nil || page.Nodes[0].Tasks+page.Nodes[1].Tasks != 0 {
				t.Errorf("%s: the nodes are %+v, %v", name, page.Nodes, err)
			}
		})
	}
}

func TestAJobThatSomebodyRemovedIsNotRunAgain(t *testing.T) {
	playJob(t, "batch", 0, func(s *scene) {
		state := s.do("RunJob", State{})
		for range 2 {
			if _, err := s.cluster.RemoveJob(s.Context(), orchestrator.Job{Name: "migrate", Operation: "jobs"}); err != nil {
				s.Fatal(err)
			}
			time.Sleep(10 * time.Second)
		}
		state = s.do("ObserveJob", state)
		if state.Verdict != decide.Failed || s.job().Status != contract.JobFailed || !strings.Contains(state.Reason, "nobody knows") {
			t.Errorf("got %+v, the job is %+v", state, s.job())
		}
		if left := s.cluster.JobNames(); len(left) > 0 {
			t.Errorf("there are %q", left)
		}
	})
}

// A job waits for room, and no longer than to its deadline.
func TestAJobWithoutRoom(t *testing.T) {
	playJob(t, "batch", 0, func(s *scene) {
		s.cluster = simulated.New(simulated.Config{Nodes: 1, Slots: 1})
		full := orchestrator.Job{Name: "full", Operation: "full", Spec: contract.JobSpec{Image: "batch"}}
		page, err := s.cluster.ListNodes(s.Context(), orchestrator.NodeQuery{})
		if err == nil {
			err = s.cluster.Cordon(s.Context(), orchestrator.NodeRef{ID: page.Nodes[0].ID})
		}
		if err != nil || !fault.IsUnavailable(s.cluster.RunJob(s.Context(), full)) {
			s.Fatalf("the scene cannot be set: %v", err)
		}
		state := s.do("RunJob", State{})
		if state.Verdict != decide.Progressing || !strings.Contains(state.Reason, "no node has room") {
			t.Fatalf("got %+v", state)
		}
		began := time.Now()
		state = s.watch("ObserveJob", state)
		if took := time.Since(began); state.Verdict != decide.Failed || took < 9*time.Minute || took > 16*time.Minute {
			t.Errorf("after %s: %+v", took, state)
		}
		s.removed(state)
	})
}

func TestAJobIsStopped(t *testing.T) {
	for name, begun := range map[string]bool{"before it runs": false, "while it runs": true} {
		playJob(t, "batch", 0, func(s *scene) {
			var state State
			if begun {
				state = s.do("RunJob", State{})
			}
			j := s.job()
			j.Status = contract.JobStopping
			steptest.Commit(s.T, s.store, store.UpdateJob(j))
			if begun {
				state = s.do("ObserveJob", state)
			} else {
				state = s.do("RunJob", state)
			}
			if state.Verdict != decide.Failed || s.job().Status != contract.JobStopped {
				t.Errorf("%s: %+v, the job is %+v", name, state, s.job())
			}
			if !begun && len(s.cluster.JobNames()) > 0 {
				t.Errorf("%s: it was started", name)
			}
			s.removed(state)
		})
	}
}

// A cluster is retired when its jobs have stopped.
func TestRetireServicesStopsJobs(t *testing.T) {
	retiring(t, func(s *scene) {
		for _, status := range []contract.JobStatus{contract.JobRunning, contract.JobSucceeded, contract.JobLost} {
			steptest.Commit(s.T, s.store, store.CreateJob(model.Job{Cluster: "shop", Name: strings.ToLower(string(status)), Status: status,
				CreatedAt: time.Now()}))
		}
		state := s.do("RetireServices", State{})
		s.change(func(v *model.Service) { v.Status = contract.ServiceRetired })
		if state = s.do("RetireServices", state); state.Verdict != decide.Progressing || state.Reason != "1 jobs are being stopped" {
			t.Errorf("got %+v", state)
		}
		j, err := s.store.Job(s.Context(), "shop", "running")
		if err != nil || j.Status != contract.JobStopping {
			s.Fatalf("the job is %+v, %v", j, err)
		}
		j.Status = contract.JobStopped
		steptest.Commit(s.T, s.store, store.UpdateJob(*j))
		if state = s.do("RetireServices", state); state.Verdict != decide.Healthy {
			t.Errorf("got %+v", state)
		}
	})
}

// without hides that a cluster runs jobs.
type without struct{ orchestrator.Services }

func TestAnOrchestratorWithoutJobsSaysSo(t *testing.T) {
	playJob(t, "batch", 0, func(s *scene) {
		s.Handler.Orchestrator = func(*model.Cluster, string) orchestrator.Services { return without{s.cluster} }
		call := s.call
		call.Step = "RunJob"
		if _, err := s.Handle(s.Context(), In{Call: call}); !fault.IsInvalid(err) {
			t.Errorf("got %v", err)
		}
	})
}
