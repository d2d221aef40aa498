package controllers

import (
	"fmt"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"

	"portolan/local/kubernetes/store"
)

// How long a pod takes from state to state.
const (
	pullLow, pullHigh   = 2 * time.Second, 9 * time.Second // until its images are there and it is started
	readyLow, readyHigh = 1 * time.Second, 4 * time.Second
	crashLow, crashHigh = 1 * time.Second, 3 * time.Second
	runLow, runHigh     = 3 * time.Second, 8 * time.Second // of a job's pod
	stopLow, stopHigh   = 1 * time.Second, 4 * time.Second
	unreadyAfter        = 5 * time.Second
	backOffFirst        = 10 * time.Second // doubles with each failure
	backOffLast         = 5 * time.Minute
)

// A life is which state a pod is in, and what comes next and when.
type life struct {
	state string
	due   time.Time
}

// A streak is how often in a row a pod's images could not be pulled.
type streak struct{ failures int }

// kubelet looks at a pod on a node: a state that it has newly come to is timed, and
// one whose time has passed is left.
func (c *Controllers) kubelet(tx *store.Tx, namespace, name string) {
	p, ok := store.Get[*corev1.Pod](tx, "pods", namespace, name)
	if !ok || p.Spec.NodeName == "" {
		return
	}
	n, ok := store.Get[*corev1.Node](tx, "nodes", "", p.Spec.NodeName)
	if !ok || dead(n) {
		return
	}
	state, next := c.stateOf(p)
	if state == "" {
		return
	}
	now := c.now()
	l, known := c.lives[p.UID]
	if !known || l.state != state {
		l = life{state: state, due: now.Add(c.lasts(p, state))}
		c.lives[p.UID] = l
	}
	if left := l.due.Sub(now); left > 0 {
		c.wake("kubelet", namespace, name, left)
		return
	}
	next(tx, p, n)
}

// dead says whether a node's kubelet does nothing any more.
func dead(n *corev1.Node) bool { _, is := n.Annotations[DeadAnnotation]; return is }

// stateOf is the state that a pod's kubelet has brought it to, and how it leaves it. A
// state that lasts has no name.
func (c *Controllers) stateOf(p *corev1.Pod) (state string, next func(*store.Tx, *corev1.Pod, *corev1.Node)) {
	if p.DeletionTimestamp != nil {
		return "ending", c.stopped
	}
	if ended(p) {
		return "", nil
	}
	if len(p.Status.ContainerStatuses) == 0 {
		return "bound", c.admit
	}
	count := strconv.Itoa(restarts(p))
	fate := c.fateOf(p)
	for _, s := range p.Status.ContainerStatuses {
		if s.State.Waiting == nil {
			continue
		}
		switch reason := s.State.Waiting.Reason; reason {
		case "ContainerCreating", "CreateContainerConfigError":
			return reason, c.pulled
		case "ErrImagePull", "ImagePullBackOff":
			return reason + strconv.Itoa(c.slow[p.UID].failures), c.pullAgain
		case "CrashLoopBackOff":
			return reason + count, c.restart
		}
	}
	return c.runningState(p, fate, count)
}

func (c *Controllers) runningState(p *corev1.Pod, fate, count string) (string, func(*store.Tx, *corev1.Pod, *corev1.Node)) {
	switch {
	case fate == failExit || fate == failCrash:
		return "running" + count, c.crashed
	case ready(p) && fate == failLater:
		return "ready", c.unready
	case ready(p) && runsToItsEnd(p):
		return "working" + count, c.finished
	case ready(p), fate == failReady:
		return "", nil
	case fate == failLater && wasReady(p):
		return "", nil
	}
	return "running" + count, c.becameReady
}

// wasReady tells a pod that turned unready from one that is not ready yet.
func wasReady(p *corev1.Pod) bool {
	at := condition(p, corev1.PodReady)
	return at != nil && at.Message == notReadyAnyMore
}

// runsToItsEnd says whether a pod is there to do some work and end.
func runsToItsEnd(p *corev1.Pod) bool { return p.Spec.RestartPolicy != corev1.RestartPolicyAlways }

// lasts is how long a pod stays in a state.
func (c *Controllers) lasts(p *corev1.Pod, state string) time.Duration {
	ids := c.config.IDs
	switch _, next := c.stateOf(p); {
	case next == nil || state == "bound":
		return 0
	case state == "ending":
		grace := 30 * time.Second
		if seconds := p.DeletionGracePeriodSeconds; seconds != nil {
			grace = time.Duration(*seconds) * time.Second
		}
		return min(grace, ids.Between(stopLow, stopHigh))
	case state == "ContainerCreating":
		return ids.Between(pullLow, pullHigh)
	case state == "CreateContainerConfigError":
		return backOffFirst
	case state == "ready":
		return unreadyAfter
	}
	return c.lastsRunning(p, state)
}

func (c *Controllers) lastsRunning(p *corev1.Pod, state string) time.Duration {
	ids, fate := c.config.IDs, c.fateOf(p)
	is := func(prefix string) bool { return len(state) > len(prefix) && state[:len(prefix)] == prefix }
	switch {
	case is("ErrImagePull"), is("ImagePullBackOff"):
		return backOff(c.slow[p.UID].failures)
	case is("CrashLoopBackOff"):
		return backOff(restarts(p))
	case is("running") && (fate == failCrash || fate == failExit):
		return ids.Between(crashLow, crashHigh)
	case is("working"):
		return asked(p, "testbed/run-time", ids.Between(runLow, runHigh))
	}
	return asked(p, "testbed/ready-delay", initialDelay(p)+ids.Between(readyLow, readyHigh))
}

func initialDelay(p *corev1.Pod) (longest time.Duration) {
	for _, c := range p.Spec.Containers {
		if c.ReadinessProbe != nil {
			longest = max(longest, time.Duration(c.ReadinessProbe.InitialDelaySeconds)*time.Second)
		}
	}
	return longest
}

// asked is what a pod's annotation asks for.
func asked(p *corev1.Pod, annotation string, otherwise time.Duration) time.Duration {
	if d, err := time.ParseDuration(p.Annotations[annotation]); err == nil {
		return d
	}
	return otherwise
}

// backOff is how long to wait after so many failures.
func backOff(failures int) time.Duration {
	return min(backOffFirst<<min(max(failures-1, 0), 10), backOffLast)
}

// stopped ends a pod that was to end.
func (c *Controllers) stopped(tx *store.Tx, p *corev1.Pod, _ *corev1.Node) {
	zero := int64(0)
	released := edit(tx, "pods", p, func(p *corev1.Pod) {
		p.DeletionGracePeriodSeconds = &zero
		c.setReady(p, false, "")
		for i := range p.Status.ContainerStatuses {
			s := &p.Status.ContainerStatuses[i]
			s.Ready = false
			if s.State.Running != nil {
				s.State = corev1.ContainerState{Terminated: c.terminated(s.State.Running.StartedAt, 0, "Completed")}
			}
		}
	})
	kindOf("pods").Released(tx, released)
}

// admit makes a node take on a pod that the scheduler gave it.
func (c *Controllers) admit(tx *store.Tx, p *corev1.Pod, n *corev1.Node) {
	edit(tx, "pods", p, func(p *corev1.Pod) {
		now := c.stamp()
		p.Status.StartTime = &now
		p.Status.HostIP, p.Status.HostIPs = addressOf(n), []corev1.HostIP{{IP: addressOf(n)}}
		setPodCondition(p, corev1.PodCondition{Type: corev1.PodInitialized, Status: corev1.ConditionTrue, LastTransitionTime: now})
		for _, container := range p.Spec.Containers {
			p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{Name: container.Name,
				Image: container.Image, Started: pointer(false),
				State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}}})
		}
		c.setReady(p, false, "")
	})
	c.say(tx, "pods", p, "kubelet", "Pulling", "Pulling image %q", p.Spec.Containers[0].Image)
	if c.config.Started != nil {
		c.config.Started(Started{p.Namespace, p.Name, string(p.UID), p.Spec.ServiceAccountName, p.Spec.NodeName})
	}
}

// pulled starts a pod, or tells what keeps it from starting.
func (c *Controllers) pulled(tx *store.Tx, p *corev1.Pod, _ *corev1.Node) {
	if c.fateOf(p) == failPull {
		c.cannotPull(tx, p, "ErrImagePull")
		return
	}
	if missing := missingReference(tx, p); missing != "" {
		edit(tx, "pods", p, func(p *corev1.Pod) { c.wait(p, everyContainer, "CreateContainerConfigError", missing) })
		c.say(tx, "pods", p, "kubelet", "Failed", "Error: %s", missing)
		delete(c.lives, p.UID) // the same state again
		c.wake("kubelet", p.Namespace, p.Name, backOffFirst)
		return
	}
	started := edit(tx, "pods", p, func(p *corev1.Pod) { c.run(tx, p, everyContainer) })
	c.say(tx, "pods", p, "kubelet", "Pulled", "Successfully pulled image %q", p.Spec.Containers[0].Image)
	c.say(tx, "pods", started, "kubelet", "Started", "Started container %s", p.Spec.Containers[0].Name)
	if c.fateOf(p) == failReady {
		c.say(tx, "pods", p, "kubelet", "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503")
	}
}

func (c *Controllers) cannotPull(tx *store.Tx, p *corev1.Pod, reason string) {
	edit(tx, "pods", p, func(p *corev1.Pod) {
		for i := range p.Status.ContainerStatuses {
			s := &p.Status.ContainerStatuses[i]
			if fate := c.fateOfImage(s.Image); fate != failPull {
				continue
			}
			message := fmt.Sprintf("Back-off pulling image %q: ErrImagePull: %s", s.Image, notFound(s.Image))
			if reason == "ErrImagePull" {
				message = notFound(s.Image)
			}
			s.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
		}
		p.Status.Phase = corev1.PodPending
	})
	for _, container := range p.Spec.Containers {
		if c.fateOfImage(container.Image) != failPull {
			continue
		}
		if reason == "ErrImagePull" {
			c.say(tx, "pods", p, "kubelet", "Failed", "Failed to pull image %q: %s", container.Image, notFound(container.Image))
			c.say(tx, "pods", p, "kubelet", "Failed", "Error: ErrImagePull")
		} else {
			c.say(tx, "pods", p, "kubelet", "BackOff", "Back-off pulling image %q", container.Image)
		}
	}
}

func notFound(image string) string {
	return fmt.Sprintf("rpc error: code = NotFound desc = failed to pull and unpack image %q: failed to resolve reference %q: %s: not found",
		image, image, image)
}

// pullAgain waits longer after each time that the image could not be pulled.
func (c *Controllers) pullAgain(tx *store.Tx, p *corev1.Pod, _ *corev1.Node) {
	reason := "ErrImagePull"
	for _, s := range p.Status.ContainerStatuses {
		if s.State.Waiting != nil && s.State.Waiting.Reason == "ErrImagePull" {
			reason = "ImagePullBackOff"
		}
	}
	if reason == "ErrImagePull" {
		c.slow[p.UID] = streak{failures: c.slow[p.UID].failures + 1}
	}
	c.cannotPull(tx, p, reason)
}
