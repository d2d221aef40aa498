//go:build testbed

package kubernetes

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"
)

func TestMain(m *testing.M) { Main(m) }

// fixture is a namespace of a running cluster.
type fixture struct {
	*testing.T
	cluster   *Cluster
	namespace string
}

func newFixture(t *testing.T) *fixture {
	t.Parallel()
	cluster, namespace := ForTest(t)
	return &fixture{t, cluster, namespace}
}

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

func wantRefusal(a *api, path string, code int) error {
	err := a.do(context.Background(), http.MethodGet, path, nil, nil)
	var refused *refusal
	if !errors.As(err, &refused) || refused.code != code {
		return fmt.Errorf("GET %s is answered with %v, not with %d", path, err, code)
	}
	return nil
}

// eventually asks until there is no error, for a while that a busy machine suffices with.
func (f *fixture) eventually(what string, ask func() error) {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), time.Minute)
	defer cancel()
	if err := f.cluster.wait(ctx, what, func(context.Context) error { return ask() }); err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) do(method, path string, body, out any) {
	f.Helper()
	if err := f.cluster.api.do(f.Context(), method, path, body, out); err != nil {
		f.Fatalf("%s %s: %v", method, path, err)
	}
}

func (f *fixture) get(path string, out any) {
	f.Helper()
	f.do(http.MethodGet, path, nil, out)
}

func (f *fixture) core(path string) string { return "/api/v1/namespaces/" + f.namespace + "/" + path }

func (f *fixture) apps(path string) string {
	return "/apis/apps/v1/namespaces/" + f.namespace + "/" + path
}

func podSpec(image string) object {
	return object{"containers": []object{{"name": "main", "image": image}}}
}

func (f *fixture) deploy(name, image string, replicas int) {
	f.Helper()
	labels := object{"app": name}
	f.do(http.MethodPost, f.apps("deployments"), object{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": object{"name": name},
		"spec": object{"replicas": replicas, "selector": object{"matchLabels": labels},
			"template": object{"metadata": object{"labels": labels}, "spec": podSpec(image)}},
	}, nil)
}

func (f *fixture) evict(pod string) error {
	return f.cluster.api.do(f.Context(), http.MethodPost, f.core("pods/"+pod+"/eviction"), object{
		"apiVersion": "policy/v1", "kind": "Eviction", "metadata": object{"name": pod},
	}, nil)
}

// pod is what the tests look at of one.
type pod struct {
	Metadata struct{ Name string }
	Spec     struct{ NodeName string }
	Status   struct {
		Phase, PodIP      string
		Conditions        []struct{ Type, Status string }
		ContainerStatuses []container
	}
}

type container struct {
	RestartCount int
	State        struct{ Waiting struct{ Reason string } }
}

func (p pod) ready() bool {
	for _, condition := range p.Status.Conditions {
		if condition.Type == "Ready" {
			return condition.Status == "True"
		}
	}
	return false
}

// container returns the state of the pod's only container, which has none at first.
func (p pod) container() container {
	if len(p.Status.ContainerStatuses) == 0 {
		return container{}
	}
	return p.Status.ContainerStatuses[0]
}

func (f *fixture) pods(app string) []pod {
	f.Helper()
	var list struct{ Items []pod }
	f.get(f.core("pods?labelSelector="+url.QueryEscape("app="+app)), &list)
	return list.Items
}

func (f *fixture) wantPods(app string, want int) error {
	if pods := f.pods(app); len(pods) != want {
		return fmt.Errorf("there are %d pods of %s and not %d", len(pods), app, want)
	}
	return nil
}

// wantReady returns an error unless so many pods of a deployment are ready, as the
// deployment itself counts them.
func (f *fixture) wantReady(deployment string, want int) error {
	f.Helper()
	var read struct{ Status struct{ ReadyReplicas int } }
	f.get(f.apps("deployments/"+deployment), &read)
	if read.Status.ReadyReplicas != want {
		return fmt.Errorf("%d pods of %s are ready and not %d", read.Status.ReadyReplicas, deployment, want)
	}
	return nil
}

func (f *fixture) wantNode(name, want string) error {
	f.Helper()
	var read struct {
		Status struct {
			Conditions []struct{ Type, Status string }
		}
	}
	f.get("/api/v1/nodes/"+name, &read)
	for _, condition := range read.Status.Conditions {
		if condition.Type == "Ready" && condition.Status == want {
			return nil
		}
	}
	return fmt.Errorf("the conditions of %s are %+v", name, read.Status.Conditions)
}

// clientOf returns a client that reads no more than a kubeconfig.
func clientOf(t *testing.T, kubeconfig []byte) *api {
	t.Helper()
	var config struct {
		Clusters []struct {
			Cluster struct {
				Server    string
				Authority string `yaml:"certificate-authority-data"`
			}
		}
		Users []struct {
			User struct {
				Certificate string `yaml:"client-certificate-data"`
				Key         string `yaml:"client-key-data"`
			}
		}
	}
	if err := yaml.Unmarshal(kubeconfig, &config); err != nil {
		t.Fatal(err)
	}
	decode := func(text string) []byte {
		content, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	cluster, user := config.Clusters[0].Cluster, config.Users[0].User
	client, err := newAPI(cluster.Server, pair{certificate: decode(cluster.Authority)},
		pair{decode(user.Certificate), decode(user.Key)})
	if err != nil {
		t.Fatal(err)
	}
	return client
}
