package trail

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"portolan/shared/contract"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
	"portolan/shared/store"
)

const podSession = "eks-portolan-p-web-6b64ff-01234567-89ab-cdef-0123-456789abcdef"

// assumeForPod is CloudTrail's record of the role that EKS assumes for a pod.
func assumeForPod(t *testing.T, cluster, account, pod string) json.RawMessage {
	t.Helper()
	var event map[string]any
	if err := json.Unmarshal(document(t, assumed), &event); err != nil {
		t.Fatal(err)
	}
	detail := event["detail"].(map[string]any)
	detail["userIdentity"] = map[string]any{"type": "AWSService", "invokedBy": "pods.eks.amazonaws.com"}
	detail["requestParameters"] = map[string]any{
		"roleArn": taskRole, "roleSessionName": podSession, "principalTags": map[string]any{
			"eks-cluster-name": cluster, "kubernetes-namespace": "default", "kubernetes-service-account": account,
			"kubernetes-pod-name": pod,
		},
	}
	raw, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// withPods is a table with a cluster of EKS: its service web, and its job of the same name.
func withPods(t *testing.T) *table {
	x := newTable(t, contract.Repair)
	x.commit(
		store.CreateCluster(model.Cluster{Spec: contract.ClusterSpec{Name: "pods", Team: "shop", Orchestrator: contract.Kubernetes},
			Status: contract.ClusterReady, Facts: orchestrator.Facts{Kubernetes: &orchestrator.KubernetesFacts{EKSCluster: "portolan-pods"}}}),
		store.CreateService(model.Service{Cluster: "pods", Name: "web", Release: 3, ReleaseObserved: 3, Status: contract.ServiceHealthy}),
		store.CreateRelease(model.Release{Cluster: "pods", Service: "web", Number: 3, Commit: "c0ffee", Image: "web@" + digestA}),
		store.CreateJob(model.Job{Cluster: "pods", Name: "web", Status: contract.JobRunning, CreatedAt: time.Unix(0, 0)}),
	)
	return x
}

func (x *table) origin() contract.TaskRole {
	x.Helper()
	role, err := x.store.TaskRole(x.Context(), podSession)
	if err != nil {
		x.Fatal(err)
	}
	return *role
}

func TestAPodsRoleIsThatOfItsService(t *testing.T) {
	x := withPods(t)
	raw := assumeForPod(t, "portolan-pods", "web", "web-6b64ff6ff6-5fbtg")
	if got := x.handle(raw); !got.Kept || got.Service != "web" || got.Task != podSession {
		t.Errorf("got %+v", got)
	}
	role := x.origin()
	if role.Cluster != "pods" || role.Service != "web" || role.Release != 3 || role.Commit != "c0ffee" || role.ImageDigest != digestA ||
		role.Role != taskRole || role.Job != "" {
		t.Errorf("the origin is %+v", role)
	}
	if got := x.handle(raw); got.Kept || !strings.Contains(got.Reason, "known already") {
		t.Errorf("told again: %+v", got)
	}
}

func TestAPodsRoleIsThatOfItsJob(t *testing.T) {
	x := withPods(t)
	raw := assumeForPod(t, "portolan-pods", "job.web", "web-5fbtg")
	if got := x.handle(raw); !got.Kept || got.Service != "" {
		t.Errorf("got %+v", got)
	}
	if role := x.origin(); role.Job != "web" || role.Service != "" || role.Release != 0 || role.Role != taskRole {
		t.Errorf("the origin is %+v", role)
	}
}

func TestPodsOfOthersAreNoneOfOurs(t *testing.T) {
	x := withPods(t)
	for name, raw := range map[string]json.RawMessage{
		"another cluster": assumeForPod(t, "theirs", "web", "web-6b64ff6ff6-5fbtg"),
		"another service": assumeForPod(t, "portolan-pods", "theirs", "theirs-6b64ff6ff6-5fbtg"),
		"another job":     assumeForPod(t, "portolan-pods", "job.theirs", "theirs-5fbtg"),
		"no pod":          assumeForPod(t, "portolan-pods", "web", ""),
	} {
		if got := x.handle(raw); got.Kept {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
