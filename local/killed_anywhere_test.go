package local_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"portolan/shared/contract"
)

// every draws one of so many writes for TestKilledAnywhere; 1 takes all of them.
var every = flag.Int("every", 200, "kill the process before one of so many writes")

// An errand is one operation that somebody asks for, and what is left behind at the moments
// at which the process was killed meanwhile.
type errand struct {
	method, path string
	body         any
	patience     time.Duration

	operation    string
	acknowledged int // how many writes were done by then
	writes       int
	service      contract.ServiceStatus // what the service comes to
	moments      []moment
}

// A way is the life of a cluster, an errand after the other.
type way struct {
	name    string
	cluster contract.ClusterSpec
	errands []errand
}

// ways lead a cluster of each orchestrator from its stacks to its end.
func ways() []way {
	pool := []contract.NodePoolSpec{{Name: "web", InstanceType: "m6i.large", Size: 2, SizeMax: 6}}
	service := contract.ServiceSpec{Image: "registry.example.com/web:1", Replicas: aws.Int(2), Cpu: 256,
		Memory: contract.Memory{LimitMiB: 512}, Ports: []contract.Port{{ContainerPort: 8080}},
		LoadBalancer: contract.LoadBalancer{ContainerPort: 8080, Rules: []contract.RoutingRule{{Paths: []string{"/*"}}}}}
	published := service
	published.Ports = []contract.Port{{ContainerPort: 8080, HostPort: 8080}}
	deploy := func(spec contract.ServiceSpec, tag string) errand {
		spec.Image = "registry.example.com/web:" + tag
		return errand{method: http.MethodPut, path: webPath, body: spec, patience: time.Hour}
	}
	job := errand{method: http.MethodPut, path: shopPath + "/jobs/migrate", patience: time.Hour,
		body: contract.JobSpec{Image: "registry.example.com/exit-0:1", Memory: contract.Memory{LimitMiB: 512}, Cpu: 256}}
	undeploy := errand{method: http.MethodDelete, path: webPath, patience: time.Hour}
	resize := func(pool string, size int) errand {
		return errand{method: http.MethodPut, path: shopPath + "/node-pools/" + pool, body: contract.NodePoolScale{Size: size},
			patience: 90 * time.Minute}
	}
	upgrade := func(version string) errand {
		return errand{method: http.MethodPut, path: shopPath + "/version", body: contract.ClusterVersion{Version: version}, patience: 6 * time.Hour}
	}
	return []way{
		{"Fargate", contract.ClusterSpec{Orchestrator: contract.Ecs, Ecs: contract.EcsCluster{Capacity: contract.FARGATE}},
			[]errand{deploy(service, "1"), deploy(service, "2"), job, undeploy}},
		{"ECS", contract.ClusterSpec{Orchestrator: contract.Ecs, Ecs: contract.EcsCluster{Capacity: contract.EC2}, NodePools: pool},
			[]errand{deploy(service, "1"), resize("web", 4), deploy(service, "2"), resize("web", 2), job, undeploy}},
		{"Kubernetes", contract.ClusterSpec{Orchestrator: contract.Kubernetes, Kubernetes: contract.KubernetesCluster{Version: "1.33"}, NodePools: pool},
			[]errand{deploy(service, "1"), resize("web", 4), deploy(service, "2"), resize("web", 2), job, upgrade("1.34"), undeploy}},
		{"swarm", contract.ClusterSpec{Orchestrator: contract.Swarm, NodePools: pool,
			Swarm: contract.SwarmCluster{Managers: contract.SwarmManagers{Count: 3, InstanceType: "m6i.large"}}},
			[]errand{deploy(published, "1"), resize("web", 4), deploy(published, "2"), resize("web", 2), job, upgrade("29.1.0"), undeploy,
				resize("managers", 5), resize("managers", 1)}},
	}
}

// A process that is killed right before any of its writes, whatever it was at, finds again all
// that was acknowledged, and brings it to the end that it would have had.
func TestKilledAnywhere(t *testing.T) {
	if *every < 1 {
		t.Fatalf("-every is %d, and at least 1 of so many writes is drawn", *every)
	}
	for i, way := range ways() {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			way.cluster.Name, way.cluster.Team = "shop", "storefront"
			errands := slices.Concat(
				[]errand{{method: http.MethodPost, path: "/v1/clusters", body: way.cluster, patience: 2 * time.Hour}}, way.errands,
				[]errand{{method: http.MethodDelete, path: shopPath, patience: 2 * time.Hour}})
			random := rand.New(rand.NewPCG(uint64(i), uint64(*every)))
			watch(t, t.TempDir(), 1, func(w *watched) {
				for i := range errands {
					w.run(&errands[i], func(int) bool { return random.IntN(*every) == 0 })
				}
			})
			for _, e := range errands {
				t.Logf("%s %s: killed at %d of %d writes", e.method, e.path, len(e.moments), e.writes)
				for _, m := range e.moments {
					if err := e.afterKill(t, m); err != nil {
						t.Errorf("%s %s, killed before write %d: %v", e.method, e.path, m.write, err)
					}
				}
			}
		})
	}
}

// run does an errand to its end, and keeps moments meanwhile.
func (w *watched) run(e *errand, keep func(int) bool) {
	w.Helper()
	w.mu.Lock()
	w.moments, w.keep, w.writes = nil, keep, 0
	w.mu.Unlock()
	var o contract.Operation
	if status, err := w.Call(w.Context(), e.method, e.path, e.body, &o); err != nil || status != http.StatusAccepted {
		w.Fatalf("%s %s answered %d, %v", e.method, e.path, status, err)
	}
	w.mu.Lock()
	e.operation, e.acknowledged = o.Id, w.writes
	w.mu.Unlock()
	o = ended(w.T, w.Local, o)
	w.mu.Lock()
	e.moments, e.writes, w.keep = w.moments, w.writes, nil
	w.mu.Unlock()
	if o.Status != contract.OperationSucceeded {
		w.Fatalf("%s %s ended %s without any kill: %s", e.method, e.path, o.Status, o.Reason)
	}
	e.service = w.serviceStatus()
}

// serviceStatus is what the service comes to, and empty while there is none.
func (w *watched) serviceStatus() contract.ServiceStatus {
	time.Sleep(10 * time.Minute)
	var s contract.Service
	if _, err := w.Call(w.Context(), http.MethodGet, webPath, nil, &s); err != nil {
		w.Error(err)
	}
	return s.Status
}

// afterKill goes on from what a killed process left, and says what is not as it would be
// without the kill.
func (e *errand) afterKill(t *testing.T, m moment) (err error) {
	directory := t.TempDir()
	defer os.RemoveAll(directory)
	if err := m.lay(directory); err != nil {
		return err
	}
	watch(t, directory, uint64(m.write), func(w *watched) { err = e.goesOn(w, m.write > e.acknowledged) })
	return err
}

func (e *errand) goesOn(w *watched, acknowledged bool) error {
	o, there, err := w.awaitEnd(e.operation, e.patience)
	switch {
	case err != nil:
		return err
	case acknowledged && !there:
		return fmt.Errorf("operation %s was acknowledged, and is lost", e.operation)
	case !there:
		return nil
	case o.Status != contract.OperationSucceeded:
		return fmt.Errorf("operation %s is %s: %s, left %v", e.operation, o.Status, o.Reason, o.Left)
	case e.method == http.MethodDelete && e.path == shopPath:
		if left := liveStacks(w.Context(), w.T, w.Local); len(left) > 0 {
			return fmt.Errorf("stacks %v are left", left)
		}
		return nil
	}
	var c contract.Cluster
	if _, err := w.Call(w.Context(), http.MethodGet, shopPath, nil, &c); err != nil || c.Status != contract.ClusterReady {
		return fmt.Errorf("the cluster is %s, %v", c.Status, err)
	}
	if got := w.serviceStatus(); got != e.service {
		return fmt.Errorf("the service is %q, and without the kill it was %q", got, e.service)
	}
	return nil
}

// awaitEnd returns the operation, if there is one, once it or patience has ended.
func (w *watched) awaitEnd(id string, patience time.Duration) (o contract.Operation, there bool, err error) {
	for deadline := time.Now().Add(patience); o.EndedAt.IsZero() && time.Now().Before(deadline); time.Sleep(time.Minute) {
		status, err := w.Call(w.Context(), http.MethodGet, "/v1/operations/"+id, nil, &o)
		if err != nil || status == http.StatusNotFound {
			return o, false, err
		}
	}
	return o, true, nil
}
