//go:build testbed

package kubernetes

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"
)

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
