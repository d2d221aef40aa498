package cluster

import (
	"fmt"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/swarm"
)

// How long a node takes for what it does to a task.
const (
	acceptLow, acceptHigh = 50 * time.Millisecond, 200 * time.Millisecond
	pullLow, pullHigh     = 2 * time.Second, 9 * time.Second
	createLow, createHigh = 200 * time.Millisecond, 700 * time.Millisecond
	startLow, startHigh   = 300 * time.Millisecond, 1500 * time.Millisecond
	crashLow, crashHigh   = 1 * time.Second, 3 * time.Second
	workLow, workHigh     = 3 * time.Second, 8 * time.Second // of a job's task
	stopLow, stopHigh     = 1 * time.Second, 4 * time.Second
	sickenAfter           = 20 * time.Second // of an image that gets unhealthy later
	stopGrace             = 10 * time.Second
)

// The steps that a node takes, beside the states that it brings a task to.
const (
	stepStop   = "stop"
	stepExit   = "exit"
	stepSicken = "sicken"
	stepFinish = "finish"
)

// arm looks what a task's node has to do next, and by when.
func (c *Cluster) arm(t *task) {
	n, ok := c.nodes[t.NodeID]
	if !ok || n.Silent || !c.Led() || c.tasks[t.ID] != t || order[t.Status.State] < order[swarm.TaskStateAssigned] {
		return
	}
	step, after := c.nextStep(t, n)
	if step == "" {
		t.Step, t.Due = "", time.Time{}
		return
	}
	if t.Step != step {
		t.Step, t.Due = step, c.now().Add(after)
		c.touch(KindTask, t.ID)
	}
	id := t.ID
	c.at("task "+id, t.Due, func() { c.step(id) })
}

// nextStep is what the node does next, and how long that takes.
func (c *Cluster) nextStep(t *task, n *node) (step string, takes time.Duration) {
	state := t.Status.State
	switch {
	case ended(state):
		return "", 0
	case order[t.DesiredState] >= order[swarm.TaskStateShutdown]:
		if order[state] < order[swarm.TaskStateStarting] {
			return stepStop, c.between(acceptLow, acceptHigh)
		}
		return stepStop, min(graceOf(t), c.between(stopLow, stopHigh))
	}
	switch state {
	case swarm.TaskStateAssigned:
		return string(swarm.TaskStatePreparing), c.between(acceptLow, acceptHigh)
	case swarm.TaskStatePreparing:
		takes = c.between(createLow, createHigh)
		if !n.Images[t.Spec.ContainerSpec.Image] {
			takes += c.between(pullLow, pullHigh)
		}
		return string(swarm.TaskStateReady), takes
	case swarm.TaskStateReady:
		if order[t.DesiredState] <= order[swarm.TaskStateReady] {
			return "", 0
		}
		return string(swarm.TaskStateStarting), 0
	case swarm.TaskStateStarting:
		return c.starting(t)
	case swarm.TaskStateRunning:
		return c.running(t)
	}
	return "", 0
}

func graceOf(t *task) time.Duration {
	if g := t.Spec.ContainerSpec.StopGracePeriod; g != nil {
		return *g
	}
	return stopGrace
}

// starting is what a container comes to that was just started: with a health check it
// runs only once it is healthy.
func (c *Cluster) starting(t *task) (step string, takes time.Duration) {
	check, fate := healthCheckOf(t.Spec.ContainerSpec, c.fateOf(t.Spec.ContainerSpec.Image)), c.fateOf(t.Spec.ContainerSpec.Image)
	up := c.between(startLow, startHigh)
	switch {
	case check == nil:
		return string(swarm.TaskStateRunning), up
	case fate == failExit:
		return stepExit, up
	case fate == failCrash:
		if crash := c.between(crashLow, crashHigh); crash < check.Interval {
			return stepExit, up + crash
		}
	case fate == failReady:
		return stepSicken, up + max(check.StartPeriod, 0) + time.Duration(check.Retries)*check.Interval
	}
	return string(swarm.TaskStateRunning), up + check.Interval
}

// running is what a container comes to that runs.
func (c *Cluster) running(t *task) (step string, takes time.Duration) {
	fate := c.fateOf(t.Spec.ContainerSpec.Image)
	check := healthCheckOf(t.Spec.ContainerSpec, fate)
	switch {
	case fate == failExit:
		return stepExit, c.between(createLow, createHigh)
	case fate == failCrash:
		return stepExit, c.between(crashLow, crashHigh)
	case fate == failReady && check != nil:
		return stepSicken, time.Duration(check.Retries) * check.Interval
	case fate == failLater && check != nil:
		return stepSicken, sickenAfter + time.Duration(check.Retries)*check.Interval
	case t.Job:
		return stepFinish, c.between(workLow, workHigh)
	}
	return "", 0
}

// healthCheckOf is the health check that a container has: the service's, or the image's.
// What the service leaves open is as Docker has it.
func healthCheckOf(spec *swarm.ContainerSpec, fate string) *container.HealthConfig {
	check := container.HealthConfig{}
	switch {
	case spec.Healthcheck != nil && len(spec.Healthcheck.Test) > 0:
		if spec.Healthcheck.Test[0] == "NONE" {
			return nil
		}
		check = *spec.Healthcheck
	case fate == failReady || fate == failLater || strings.Contains(spec.Image, imageChecked):
		check = container.HealthConfig{Interval: 5 * time.Second, Retries: 3}
		if spec.Healthcheck != nil {
			check.Interval = max(check.Interval, spec.Healthcheck.Interval)
		}
	default:
		return nil
	}
	if check.Interval <= 0 {
		check.Interval = 30 * time.Second
	}
	if check.Retries <= 0 {
		check.Retries = 3
	}
	return &check
}

// step does what is due of a task.
func (c *Cluster) step(id string) {
	t, ok := c.tasks[id]
	if !ok {
		return
	}
	n, known := c.nodes[t.NodeID]
	if !known || n.Silent || !c.Led() || t.Step == "" {
		return
	}
	step := t.Step
	t.Step, t.Due = "", time.Time{}
	switch step {
	case string(swarm.TaskStatePreparing):
		c.setStatus(t, swarm.TaskStatePreparing, "preparing", "")
	case string(swarm.TaskStateReady):
		c.prepared(t, n)
	case string(swarm.TaskStateStarting):
		t.Status.ContainerStatus = &swarm.ContainerStatus{ContainerID: c.config.IDs.Hex(64), PID: 2000 + int(t.Born%30000)}
		c.setStatus(t, swarm.TaskStateStarting, "starting", "")
	case string(swarm.TaskStateRunning):
		c.started(t)
	case stepStop:
		c.stopped(t)
	case stepExit:
		c.exited(t, 1, "task: non-zero exit (1)")
	case stepSicken:
		c.exited(t, 137, "task: non-zero exit (137): dockerexec: unhealthy container")
	case stepFinish:
		c.setStatus(t, swarm.TaskStateComplete, "finished", "")
	}
	c.arm(t)
}

// prepared has the image pulled and the container made, where there is such an image.
func (c *Cluster) prepared(t *task, n *node) {
	image := t.Spec.ContainerSpec.Image
	if c.fateOf(image) == failPull {
		t.Status.ContainerStatus = &swarm.ContainerStatus{}
		c.setStatus(t, swarm.TaskStateRejected, "preparing", fmt.Sprintf("No such image: %s", image))
		return
	}
	n.Images[image] = true
	c.touch(KindNode, n.ID)
	c.setStatus(t, swarm.TaskStateReady, "prepared", "")
}

func (c *Cluster) started(t *task) {
	for _, p := range portsOf(t.Endpoint) {
		if p.PublishMode == swarm.PortConfigPublishModeHost {
			t.Status.PortStatus.Ports = append(t.Status.PortStatus.Ports, p)
		}
	}
	c.setStatus(t, swarm.TaskStateRunning, "started", "")
}

func (c *Cluster) stopped(t *task) {
	if t.Status.ContainerStatus != nil {
		t.Status.ContainerStatus.PID = 0
	}
	c.setStatus(t, swarm.TaskStateShutdown, "shutdown", "")
}

func (c *Cluster) exited(t *task, code int, err string) {
	if t.Status.ContainerStatus != nil {
		t.Status.ContainerStatus.PID, t.Status.ContainerStatus.ExitCode = 0, code
	}
	message := "starting"
	if t.Status.State == swarm.TaskStateRunning {
		message = "started"
	}
	if n, ok := c.nodes[t.NodeID]; ok {
		n.failed(t.ServiceID, c.now())
	}
	c.setStatus(t, swarm.TaskStateFailed, message, err)
}

// diedWithNode ends a task whose engine died and is back: its container is gone.
func (c *Cluster) diedWithNode(t *task) {
	t.Step, t.Due = "", time.Time{}
	if order[t.Status.State] >= order[swarm.TaskStateStarting] && !ended(t.Status.State) {
		if t.wanted() {
			c.exited(t, 255, "task: non-zero exit (255)")
		} else {
			c.stopped(t)
		}
	}
}
