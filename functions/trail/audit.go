package trail

import (
	"context"
	"time"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/event"
	"portolan/shared/fault"
	"portolan/shared/intake"
	"portolan/shared/model"
	"portolan/shared/store"
)

// caller is who made a call, as far as the control plane knows the role session:
// an operation of ours, or a task.
type caller struct {
	operation *model.Operation
	task      *contract.TaskRole
}

// call keeps an audit record of a call that concerned a cluster of ours, and looks
// for drift where the call can have caused some.
func (h *Handler) call(ctx context.Context, c event.Call) (Out, error) {
	if c.Service == "sts" && c.Name == "AssumeRole" {
		switch c.InvokedBy {
		case "ecs-tasks.amazonaws.com":
			return h.assume(ctx, c)
		case "pods.eks.amazonaws.com":
			return h.assumeForPod(ctx, c)
		}
	}
	out := Out{What: c.Service + ":" + c.Name, Who: c.Who, Reason: "the call concerns no cluster of ours"}
	by, err := h.caller(ctx, c)
	if err != nil {
		return out, err
	}
	cluster, service, err := h.concern(ctx, c, by)
	if err != nil || cluster == nil {
		return out, err
	}
	out.Cluster, out.Service = cluster.Name(), service
	record := model.AuditRecord{
		Cluster: cluster.Name(), Service: service, EventID: c.EventID, Time: c.At,
		Who: c.Who, What: out.What, SourceIP: c.SourceIP, UserAgent: c.UserAgent, Region: c.Region,
		Error: c.Error, Detail: decide.RequestDetail(c.Request), Task: by.task,
	}
	if by.operation != nil {
		record.Operation = by.operation.ID
	}
	writes := []store.Write{
		store.Seen("trail", c.EventID, h.Now().Add(intake.Remembered)),
		store.CreateAudit(record),
	}
	drift, err := h.drift(ctx, c, cluster, service, by)
	if err != nil {
		return out, err
	}
	if err := h.Store.Commit(ctx, append(writes, drift.Writes...)...); err != nil {
		return out, err
	}
	out.Kept, out.Drift, out.Operation, out.Reason = true, drift.Text, drift.Operation, drift.Reason
	return out, nil
}

// caller looks up what the caller's role session is named by.
func (h *Handler) caller(ctx context.Context, c event.Call) (caller, error) {
	if id, ok := decide.OperationOfSession(c.Session); ok {
		o, err := h.Store.Operation(ctx, id)
		if fault.IsNotFound(err) {
			return caller{}, nil
		}
		return caller{operation: o}, err
	}
	id, ok := decide.TaskOfSession(c.Session)
	if !ok {
		id, ok = decide.PodOfSession(c.Session)
	}
	if ok {
		task, err := h.Store.TaskRole(ctx, id)
		// A task of which only the role is known is not known to be ours.
		if fault.IsNotFound(err) || err == nil && task.Cluster == "" {
			return caller{}, nil
		}
		return caller{task: task}, err
	}
	return caller{}, nil
}

// concern finds the cluster, and the service on it, that a call was about: what its
// request names, or else what the operation or task that called belongs to.
func (h *Handler) concern(ctx context.Context, c event.Call, by caller) (*model.Cluster, string, error) {
	names, service := []string(nil), ""
	switch c.Service {
	case "ecs", "eks", "autoscaling", "ec2", "cloudformation", "elasticloadbalancing":
		subject := decide.SubjectOf(c.Request, c.Resources)
		names, service = subject.Clusters, subject.Service
	}
	if name, _ := c.Request["name"].(string); c.Service == "eks" && name != "" {
		names = append(decide.ClusterNames(name), names...)
	}
	cluster, err := h.cluster(ctx, names, "")
	if cluster != nil || err != nil {
		return cluster, service, err
	}
	if cluster, err = h.clusterOfNodes(ctx, c); cluster != nil || err != nil {
		return cluster, "", err
	}
	switch {
	case by.operation != nil:
		target := by.operation.Target
		cluster, err = h.cluster(ctx, []string{target.Cluster}, "")
		return cluster, target.Service, err
	case by.task != nil:
		cluster, err = h.cluster(ctx, []string{by.task.Cluster}, "")
		return cluster, by.task.Service, err
	}
	return nil, "", nil
}

// assume keeps which role was assumed for a task. ECS names the session by the
// task, for the task's role and for its execution role alike.
func (h *Handler) assume(ctx context.Context, c event.Call) (Out, error) {
	out := Out{What: "sts:AssumeRole", Who: c.Who}
	session, _ := c.Request["roleSessionName"].(string)
	role, _ := c.Request["roleArn"].(string)
	task, ok := decide.TaskOfSession(session)
	if !ok || role == "" || len(role) > arnMax || c.Error != "" {
		out.Reason = "no role was assumed for a task"
		return out, nil
	}
	out.Task = task
	known, err := h.Store.TaskRole(ctx, task)
	if err == nil && known.Cluster != "" {
		out.Cluster, out.Service, out.Reason = known.Cluster, known.Service, "the task's roles are known already"
		return out, nil
	}
	if err = fault.IgnoreNotFound(err); err != nil {
		return out, err
	}
	until := c.At.Add(claimed)
	if now := h.Now(); until.Before(now) {
		until = now.Add(time.Hour)
	}
	err = h.Store.Commit(ctx, store.ClaimTaskRole(task, role, decide.IsExecutionRole(role), until))
	out.Kept, out.Reason = err == nil, "the role is kept until the task is known"
	return out, err
}

// arnMax is the longest ARN of a role that IAM knows, with some room.
const arnMax = 600
