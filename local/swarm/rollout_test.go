package swarm_test

import (
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"
)

func TestImagesFareAsTheirNamesSay(t *testing.T) {
	for _, c := range []struct {
		image, err string
		state      swarm.TaskState
	}{
		{"shop/pull-fail:1", "No such image: shop/pull-fail:1", swarm.TaskStateRejected},
		{"shop/crash:1", "task: non-zero exit (1)", swarm.TaskStateFailed},
		{"shop/fail-exit:1", "task: non-zero exit (1)", swarm.TaskStateFailed},
		{"shop/unhealthy:1", "task: non-zero exit (137): dockerexec: unhealthy container", swarm.TaskStateFailed},
		{"shop/fail-later:1", "task: non-zero exit (137): dockerexec: unhealthy container", swarm.TaskStateFailed},
	} {
		t.Run(c.image, func(t *testing.T) {
			inBubble(t, 2, func(b *bench) {
				b.form(1)
				id := b.create(spec("web", c.image, 1))
				for range 3 {
					b.within(2*time.Minute, "ended", func() bool {
						for _, task := range b.tasks(id) {
							if task.Status.State == c.state && task.Status.Err == c.err {
								return true
							}
						}
						return false
					})
					time.Sleep(time.Minute)
				}
				// It is tried again and again, and five are remembered.
				if tasks := b.tasks(id); len(tasks) < 4 || len(tasks) > 6 {
					t.Errorf("there are %d tasks", len(tasks))
				}
			})
		})
	}
}

func TestAHealthCheckHoldsARolloutBack(t *testing.T) {
	inBubble(t, 2, func(b *bench) {
		b.form(1)
		s := spec("web", "shop/web:1", 1)
		s.TaskTemplate.ContainerSpec.Healthcheck = &container.HealthConfig{Test: []string{"CMD", "true"}, Interval: 20 * time.Second}
		id := b.create(s)
		b.within(20*time.Second, "starting", func() bool {
			tasks := b.tasks(id)
			return len(tasks) == 1 && tasks[0].Status.State == swarm.TaskStateStarting
		})
		began := time.Now()
		b.within(time.Minute, "running", func() bool { return b.running(id, "") == 1 })
		if took := time.Since(began); took < 15*time.Second {
			t.Errorf("it was healthy after %s", took)
		}
	})
}

// inRollout runs a service of four tasks, changes its image to one that fails, and waits
// until the update is in a state.
func inRollout(t *testing.T, change func(*swarm.ServiceSpec), image string, state swarm.UpdateState, test func(*bench, string)) {
	t.Helper()
	inBubble(t, 3, func(b *bench) {
		b.form(1)
		s := spec("web", "shop/web:1", 4)
		change(&s)
		id := b.create(s)
		b.within(time.Minute, "running", func() bool { return b.running(id, "") == 4 })
		b.update(id, func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.Image = image })
		b.within(10*time.Minute, string(state), func() bool {
			u := b.service(id).UpdateStatus
			return u != nil && u.State == state
		})
		test(b, id)
	})
}

func TestAFailingUpdatePauses(t *testing.T) {
	startFirst := func(s *swarm.ServiceSpec) {
		s.UpdateConfig = &swarm.UpdateConfig{Parallelism: 1, Order: swarm.UpdateOrderStartFirst,
			Delay: 10 * time.Second, Monitor: 10 * time.Second}
	}
	inRollout(t, startFirst, "shop/crash:2", swarm.UpdateStatePaused, func(b *bench, id string) {
		if m := b.service(id).UpdateStatus.Message; !strings.HasPrefix(m, "update paused due to failure or early termination of task ") {
			b.Errorf("the message is %q", m)
		}
		time.Sleep(5 * time.Minute)
		if n := b.running(id, "shop/web:1"); n < 3 {
			b.Errorf("%d tasks of the version before run on", n)
		}
		// The next update puts it right.
		b.update(id, func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.Image = "shop/web:3" })
		b.within(5*time.Minute, "updated", func() bool {
			return b.running(id, "shop/web:3") == 4 && b.service(id).UpdateStatus.State == swarm.UpdateStateCompleted
		})
	})
}

func TestAFailingUpdateRollsBack(t *testing.T) {
	rollback := func(s *swarm.ServiceSpec) {
		s.UpdateConfig = &swarm.UpdateConfig{Parallelism: 2, FailureAction: swarm.UpdateFailureActionRollback, Monitor: 10 * time.Second}
	}
	inRollout(t, rollback, "shop/pull-fail:2", swarm.UpdateStateRollbackCompleted, func(b *bench, id string) {
		if b.running(id, "shop/web:1") != 4 || b.service(id).UpdateStatus.Message != "rollback completed" {
			b.Errorf("it is %+v, with %d tasks", b.service(id).UpdateStatus, b.running(id, "shop/web:1"))
		}
		// What an update led to is gone back to like what a service began with.
		for _, image := range []string{"shop/web:2", "shop/crash:3"} {
			b.update(id, func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.Image = image })
			b.within(5*time.Minute, "ended", func() bool {
				u := b.service(id).UpdateStatus
				return u != nil && u.CompletedAt != nil
			})
		}
		b.within(time.Minute, "back", func() bool { return b.running(id, "shop/web:2") == 4 })
	})
}

func TestAFailingUpdateMayGoOn(t *testing.T) {
	goOn := func(s *swarm.ServiceSpec) {
		s.UpdateConfig = &swarm.UpdateConfig{Parallelism: 0, FailureAction: swarm.UpdateFailureActionContinue}
	}
	inRollout(t, goOn, "shop/crash:2", swarm.UpdateStateCompleted, func(b *bench, id string) {
		if n := b.running(id, "shop/web:1"); n != 0 {
			b.Errorf("%d tasks of the version before run", n)
		}
	})
}

func TestAnUpdateIsTakenBackByHand(t *testing.T) {
	inRollout(t, func(*swarm.ServiceSpec) {}, "shop/web:2", swarm.UpdateStateCompleted, func(b *bench, id string) {
		s := b.service(id)
		if _, err := b.clients[0].ServiceUpdate(b.Context(), id, client.ServiceUpdateOptions{Version: s.Version, Spec: s.Spec,
			Rollback: "previous"}); err != nil {
			b.Fatal(err)
		}
		b.within(5*time.Minute, "taken back", func() bool {
			u := b.service(id).UpdateStatus
			return u.State == swarm.UpdateStateRollbackCompleted && b.running(id, "shop/web:1") == 4
		})
	})
}

func TestAnUpdateKeepsItsPace(t *testing.T) {
	inBubble(t, 3, func(b *bench) {
		b.form(1)
		s := spec("web", "shop/web:1", 4)
		s.UpdateConfig = &swarm.UpdateConfig{Parallelism: 1, Delay: 30 * time.Second, Order: swarm.UpdateOrderStartFirst}
		id := b.create(s)
		b.within(time.Minute, "running", func() bool { return b.running(id, "") == 4 })
		b.update(id, func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.Image = "shop/web:2" })
		began := time.Now()
		b.within(10*time.Minute, "updated", func() bool {
			if n := b.running(id, ""); n < 4 {
				b.Fatalf("%d tasks run", n)
			}
			u := b.service(id).UpdateStatus
			return u != nil && u.State == swarm.UpdateStateCompleted
		})
		if took := time.Since(began); took < 2*time.Minute {
			t.Errorf("it took %s", took)
		}
	})
}

func TestRestartPoliciesAreKept(t *testing.T) {
	inBubble(t, 1, func(b *bench) {
		b.form(1)
		attempts, delay := uint64(2), 10*time.Second
		s := spec("once", "shop/crash:1", 1)
		s.TaskTemplate.RestartPolicy = &swarm.RestartPolicy{Condition: swarm.RestartPolicyConditionOnFailure, MaxAttempts: &attempts, Delay: &delay}
		id := b.create(s)
		time.Sleep(10 * time.Minute)
		if tasks := b.tasks(id); len(tasks) != 3 {
			t.Errorf("it was tried %d times", len(tasks))
		}
	})
}

func TestJobsRunToTheirEnd(t *testing.T) {
	inBubble(t, 3, func(b *bench) {
		b.form(1)
		total, most := uint64(5), uint64(2)
		s := spec("report", "shop/report:1", 1)
		s.Mode = swarm.ServiceMode{ReplicatedJob: &swarm.ReplicatedJob{MaxConcurrent: &most, TotalCompletions: &total}}
		s.TaskTemplate.RestartPolicy = &swarm.RestartPolicy{Condition: swarm.RestartPolicyConditionOnFailure}
		id := b.create(s)
		complete := func(id string) (n int) {
			going := 0
			for _, task := range b.tasks(id) {
				switch task.Status.State {
				case swarm.TaskStateComplete:
					n++
				case swarm.TaskStateRunning:
					going++
				}
			}
			if going > 2 {
				t.Errorf("%d run at once", going)
			}
			return n
		}
		b.within(5*time.Minute, "complete", func() bool { return complete(id) == 5 })
		listed, err := b.clients[0].ServiceList(b.Context(), client.ServiceListOptions{Status: true})
		if err != nil || listed.Items[0].ServiceStatus.CompletedTasks != 5 {
			t.Errorf("it tells %+v, %v", listed.Items[0].ServiceStatus, err)
		}
		s.Name, s.Mode = "sweep", swarm.ServiceMode{GlobalJob: &swarm.GlobalJob{}}
		everywhere := b.create(s)
		b.within(time.Minute, "complete", func() bool { return complete(everywhere) == 3 })
		s.Name, s.TaskTemplate.ContainerSpec.Image = "bad", "shop/fail-exit"
		attempts := uint64(1)
		s.TaskTemplate.RestartPolicy.MaxAttempts = &attempts
		s.Mode = swarm.ServiceMode{ReplicatedJob: &swarm.ReplicatedJob{}}
		bad := b.create(s)
		time.Sleep(5 * time.Minute)
		if tasks := b.tasks(bad); len(tasks) != 2 || tasks[0].Status.Err != "task: non-zero exit (1)" {
			t.Errorf("a job that fails has %+v", tasks)
		}
	})
}
