package kubernetes

import (
	"strings"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// explained is the moment at which pods are looked at.
var explained = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// placed is a pod that found its node so long ago.
func placed(ago time.Duration, statuses ...core.ContainerStatus) *core.Pod {
	return &core.Pod{
		ObjectMeta: meta.ObjectMeta{CreationTimestamp: meta.NewTime(explained.Add(-ago))},
		Status: core.PodStatus{ContainerStatuses: statuses, Conditions: []core.PodCondition{{
			Type: core.PodScheduled, Status: core.ConditionTrue, LastTransitionTime: meta.NewTime(explained.Add(-ago)),
		}}},
	}
}

// waits is a container that was never made.
func waits(reason, message string) core.ContainerStatus {
	return core.ContainerStatus{Name: "webapp", Image: "shop/webapp:1", State: core.ContainerState{
		Waiting: &core.ContainerStateWaiting{Reason: reason, Message: message},
	}}
}

// fell is a container that ended, and is started again.
func fell(restarts, code int32, reason, message string) core.ContainerStatus {
	return core.ContainerStatus{
		Name: "webapp", RestartCount: restarts, State: core.ContainerState{Waiting: &core.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
		LastTerminationState: core.ContainerState{Terminated: &core.ContainerStateTerminated{ExitCode: code, Reason: reason, Message: message}},
	}
}

// unplacedPod is a pod of which the scheduler says that.
func unplacedPod(reason, message string) *core.Pod {
	pod := placed(time.Minute)
	pod.Status.Conditions[0] = core.PodCondition{Type: core.PodScheduled, Status: core.ConditionFalse, Reason: reason, Message: message}
	return pod
}

// unhealthyPod runs, and its probe does not succeed.
func unhealthyPod(probe *core.Probe) *core.Pod {
	pod := placed(2*time.Minute, core.ContainerStatus{Name: "webapp", State: core.ContainerState{
		Running: &core.ContainerStateRunning{StartedAt: meta.NewTime(explained.Add(-90 * time.Second))},
	}})
	pod.Spec.Containers = []core.Container{{Name: "webapp", ReadinessProbe: probe}}
	return pod
}

func failedPod(reason, message string) *core.Pod {
	return &core.Pod{Status: core.PodStatus{Phase: core.PodFailed, Reason: reason, Message: message}}
}

func TestTroublesAreSaidInWords(t *testing.T) {
	byPath := &core.Probe{ProbeHandler: core.ProbeHandler{HTTPGet: &core.HTTPGetAction{Path: "/health", Port: intstr.FromInt32(8080)}}}
	tests := []struct {
		name     string
		pod      *core.Pod
		want     string
		hopeless bool
	}{
		{"nothing", placed(time.Second), "", false},
		{"on its way", placed(time.Second, waits("ContainerCreating", "")), "", false},
		{"an image that may come", placed(time.Second, waits("ErrImagePull", "not found")), "the image shop/webapp:1 could not be pulled: not found", false},
		{"an image that does not come", placed(2*time.Minute, waits("ImagePullBackOff", "Back-off pulling")), "could not be pulled: Back-off", true},
		{"an image that is none", placed(time.Second, waits("InvalidImageName", "couldn't parse")), "could not be pulled: couldn't parse", true},
		{"a missing secret", placed(2*time.Minute, waits("CreateContainerConfigError", `secret "shop" not found`)),
			`container webapp could not be started: secret "shop" not found`, true},
		{"a crash", placed(time.Minute, fell(1, 1, "Error", "")), "container webapp exited with code 1", false},
		{"a crash loop", placed(time.Minute, fell(3, 1, "Error", "")), "container webapp exited with code 1, 3 times", true},
		{"too much memory", placed(time.Minute, fell(3, 137, "OOMKilled", "")), "it took more memory than its limit", true},
		{"killed", placed(time.Minute, fell(3, 137, "Error", "")), "killed, as one is that fails its health check", true},
		{"no such program", placed(time.Minute, fell(3, 128, "StartError", `exec: "serve": not found`)),
			`container webapp could not be started: exec: "serve": not found`, true},
		{"not healthy", unhealthyPod(byPath), "the health check (/health on port 8080) of container webapp does not succeed: it runs for 1m30s", false},
		{"without a probe", unhealthyPod(nil), "", false},
		{"not looked at yet", unplacedPod("SchedulerError", "binding"), "", false},
		{"no memory", unplacedPod("Unschedulable", "0/3 nodes are available: 3 Insufficient memory."), "no capacity: no node has enough memory", false},
		{"no memory here, no CPU there", unplacedPod("Unschedulable", "0/3 nodes are available: 1 Insufficient cpu, 2 Insufficient memory."),
			"no capacity: no node has enough memory, or no node has enough CPU", false},
		{"no such node", unplacedPod("Unschedulable", "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector."),
			"no capacity: no node has the attributes that it needs", false},
		{"a taint", unplacedPod("Unschedulable", "0/1 nodes are available: 1 node(s) had untolerated taint {dedicated: batch}."), "each has a taint", false},
		{"a port", unplacedPod("Unschedulable", "1 node(s) didn't have free ports for the requested pod ports."), "the host port is taken", false},
		{"a volume elsewhere", unplacedPod("Unschedulable", "3 node(s) had volume node affinity conflict."), "its volume is in another zone", false},
		{"a new reason", unplacedPod("Unschedulable", "the moon is full"), "no capacity: the moon is full", false},
		{"evicted", failedPod("Evicted", "The node was low on resource: memory."), "its node took it off: The node was low", false},
		{"failed with a word", failedPod("", "Pod was rejected"), "the task failed: Pod was rejected", false},
		{"failed", failedPod("", ""), "the task failed", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := troubleOf(test.pod, explained)
			if !strings.Contains(got.reason, test.want) || (got.reason == "") != (test.want == "") || got.hopeless != test.hopeless {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestTheWorstTroubleIsTold(t *testing.T) {
	crash, loop := troubleOf(placed(time.Minute, fell(1, 1, "", "")), explained), troubleOf(placed(time.Minute, fell(3, 1, "", "")), explained)
	slow := troubleOf(unplacedPod("Unschedulable", "3 Insufficient memory"), explained)
	for _, all := range [][]trouble{{slow, crash, loop}, {loop, crash, slow}, {crash, loop, slow}} {
		var worst trouble
		for _, each := range all {
			worst = worse(worst, each)
		}
		if worst != loop {
			t.Errorf("got %+v", worst)
		}
	}
}

func TestRefusalsOfPodsAreSaidInWords(t *testing.T) {
	for message, want := range map[string]trouble{
		"": {},
		`pods "web-1" is forbidden: exceeded quota: small, requested: cpu=1`: {reason: "no capacity: the namespace's quota is used up"},
		`pods "web-1" is forbidden: violates PodSecurity "restricted"`:       {reason: "pod security does not allow", hopeless: true},
		`Internal error occurred: failed calling webhook`:                    {reason: "tasks cannot be made: Internal error"},
	} {
		if got := explainRefusal(message); !strings.Contains(got.reason, want.reason) || got.hopeless != want.hopeless {
			t.Errorf("%q: got %+v", message, got)
		}
	}
}
