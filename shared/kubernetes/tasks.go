package kubernetes

import (
	"context"
	"time"

	core "k8s.io/api/core/v1"

	"portolan/shared/orchestrator"
)

// Tasks implements orchestrator.Tasks. It makes one request. A page may hold fewer tasks
// than its limit and not be the last: which pods were told to stop is seen only here. A
// task that failed stays listed as long as its pod does; one that was replaced is gone.
func (d *Driver) Tasks(ctx context.Context, query orchestrator.TaskQuery) (orchestrator.TaskPage, error) {
	c, err := d.connect(ctx, query.Service.Cluster)
	if err != nil {
		return orchestrator.TaskPage{}, err
	}
	ref := query.Service
	var list core.PodList
	err = c.list(ctx, pods, namespaceOf(ref), selection{
		labels: labelService + "=" + ref.Name + "," + labelPartOf + "=" + ref.Cluster.Name,
		next:   query.Next, limit: pageSize(query.Limit),
	}, &list)
	if err != nil {
		return orchestrator.TaskPage{}, err
	}
	page := orchestrator.TaskPage{Next: list.Continue}
	for i := range list.Items {
		task := taskOf(ref.Name, &list.Items[i], d.config.Now())
		stopped := task.State == orchestrator.TaskStopping || task.State == orchestrator.TaskStopped
		if stopped == query.Stopped {
			page.Tasks = append(page.Tasks, task)
		}
	}
	return page, nil
}

func pageSize(limit int) int {
	if limit <= 0 || limit > orchestrator.PageMax {
		return orchestrator.PageMax
	}
	return limit
}

func taskOf(service string, pod *core.Pod, now time.Time) orchestrator.Task {
	t := troubleOf(pod, now)
	task := orchestrator.Task{
		ID: pod.Name, Service: service, Node: pod.Spec.NodeName, Release: releaseOf(pod.Annotations),
		Role: pod.Annotations[annotationRole], State: taskState(pod, t),
	}
	if len(pod.Spec.Containers) > 0 {
		task.Image = pod.Spec.Containers[0].Image
	}
	for _, status := range pod.Status.ContainerStatuses {
		if running := status.State.Running; running != nil && task.StartedAt.IsZero() {
			task.StartedAt = running.StartedAt.Time
		}
		if ended := lastEnd(status); ended != nil {
			if task.StartedAt.IsZero() {
				task.StartedAt = ended.StartedAt.Time
			}
			if task.State == orchestrator.TaskStopped {
				task.StoppedAt = ended.FinishedAt.Time
			}
		}
	}
	for _, condition := range pod.Status.Conditions {
		ready := condition.Type == core.PodReady && condition.Status == core.ConditionTrue
		task.Healthy = task.Healthy || ready && task.State == orchestrator.TaskRunning
	}
	if task.State == orchestrator.TaskStopping || task.State == orchestrator.TaskStopped {
		task.Reason = t.reason
		if task.Reason == "" {
			task.Reason = "it was not needed any more"
		}
	}
	return task
}

func taskState(pod *core.Pod, t trouble) orchestrator.TaskState {
	switch {
	case pod.Status.Phase == core.PodFailed, pod.Status.Phase == core.PodSucceeded:
		return orchestrator.TaskStopped
	case pod.DeletionTimestamp != nil:
		return orchestrator.TaskStopping
	case pod.Status.Phase == core.PodRunning && !t.down:
		return orchestrator.TaskRunning
	}
	return orchestrator.TaskPending
}
