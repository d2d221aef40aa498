package controllers

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"portolan/local/kubernetes/store"
)

// How a container can fare.
const (
	failPull  = "fail-pull"
	failExit  = "fail-exit"
	failCrash = "fail-crash"
	failReady = "fail-ready"
	failLater = "fail-later"
)

// fates are the words in an image that choose how its container fares, the first that
// is found. Those without "fail" are ECS's.
var fates = []struct{ word, fate string }{
	{"fail-pull", failPull}, {"pull-fail", failPull}, {"fail-exit", failExit}, {"crash", failCrash},
	{"fail-ready", failReady}, {"unhealthy", failReady}, {"fail-later", failLater},
}

const notReadyAnyMore = "containers with unready status: the probe failed"

// fateOf is how the first of a pod's containers fares that does not fare well.
func (c *Controllers) fateOf(p *corev1.Pod) string {
	for _, container := range p.Spec.Containers {
		if fate := c.fateOfImage(container.Image); fate != "" {
			return fate
		}
	}
	return ""
}

func (c *Controllers) fateOfImage(image string) string {
	names := image
	if c.config.Images != nil {
		_, tags, _ := c.config.Images.LookUpImage(image)
		names += " " + strings.Join(tags, " ")
	}
	for _, f := range fates {
		if strings.Contains(names, f.word) {
			return f.fate
		}
	}
	return ""
}

func everyContainer(*corev1.ContainerStatus) bool { return true }

// failing matches the containers that do not fare well.
func (c *Controllers) failing(s *corev1.ContainerStatus) bool { return c.fateOfImage(s.Image) != "" }

// run starts containers.
func (c *Controllers) run(tx *store.Tx, p *corev1.Pod, which func(*corev1.ContainerStatus) bool) {
	p.Status.Phase = corev1.PodRunning
	for i := range p.Status.ContainerStatuses {
		s := &p.Status.ContainerStatuses[i]
		if !which(s) {
			continue
		}
		s.State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: c.stamp()}}
		s.Started, s.ContainerID = pointer(true), "containerd://"+c.config.IDs.Hex(64)
		s.ImageID = c.imageID(s.Image)
	}
	if p.Status.PodIP == "" {
		n := tx.Revision()
		p.Status.PodIP = fmt.Sprintf("10.%d.%d.%d", 64+n>>16&127, n>>8&255, n&255)
		p.Status.PodIPs = []corev1.PodIP{{IP: p.Status.PodIP}}
	}
}

func (c *Controllers) imageID(image string) string {
	if c.config.Images != nil && !strings.Contains(image, "@") {
		if digest, _, ok := c.config.Images.LookUpImage(image); ok {
			return image + "@" + digest
		}
	}
	return image
}

// wait makes containers wait for a reason.
func (c *Controllers) wait(p *corev1.Pod, which func(*corev1.ContainerStatus) bool, reason, message string) {
	for i := range p.Status.ContainerStatuses {
		if s := &p.Status.ContainerStatuses[i]; which(s) {
			s.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
			s.Ready, s.Started = false, pointer(false)
		}
	}
}

// setReady writes whether a pod is ready, and of a pod that is not, why.
func (c *Controllers) setReady(p *corev1.Pod, is bool, why string) {
	status, reason := corev1.ConditionTrue, ""
	if !is {
		status, reason = corev1.ConditionFalse, "ContainersNotReady"
		if why == "" {
			var names []string
			for _, s := range p.Status.ContainerStatuses {
				if !s.Ready {
					names = append(names, s.Name)
				}
			}
			why = "containers with unready status: [" + strings.Join(names, " ") + "]"
		}
	}
	for _, of := range []corev1.PodConditionType{corev1.PodReady, corev1.ContainersReady} {
		setPodCondition(p, corev1.PodCondition{Type: of, Status: status, Reason: reason, Message: why, LastTransitionTime: c.stamp()})
	}
}

func (c *Controllers) becameReady(tx *store.Tx, p *corev1.Pod, _ *corev1.Node) {
	edit(tx, "pods", p, func(p *corev1.Pod) {
		for i := range p.Status.ContainerStatuses {
			p.Status.ContainerStatuses[i].Ready = true
		}
		c.setReady(p, true, "")
	})
}

func (c *Controllers) unready(tx *store.Tx, p *corev1.Pod, _ *corev1.Node) {
	edit(tx, "pods", p, func(p *corev1.Pod) {
		for i := range p.Status.ContainerStatuses {
			if s := &p.Status.ContainerStatuses[i]; c.failing(s) {
				s.Ready = false
			}
		}
		c.setReady(p, false, notReadyAnyMore)
	})
	c.say(tx, "pods", p, "kubelet", "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503")
}

func (c *Controllers) terminated(started metav1.Time, code int32, reason string) *corev1.ContainerStateTerminated {
	return &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason, StartedAt: started, FinishedAt: c.stamp()}
}

// finished ends a pod that has done its work.
func (c *Controllers) finished(tx *store.Tx, p *corev1.Pod, _ *corev1.Node) {
	edit(tx, "pods", p, func(p *corev1.Pod) { c.end(p, corev1.PodSucceeded, 0, "Completed") })
}

// end ends all of a pod's containers.
func (c *Controllers) end(p *corev1.Pod, phase corev1.PodPhase, code int32, reason string) {
	p.Status.Phase = phase
	for i := range p.Status.ContainerStatuses {
		s := &p.Status.ContainerStatuses[i]
		s.Ready, s.Started = false, pointer(false)
		if s.State.Running != nil {
			s.State = corev1.ContainerState{Terminated: c.terminated(s.State.Running.StartedAt, code, reason)}
		}
	}
	why := "PodCompleted"
	if phase == corev1.PodFailed {
		why = "PodFailed"
	}
	for _, of := range []corev1.PodConditionType{corev1.PodReady, corev1.ContainersReady} {
		setPodCondition(p, corev1.PodCondition{Type: of, Status: corev1.ConditionFalse, Reason: why, LastTransitionTime: c.stamp()})
	}
}

// crashed ends the containers that fail. What becomes of the pod then is its restart
// policy's.
func (c *Controllers) crashed(tx *store.Tx, p *corev1.Pod, _ *corev1.Node) {
	if p.Spec.RestartPolicy == corev1.RestartPolicyNever {
		edit(tx, "pods", p, func(p *corev1.Pod) { c.end(p, corev1.PodFailed, 1, "Error") })
		return
	}
	edit(tx, "pods", p, func(p *corev1.Pod) {
		for i := range p.Status.ContainerStatuses {
			s := &p.Status.ContainerStatuses[i]
			if !c.failing(s) || s.State.Running == nil {
				continue
			}
			last := c.terminated(s.State.Running.StartedAt, 1, "Error")
			s.LastTerminationState = corev1.ContainerState{Terminated: last}
			s.RestartCount++
			s.Ready, s.Started = false, pointer(false)
			s.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: fmt.Sprintf(
				"back-off %s restarting failed container=%s pod=%s_%s(%s)", backOff(int(s.RestartCount)), s.Name, p.Name, p.Namespace, p.UID)}}
		}
		c.setReady(p, false, "")
	})
	c.say(tx, "pods", p, "kubelet", "BackOff", "Back-off restarting failed container %s in pod %s_%s(%s)",
		p.Spec.Containers[0].Name, p.Name, p.Namespace, p.UID)
}

func (c *Controllers) restart(tx *store.Tx, p *corev1.Pod, _ *corev1.Node) {
	edit(tx, "pods", p, func(p *corev1.Pod) { c.run(tx, p, c.failing) })
}

// missingReference names what a pod's containers take from and is not there.
func missingReference(tx *store.Tx, p *corev1.Pod) string {
	missing := func(resource, kind, name string, optional *bool) string {
		if (optional != nil && *optional) || tx.Get(resource, p.Namespace, name) != nil {
			return ""
		}
		return fmt.Sprintf("%s %q not found", kind, name)
	}
	for _, container := range p.Spec.Containers {
		for _, from := range container.EnvFrom {
			if ref := from.SecretRef; ref != nil {
				if m := missing("secrets", "secret", ref.Name, ref.Optional); m != "" {
					return m
				}
			}
			if ref := from.ConfigMapRef; ref != nil {
				if m := missing("configmaps", "configmap", ref.Name, ref.Optional); m != "" {
					return m
				}
			}
		}
		for _, v := range container.Env {
			if v.ValueFrom == nil {
				continue
			}
			if ref := v.ValueFrom.SecretKeyRef; ref != nil {
				if m := missing("secrets", "secret", ref.Name, ref.Optional); m != "" {
					return m
				}
			}
			if ref := v.ValueFrom.ConfigMapKeyRef; ref != nil {
				if m := missing("configmaps", "configmap", ref.Name, ref.Optional); m != "" {
					return m
				}
			}
		}
	}
	return ""
}
