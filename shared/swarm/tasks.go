package swarm

import (
	"context"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/swarm"

	"portolan/shared/orchestrator"
)

// Tasks implements orchestrator.Tasks. It makes one request: the Engine API has no pages,
// so each page is cut out of all tasks of the service.
func (d *Driver) Tasks(ctx context.Context, query orchestrator.TaskQuery) (orchestrator.TaskPage, error) {
	c, err := d.connect(ctx, query.Service.Cluster)
	if err != nil {
		return orchestrator.TaskPage{}, err
	}
	all, err := c.tasksOf(ctx, query.Service)
	if err != nil {
		return orchestrator.TaskPage{}, err
	}
	slices.SortFunc(all, func(a, b swarm.Task) int { return strings.Compare(a.ID, b.ID) })
	var page orchestrator.TaskPage
	limit := pageSize(query.Limit)
	for i := range all {
		task := taskOf(query.Service.Name, &all[i])
		stopped := task.State == orchestrator.TaskStopping || task.State == orchestrator.TaskStopped
		if task.ID <= query.Next || stopped != query.Stopped {
			continue
		}
		if len(page.Tasks) == limit {
			page.Next = page.Tasks[limit-1].ID
			return page, nil
		}
		page.Tasks = append(page.Tasks, task)
	}
	return page, nil
}

func taskOf(service string, task *swarm.Task) orchestrator.Task {
	labels := containerLabels(&task.Spec)
	t := orchestrator.Task{
		ID: task.ID, Service: service, Node: task.NodeID, Release: releaseOf(labels), Role: labels[labelRole], State: taskState(task),
	}
	if task.Spec.ContainerSpec != nil {
		t.Image = task.Spec.ContainerSpec.Image
	}
	switch t.State {
	case orchestrator.TaskRunning:
		// The swarm calls a task running only when its health check has passed.
		t.Healthy, t.StartedAt = true, task.Status.Timestamp
	case orchestrator.TaskStopping, orchestrator.TaskStopped:
		t.StartedAt = task.CreatedAt
		if t.State == orchestrator.TaskStopped {
			t.StoppedAt = task.Status.Timestamp
		}
		if t.Reason = troubleOf(task).reason; t.Reason == "" {
			t.Reason = "it was not needed any more"
		}
	}
	return t
}

func taskState(task *swarm.Task) orchestrator.TaskState {
	switch {
	case ended(task.Status.State):
		return orchestrator.TaskStopped
	case !wantedOn(task):
		return orchestrator.TaskStopping
	case task.Status.State == swarm.TaskStateRunning:
		return orchestrator.TaskRunning
	}
	return orchestrator.TaskPending
}
