package trail

import (
	"context"
	"errors"
	"strings"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/event"
	"portolan/shared/fault"
	"portolan/shared/model"
	"portolan/shared/store"
)

// assumeForPod keeps which service, release and commit a pod's role session belongs to.
// EKS names the session, and says in its tags for which pod it is.
func (h *Handler) assumeForPod(ctx context.Context, c event.Call) (Out, error) {
	out := Out{What: "sts:AssumeRole", Who: c.Who, Reason: "no role was assumed for a pod of ours"}
	name, _ := c.Request["roleSessionName"].(string)
	role, _ := c.Request["roleArn"].(string)
	session, ok := decide.PodOfSession(name)
	pod, tagged := decide.PodIdentityOf(c.Request)
	if !ok || !tagged || role == "" || len(role) > arnMax || c.Error != "" {
		return out, nil
	}
	cluster, err := h.cluster(ctx, decide.ClusterNames(pod.EKSCluster), "")
	if err != nil || cluster == nil || cluster.Facts.Kubernetes == nil {
		return out, err
	}
	if name := pod.Job(); name != "" {
		origin := contract.TaskRole{Task: session, Cluster: cluster.Name(), Job: name, Role: role, StartedAt: c.At}
		return h.keepJob(ctx, out, origin)
	}
	service, err := h.serviceOfPod(ctx, cluster, pod)
	if err != nil || service == nil {
		return out, err
	}
	origin := contract.TaskRole{Task: session, Cluster: cluster.Name(), Service: service.Name, Role: role, StartedAt: c.At}
	// While a release is being put into effect, the pod may be of either.
	if service.Release == service.ReleaseObserved {
		made, err := h.Store.Release(ctx, cluster.Name(), service.Name, service.Release)
		if err != nil {
			return out, err
		}
		origin.Release, origin.Commit, origin.ImageDigest = made.Number, made.Commit, pinnedTo(made.Image)
	}
	out.Cluster, out.Service, out.Task = cluster.Name(), service.Name, session
	err = h.Store.Commit(ctx, store.PutTaskRole(origin, 1))
	if errors.Is(err, store.ErrSeen) {
		out.Reason = "the session is known already"
		return out, nil
	}
	out.Kept, out.Reason = err == nil, "the pod's origin is kept"
	return out, err
}

// keepJob keeps which job a pod's role session belongs to.
func (h *Handler) keepJob(ctx context.Context, out Out, origin contract.TaskRole) (Out, error) {
	if _, err := h.Store.Job(ctx, origin.Cluster, origin.Job); err != nil {
		return out, fault.IgnoreNotFound(err)
	}
	out.Cluster, out.Task = origin.Cluster, origin.Task
	err := h.Store.Commit(ctx, store.PutTaskRole(origin, 1))
	if errors.Is(err, store.ErrSeen) {
		out.Reason = "the session is known already"
		return out, nil
	}
	out.Kept, out.Reason = err == nil, "the pod's origin is kept"
	return out, err
}

// serviceOfPod finds the service in the pod's namespace that the pod is named after, or
// nil.
func (h *Handler) serviceOfPod(ctx context.Context, cluster *model.Cluster, pod decide.PodIdentity) (*model.Service, error) {
	for _, name := range pod.Services() {
		service, err := h.Store.Service(ctx, cluster.Name(), name)
		if err == nil && service.Status != contract.ServiceRetired {
			return service, nil
		}
		if err = fault.IgnoreNotFound(err); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// pinnedTo is the digest in an image's name; empty when it has none.
func pinnedTo(image string) string {
	_, digest, _ := strings.Cut(image, "@")
	return digest
}
