package sweeper_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"portolan/shared/contract"
)

// moments are when executions are stopped: at each of the first steps, and while
// they wait.
var moments = []time.Duration{
	0, 100 * time.Millisecond, 30 * time.Second, 90 * time.Second, 150 * time.Second, 4 * time.Minute, 6 * time.Minute,
}

// stopped runs a test for each moment: ask asks for an operation, whose execution
// is stopped at that moment, and which the test is then given as it ended. The
// event that tells of the stop is lost half of the time.
func stopped(t *testing.T, sc *scene, ask func(*stage) contract.Operation, check func(*stage, contract.Operation)) {
	for i, moment := range moments {
		lost := i%2 == 0
		t.Run(fmt.Sprintf("%v lost=%v", moment, lost), func(t *testing.T) {
			playOn(t, sc, nil, func(s *stage) {
				if lost {
					s.lose("execution")
				}
				o := ask(s)
				time.Sleep(moment)
				wasStopped := s.stop(o, 1)
				ended := s.end(o.Id)
				s.endsWell(ended, wasStopped)
				check(s, ended)
				s.over("cluster/shop", "service/shop/web")
			})
		})
	}
}

// endsWell checks how an operation ended whose first execution was stopped, or
// had ended before.
func (s *stage) endsWell(ended contract.Operation, wasStopped bool) {
	s.Helper()
	s.Logf("stopped: %v; %s after %v in attempt %d: %s %v", wasStopped, ended.Status,
		ended.EndedAt.Sub(ended.CreatedAt), ended.Attempt, ended.Reason, ended.Left)
	if !isEnd(ended.Status) || ended.EndedAt.After(ended.Deadline) {
		s.Errorf("it ended %s at %v, and its deadline was %v", ended.Status, ended.EndedAt, ended.Deadline)
	}
	if wasStopped && ended.Attempt != 2 {
		s.Errorf("it ended in attempt %d", ended.Attempt)
	}
	if name := fmt.Sprintf(":%s-%d", ended.Id, ended.Attempt); wasStopped && !strings.HasSuffix(ended.Execution, name) {
		s.Errorf("its execution is %s", ended.Execution)
	}
	if ended.Status == contract.OperationFailedDirty {
		s.Errorf("one stop makes it FailedDirty: %s %v", ended.Reason, ended.Left)
	}
}

func TestAStoppedProvisionLeavesNothing(t *testing.T) {
	stopped(t, empty, func(s *stage) contract.Operation {
		return s.ask(http.MethodPost, "/v1/clusters", cluster("shop", 2))
	}, func(s *stage, ended contract.Operation) {
		if ended.Status == contract.OperationSucceeded {
			return
		}
		if !strings.Contains(ended.Reason, "ABORTED") {
			s.Errorf("the reason is %q", ended.Reason)
		}
		if left := s.tagged("shop"); len(left) > 0 {
			s.Errorf("FailedClean left %v", left)
		}
		s.makeCluster() // the name is free again
	})
}

func TestAStoppedDeployIsRolledBack(t *testing.T) {
	stopped(t, withService, func(s *stage) contract.Operation {
		_, s.before = s.onECS()
		return s.ask(http.MethodPut, servicePath, service("2.0", 2))
	}, func(s *stage, ended contract.Operation) {
		var v contract.Service
		s.get(servicePath, &v)
		want := int64(1)
		if ended.Status == contract.OperationSucceeded {
			want = 2
		}
		if v.Release != want || v.ReleaseObserved != want || v.Status != contract.ServiceHealthy {
			s.Errorf("after %s the service is %s at release %d (observed %d)", ended.Status, v.Status, v.Release, v.ReleaseObserved)
		}
		if _, definition := s.onECS(); (definition == s.before) != (want == 1) {
			s.Errorf("after %s ECS has %s, and had %s", ended.Status, definition, s.before)
		}
	})
}

func TestAStoppedFirstDeployLeavesNoService(t *testing.T) {
	stopped(t, withCluster, func(s *stage) contract.Operation {
		return s.ask(http.MethodPut, servicePath, service("1.0", 2))
	}, func(s *stage, ended contract.Operation) {
		desired, _ := s.onECS()
		if (ended.Status == contract.OperationSucceeded) != (desired == 2) {
			s.Errorf("after %s ECS wants %d tasks", ended.Status, desired)
		}
	})
}

func TestAStoppedScaleGoesOn(t *testing.T) {
	stopped(t, withService, func(s *stage) contract.Operation {
		return s.ask(http.MethodPut, servicePath, service("1.0", 4))
	}, func(s *stage, ended contract.Operation) {
		var v contract.Service
		s.get(servicePath, &v)
		if desired, _ := s.onECS(); desired != 4 || v.ReplicasObserved != 4 {
			s.Errorf("after %s ECS wants %d tasks, and %d are seen", ended.Status, desired, v.ReplicasObserved)
		}
	})
}

func TestAStoppedScaleOfNodesGoesOn(t *testing.T) {
	stopped(t, withCluster, func(s *stage) contract.Operation {
		return s.ask(http.MethodPut, clusterPath+"/node-pools/nodes", map[string]any{"size": 3})
	}, func(s *stage, ended contract.Operation) {
		var pool contract.NodePool
		s.get(clusterPath+"/node-pools/nodes", &pool)
		if pool.SizeObserved != 3 {
			s.Errorf("after %s there are %d nodes", ended.Status, pool.SizeObserved)
		}
	})
}

func TestAStoppedRetireGoesOn(t *testing.T) {
	stopped(t, withService, func(s *stage) contract.Operation {
		return s.ask(http.MethodDelete, clusterPath, nil)
	}, func(s *stage, ended contract.Operation) {
		if left := s.tagged("shop"); ended.Status != contract.OperationSucceeded || len(left) > 0 {
			s.Errorf("%s left %v", ended.Status, left)
		}
	})
}

// Who stops each attempt is told what may be left, and everything ends all the
// same.
func TestEachAttemptIsStopped(t *testing.T) {
	play(t, nil, func(s *stage) {
		o := s.ask(http.MethodPost, "/v1/clusters", cluster("shop", 2))
		for attempt := 1; attempt <= 3; attempt++ {
			time.Sleep(30 * time.Second)
			if !s.stop(o, attempt) {
				t.Fatalf("attempt %d does not run", attempt)
			}
		}
		ended := s.end(o.Id)
		if ended.Status != contract.OperationFailedDirty || len(ended.Left) < 2 || !strings.Contains(ended.Reason, "3 attempts") {
			t.Errorf("it ended %s: %s, and left %v", ended.Status, ended.Reason, ended.Left)
		}
		s.over("cluster/shop")
		s.succeed(s.ask(http.MethodDelete, clusterPath, nil))
		if left := s.tagged("shop"); len(left) > 0 {
			t.Errorf("the retirement left %v", left)
		}
	})
}
