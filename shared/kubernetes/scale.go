package kubernetes

import (
	"context"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// autoscaler is the manager that a HorizontalPodAutoscaler's replicas have.
const autoscaler = "kube-controller-manager"

// scalerOf names what sets the number of tasks in Portolan's place; empty when nothing
// does. A person who scales by hand does it once and is no scaler.
func scalerOf(w *workload) string {
	for _, entry := range w.ManagedFields {
		if entry.Manager == autoscaler && entry.Subresource == "scale" && owns(entry, replicasField) {
			return "a HorizontalPodAutoscaler"
		}
	}
	return ""
}

// Scale implements orchestrator.Services. It makes at most three requests. It is a
// Conflict where a HorizontalPodAutoscaler sets the number.
func (d *Driver) Scale(ctx context.Context, ref orchestrator.ServiceRef, replicas int) error {
	if replicas < 0 {
		return fault.New(fault.Invalid, "a service has 0 tasks or more, not %d", replicas)
	}
	c, err := d.connect(ctx, ref.Cluster)
	if err != nil {
		return err
	}
	w, err := c.service(ctx, ref)
	switch {
	case err != nil:
		return err
	case w.global():
		return fault.New(fault.Conflict, "service %q is in global mode: it has one task on each node", ref.Name)
	case w.removing():
		return fault.New(fault.Conflict, "service %q is being removed", ref.Name)
	case w.desired == replicas:
		return nil
	case w.exclusive && replicas > 1:
		return exclusiveError(ref.Name, replicas)
	}
	if scaler := scalerOf(w); scaler != "" {
		return fault.New(fault.Conflict, "the number of tasks of service %q is set by %s", ref.Name, scaler)
	}
	return c.scale(ctx, w, replicas)
}

func exclusiveError(service string, replicas int) error {
	return fault.New(fault.Invalid, "service %q has a volume that one task at a time uses, so it has at most 1 task, not %d",
		service, replicas)
}

// scale changes the number of tasks and nothing else.
func (c *connection) scale(ctx context.Context, w *workload, replicas int) error {
	body := map[string]any{
		"metadata": map[string]any{"uid": w.UID}, "spec": map[string]any{"replicas": replicas},
	}
	return c.patch(ctx, w.kind, w.Namespace, w.Name, "scale", body, nil)
}

// replicasToSend says what a release does about the number of tasks: to send it with
// what else is applied, to change it by itself, or to leave it to whoever set it last.
//
// What was applied once and is left out the next time is set back to its default, so
// replicas that nobody else has set since we applied them are applied again.
func replicasToSend(w *workload, wanted int) (send *int32, scale bool) {
	number := int32(wanted)
	if w == nil {
		return &number, false
	}
	appliedByUs := false
	for _, owner := range ownersOf(w.ManagedFields, replicasField) {
		if owner.Manager != manager {
			return nil, false
		}
		appliedByUs = appliedByUs || owner.Operation == meta.ManagedFieldsOperationApply
	}
	if appliedByUs {
		return &number, false
	}
	return nil, w.desired != wanted
}
