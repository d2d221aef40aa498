//go:build testbed

package kubernetes_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"portolan/shared/contract"
	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

func (f *field) release(number int64, image string, replicas int) orchestrator.Release {
	return orchestrator.Release{
		Service: f.service("web"), Number: number, Commit: "4a5b6c7", Replicas: replicas,
		Operation: fmt.Sprintf("operation-%d", number),
		Image:     "registry.example.com/shop/" + image + "@sha256:" + strings.Repeat("0a", 32),
		Spec: contract.ServiceSpec{
			Container: "webapp", Image: "registry.example.com/shop/" + image + ":1", Cpu: 256,
			Memory: contract.Memory{LimitMiB: 64}, Ports: []contract.Port{{ContainerPort: 8080}},
			LoadBalancer: contract.LoadBalancer{ContainerPort: 8080, Rules: []contract.RoutingRule{{Paths: []string{"/shop/*"}}}},
			Rollout:      contract.Rollout{DeadlineSeconds: 60},
		},
	}
}

func (f *field) apply(release orchestrator.Release) {
	f.Helper()
	f.must(f.driver.Apply(f.Context(), release))
}

// rollOut applies a release and waits until it serves.
func (f *field) rollOut(release orchestrator.Release) {
	f.Helper()
	f.apply(release)
	f.awaitRelease(release.Number)
}

func (f *field) awaitRelease(number int64) orchestrator.Observation {
	f.Helper()
	return f.seen("web", func(o orchestrator.Observation) bool {
		return o.Rollout.State == orchestrator.RolledOut && o.Rollout.Release == number
	})
}

// whole is a description with everything in it that a cluster of EKS can do.
func whole(spec contract.ServiceSpec) contract.ServiceSpec {
	spec.Command = []string{"serve", "$(HOME)", "--price=5$"}
	spec.Environment = map[string]string{"MODE": "full", "EMPTY": "", "PRICE": "5$ $(MODE) $$"}
	spec.Memory.ReservationMiB = 32
	spec.Ports = append(spec.Ports, contract.Port{ContainerPort: 9090, Protocol: contract.Udp, HostPort: 9090})
	spec.HealthCheck = contract.HealthCheck{Command: []string{"CMD-SHELL", "true"}, StartPeriodSeconds: 30}
	spec.LoadBalancer.Rules = append(spec.LoadBalancer.Rules, contract.RoutingRule{Hosts: []string{"a.example.com", "*.b.example.com"}})
	spec.Volumes = []contract.Volume{{Name: "data", ContainerPath: "/data", FileSystemId: "fs-0a1b2c3d", ReadOnly: true}}
	spec.Placement = contract.Placement{
		Constraints: []contract.Constraint{
			{Attribute: "instanceType", Operator: contract.NotIn, Values: []string{"t3.nano"}},
			{Attribute: "architecture", Operator: contract.NotIn, Values: []string{"arm64"}},
		},
		Spread: []contract.PlacementSpread{contract.Zone, contract.Node},
	}
	lowest := 50
	spec.Rollout.HealthyPercentMin, spec.Rollout.HealthyPercentMax = &lowest, 150
	spec.Kubernetes.Tolerations = []contract.Toleration{{Key: "dedicated", Value: "batch", Effect: contract.NoSchedule}, {Key: "example.com/any"}}
	spec.Kubernetes.IngressClass = "alb"
	spec.Kubernetes.SecretKeys = map[string]contract.SecretKey{"PASSWORD": {Secret: "shop", Key: "password"}}
	spec.Role = "arn:aws:iam::111122223333:role/web"
	return spec
}

// The names that the driver gives fields are those that the API server writes down, or
// a release that is applied again would be written again and look changed by hand.
func TestAReleaseThatChangesNothingWritesNothing(t *testing.T) {
	plain := func(spec contract.ServiceSpec) contract.ServiceSpec { return spec }
	for name, describe := range map[string]func(contract.ServiceSpec) contract.ServiceSpec{
		"plain": plain, "whole": whole,
		"global": func(spec contract.ServiceSpec) contract.ServiceSpec {
			spec.Mode = contract.Global
			return spec
		},
		"a volume of its own": func(spec contract.ServiceSpec) contract.ServiceSpec {
			spec.Volumes = []contract.Volume{{Name: "data", ContainerPath: "/data", SizeGiB: 2, StorageClass: "testbed"}}
			return spec
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := onField(t)
			release := f.release(1, "web", 1)
			release.Spec, release.New = describe(release.Spec), true
			f.requests.Store(0)
			f.apply(release)
			if made := f.left(t); int(f.requests.Load()) > len(made) { // pods and ReplicaSets are among them
				t.Errorf("a new service took %d requests for %q", f.requests.Load(), made)
			}
			release.New = false
			if seen := f.seen("web", func(o orchestrator.Observation) bool { return o.Running > 0 || name == "whole" }); seen.Foreign != "" {
				t.Errorf("a fresh release looks changed: %+v", seen)
			}
			f.requests.Store(0)
			f.writes.Store(0)
			release.Operation = "operation-again"
			f.apply(release)
			if f.writes.Load() != 0 || f.requests.Load() > 8 {
				t.Errorf("applying it again made %d requests, and wrote %d times", f.requests.Load(), f.writes.Load())
			}
			f.gone("web")
		})
	}
}

// gone removes a service and wants nothing to be left.
func (f *field) gone(service string) {
	f.Helper()
	f.eventually("removed", func() error {
		left, err := f.driver.Remove(f.Context(), f.service(service))
		f.must(err)
		if len(left) > 0 {
			return fmt.Errorf("left are %q", left)
		}
		return nil
	})
	if left := f.left(f.T); len(left) > 0 {
		f.Errorf("left behind: %q", left)
	}
	for _, volume := range f.items("/api/v1/persistentvolumes") {
		if strings.Contains(name(volume), f.namespace) {
			f.Errorf("left behind: volume %s", name(volume))
		}
	}
}

func TestARolloutIsWatchedAndNotPolled(t *testing.T) {
	f := onField(t)
	for number, image := range []string{1: "web", 2: "shop", 3: "fail-crash", 4: "web"} {
		if number == 0 {
			continue
		}
		f.requests.Store(0)
		f.watches.Store(0)
		release := f.release(int64(number), image, 3)
		release.New = number == 1
		f.apply(release)
		seen, err := f.driver.Watch(t.Context(), f.service("web"), time.Now().Add(time.Minute))
		f.must(err)
		good := image != "fail-crash"
		if good && (seen.Rollout.State != orchestrator.RolledOut || seen.Running != 3 || seen.InEffect != int64(number)) {
			t.Errorf("a good release ends as %+v", seen)
		}
		if !good && (seen.Rollout.State != orchestrator.Failed || seen.InEffect != 2 || seen.Running != 3 ||
			!contains(seen.Rollout.Reason, "webapp", "code 1")) {
			t.Errorf("a bad release ends as %+v", seen)
		}
		most := int64(rolloutMax)
		if release.New {
			most = newMax
		}
		if f.requests.Load() > most || f.watches.Load() > 2 {
			t.Errorf("release %d made %d requests and %d watches", number, f.requests.Load(), f.watches.Load())
		}
	}
	if _, err := f.driver.Watch(t.Context(), f.service("none"), time.Now().Add(time.Minute)); !fault.IsNotFound(err) {
		t.Errorf("watching what does not exist: %v", err)
	}
}

func TestWatchEndsWhenTheTimeHasCome(t *testing.T) {
	f := onField(t)
	f.apply(f.release(1, "fail-ready", 1))
	start := time.Now()
	seen, err := f.driver.Watch(t.Context(), f.service("web"), time.Now().Add(2*time.Second))
	f.must(err)
	if took := time.Since(start); took < 2*time.Second || took > 5*time.Second || seen.Rollout.State != orchestrator.InProgress {
		t.Errorf("after %v: %+v", took, seen)
	}
}

// byKubectl sets a variable past Portolan.
func (f *field) byKubectl(variable, value string) {
	f.change(http.MethodPatch, f.apps("deployments/web"), "kubectl-edit", document{"spec": document{
		"template": document{"spec": document{"containers": []document{
			{"name": "webapp", "env": []document{{"name": variable, "value": value}}},
		}}},
	}})
}

func TestAConflictNamesTheManagerAndTheField(t *testing.T) {
	f := onField(t)
	f.rollOut(f.release(1, "web", 1))
	f.byKubectl("MODE", "debug")
	release := f.release(2, "web", 1)
	release.Spec.Environment = map[string]string{"MODE": "full"}
	err := f.driver.Apply(t.Context(), release)
	if !fault.IsConflict(err) || !contains(err.Error(), "kubectl-edit", `env[name="MODE"].value`, "forceConflicts") {
		t.Errorf("got %v", err)
	}
	release.Spec.Kubernetes.ForceConflicts = true
	f.rollOut(release)
	if seen := f.awaitRelease(2); seen.Foreign != "" {
		t.Errorf("got %+v", seen)
	}
}

func TestFieldsOfOthersStay(t *testing.T) {
	f := onField(t)
	f.rollOut(f.release(1, "web", 1))
	f.byKubectl("DEBUG", "1")
	if seen := f.seen("web", func(o orchestrator.Observation) bool { return o.Rollout.State == orchestrator.RolledOut }); seen.Foreign != "" {
		t.Errorf("what somebody added looks like a change of ours: %+v", seen)
	}
	f.rollOut(f.release(2, "shop", 1))
	_, deployment := f.do(http.MethodGet, f.apps("deployments/web"), "", nil)
	if text := fmt.Sprint(deployment["spec"]); !strings.Contains(text, "DEBUG") {
		t.Errorf("the variable is gone: %s", text)
	}
}

// What kubectl edit changes beside the image is a change of ours, too.
func TestAChangedFieldIsForeign(t *testing.T) {
	f := onField(t)
	release := f.release(1, "web", 1)
	release.Spec.Environment = map[string]string{"MODE": "full"}
	f.rollOut(release)
	f.byKubectl("MODE", "debug")
	seen := f.seen("web", func(o orchestrator.Observation) bool { return o.Foreign != "" })
	if !contains(seen.Foreign, "kubectl-edit", "env[name=MODE].value") || seen.Rollout.Release != 0 {
		t.Errorf("got %+v", seen)
	}
	f.apply(release)
	if seen := f.awaitRelease(1); seen.Foreign != "" {
		t.Errorf("put right: %+v", seen)
	}
}

// scaleAs scales as something else than Portolan.
func (f *field) scaleAs(manager string, replicas int) {
	f.change(http.MethodPatch, f.apps("deployments/web/scale"), manager, document{"spec": document{"replicas": replicas}})
}

func TestAnAutoscalersReplicasStay(t *testing.T) {
	f := onField(t)
	f.rollOut(f.release(1, "web", 2))
	f.scaleAs("kube-controller-manager", 4)
	f.rollOut(f.release(2, "shop", 2))
	f.rollOut(f.release(3, "web", 1))
	seen := f.awaitRelease(3)
	if seen.Desired != 4 || seen.Scaler == "" {
		t.Errorf("after two releases: %+v", seen)
	}
	if err := f.driver.Scale(t.Context(), f.service("web"), 2); !fault.IsConflict(err) || !contains(err.Error(), "HorizontalPodAutoscaler") {
		t.Errorf("scaling what an autoscaler scales: %v", err)
	}
}

func TestReplicasSetByHandStayUntilWeScale(t *testing.T) {
	f := onField(t)
	f.rollOut(f.release(1, "web", 2))
	f.scaleAs("kubectl", 3)
	f.rollOut(f.release(2, "shop", 2))
	if seen := f.awaitRelease(2); seen.Desired != 3 || seen.Scaler != "" {
		t.Errorf("after a release: %+v", seen)
	}
	f.must(f.driver.Scale(t.Context(), f.service("web"), 1))
	f.rollOut(f.release(3, "web", 2))
	if seen := f.awaitRelease(3); seen.Desired != 2 {
		t.Errorf("after a scale and a release: %+v", seen)
	}
}

// A release that says nothing of replicas must not set them back to Kubernetes's
// default.
func TestReplicasThatWeAppliedStay(t *testing.T) {
	f := onField(t)
	f.rollOut(f.release(1, "web", 3))
	for number := int64(2); number < 5; number++ {
		f.rollOut(f.release(number, fmt.Sprintf("web%d", number), 3))
		if seen := f.awaitRelease(number); seen.Desired != 3 {
			t.Fatalf("release %d: %+v", number, seen)
		}
	}
	f.apply(f.release(5, "web", 0))
	if seen := f.awaitRelease(5); seen.Desired != 0 || seen.Running != 0 {
		t.Errorf("at no tasks: %+v", seen)
	}
}

func TestCompanionsAreMadeRightAndDropped(t *testing.T) {
	f := onField(t)
	release := f.release(1, "web", 1)
	f.rollOut(release)
	service := "/api/v1/namespaces/" + f.namespace + "/services/web"
	f.change(http.MethodPatch, service, "kubectl-edit", document{"spec": document{"selector": document{"app": "else"}}})
	f.apply(release)
	_, live := f.do(http.MethodGet, service, "", nil)
	if text := fmt.Sprint(live["spec"].(document)["selector"]); text != "map[portolan.dev/service:web]" {
		t.Errorf("the selector is %s", text)
	}
	next := f.release(2, "web", 1)
	next.Spec.Ports, next.Spec.LoadBalancer = nil, contract.LoadBalancer{}
	f.rollOut(next)
	if code, _ := f.do(http.MethodGet, service, "", nil); code != http.StatusNotFound {
		t.Errorf("a service without ports: %d", code)
	}
}

func TestAVolumeIsUsedByOneTask(t *testing.T) {
	f := onField(t)
	release := f.release(1, "web", 1)
	release.Spec.Volumes = []contract.Volume{{Name: "data", ContainerPath: "/data", SizeGiB: 1}}
	f.rollOut(release)
	if err := f.driver.Scale(t.Context(), f.service("web"), 2); !fault.IsInvalid(err) || !contains(err.Error(), "volume") {
		t.Errorf("scaling to 2: %v", err)
	}
	release.Number, release.Replicas = 2, 2
	if err := f.driver.Apply(t.Context(), release); !fault.IsInvalid(err) {
		t.Errorf("a release at 2: %v", err)
	}
	f.gone("web")
}

func TestModeCannotBeChanged(t *testing.T) {
	f := onField(t)
	f.rollOut(f.release(1, "web", 1))
	release := f.release(2, "web", 1)
	release.Spec.Mode = contract.Global
	if err := f.driver.Apply(t.Context(), release); !fault.IsInvalid(err) || !contains(err.Error(), "/mode") {
		t.Errorf("got %v", err)
	}
}

func TestWhatWasThereIsTakenOverOnlyOnRequestAndLetGo(t *testing.T) {
	f := onField(t)
	f.change(http.MethodPost, f.apps("deployments"), "kubectl-create", document{
		"metadata": document{"name": "web"},
		"spec": document{"replicas": 1, "selector": document{"matchLabels": document{"app": "old"}}, "template": document{
			"metadata": document{"labels": document{"app": "old"}},
			"spec":     document{"containers": []document{{"name": "webapp", "image": "registry.example.com/old:1"}}},
		}},
	})
	if _, err := f.driver.Observe(t.Context(), f.service("web")); !fault.IsNotFound(err) {
		t.Errorf("somebody else's Deployment is a service: %v", err)
	}
	release := f.release(1, "web", 1)
	release.Spec.Container = "main"
	if err := f.driver.Apply(t.Context(), release); !fault.IsConflict(err) || !contains(err.Error(), "container", "main") {
		t.Errorf("with another container: %v", err)
	}
	release.Spec.Container = "webapp"
	if err := f.driver.Apply(t.Context(), release); !fault.IsConflict(err) || !contains(err.Error(), "kubectl-create", "image") {
		t.Errorf("without force: %v", err)
	}
	release.Spec.Kubernetes.ForceConflicts = true
	f.rollOut(release)
	f.eventually("let go", func() error {
		left, err := f.driver.Remove(t.Context(), f.service("web"))
		f.must(err)
		if len(left) > 0 {
			return fmt.Errorf("left are %q", left)
		}
		return nil
	})
	code, deployment := f.do(http.MethodGet, f.apps("deployments/web"), "", nil)
	if code != http.StatusOK || strings.Contains(fmt.Sprint(deployment["metadata"].(document)["labels"]), "portolan") {
		t.Errorf("let go: %d %v", code, deployment["metadata"])
	}
	if code, _ := f.do(http.MethodGet, "/api/v1/namespaces/"+f.namespace+"/services/web", "", nil); code != http.StatusNotFound {
		t.Errorf("what was made beside it: %d", code)
	}
}
