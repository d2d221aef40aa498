//go:build testbed

package kubernetes_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	testbed "portolan/local/testbed/kubernetes"
	"portolan/shared/contract"
	"portolan/shared/fault"
	"portolan/shared/kubernetes"
	"portolan/shared/orchestrator"
)

// nodeOf is a node with a task of the service.
func (f *field) nodeOf(service string) orchestrator.NodeRef {
	f.Helper()
	page, err := f.driver.Tasks(f.Context(), orchestrator.TaskQuery{Service: f.service(service)})
	f.must(err)
	return orchestrator.NodeRef{Cluster: f.ref, ID: page.Tasks[0].Node}
}

func TestADrainHeedsTheBudgetsOfOthers(t *testing.T) {
	f := onField(t)
	f.change(http.MethodPost, f.apps("deployments"), "kubectl", document{
		"metadata": document{"name": "old"},
		"spec": document{"replicas": 1, "selector": document{"matchLabels": document{"app": "old"}}, "template": document{
			"metadata": document{"labels": document{"app": "old"}},
			"spec":     document{"containers": []document{{"name": "old", "image": "registry.example.com/old:1"}}},
		}},
	})
	budget := "/apis/policy/v1/namespaces/" + f.namespace + "/poddisruptionbudgets"
	f.change(http.MethodPost, budget, "kubectl", document{"metadata": document{"name": "old"}, "spec": document{
		"maxUnavailable": 0, "selector": document{"matchLabels": document{"app": "old"}},
	}})
	var node orchestrator.NodeRef
	f.eventually("running, and guarded", func() error {
		_, guard := f.do(http.MethodGet, budget+"/old", "", nil)
		for _, pod := range f.items("/api/v1/namespaces/" + f.namespace + "/pods") {
			on, _ := pod["spec"].(document)["nodeName"].(string)
			status, _ := guard["status"].(document)
			if pod["status"].(document)["phase"] == "Running" && status["currentHealthy"] == 1.0 {
				node = orchestrator.NodeRef{Cluster: f.ref, ID: on}
				return nil
			}
		}
		return errors.New("the pod does not run")
	})
	for range 2 {
		f.must(f.driver.Drain(t.Context(), node))
		status, err := f.driver.DrainStatus(t.Context(), node)
		if err != nil || status.TasksLeft != 1 || status.State != orchestrator.NodeDraining {
			t.Errorf("a guarded pod: %+v, %v", status, err)
		}
	}
	f.change(http.MethodDelete, budget+"/old", "", nil)
	f.eventually("drained", func() error {
		f.must(f.driver.Drain(t.Context(), node))
		status, err := f.driver.DrainStatus(t.Context(), node)
		if err != nil || !status.Drained() {
			return fmt.Errorf("%+v, %v", status, err)
		}
		return nil
	})
	f.must(f.driver.Uncordon(t.Context(), node))
}

// A drain that is taken back gives the tasks back that it took from their service, and
// leaves no more than are wanted.
func TestUncordonGivesTasksBack(t *testing.T) {
	f := onField(t)
	f.rollOut(f.release(1, "web", 3))
	node := f.nodeOf("web")
	f.must(f.driver.Drain(t.Context(), node))
	f.must(f.driver.Uncordon(t.Context(), node))
	f.eventually("as before", func() error {
		owned := 0
		all := f.items("/api/v1/namespaces/" + f.namespace + "/pods")
		for _, pod := range all {
			if _, found := pod["metadata"].(document)["ownerReferences"]; found {
				owned++
			}
		}
		if len(all) != 3 || owned != 3 {
			return fmt.Errorf("%d pods, of which %d have an owner", len(all), owned)
		}
		return nil
	})
	f.awaitRelease(1)
}

// A service that may not run more tasks than its replicas has them evicted.
func TestATaskWithoutRoomIsEvicted(t *testing.T) {
	f := onField(t)
	release := f.release(1, "web", 2)
	lowest := 0
	release.Spec.Rollout.HealthyPercentMin, release.Spec.Rollout.HealthyPercentMax = &lowest, 100
	f.rollOut(release)
	node := f.nodeOf("web")
	f.eventually("drained", func() error {
		f.must(f.driver.Drain(t.Context(), node))
		status, err := f.driver.DrainStatus(t.Context(), node)
		f.must(err)
		for _, pod := range f.items("/api/v1/namespaces/" + f.namespace + "/pods") {
			if strings.Contains(fmt.Sprint(pod["metadata"]), "portolan.dev/moving") {
				t.Errorf("pod %s was taken from its ReplicaSet", name(pod))
			}
		}
		if !status.Drained() {
			return fmt.Errorf("%+v", status)
		}
		return nil
	})
	f.must(f.driver.Uncordon(t.Context(), node))
	f.awaitRelease(1)
}

func TestAServicesRole(t *testing.T) {
	f := onField(t)
	release := f.release(1, "web", 1)
	release.Spec.Role = "arn:aws:iam::111122223333:role/one"
	f.rollOut(release)
	roles := f.amazon.roles(t)
	if len(roles) != 1 || roles[0].RoleARN != release.Spec.Role || roles[0].Namespace != f.namespace || roles[0].ServiceAccount != "web" ||
		len(roles[0].Token) == 0 || fmt.Sprint(roles[0].Tags) != "map[portolan:cluster:shop portolan:operation:operation-1 portolan:service:web portolan:team:checkout]" {
		t.Fatalf("got %+v", roles)
	}
	next := f.release(2, "web", 1)
	next.Spec.Role = "arn:aws:iam::111122223333:role/two"
	f.rollOut(next)
	if roles := f.amazon.roles(t); len(roles) != 1 || roles[0].RoleARN != next.Spec.Role {
		t.Errorf("another role: %+v", roles)
	}
	f.rollOut(f.release(3, "web", 1))
	if roles := f.amazon.roles(t); len(roles) != 0 {
		t.Errorf("no role any more: %+v", roles)
	}
}

func TestGlanceMakesFewRequests(t *testing.T) {
	f := onField(t)
	var names []string
	for i := range 12 {
		release := f.release(1, "web", 1)
		release.Service.Name = fmt.Sprintf("web-%d", i)
		f.apply(release)
		names = append(names, release.Service.Name)
	}
	f.changeByHand(t, "web-3", "registry.example.com/else:1")
	f.requests.Store(0)
	seen, err := f.driver.Glance(t.Context(), f.ref, append(names, "none"))
	f.must(err)
	if len(seen) != len(names) || f.requests.Load() > 2 {
		t.Errorf("%d requests saw %d services", f.requests.Load(), len(seen))
	}
	f.requests.Store(0)
	if seen, err := f.driver.Glance(t.Context(), f.ref, names); err != nil || len(seen) != len(names) || f.requests.Load() > 1 {
		t.Errorf("where all are Deployments, %d requests saw %d services, %v", f.requests.Load(), len(seen), err)
	}
	if one := seen["web-2"]; one.Desired != 1 || one.Rollout.Release != 1 || one.Foreign != "" {
		t.Errorf("got %+v", one)
	}
	if one := seen["web-3"]; one.Foreign != "registry.example.com/else:1" || one.Rollout.Release != 0 {
		t.Errorf("changed by hand: %+v", one)
	}
}

// What would stop the next upgrade is seen before, and what cannot be seen is said.
func TestASurveySaysWhatIsInTheWayOfTheNextVersion(t *testing.T) {
	f := onField(t)
	f.rollOut(f.release(1, "web", 2))
	f.change(http.MethodPost, "/apis/policy/v1/namespaces/"+f.namespace+"/poddisruptionbudgets", "kubectl", document{
		"metadata": document{"name": "never"},
		"spec":     document{"maxUnavailable": 0, "selector": document{"matchLabels": document{"portolan.dev/service": "web"}}},
	})
	never := "PodDisruptionBudget " + f.namespace + "/never lets none of its 2 pods go"
	f.eventually("in the way", func() error {
		s, err := f.driver.Survey(t.Context(), f.ref, nil)
		f.must(err)
		if len(s.Blockers) != 1 || !strings.HasPrefix(s.Blockers[0], never) {
			return fmt.Errorf("in the way are %q", s.Blockers)
		}
		return nil
	})
	cluster, _ := testbed.ForTest(t)
	s, err := f.as(cluster.LimitedKubeconfig()).Survey(t.Context(), f.ref, nil)
	f.must(err)
	for i, want := range []string{"old nodes", "disruption budgets", "APIs in use"} {
		if len(s.Blockers) != 3 || !strings.HasPrefix(s.Blockers[i], "nobody knows whether "+want+" are in the way: ") {
			t.Fatalf("without a right to see, in the way are %q", s.Blockers)
		}
	}
	if !contains(s.Blockers[1], "list poddisruptionbudgets.policy in all namespaces is not allowed") || !contains(s.Blockers[2], "get /metrics") {
		t.Errorf("the rights are not named: %q", s.Blockers)
	}
}

func TestSurvey(t *testing.T) {
	f := onField(t)
	f.rollOut(f.release(1, "web", 2))
	f.change(http.MethodPost, "/apis/batch/v1/namespaces/"+f.namespace+"/cronjobs", "helm", document{
		"metadata": document{"name": "nightly"},
		"spec": document{"schedule": "0 3 * * *", "jobTemplate": document{"spec": document{"template": document{"spec": document{
			"restartPolicy": "Never", "containers": []document{{"name": "job", "image": "registry.example.com/job:1"}},
		}}}}},
	})
	f.change(http.MethodPost, "/api/v1/namespaces/"+f.namespace+"/pods", "kubectl-run", document{
		"metadata": document{"name": "alone"},
		"spec":     document{"containers": []document{{"name": "alone", "image": "registry.example.com/alone:1"}}},
	})
	f.requests.Store(0)
	s, err := f.driver.Survey(t.Context(), f.ref, []contract.Verb{contract.VerbDeploy, contract.VerbDrain, contract.VerbRepair})
	f.must(err)
	if n := f.requests.Load(); n > 20 {
		t.Errorf("%d requests, although an administrator is asked for all rights at once", n)
	}
	if !strings.HasPrefix(s.Version, "v1.") || s.Nodes != nodesWanted || len(s.Missing) != 0 || s.More != 0 {
		t.Errorf("got version %s, %d nodes, missing %q, %d more", s.Version, s.Nodes, s.Missing, s.More)
	}
	var said []string
	for _, w := range s.Workloads {
		if w.Namespace == f.namespace {
			said = append(said, fmt.Sprintf("%s %s %v %d/%d %v %q", w.Kind, w.Name, w.Images, w.Ready, w.Replicas, w.Managers, w.Service))
		}
	}
	image := f.release(1, "web", 2).Image
	want := []string{
		`CronJob nightly [registry.example.com/job:1] 0/0 [helm] ""`,
		`Deployment web [` + image + `] 2/2 [portolan] "web"`,
		`Pod alone [registry.example.com/alone:1] 1/1 [kubectl-run] ""`,
	}
	if !slices.Equal(said, want) {
		t.Errorf("got\n%s", strings.Join(said, "\n"))
	}
}

// as is a driver with other credentials.
func (f *field) as(kubeconfig []byte) *kubernetes.Driver {
	return f.newDriver(newAmazon(kubeconfig))
}

func TestMissingRightsAreNamed(t *testing.T) {
	f := onField(t)
	cluster, _ := testbed.ForTest(t)
	limited := f.as(cluster.LimitedKubeconfig())
	err := limited.Apply(t.Context(), f.release(1, "web", 1))
	if want := "get deployments.apps in namespace " + f.namespace; err == nil || !contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	s, err := limited.Survey(t.Context(), f.ref, []contract.Verb{contract.VerbDeploy, contract.VerbScale, contract.VerbDrain})
	f.must(err)
	for _, want := range []string{
		"list deployments.apps in all namespaces", "patch deployments.apps in namespace " + f.namespace,
		"patch deployments.apps/scale in namespace " + f.namespace, "create pods/eviction in all namespaces", "delete nodes",
	} {
		if !slices.Contains(s.Missing, want) {
			t.Errorf("not missing: %s, but %q", want, s.Missing)
		}
	}
	if len(s.Workloads) != 0 {
		t.Errorf("without a right to see, there are %+v", s.Workloads)
	}
}

// Who may change what is there may not make what is not.
func TestTheRightToMakeIsNamed(t *testing.T) {
	f := onField(t)
	cluster, _ := testbed.ForTest(t)
	rbac := "/apis/rbac.authorization.k8s.io/v1/namespaces/" + f.namespace
	f.change(http.MethodPost, rbac+"/roles", "", document{"metadata": document{"name": "half"}, "rules": []document{
		{"apiGroups": []string{"*"}, "resources": []string{"*"}, "verbs": []string{"get", "list", "watch", "patch"}},
	}})
	f.change(http.MethodPost, rbac+"/rolebindings", "", document{"metadata": document{"name": "half"},
		"roleRef":  document{"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "half"},
		"subjects": []document{{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "half"}}})
	half := f.as([]byte(impersonating(string(cluster.Kubeconfig()), "half")))
	f.eventually("granted", func() error { // the API server hears of a role as everybody does, by a watch
		s, err := half.Survey(t.Context(), f.ref, []contract.Verb{contract.VerbScale})
		if want := "patch deployments.apps/scale in namespace " + f.namespace; err == nil && slices.Contains(s.Missing, want) {
			err = fmt.Errorf("%s is missing", want)
		}
		return err
	})
	for _, isNew := range []bool{true, false} {
		release := f.release(1, "web", 1)
		release.New = isNew
		err := half.Apply(t.Context(), release)
		if want := "create serviceaccounts in namespace " + f.namespace; err == nil || !contains(err.Error(), want) {
			t.Errorf("new %v: got %v, want %s", isNew, err, want)
		}
	}
}

// impersonating lets a kubeconfig's user call as somebody else.
func impersonating(kubeconfig, name string) string {
	lines := strings.Split(kubeconfig, "\n")
	for i, line := range lines {
		if at := strings.Index(line, "client-certificate-data"); at >= 0 {
			lines[i] = line[:at] + "as: " + name + "\n" + strings.Repeat(" ", at) + line[at:]
		}
	}
	return strings.Join(lines, "\n")
}

func TestCredentialsThatAreRefused(t *testing.T) {
	f := onField(t)
	cluster, _ := testbed.ForTest(t)
	if _, err := f.as(cluster.ExpiredKubeconfig()).Health(t.Context(), f.ref); !fault.IsInvalid(err) || !contains(err.Error(), "expired at") {
		t.Errorf("an expired certificate: %v", err)
	}
	unknown := f.as([]byte(withToken(string(cluster.Kubeconfig()))))
	if _, err := unknown.Health(t.Context(), f.ref); err == nil || !contains(err.Error(), "does not know the credentials") ||
		strings.Contains(err.Error(), "no-such-token") {
		t.Errorf("an unknown token: %v", err)
	}
}

// withToken puts an unknown token in place of a kubeconfig's certificate.
func withToken(kubeconfig string) string {
	lines := strings.Split(kubeconfig, "\n")
	for i, line := range lines {
		switch {
		case strings.Contains(line, "client-certificate-data"):
			lines[i] = line[:strings.Index(line, "client-certificate-data")] + "token: no-such-token"
		case strings.Contains(line, "client-key-data"):
			lines[i] = ""
		}
	}
	return strings.Join(lines, "\n")
}

func TestANamespaceHasToExist(t *testing.T) {
	f := onField(t)
	release := f.release(1, "web", 1)
	release.Service.Namespace = "not-there"
	if err := f.driver.Apply(t.Context(), release); !fault.IsInvalid(err) || !contains(err.Error(), "namespace not-there") {
		t.Errorf("got %v", err)
	}
}
