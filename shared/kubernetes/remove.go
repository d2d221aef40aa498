package kubernetes

import (
	"context"
	"encoding/json"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// companionKinds are the kinds that belong to a service beside its workload, in the
// order in which they go: first what sends requests, last what holds data.
var companionKinds = []kind{ingresses, services, budgets, accounts, claims, volumes}

// companionsPage bounds how many objects of a kind one step of a removal looks at.
const companionsPage = 50

// Remove implements orchestrator.Services. It first marks the workload and asks for no
// tasks, deletes it when they are gone, and then what belonged to it; a workload that
// it took over goes on without Portolan's name on it. One step makes at most 2 requests
// while the workload is there, and some 20 afterwards.
func (d *Driver) Remove(ctx context.Context, ref orchestrator.ServiceRef) (left []string, err error) {
	facts, err := factsOf(ref.Cluster)
	if err != nil {
		return nil, fault.IgnoreNotFound(err)
	}
	c, err := d.connect(ctx, ref.Cluster)
	if err != nil {
		return nil, err
	}
	w, err := c.workload(ctx, ref, deployments)
	if err != nil {
		return nil, err
	}
	if w != nil && belongs(&w.ObjectMeta, ref) {
		return []string{w.say()}, c.removeWorkload(ctx, w)
	}
	for _, k := range companionKinds {
		rest, err := c.removeKind(ctx, k, ref)
		if err != nil {
			return nil, err
		}
		left = append(left, rest...)
	}
	rest, err := c.removePods(ctx, ref)
	if err != nil || facts.EKSCluster == "" {
		return append(left, rest...), err
	}
	existing, err := d.association(ctx, facts, ref)
	if err == nil && existing != nil {
		err = d.dissociate(ctx, facts, existing, ref)
	}
	return append(left, rest...), fault.IgnoreNotFound(err)
}

// removeWorkload takes the next step: mark and stop, or delete, or wait.
func (c *connection) removeWorkload(ctx context.Context, w *workload) error {
	switch {
	case w.DeletionTimestamp != nil:
		return nil
	case w.Annotations[annotationMade] == "":
		return c.letGo(ctx, w)
	case w.Annotations[annotationRemoving] == "":
		body := map[string]any{"metadata": map[string]any{
			"uid": w.UID, "annotations": map[string]any{annotationRemoving: "true"},
		}}
		if !w.global() {
			body["spec"] = map[string]any{"replicas": 0}
		}
		return c.patch(ctx, w.kind, w.Namespace, w.Name, "", body, nil)
	case !w.global() && (w.current > 0 || !w.observed):
		return nil
	}
	return c.delete(ctx, w.kind, w.ObjectMeta, meta.DeletePropagationForeground)
}

// letGo takes Portolan's names off what it did not make, and changes nothing that runs.
func (c *connection) letGo(ctx context.Context, w *workload) error {
	labels, annotations := map[string]any{}, map[string]any{}
	for _, name := range []string{labelManagedBy, labelPartOf, labelTeam, labelService} {
		labels[name] = nil
	}
	for _, name := range []string{
		annotationHash, annotationFields, annotationCompanions, annotationRelease, annotationOperation, annotationCommit,
		annotationImage, annotationRole, annotationInEffect,
	} {
		annotations[name] = nil
	}
	body := map[string]any{"metadata": map[string]any{"uid": w.UID, "labels": labels, "annotations": annotations}}
	return c.patch(ctx, w.kind, w.Namespace, w.Name, "", body, nil)
}

// removeKind deletes what was made for a service, and returns what is still there.
func (c *connection) removeKind(ctx context.Context, k kind, ref orchestrator.ServiceRef) (left []string, err error) {
	found, err := c.companionsOf(ctx, k, ref)
	if err != nil {
		return nil, err
	}
	for _, o := range found {
		if !belongs(&o, ref) || o.Annotations[annotationMade] == "" {
			continue
		}
		left = append(left, k.say(o.Namespace, o.Name))
		if o.DeletionTimestamp != nil {
			continue
		}
		if err := c.delete(ctx, k, o, meta.DeletePropagationBackground); err != nil {
			return nil, err
		}
	}
	return left, nil
}

// companionsOf lists the metadata of what belongs to a service, of one kind.
func (c *connection) companionsOf(ctx context.Context, k kind, ref orchestrator.ServiceRef) ([]meta.ObjectMeta, error) {
	ctx, cancel := context.WithTimeout(ctx, requestDeadline)
	defer cancel()
	namespace := namespaceOf(ref)
	if k.everywhere {
		namespace = ""
	}
	raw, err := c.client.Get().AbsPath(k.path(namespace)...).MaxRetries(retries).Param("limit", limitOf(companionsPage)).
		Param("labelSelector", labelService+"="+ref.Name+","+labelPartOf+"="+ref.Cluster.Name).DoRaw(ctx)
	if err != nil {
		return nil, classify(err, "listing "+k.resource(), "list", k, namespace)
	}
	var list meta.PartialObjectMetadataList
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "listing %s", k.resource())
	}
	var all []meta.ObjectMeta
	for _, item := range list.Items {
		all = append(all, item.ObjectMeta)
	}
	return all, nil
}

// removePods deletes pods that no workload owns any more, as a drain leaves them, and
// returns those that are still there. The others went with the workload, or stay with
// one that was let go.
func (c *connection) removePods(ctx context.Context, ref orchestrator.ServiceRef) (left []string, err error) {
	all, err := c.podsOf(ctx, namespaceOf(ref), ref.Name)
	if err != nil {
		return nil, err
	}
	for _, pod := range all {
		if !belongs(&pod.ObjectMeta, ref) || meta.GetControllerOf(&pod) != nil {
			continue
		}
		left = append(left, pods.say(pod.Namespace, pod.Name))
		if pod.DeletionTimestamp == nil {
			if err := c.delete(ctx, pods, pod.ObjectMeta, meta.DeletePropagationBackground); err != nil {
				return nil, err
			}
		}
	}
	return left, nil
}
