package orchestratortest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"portolan/shared/contract"
	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

func testClusterIsHealthy(f *fixture) {
	health, err := f.Orchestrator.Health(f.Context(), f.Cluster)
	if err != nil {
		f.Fatal(err)
	}
	if health.State != orchestrator.Healthy || health.Reason != "" {
		f.Errorf("a ready cluster is %+v", health)
	}
	if f.caps.Nodes && health.NodesRegistered < 2 {
		f.Errorf("%d nodes are registered", health.NodesRegistered)
	}
}

func testApplyReachesHealthy(f *fixture) {
	f.apply(f.release(1, "web", 2))
	seen := f.observe()
	if seen.Rollout.State != orchestrator.InProgress || seen.InEffect != 0 || seen.Desired != 2 {
		f.Errorf("right after the apply: %+v", seen)
	}
	f.awaitHealthy(1, 2)
	tasks := f.tasks(false, 0)
	if len(tasks) != 2 {
		f.Fatalf("got tasks %+v", tasks)
	}
	for _, task := range tasks {
		if task.Release != 1 || task.Service != serviceName || task.Role != role ||
			task.State != orchestrator.TaskRunning || task.Image != f.pinned("web") {
			f.Errorf("got task %+v", task)
		}
		if (task.Node != "") != f.caps.Nodes {
			f.Errorf("task %s is on node %q", task.ID, task.Node)
		}
		if task.StartedAt.IsZero() || !task.StoppedAt.IsZero() {
			f.Errorf("task %s has the times %v, %v", task.ID, task.StartedAt, task.StoppedAt)
		}
	}
}

func testApplyTwice(f *fixture) {
	release := f.release(1, "web", 2)
	f.apply(release)
	f.apply(release)
	f.awaitHealthy(1, 2)
	before := ids(f.tasks(false, 0))
	f.apply(release)
	f.letPass(2 * time.Minute)
	f.awaitHealthy(1, 2)
	if after := ids(f.tasks(false, 0)); !slices.Equal(before, after) {
		f.Errorf("the tasks were %q and are %q", before, after)
	}
	if stopped := f.tasks(true, 0); len(stopped) != 0 {
		f.Errorf("tasks were stopped: %+v", stopped)
	}
}

func ids(tasks []orchestrator.Task) []string {
	var ids []string
	for _, task := range tasks {
		ids = append(ids, task.ID)
	}
	slices.Sort(ids)
	return ids
}

func testUpdateKeepsServing(f *fixture) {
	f.apply(f.release(1, "web", 2))
	f.awaitHealthy(1, 2)
	f.apply(f.release(2, "shop", 2))
	first := f.observe()
	if first.Rollout.State != orchestrator.InProgress || first.InEffect != 1 {
		f.Errorf("right after the update: %+v", first)
	}
	f.await("rolled out", func(o orchestrator.Observation) bool {
		if o.Running < 2 {
			f.Errorf("fewer than 2 tasks run: %+v", o)
		}
		return o.Rollout.State == orchestrator.RolledOut
	})
	f.awaitHealthy(2, 2)
	for _, task := range f.tasks(false, 0) {
		if task.Release != 2 || task.Image != f.pinned("shop") {
			f.Errorf("after the rollout of release 2, there is %+v", task)
		}
	}
}

func testCrash(f *fixture) {
	f.apply(f.release(1, "web", 2))
	f.awaitHealthy(1, 2)
	f.apply(f.release(2, "crash", 2))
	seen := f.awaitFailed(2, "exited with code 1")
	if seen.InEffect != 1 || seen.Failed == 0 {
		f.Errorf("got %+v", seen)
	}
	running := 0
	for _, task := range f.tasks(false, 0) {
		if task.Release == 1 && task.State == orchestrator.TaskRunning {
			running++
		}
	}
	if running != 2 {
		f.Errorf("%d tasks of the release before run on", running)
	}
	for _, task := range f.tasks(true, 0) {
		ended := task.State == orchestrator.TaskStopped && !task.StoppedAt.IsZero()
		if !ended && task.State != orchestrator.TaskStopping || task.Reason == "" {
			f.Errorf("got stopped task %+v", task)
		}
	}
}

func testPullFail(f *fixture) {
	f.apply(f.release(1, "pull-fail", 2))
	f.awaitFailed(1, "could not be pulled")
}

func testUnhealthy(f *fixture) {
	f.apply(f.release(1, "unhealthy", 2))
	f.awaitFailed(1, "health check")
}

func testFirstReleaseFails(f *fixture) {
	f.apply(f.release(1, "crash", 2))
	seen := f.awaitFailed(1, "exited with code 1")
	if seen.InEffect != 0 {
		f.Errorf("release %d is in effect", seen.InEffect)
	}
	f.apply(f.release(2, "web", 2))
	f.awaitHealthy(2, 2)
}

func testRetry(f *fixture) {
	release := f.release(1, "crash", 2)
	f.apply(release)
	f.awaitFailed(1, "exited")
	f.apply(release)
	if seen := f.observe(); seen.Rollout.State != orchestrator.Failed {
		f.Errorf("the same operation started a failed rollout again: %+v", seen)
	}
	release.Operation = "operation-2"
	f.apply(release)
	if seen := f.observe(); seen.Rollout.State != orchestrator.InProgress {
		f.Errorf("another operation did not start the rollout again: %+v", seen)
	}
	f.awaitFailed(1, "exited")
}

func testNoCapacity(f *fixture) {
	if !f.caps.Nodes {
		return
	}
	release := f.release(1, "web", 200)
	release.Spec.Memory.LimitMiB = 1 << 20
	f.apply(release)
	seen := f.await("short of capacity", func(o orchestrator.Observation) bool {
		return o.Rollout.Reason != ""
	})
	if !strings.Contains(seen.Rollout.Reason, "no capacity") {
		f.Errorf("got reason %q", seen.Rollout.Reason)
	}
}

func testRollback(f *fixture) {
	f.apply(f.release(1, "web", 2))
	f.awaitHealthy(1, 2)
	if err := f.Orchestrator.Scale(f.Context(), f.service(), 4); err != nil {
		f.Fatal(err)
	}
	f.awaitHealthy(1, 4)
	f.apply(f.release(2, "crash", 4))
	f.awaitFailed(2, "exited with code 1")
	back := f.release(1, "web", 4)
	back.Operation = "operation-of-release-2"
	f.apply(back)
	f.awaitHealthy(1, 4)
	f.apply(back)
	f.awaitHealthy(1, 4)
}

func testScale(f *fixture) {
	f.apply(f.release(1, "web", 2))
	f.awaitHealthy(1, 2)
	for _, replicas := range []int{5, 5, 1, 0, 2} {
		if err := f.Orchestrator.Scale(f.Context(), f.service(), replicas); err != nil {
			f.Fatal(err)
		}
		f.await("scaled", func(o orchestrator.Observation) bool {
			if o.Rollout.Release != 1 || o.Desired != replicas {
				f.Errorf("scaling to %d made it %+v", replicas, o)
			}
			return o.Running == replicas && o.Pending == 0
		})
	}
	f.awaitHealthy(1, 2)
	f.apply(f.release(1, "web", 3))
	f.awaitHealthy(1, 3)
	if err := f.Orchestrator.Scale(f.Context(), f.service(), -1); !fault.IsInvalid(err) {
		f.Errorf("scaling to -1: %v", err)
	}
}

func testGlobal(f *fixture) {
	if !f.caps.Nodes {
		return
	}
	release := f.release(1, "web", 1)
	release.Spec.Mode = contract.Global
	f.apply(release)
	nodes := len(f.nodes(0))
	f.await("on each node", func(o orchestrator.Observation) bool {
		return o.Running == nodes && o.Rollout.State == orchestrator.RolledOut
	})
	on := map[string]int{}
	for _, task := range f.tasks(false, 0) {
		on[task.Node]++
	}
	if len(on) != nodes {
		f.Errorf("the tasks are on %v", on)
	}
	if err := f.Orchestrator.Scale(f.Context(), f.service(), 5); !fault.IsConflict(err) {
		f.Errorf("scaling a service in global mode: %v", err)
	}
	f.remove()
}

func testChangeByHand(f *fixture) {
	f.apply(f.release(1, "web", 2))
	f.awaitHealthy(1, 2)
	f.ChangeByHand(f.T, serviceName, "registry.example.com/somebody/else:latest")
	seen := f.observe()
	if seen.Rollout.Release != 0 || seen.Foreign == "" {
		f.Errorf("a change by hand looks like %+v", seen)
	}
	f.letPass(5 * time.Minute)
	if seen := f.observe(); seen.InEffect != 0 || seen.Foreign == "" {
		f.Errorf("a change by hand, rolled out, looks like %+v", seen)
	}
	f.apply(f.release(1, "web", 2))
	f.awaitHealthy(1, 2)
}

func testRemove(f *fixture) {
	f.apply(f.release(1, "web", 2))
	f.awaitHealthy(1, 2)
	f.apply(f.release(2, "shop", 2))
	f.awaitHealthy(2, 2)
	if len(f.Left(f.T)) == 0 {
		f.Error("the harness does not see the service")
	}
	left, err := f.Orchestrator.Remove(f.Context(), f.service())
	if err != nil || len(left) == 0 {
		f.Fatalf("the first step left %q, %v", left, err)
	}
	f.remove()
	checkRemoved(f)
	f.remove()
	f.apply(f.release(3, "web", 1))
	f.awaitHealthy(3, 1)
}

func checkRemoved(f *fixture) {
	f.Helper()
	if left := f.Left(f.T); len(left) > 0 {
		f.Errorf("left behind: %q", left)
	}
	if _, err := f.Orchestrator.Observe(f.Context(), f.service()); !fault.IsNotFound(err) {
		f.Errorf("observing what was removed: %v", err)
	}
	if tasks := f.tasks(false, 0); len(tasks) > 0 {
		f.Errorf("tasks of what was removed: %+v", tasks)
	}
}

func testRemoveInRollout(f *fixture) {
	f.apply(f.release(1, "web", 2))
	f.awaitHealthy(1, 2)
	f.apply(f.release(2, "unhealthy", 2))
	f.letPass(30 * time.Second)
	f.remove()
	checkRemoved(f)
}

func testRemoveAfterFailure(f *fixture) {
	f.apply(f.release(1, "web", 2))
	f.awaitHealthy(1, 2)
	f.apply(f.release(2, "crash", 2))
	f.awaitFailed(2, "exited with code 1")
	f.remove()
	checkRemoved(f)
}

func testApplyDuringRemove(f *fixture) {
	f.apply(f.release(1, "web", 2))
	f.awaitHealthy(1, 2)
	if _, err := f.Orchestrator.Remove(f.Context(), f.service()); err != nil {
		f.Fatal(err)
	}
	err := f.Orchestrator.Apply(f.Context(), f.release(2, "shop", 2))
	if !fault.IsConflict(err) {
		f.Errorf("applying to what is being removed: %v", err)
	}
	err = f.Orchestrator.Scale(f.Context(), f.service(), 3)
	if !fault.IsConflict(err) {
		f.Errorf("scaling what is being removed: %v", err)
	}
	f.remove()
}

func testNotFound(f *fixture) {
	ctx, o := f.Context(), f.Orchestrator
	_, err := o.Observe(ctx, f.service())
	wantNotFound(f, "observe", err)
	wantNotFound(f, "scale", o.Scale(ctx, f.service(), 1))
	ghost := f.node("00000000000000000000000000000000")
	wantNotFound(f, "cordon", o.Cordon(ctx, ghost))
	wantNotFound(f, "uncordon", o.Uncordon(ctx, ghost))
	wantNotFound(f, "drain", o.Drain(ctx, ghost))
	_, err = o.DrainStatus(ctx, ghost)
	wantNotFound(f, "drain status", err)
	if err := o.Leave(ctx, ghost); err != nil {
		f.Errorf("a node that is not there has not left: %v", err)
	}
	if tasks := f.tasks(false, 0); len(tasks) != 0 {
		f.Errorf("a service that does not exist has tasks %+v", tasks)
	}
	f.remove()
}

func wantNotFound(t testing.TB, what string, err error) {
	t.Helper()
	if !fault.IsNotFound(err) {
		t.Errorf("%s of what does not exist: %v", what, err)
	}
}
