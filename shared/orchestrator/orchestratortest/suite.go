// Package orchestratortest is the suite of the orchestrator contract. It runs
// unchanged against every driver, in a bubble of virtual time or against an
// orchestrator that runs in real time, and knows nothing but package orchestrator
// and what the Harness gives it.
//
// The images that it runs behave as their names say: "crash" exits with code 1
// soon after its start, "pull-fail" cannot be pulled, "unhealthy" runs and never
// passes its health check, and all others become healthy. Those of jobs, "exit-0" and
// "exit-1", end by themselves with these codes.
package orchestratortest

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portolan/shared/contract"
	"portolan/shared/orchestrator"
)

// Harness is a driver with a cluster of its own.
type Harness struct {
	Orchestrator orchestrator.Orchestrator

	// Cluster is ready, has no service, and two nodes or more (if it has any) that
	// hold eight tasks of 64 MiB each.
	Cluster orchestrator.ClusterRef

	// ChangeByHand runs another image in place of a service's release, as somebody
	// does who goes past Portolan.
	ChangeByHand func(t *testing.T, service, image string)

	// Left names everything that exists on behalf of any service.
	Left func(t *testing.T) []string

	// Image names the image that behaves as a name of the suite's says, where it has
	// another name; nil where none has.
	Image func(name string) string

	// Pinned pins the image of a name of the suite's by its digest, where images are
	// pulled from a registry; nil where any digest does. An image that is not in the
	// registry cannot be pulled.
	Pinned func(name string) string
}

// Run runs the suite. Setup is called once for each test, within its bubble, and
// registers its own cleanup.
func Run(t *testing.T, setup func(t *testing.T) Harness) {
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := setup(t)
				test.run(&fixture{
					T: t, Harness: h, caps: h.Orchestrator.Capabilities(h.Cluster),
					pause: 5 * time.Second, patience: 20 * time.Minute, haste: 1,
				})
			})
		})
	}
}

// RunInRealTime runs the same suite against an orchestrator that no bubble holds, and
// whose tasks start and stop within seconds.
func RunInRealTime(t *testing.T, setup func(t *testing.T) Harness) {
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := setup(t)
			test.run(&fixture{
				T: t, Harness: h, caps: h.Orchestrator.Capabilities(h.Cluster),
				pause: 50 * time.Millisecond, patience: 2 * time.Minute, haste: 60,
			})
		})
	}
}

var tests = []struct {
	name string
	run  func(*fixture)
}{
	{"cluster is healthy", testClusterIsHealthy},
	{"apply reaches healthy", testApplyReachesHealthy},
	{"apply twice starts nothing twice", testApplyTwice},
	{"update keeps serving", testUpdateKeepsServing},
	{"crash fails with the exit code", testCrash},
	{"image that cannot be pulled fails", testPullFail},
	{"failing health check fails", testUnhealthy},
	{"first release that fails leaves none in effect", testFirstReleaseFails},
	{"failed release is tried again by another operation", testRetry},
	{"no capacity is said", testNoCapacity},
	{"rollback keeps the scale of now", testRollback},
	{"scale", testScale},
	{"global mode", testGlobal},
	{"change by hand is seen and put right", testChangeByHand},
	{"remove leaves nothing", testRemove},
	{"remove in the middle of a rollout", testRemoveInRollout},
	{"remove after a failed rollout", testRemoveAfterFailure},
	{"apply during remove is a conflict", testApplyDuringRemove},
	{"what does not exist is not found", testNotFound},
	{"job ends well", testJobEndsWell},
	{"job runs once", testJobRunsOnce},
	{"job that fails is tried again", testJobIsTriedAgain},
	{"job whose image cannot be pulled fails", testJobThatCannotBePulledFails},
	{"job is stopped", testJobIsStopped},
	{"job that is not there is not found", testJobThatIsNotThere},
	{"job beside a service of its name", testJobBesideAServiceOfItsName},
	{"tasks are paged", testTaskPages},
	{"nodes are paged", testNodePages},
	{"cordon keeps tasks away", testCordon},
	{"drain moves tasks before the node is empty", testDrain},
	{"leave", testLeave},
	{"quorum", testQuorum},
}

// fixture is what one test works with.
type fixture struct {
	*testing.T
	Harness
	caps orchestrator.Capabilities

	// pause is between two looks, and patience is how long something may take. What the
	// tests let pass without looking is so many times shorter.
	pause, patience time.Duration
	haste           int
}

const (
	serviceName = "web"
	role        = "arn:aws:iam::000000000000:role/web"
)

// letPass waits while nothing is to happen.
func (f *fixture) letPass(d time.Duration) { time.Sleep(d / time.Duration(f.haste)) }

// image returns the image that behaves as a name says.
func (f *fixture) image(name string) string {
	if f.Image != nil {
		name = f.Image(name)
	}
	return "registry.example.com/shop/" + name
}

// pinned returns an image of that name, pinned by a digest.
func (f *fixture) pinned(name string) string {
	if f.Pinned != nil {
		return f.Pinned(name)
	}
	return f.image(name) + "@sha256:" + strings.Repeat("0a", 32)
}

func (f *fixture) service() orchestrator.ServiceRef {
	return orchestrator.ServiceRef{Cluster: f.Cluster, Name: serviceName}
}

func (f *fixture) node(id string) orchestrator.NodeRef {
	return orchestrator.NodeRef{Cluster: f.Cluster, ID: id}
}

// release returns a release that fits on every capacity, behind a load balancer.
func (f *fixture) release(number int64, image string, replicas int) orchestrator.Release {
	spec := contract.ServiceSpec{
		Container: "webapp",
		Image:     f.image(image) + ":1",
		Cpu:       256,
		Memory:    contract.Memory{LimitMiB: 64},
		Ports:     []contract.Port{{ContainerPort: 8080}},
		Role:      role,
		LoadBalancer: contract.LoadBalancer{
			ContainerPort:   8080,
			HealthCheckPath: "/health",
			Rules: []contract.RoutingRule{
				{Paths: []string{"/shop", "/shop/*"}},
				{Hosts: []string{"shop.example.com"}},
			},
		},
		Rollout: contract.Rollout{DeadlineSeconds: 60},
	}
	if !f.caps.Nodes {
		spec.Memory.LimitMiB = 512
	}
	return orchestrator.Release{
		Service: f.service(), Number: number, Spec: spec, Image: f.pinned(image),
		Commit: "4a5b6c7", Replicas: replicas, Operation: "operation-" + image,
	}
}

func (f *fixture) apply(release orchestrator.Release) {
	f.Helper()
	if err := f.Orchestrator.Apply(f.Context(), release); err != nil {
		f.Fatalf("applying release %d: %v", release.Number, err)
	}
}

func (f *fixture) observe() orchestrator.Observation {
	f.Helper()
	seen, err := f.Orchestrator.Observe(f.Context(), f.service())
	if err != nil {
		f.Fatalf("observing: %v", err)
	}
	return seen
}

// await looks again and again until the service is as it should be.
func (f *fixture) await(what string, is func(orchestrator.Observation) bool) orchestrator.Observation {
	f.Helper()
	start := time.Now()
	for {
		seen := f.observe()
		if is(seen) {
			return seen
		}
		if time.Since(start) > f.patience {
			f.Fatalf("never %s; it is %+v", what, seen)
		}
		time.Sleep(f.pause)
	}
}

// awaitHealthy waits until the release serves with so many tasks, and no other.
func (f *fixture) awaitHealthy(release int64, replicas int) orchestrator.Observation {
	f.Helper()
	seen := f.await("healthy", func(o orchestrator.Observation) bool {
		return o.Rollout.Release == release && o.Rollout.State == orchestrator.RolledOut &&
			o.Running == replicas && o.Pending == 0
	})
	if seen.Desired != replicas || seen.InEffect != release || seen.Foreign != "" {
		f.Errorf("release %d is healthy with %d tasks, but: %+v", release, replicas, seen)
	}
	if seen.Rollout.Reason != "" {
		f.Errorf("a healthy rollout has the reason %q", seen.Rollout.Reason)
	}
	return seen
}

// awaitFailed waits for the orchestrator to give up, and wants a reason with
// those words.
func (f *fixture) awaitFailed(release int64, words string) orchestrator.Observation {
	f.Helper()
	seen := f.await("failed", func(o orchestrator.Observation) bool {
		return o.Rollout.Release == release && o.Rollout.State == orchestrator.Failed
	})
	if !strings.Contains(seen.Rollout.Reason, words) {
		f.Errorf("the reason %q does not contain %q", seen.Rollout.Reason, words)
	}
	return seen
}

// tasks returns all tasks of the service, page by page.
func (f *fixture) tasks(stopped bool, limit int) []orchestrator.Task {
	f.Helper()
	var all []orchestrator.Task
	query := orchestrator.TaskQuery{Service: f.service(), Stopped: stopped, Limit: limit}
	for range 100 {
		page, err := f.Orchestrator.Tasks(f.Context(), query)
		if err != nil {
			f.Fatalf("listing tasks: %v", err)
		}
		if limit > 0 && len(page.Tasks) > limit {
			f.Fatalf("a page of at most %d holds %d tasks", limit, len(page.Tasks))
		}
		all = append(all, page.Tasks...)
		if query.Next = page.Next; query.Next == "" {
			return all
		}
	}
	f.Fatal("the pages do not end")
	return nil
}

// nodes returns all nodes, page by page.
func (f *fixture) nodes(limit int) []orchestrator.Node {
	f.Helper()
	var all []orchestrator.Node
	query := orchestrator.NodeQuery{Cluster: f.Cluster, Limit: limit}
	for range 100 {
		page, err := f.Orchestrator.ListNodes(f.Context(), query)
		if err != nil {
			f.Fatalf("listing nodes: %v", err)
		}
		all = append(all, page.Nodes...)
		if query.Next = page.Next; query.Next == "" {
			return all
		}
	}
	f.Fatal("the pages do not end")
	return nil
}

// remove calls Remove until nothing is left.
func (f *fixture) remove() {
	f.Helper()
	start := time.Now()
	for {
		left, err := f.Orchestrator.Remove(f.Context(), f.service())
		if err != nil {
			f.Fatalf("removing: %v", err)
		}
		if len(left) == 0 {
			return
		}
		if time.Since(start) > f.patience {
			f.Fatalf("still left: %q", left)
		}
		time.Sleep(f.pause)
	}
}
