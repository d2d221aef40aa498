package kubernetes

import (
	"fmt"
	"strings"
	"time"

	core "k8s.io/api/core/v1"
)

// When a rollout is given up though Kubernetes goes on trying. A container that is
// started again fails often enough after half a minute or so to tell a crash from a
// start that was too early; what cannot be pulled or made within patience will not be.
const (
	crashesMax = 3
	patience   = time.Minute
)

// A trouble is what is wrong with a pod, in words that a developer understands. The
// zero value is none.
type trouble struct {
	reason string

	// weight orders troubles; hopeless ones never heal by themselves.
	weight   int
	hopeless bool

	// down is true where a container does not run though its pod does, and failures
	// counts how often something failed.
	down     bool
	failures int
}

// The weights, from what may be only slow to what is surely broken.
const (
	unready = iota + 1
	unplaced
	unmade
	crashed
)

func worse(a, b trouble) trouble {
	if b.hopeless && !a.hopeless || b.hopeless == a.hopeless && b.weight > a.weight {
		return b
	}
	return a
}

// troubleOf says what is wrong with a pod.
func troubleOf(pod *core.Pod, now time.Time) trouble {
	if pod.Status.Phase == core.PodFailed {
		return trouble{reason: podFailure(pod), weight: crashed, failures: 1}
	}
	since := pod.CreationTimestamp.Time
	for _, condition := range pod.Status.Conditions {
		if condition.Type != core.PodScheduled {
			continue
		}
		if condition.Status != core.ConditionTrue {
			return trouble{reason: shortage(condition), weight: unplaced}
		}
		since = condition.LastTransitionTime.Time
	}
	var worst trouble
	for _, status := range pod.Status.InitContainerStatuses {
		worst = worse(worst, containerTrouble(pod, status, now.Sub(since), now, true))
	}
	for _, status := range pod.Status.ContainerStatuses {
		worst = worse(worst, containerTrouble(pod, status, now.Sub(since), now, false))
	}
	return worst
}

func containerTrouble(pod *core.Pod, status core.ContainerStatus, age time.Duration, now time.Time, first bool) trouble {
	if status.Ready || first && status.State.Terminated != nil && status.State.Terminated.ExitCode == 0 {
		return trouble{}
	}
	if waiting := status.State.Waiting; waiting != nil {
		if reason, sure := unmadeReason(status, waiting); reason != "" {
			return trouble{reason: reason, weight: unmade, hopeless: sure || age >= patience, down: true, failures: 1}
		}
	}
	if ended := lastEnd(status); ended != nil {
		restarts := int(status.RestartCount)
		return trouble{
			reason: explainEnd(status, ended), weight: crashed, hopeless: restarts >= crashesMax,
			down: status.State.Running == nil, failures: max(restarts, 1),
		}
	}
	if running := status.State.Running; running != nil && !first {
		return trouble{reason: unreadyReason(pod, status.Name, now.Sub(running.StartedAt.Time)), weight: unready}
	}
	return trouble{}
}

// lastEnd is how a container ended that fails; nil when it has not.
func lastEnd(status core.ContainerStatus) *core.ContainerStateTerminated {
	if status.State.Terminated != nil {
		return status.State.Terminated
	}
	return status.LastTerminationState.Terminated
}

func explainEnd(status core.ContainerStatus, ended *core.ContainerStateTerminated) string {
	if ended.Reason == "OOMKilled" {
		return fmt.Sprintf("container %s was killed: it took more memory than its limit", status.Name)
	}
	said := fmt.Sprintf("container %s exited with code %d", status.Name, ended.ExitCode)
	if ended.Reason == "ContainerCannotRun" || ended.Reason == "StartError" {
		return fmt.Sprintf("container %s could not be started: %s", status.Name, ended.Message)
	}
	if status.RestartCount > 1 {
		said += fmt.Sprintf(", %d times", status.RestartCount)
	}
	if ended.ExitCode == killed {
		said += ": it was killed, as one is that fails its health check"
	}
	return said
}

// killed is the exit code of SIGKILL.
const killed = 137

// unmadeReason explains why a container waits that was never made; empty when it is
// only on its way. It is sure when nothing can change it but another release.
func unmadeReason(status core.ContainerStatus, waiting *core.ContainerStateWaiting) (reason string, sure bool) {
	switch waiting.Reason {
	case "ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "ImageInspectError", "SignatureValidationFailed":
		return fmt.Sprintf("the image %s could not be pulled: %s", status.Image, waiting.Message), false
	case "InvalidImageName", "ErrImageNeverPull":
		return fmt.Sprintf("the image %s could not be pulled: %s", status.Image, waiting.Message), true
	case "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "PreCreateHookError", "PostStartHookError":
		return fmt.Sprintf("container %s could not be started: %s", status.Name, waiting.Message), false
	}
	return "", false
}

// unreadyReason is empty for a container without a probe, which is ready as it runs.
func unreadyReason(pod *core.Pod, name string, since time.Duration) string {
	for _, container := range pod.Spec.Containers {
		if container.Name != name || container.ReadinessProbe == nil && container.StartupProbe == nil {
			continue
		}
		what := "the health check"
		if probe := container.ReadinessProbe; probe != nil && probe.HTTPGet != nil {
			what += fmt.Sprintf(" (%s on port %s)", probe.HTTPGet.Path, probe.HTTPGet.Port.String())
		}
		return fmt.Sprintf("%s of container %s does not succeed: it runs for %s and is not healthy", what, name,
			since.Truncate(time.Second))
	}
	return ""
}

// podFailure explains a pod that ended as a whole.
func podFailure(pod *core.Pod) string {
	for _, status := range pod.Status.ContainerStatuses {
		if ended := lastEnd(status); ended != nil && ended.ExitCode != 0 {
			return explainEnd(status, ended)
		}
	}
	switch {
	case pod.Status.Reason == "Evicted":
		return "its node took it off: " + pod.Status.Message
	case pod.Status.Message != "":
		return "the task failed: " + pod.Status.Message
	}
	return "the task failed"
}

// lacks are what the scheduler says of nodes, and what it means.
var lacks = []struct{ said, means string }{
	{"Insufficient memory", "no node has enough memory"},
	{"Insufficient cpu", "no node has enough CPU"},
	{"Too many pods", "every node has as many tasks as it may"},
	{"free ports", "the host port is taken on every node"},
	{"node affinity/selector", "no node has the attributes that it needs"},
	{"untolerated taint", "no node takes it: each has a taint that it does not tolerate"},
	{"were unschedulable", "every node is cordoned"},
	{"unbound immediate PersistentVolumeClaims", "its volume is not there yet"},
	{"volume node affinity conflict", "its volume is in another zone than every free node"},
	{"no nodes available", "the cluster has no node that takes tasks"},
}

// shortage explains why a pod is on no node.
func shortage(condition core.PodCondition) string {
	if condition.Reason != core.PodReasonUnschedulable {
		return ""
	}
	var means []string
	for _, lack := range lacks {
		if strings.Contains(condition.Message, lack.said) {
			means = append(means, lack.means)
		}
	}
	if len(means) == 0 {
		return "no capacity: " + condition.Message
	}
	return "no capacity: " + strings.Join(means, ", or ")
}

// explainRefusal explains why the API server takes no pods.
func explainRefusal(message string) trouble {
	switch {
	case message == "":
		return trouble{}
	case strings.Contains(message, "exceeded quota"):
		return trouble{reason: "no capacity: the namespace's quota is used up: " + message, weight: unplaced}
	case strings.Contains(message, "violates PodSecurity"):
		return trouble{reason: "the namespace's pod security does not allow the tasks: " + message, weight: crashed, hopeless: true}
	}
	return trouble{reason: "tasks cannot be made: " + message, weight: unmade}
}
