//go:build testbed

package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) { Main(m) }

func TestServerSaysWhichVersionItIs(t *testing.T) {
	f := newFixture(t)
	var version struct{ GitVersion, Major, Minor string }
	f.get("/version", &version)
	if version.GitVersion != kubernetesVersion || !strings.HasPrefix(kubernetesVersion, "v"+version.Major+"."+version.Minor+".") {
		t.Errorf("the server of Kubernetes %s says that it is %+v", kubernetesVersion, version)
	}
}

func TestDeploymentGetsReadyAndIsScaled(t *testing.T) {
	f := newFixture(t)
	f.deploy("web", "web:1", 3)
	f.eventually("3 pods to be ready", func() error { return f.wantReady("web", 3) })
	f.do(http.MethodPatch, f.apps("deployments/web"), object{"spec": object{"replicas": 10}}, nil)
	f.eventually("10 pods to be ready", func() error { return f.wantReady("web", 10) })
	if pod := f.pods("web")[0]; !pod.ready() || pod.Status.PodIP == "" || !strings.HasPrefix(pod.Spec.NodeName, "node-") {
		t.Errorf("the pod of a deployment that is ready is %+v", pod)
	}
}

// What fails does so for good: that it is not ready is looked at after a pod that was
// made later is.
func TestFailingImages(t *testing.T) {
	for _, test := range []struct{ image, phase, reason string }{
		{"fail-pull:1", "Pending", "ImagePullBackOff"},
		{"fail-crash:1", "Running", "CrashLoopBackOff"},
		{"fail-ready:1", "Running", ""},
	} {
		t.Run(test.image, func(t *testing.T) {
			f := newFixture(t)
			f.deploy("bad", test.image, 2)
			f.eventually("two pods to fail", func() error {
				for _, pod := range f.pods("bad") {
					if pod.Status.Phase != test.phase || pod.container().State.Waiting.Reason != test.reason {
						return fmt.Errorf("a pod is %+v", pod.Status)
					}
				}
				return f.wantPods("bad", 2)
			})
			f.deploy("good", "good:1", 1)
			f.eventually("the good pod to be ready", func() error { return f.wantReady("good", 1) })
			if err := f.wantReady("bad", 0); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestCrashingContainerRestartsAgain(t *testing.T) {
	f := newFixture(t)
	f.deploy("bad", "fail-crash:1", 1)
	f.eventually("a second restart", func() error {
		for _, pod := range f.pods("bad") {
			if pod.container().RestartCount >= 2 {
				return nil
			}
		}
		return errors.New("no container has restarted twice")
	})
}

func TestPodThatGetsReadyAndFailsLater(t *testing.T) {
	f := newFixture(t)
	f.deploy("later", "fail-later:1", 1)
	f.eventually("the pod to be ready", func() error { return f.wantReady("later", 1) })
	f.eventually("the pod to be unready", func() error { return f.wantReady("later", 0) })
}

func TestReadinessIsDelayedByAnAnnotation(t *testing.T) {
	f := newFixture(t)
	began := time.Now()
	f.do(http.MethodPost, f.core("pods"), object{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": object{"name": "slow", "labels": object{"app": "slow"}, "annotations": object{"testbed/ready-delay": "2s"}},
		"spec":     podSpec("slow:1"),
	}, nil)
	f.eventually("the pod to be ready", func() error {
		if pods := f.pods("slow"); !pods[0].ready() {
			return fmt.Errorf("the pod is %+v", pods[0].Status)
		}
		return nil
	})
	if took := time.Since(began); took < 2*time.Second {
		t.Errorf("a pod that is to be ready after 2s is after %v", took)
	}
}

func TestJobsEnd(t *testing.T) {
	f := newFixture(t)
	for name, image := range map[string]string{"good": "migrate:1", "bad": "fail-exit:1"} {
		f.do(http.MethodPost, "/apis/batch/v1/namespaces/"+f.namespace+"/jobs", object{
			"apiVersion": "batch/v1", "kind": "Job", "metadata": object{"name": name},
			"spec": object{"backoffLimit": 0, "template": object{
				"spec": object{"restartPolicy": "Never", "containers": []object{{"name": "main", "image": image}}},
			}},
		}, nil)
	}
	for name, want := range map[string]string{"good": "Complete", "bad": "Failed"} {
		f.eventually("the job "+name+" to end", func() error {
			var job struct {
				Status struct {
					Conditions []struct{ Type, Status string }
				}
			}
			f.get("/apis/batch/v1/namespaces/"+f.namespace+"/jobs/"+name, &job)
			for _, condition := range job.Status.Conditions {
				if condition.Type == want && condition.Status == "True" {
					return nil
				}
			}
			return fmt.Errorf("the job is %+v", job.Status)
		})
	}
}

func TestEvictionRespectsTheDisruptionBudget(t *testing.T) {
	f := newFixture(t)
	f.do(http.MethodPost, "/apis/policy/v1/namespaces/"+f.namespace+"/poddisruptionbudgets", object{
		"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": object{"name": "web"},
		"spec": object{"minAvailable": 2, "selector": object{"matchLabels": object{"app": "web"}}},
	}, nil)
	// With a pod that never gets ready, the other two may not be evicted.
	f.deploy("web", "web:1", 2)
	f.eventually("two pods to be ready", func() error { return f.wantReady("web", 2) })
	victim := f.pods("web")[0].Metadata.Name
	var refused *refusal
	if err := f.evict(victim); !errors.As(err, &refused) || refused.code != http.StatusTooManyRequests {
		t.Fatalf("the eviction of one of two pods of which two have to be available: %v", err)
	}
	f.do(http.MethodPatch, f.apps("deployments/web"), object{"spec": object{"replicas": 3}}, nil)
	f.eventually("an eviction to be granted with a third pod", func() error { return f.evict(victim) })
	f.eventually("the pod to be replaced", func() error {
		for _, pod := range f.pods("web") {
			if pod.Metadata.Name == victim {
				return errors.New("the evicted pod is still there")
			}
		}
		return f.wantReady("web", 3)
	})
}

func TestClaimGetsAVolume(t *testing.T) {
	f := newFixture(t)
	f.do(http.MethodPost, f.core("persistentvolumeclaims"), object{
		"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": object{"name": "data"},
		"spec": object{"accessModes": []string{"ReadWriteOnce"}, "resources": object{"requests": object{"storage": "1Gi"}}},
	}, nil)
	var claim struct {
		Spec   struct{ VolumeName string }
		Status struct{ Phase string }
	}
	f.eventually("the claim to be bound", func() error {
		f.get(f.core("persistentvolumeclaims/data"), &claim)
		if claim.Status.Phase != "Bound" {
			return fmt.Errorf("the claim is %+v", claim)
		}
		return nil
	})
	f.do(http.MethodDelete, f.core("persistentvolumeclaims/data"), nil, nil)
	f.eventually("the volume to go with its claim", func() error {
		return wantRefusal(f.cluster.api, "/api/v1/persistentvolumes/"+claim.Spec.VolumeName, http.StatusNotFound)
	})
}

func TestNodeDiesAndComesBack(t *testing.T) {
	f := newFixture(t)
	f.do(http.MethodPost, "/api/v1/nodes", node(99), nil)
	t.Cleanup(func() {
		if err := f.cluster.api.do(context.Background(), http.MethodDelete, "/api/v1/nodes/node-99", nil, nil); err != nil {
			t.Error(err)
		}
	})
	f.eventually("the node to be ready", func() error { return f.wantNode("node-99", "True") })
	f.do(http.MethodPatch, "/api/v1/nodes/node-99", object{"metadata": object{"annotations": object{"testbed/dead": "yes"}}}, nil)
	f.eventually("the node to be dead", func() error { return f.wantNode("node-99", "False") })
	f.do(http.MethodPatch, "/api/v1/nodes/node-99", object{"metadata": object{"annotations": object{"testbed/dead": nil}}}, nil)
	f.eventually("the node to be ready again", func() error { return f.wantNode("node-99", "True") })
}

func TestPodLogs(t *testing.T) {
	f := newFixture(t)
	f.deploy("web", "web:1", 1)
	f.eventually("the pod to be ready", func() error { return f.wantReady("web", 1) })
	path := f.core("pods/" + f.pods("web")[0].Metadata.Name + "/log")
	f.eventually("the pod's log", func() error {
		response, err := f.cluster.api.client.Get(f.cluster.address + path)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("the log is answered with %s", response.Status)
		}
		return nil
	})
}

func TestOthersThanTheAdministrator(t *testing.T) {
	f := newFixture(t)
	for _, test := range []struct {
		name       string
		kubeconfig []byte
		want       int
	}{
		{"limited", f.cluster.LimitedKubeconfig(), http.StatusForbidden},
		{"expired", f.cluster.ExpiredKubeconfig(), http.StatusUnauthorized},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := wantRefusal(clientOf(t, test.kubeconfig), f.core("pods"), test.want); err != nil {
				t.Error(err)
			}
		})
	}
	if err := clientOf(t, f.cluster.Kubeconfig()).do(t.Context(), http.MethodGet, f.core("pods"), nil, nil); err != nil {
		t.Errorf("the administrator is refused: %v", err)
	}
}

// A cluster of its own, because it is not there any more afterwards.
func TestComponentsEndWithTheirParent(t *testing.T) {
	t.Parallel()
	c, err := Start(t.Context(), Config{Nodes: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range c.processes {
		p.life.Close() // as the end of this process does
		select {
		case <-p.ended:
		case <-time.After(time.Minute):
			t.Errorf("%s still runs", p.name)
		}
	}
	err = c.Stop()
	for _, p := range c.processes {
		if want := p.name + " ended"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Stop does not tell that %s, but %v", want, err)
		}
	}
	if isThere(c.Directory()) {
		t.Errorf("%s is left", c.Directory())
	}
}
