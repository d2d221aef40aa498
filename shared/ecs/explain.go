package ecs

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// explain says why a task stopped, in words that a developer understands, and
// whether it failed or was only not needed any more. The texts of ECS are those of
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html.
func explain(task types.Task) (reason string, failed bool) {
	said := aws.ToString(task.StoppedReason)
	for _, container := range task.Containers {
		if reason := explainContainer(container, said); reason != "" {
			return reason, true
		}
	}
	switch {
	case strings.Contains(said, "CannotPull"):
		return "the image could not be pulled: " + afterCode(said), true
	case strings.Contains(said, "ELB health checks"):
		return "the load balancer's health check failed: " + said, true
	case strings.Contains(said, "container health checks"):
		return "the container's health check failed", true
	case strings.Contains(said, "ResourceInitializationError"):
		return "the task could not be set up: " + afterCode(said), true
	case strings.Contains(said, "Scaling activity"), task.StopCode == types.TaskStopCodeUserInitiated:
		return said, false
	case task.StopCode == types.TaskStopCodeSpotInterruption:
		return "its Spot capacity was taken back", true
	case strings.HasPrefix(said, "Host EC2"), task.StopCode == types.TaskStopCodeTerminationNotice:
		return "its node was terminated", true
	case task.StopCode == types.TaskStopCodeTaskFailedToStart:
		return "the task failed to start: " + said, true
	}
	return explainExit(task, said)
}

func explainContainer(container types.Container, said string) string {
	reason := aws.ToString(container.Reason)
	name := aws.ToString(container.Name)
	switch {
	case strings.Contains(reason, "CannotPull"):
		return fmt.Sprintf("the image %s could not be pulled: %s",
			aws.ToString(container.Image), afterCode(reason))
	case strings.Contains(reason, "OutOfMemory"):
		return fmt.Sprintf("container %s was killed: it took more memory than its limit", name)
	case strings.Contains(reason, "CannotStart"), strings.Contains(reason, "CannotCreate"):
		return fmt.Sprintf("container %s could not be started: %s", name, afterCode(reason))
	case container.HealthStatus == types.HealthStatusUnhealthy &&
		strings.Contains(said, "health checks") && !strings.Contains(said, "ELB"):
		return fmt.Sprintf("the health check of container %s failed", name)
	}
	return ""
}

func explainExit(task types.Task, said string) (string, bool) {
	if task.StopCode != types.TaskStopCodeEssentialContainerExited {
		return said, false
	}
	for _, container := range task.Containers {
		if container.ExitCode != nil {
			return fmt.Sprintf("container %s exited with code %d",
				aws.ToString(container.Name), *container.ExitCode), true
		}
	}
	return said, true
}

// afterCode drops ECS's name of an error from the front of a text.
func afterCode(text string) string {
	if _, rest, found := strings.Cut(text, "Error: "); found {
		return rest
	}
	return text
}

// lacks are what ECS says of the closest node, and what it means.
var lacks = []struct{ said, means string }{
	{"insufficient memory", "no node has enough memory"},
	{"RESOURCE:MEMORY", "no node has enough memory"},
	{"insufficient CPU", "no node has enough CPU"},
	{"RESOURCE:CPU", "no node has enough CPU"},
	{"already using a port", "the host port is taken on every node"},
	{"RESOURCE:PORT", "the host port is taken on every node"},
	{"RESOURCE:ENI", "no node has a free network interface"},
	{"missing an attribute", "no node has the attributes that it needs"},
	{"No Container Instances were found", "the cluster has no node that takes tasks"},
	{"Capacity is unavailable", "Fargate has no capacity at this time"},
}

// service events begin with the service's name in parentheses.
var subject = regexp.MustCompile(`^\(service [^)]*\) `)

// shortage explains the newest event, since the deployment began, about tasks
// that could not be placed. Events come newest first; one that says that tasks
// were started, or all is well, ends the shortage.
func shortage(events []types.ServiceEvent, since time.Time) string {
	for _, event := range events {
		message := aws.ToString(event.Message)
		if aws.ToTime(event.CreatedAt).Before(since) ||
			strings.Contains(message, "has reached a steady state") {
			return ""
		}
		if !strings.Contains(message, "unable to place a task") &&
			!strings.Contains(message, "Capacity is unavailable") {
			continue
		}
		for _, lack := range lacks {
			if strings.Contains(message, lack.said) {
				return "no capacity: " + lack.means
			}
		}
		return "no capacity: " + subject.ReplaceAllString(message, "")
	}
	return ""
}
