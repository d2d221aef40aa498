package ecs

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"portolan/shared/orchestrator"
)

func TestExplain(t *testing.T) {
	container := types.Container{Name: aws.String("webapp"), Image: aws.String("shop:2")}
	with := func(change func(*types.Container)) []types.Container {
		c := container
		change(&c)
		return []types.Container{c}
	}
	tests := []struct {
		name   string
		task   types.Task
		reason string
		failed bool
	}{
		{"crash", types.Task{
			StopCode:      types.TaskStopCodeEssentialContainerExited,
			StoppedReason: aws.String("Essential container in task exited"),
			Containers:    with(func(c *types.Container) { c.ExitCode = aws.Int32(1) }),
		}, "container webapp exited with code 1", true},
		{"out of memory", types.Task{
			StopCode:      types.TaskStopCodeEssentialContainerExited,
			StoppedReason: aws.String("Essential container in task exited"),
			Containers: with(func(c *types.Container) {
				c.ExitCode = aws.Int32(137)
				c.Reason = aws.String("OutOfMemoryError: Container killed due to memory usage")
			}),
		}, "container webapp was killed: it took more memory than its limit", true},
		{"pull, on EC2", types.Task{
			StopCode:      types.TaskStopCodeTaskFailedToStart,
			StoppedReason: aws.String("Task failed to start"),
			Containers: with(func(c *types.Container) {
				c.Reason = aws.String("CannotPullContainerError: manifest unknown")
			}),
		}, "the image shop:2 could not be pulled: manifest unknown", true},
		{"pull, on Fargate", types.Task{
			StopCode:      types.TaskStopCodeTaskFailedToStart,
			StoppedReason: aws.String("CannotPullContainerError: pull access denied"),
		}, "the image could not be pulled: pull access denied", true},
		{"cannot start", types.Task{
			StoppedReason: aws.String("Task failed to start"),
			Containers: with(func(c *types.Container) {
				c.Reason = aws.String("CannotStartContainerError: no such file: start.sh")
			}),
		}, "container webapp could not be started: no such file: start.sh", true},
		{"load balancer", types.Task{
			StopCode:      types.TaskStopCodeServiceSchedulerInitiated,
			StoppedReason: aws.String("Task failed ELB health checks in (target-group x)"),
		}, "the load balancer's health check failed: " +
			"Task failed ELB health checks in (target-group x)", true},
		{"container health", types.Task{
			StoppedReason: aws.String("Task failed container health checks"),
			Containers: with(func(c *types.Container) {
				c.HealthStatus = types.HealthStatusUnhealthy
			}),
		}, "the health check of container webapp failed", true},
		{"secret", types.Task{
			StopCode: types.TaskStopCodeTaskFailedToStart,
			StoppedReason: aws.String(
				"ResourceInitializationError: unable to pull secrets or registry auth"),
		}, "the task could not be set up: unable to pull secrets or registry auth", true},
		{"node", types.Task{
			StoppedReason: aws.String("Host EC2 (instance i-1) terminated."),
		}, "its node was terminated", true},
		{"spot", types.Task{
			StopCode: types.TaskStopCodeSpotInterruption, StoppedReason: aws.String("x"),
		}, "its Spot capacity was taken back", true},
		{"scale in", types.Task{
			StopCode: types.TaskStopCodeServiceSchedulerInitiated,
			StoppedReason: aws.String(
				"Scaling activity initiated by (deployment ecs-svc/1)"),
			Containers: with(func(c *types.Container) { c.ExitCode = aws.Int32(143) }),
		}, "Scaling activity initiated by (deployment ecs-svc/1)", false},
		{"by hand", types.Task{
			StopCode: types.TaskStopCodeUserInitiated, StoppedReason: aws.String("by Ann"),
		}, "by Ann", false},
	}
	for _, test := range tests {
		reason, failed := explain(test.task)
		if reason != test.reason || failed != test.failed {
			t.Errorf("%s: got %q, %t", test.name, reason, failed)
		}
	}
}

func TestLastFailureIsOfTheDeployment(t *testing.T) {
	at := func(seconds int) *time.Time { return aws.Time(time.Unix(int64(seconds), 0)) }
	task := func(deployment string, code int32, stopped *time.Time) types.Task {
		return types.Task{
			StartedBy: aws.String(deployment), StoppedAt: stopped,
			StopCode:   types.TaskStopCodeEssentialContainerExited,
			Containers: []types.Container{{Name: aws.String("c"), ExitCode: aws.Int32(code)}},
		}
	}
	tasks := []types.Task{task("d", 1, at(10)), task("d", 2, at(30)), task("d", 3, at(20)), task("e", 4, at(40))}
	got := lastFailure(tasks, types.Deployment{Id: aws.String("d")})
	if got != "container c exited with code 2" {
		t.Errorf("got %q", got)
	}
	if got := lastFailure(tasks, types.Deployment{Id: aws.String("f")}); got != "" {
		t.Errorf("a deployment without tasks failed by %q", got)
	}
}

func TestShortage(t *testing.T) {
	began := time.Unix(100, 0)
	event := func(seconds int64, message string) types.ServiceEvent {
		return types.ServiceEvent{
			CreatedAt: aws.Time(time.Unix(seconds, 0)), Message: aws.String(message),
		}
	}
	const noRoom = "(service web) was unable to place a task because no container instance " +
		"met all of its requirements. "
	tests := []struct {
		name   string
		events []types.ServiceEvent
		want   string
	}{
		{"none", nil, ""},
		{"memory", []types.ServiceEvent{event(110, noRoom+"The closest matching "+
			"(container-instance 1) has insufficient memory available.")},
			"no capacity: no node has enough memory"},
		{"cpu", []types.ServiceEvent{event(110, noRoom+"The closest matching "+
			"(container-instance 1) has insufficient CPU units available.")},
			"no capacity: no node has enough CPU"},
		{"port", []types.ServiceEvent{event(110, noRoom+"The closest matching "+
			"(container-instance 1) is already using a port required by your task.")},
			"no capacity: the host port is taken on every node"},
		{"no node", []types.ServiceEvent{event(110, noRoom+
			"Reason: No Container Instances were found in your cluster.")},
			"no capacity: the cluster has no node that takes tasks"},
		{"fargate", []types.ServiceEvent{event(110, "(service web) was unable to place a task. "+
			"Reason: Capacity is unavailable at this time.")},
			"no capacity: Fargate has no capacity at this time"},
		{"something else", []types.ServiceEvent{event(110, "(service web) was unable to place "+
			"a task because of the moon.")},
			"no capacity: was unable to place a task because of the moon."},
		{"before the deployment", []types.ServiceEvent{event(90, noRoom)}, ""},
		{"over", []types.ServiceEvent{
			event(120, "(service web) has reached a steady state."), event(110, noRoom),
		}, ""},
	}
	for _, test := range tests {
		if got := shortage(test.events, began); got != test.want {
			t.Errorf("%s: got %q", test.name, got)
		}
	}
}

func TestTaskState(t *testing.T) {
	tests := []struct {
		last, desired string
		want          orchestrator.TaskState
	}{
		{"PROVISIONING", "RUNNING", orchestrator.TaskPending},
		{"PENDING", "RUNNING", orchestrator.TaskPending},
		{"ACTIVATING", "RUNNING", orchestrator.TaskPending},
		{"RUNNING", "RUNNING", orchestrator.TaskRunning},
		{"RUNNING", "STOPPED", orchestrator.TaskStopping},
		{"PENDING", "STOPPED", orchestrator.TaskStopping},
		{"DEACTIVATING", "RUNNING", orchestrator.TaskStopping},
		{"STOPPED", "STOPPED", orchestrator.TaskStopped},
	}
	for _, test := range tests {
		got := taskState(types.Task{
			LastStatus: aws.String(test.last), DesiredStatus: aws.String(test.desired),
		})
		if got != test.want {
			t.Errorf("%s wanted %s: got %s", test.last, test.desired, got)
		}
	}
}

func TestNodeState(t *testing.T) {
	tests := []struct {
		status    string
		connected bool
		want      orchestrator.NodeState
	}{
		{"ACTIVE", true, orchestrator.NodeReady},
		{"DRAINING", true, orchestrator.NodeDraining},
		{"ACTIVE", false, orchestrator.NodeDown},
		{"REGISTERING", true, orchestrator.NodeDown},
	}
	for _, test := range tests {
		got := nodeState(types.ContainerInstance{
			Status: aws.String(test.status), AgentConnected: test.connected,
		})
		if got != test.want {
			t.Errorf("%s, connected %t: got %s", test.status, test.connected, got)
		}
	}
}
