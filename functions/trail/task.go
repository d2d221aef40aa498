package trail

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/ecs/glance"
	"portolan/shared/event"
	"portolan/shared/fault"
	"portolan/shared/store"
)

// task keeps where a task comes from: its service, release and commit, and the
// roles that it runs with. Only a newer version of the task changes it; most of a task's
// states tell nothing that is kept. A task that is known is on a cluster of ours.
func (h *Handler) task(ctx context.Context, e event.TaskState) (Out, error) {
	out := Out{What: "task " + e.LastStatus, Reason: "the task is on no cluster of ours"}
	id, ok := decide.TaskOfSession(e.Task)
	if !ok {
		return out, fault.New(fault.Invalid, "%q is no task's id", e.Task)
	}
	known, err := h.Store.TaskRole(ctx, id)
	if fault.IsNotFound(err) {
		known, err = &contract.TaskRole{}, nil
	}
	if err != nil {
		return out, err
	}
	next := *known
	if known.Cluster == "" {
		cluster, err := h.cluster(ctx, decide.ClusterNames(e.Cluster), e.ClusterARN)
		if err != nil || cluster == nil {
			return out, err
		}
		if next, err = h.origin(ctx, e, cluster.Name(), next); err != nil {
			return out, err
		}
		next.Cluster = cluster.Name()
	}
	out.Cluster, out.Service, out.Task = next.Cluster, e.Service, id
	next.Task, next.Service = id, e.Service
	override(&next.Role, e.RoleOverride)
	override(&next.ExecutionRole, e.ExecutionRoleOverride)
	override(&next.ImageDigest, digest(e.Containers))
	if !e.StartedAt.IsZero() && !e.StartedAt.Equal(next.StartedAt) {
		next.StartedAt = e.StartedAt
	}
	if !e.StoppedAt.IsZero() && !e.StoppedAt.Equal(next.StoppedAt) {
		next.StoppedAt = e.StoppedAt
	}
	if next == *known {
		out.Reason = "nothing that is kept of the task has changed"
		return out, nil
	}
	if err := h.Store.Commit(ctx, store.PutTaskRole(next, e.Version)); err != nil {
		return out, err
	}
	out.Kept, out.Reason = true, "the task's origin is kept"
	return out, nil
}

// origin reads a task's release and roles from its definition, which cannot change, and
// the commit where the definition does not tell it from the release, which cannot either.
// What was deleted meanwhile leaves unknown what the event does not tell.
func (h *Handler) origin(ctx context.Context, e event.TaskState, cluster string, t contract.TaskRole,
) (contract.TaskRole, error) {
	if e.TaskDefinition == "" {
		return t, nil
	}
	got, err := glance.Describe(ctx, h.Definitions, e.TaskDefinition)
	if fault.IsNotFound(err) {
		return t, nil
	}
	if err != nil {
		return t, err
	}
	if got.TaskDefinition != nil {
		t.Role = aws.ToString(got.TaskDefinition.TaskRoleArn)
		t.ExecutionRole = aws.ToString(got.TaskDefinition.ExecutionRoleArn)
	}
	t.Job = glance.Tag(got.Tags, "portolan:job")
	t.Release, t.Commit = glance.Release(got.Tags), glance.Tag(got.Tags, "portolan:commit")
	if t.Commit != "" || t.Release == 0 {
		return t, nil
	}
	made, err := h.Store.Release(ctx, cluster, e.Service, t.Release)
	if err == nil {
		t.Commit = made.Commit
	}
	return t, fault.IgnoreNotFound(err)
}

func override(text *string, with string) {
	if with != "" {
		*text = with
	}
}

// digest is that of the first container that has one.
func digest(containers []event.Container) string {
	for _, c := range containers {
		if c.ImageDigest != "" {
			return c.ImageDigest
		}
	}
	return ""
}
