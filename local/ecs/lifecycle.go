package ecs

import (
	"context"
	"time"
)

// How long tasks take from state to state. A start takes twenty to sixty
// seconds in all, as on AWS.
const (
	provisionLow, provisionHigh = 4 * time.Second, 10 * time.Second
	pullLow, pullHigh           = 12 * time.Second, 35 * time.Second
	activateLow, activateHigh   = 4 * time.Second, 12 * time.Second
	crashLow, crashHigh         = 3 * time.Second, 9 * time.Second
	settleAfter                 = 15 * time.Second
	unhealthyLow, unhealthyHigh = 45 * time.Second, 75 * time.Second
	workLow, workHigh           = 8 * time.Second, 20 * time.Second // of one that ends by itself
	stopLow, stopHigh           = 2 * time.Second, 8 * time.Second
	deregisterLow               = 5 * time.Second
	deregisterHigh              = 15 * time.Second
)

// The fates of tasks that end by themselves, with exit code 0 or 1, as the names of their
// images say.
const (
	exitsWell  = "exit-0"
	exitsBadly = "exit-1"
)

// step takes the task to its next state.
func (s *Server) step(t *task) {
	if t.View.DesiredStatus == "STOPPED" {
		s.stepDown(t)
		return
	}
	ids, now := s.config.IDs, s.config.Clock.Now()
	switch t.View.LastStatus {
	case "PROVISIONING":
		s.setAttachments(t, "ATTACHED")
		s.recordRoles(t)
		t.View.Connectivity, t.View.ConnectivityAt = "CONNECTED", pointer(s.now())
		t.View.PullStartedAt = pointer(s.now())
		s.to(t, "PENDING", now.Add(ids.Between(pullLow, pullHigh)))
	case "PENDING":
		s.pulled(t)
	case "ACTIVATING":
		s.running(t)
	case "RUNNING":
		s.runOn(t)
	}
}

func (s *Server) to(t *task, status string, due time.Time) {
	t.View.LastStatus, t.Due = status, due
	t.View.Version++
	s.changed(t)
}

func (s *Server) setAttachments(t *task, status string) {
	for i := range t.View.Attachments {
		t.View.Attachments[i].Status = status
	}
}

// pulled ends a task whose image cannot be had, and starts the others.
func (s *Server) pulled(t *task) {
	if t.Fate == "pull-fail" {
		image := t.View.Containers[0].Image
		reason := "CannotPullContainerError: Error response from daemon: manifest for " + image +
			" not found: manifest unknown: Requested image not found"
		t.View.Containers[0].Reason = reason
		s.die(t, "TaskFailedToStart", reason, nil)
		return
	}
	t.View.PullStoppedAt = pointer(s.now())
	if len(t.Balanced) > 0 {
		s.to(t, "ACTIVATING", s.config.Clock.Now().Add(s.config.IDs.Between(activateLow, activateHigh)))
		return
	}
	s.running(t)
}

func (s *Server) running(t *task) {
	t.View.StartedAt = pointer(s.now())
	for i := range t.View.Containers {
		c := &t.View.Containers[i]
		c.LastStatus, c.RuntimeID = "RUNNING", s.config.IDs.Hex(64)
		if c.ImageDigest == "" {
			c.ImageDigest = s.digestOf(c.Image)
		}
	}
	for i := range t.Balanced {
		s.register(&t.Balanced[i])
	}
	wait := settleAfter
	switch t.Fate {
	case "crash":
		wait = s.config.IDs.Between(crashLow, crashHigh)
	case exitsWell, exitsBadly:
		wait = s.config.IDs.Between(workLow, workHigh)
	case "unhealthy":
		wait = s.config.IDs.Between(unhealthyLow, unhealthyHigh)
	}
	s.to(t, "RUNNING", s.config.Clock.Now().Add(wait))
}

func (s *Server) register(place *target) {
	place.Known = true
	if known := *place; s.config.Targets != nil {
		s.after = append(s.after, func() {
			s.config.Targets.RegisterTarget(context.Background(), known.Group, known.ID, known.Port)
		})
	}
}

func (s *Server) deregister(place *target) {
	if known := *place; s.config.Targets != nil && place.Known {
		s.after = append(s.after, func() {
			s.config.Targets.DeregisterTarget(context.Background(), known.Group, known.ID, known.Port)
		})
	}
	place.Known = false
}

// tellAgain tells load balancers once more of the targets of all tasks: what they were to be
// told may have been lost with the process. A place that one task left may be another's by now.
func (s *Server) tellAgain() {
	if s.config.Targets == nil {
		return
	}
	known := map[target]bool{}
	for _, id := range sortedKeys(s.tasks) {
		for i := range s.tasks[id].Balanced {
			if place := &s.tasks[id].Balanced[i]; place.Known {
				known[*place] = true
				s.register(place)
			}
		}
	}
	for _, id := range sortedKeys(s.tasks) {
		if s.tasks[id].View.StartedAt == nil {
			continue // it was never registered
		}
		for _, place := range s.tasks[id].Balanced {
			if place.Known = true; !known[place] {
				s.deregister(&place)
			}
		}
	}
}

// runOn decides how a task that has run for a while goes on.
func (s *Server) runOn(t *task) {
	t.Due = time.Time{}
	switch t.Fate {
	case "crash":
		s.die(t, "EssentialContainerExited", "Essential container in task exited", pointer(1))
	case exitsWell:
		s.die(t, "EssentialContainerExited", "Essential container in task exited", pointer(0))
	case exitsBadly:
		s.die(t, "EssentialContainerExited", "Essential container in task exited", pointer(1))
	case "unhealthy":
		s.sicken(t)
	default:
		t.Settled = true
		if t.Checks {
			s.setHealth(t, "HEALTHY")
			t.View.Version++
			s.changed(t)
		} else {
			s.keep(taskBucket, t.id(), t)
		}
		if v, ok := s.services[t.Service]; ok {
			s.forgive(v, t)
			s.wake(v, reaction)
		}
	}
}

// forgive ends a row of failures: a task of the deployment came up.
func (s *Server) forgive(v *service, t *task) {
	for _, p := range v.Deployments {
		if p.View.ID == t.View.StartedBy && p.View.FailedTasks > 0 {
			p.View.FailedTasks, p.Run = 0, 0
			s.keep(serviceBucket, v.key(), v)
		}
	}
}

func (s *Server) setHealth(t *task, status string) {
	t.View.HealthStatus = status
	for i := range t.View.Containers {
		t.View.Containers[i].HealthStatus = status
	}
}

// sicken fails the task's health checks. The scheduler stops it where it belongs
// to a service; else it runs on, unhealthy.
func (s *Server) sicken(t *task) {
	reason := "Task failed container health checks"
	if t.Checks || len(t.Balanced) == 0 {
		s.setHealth(t, "UNHEALTHY")
	} else {
		reason = "Task failed ELB health checks in (target-group " + t.Balanced[0].Group + ")"
	}
	if t.Service == "" {
		t.View.Version++
		s.changed(t)
		return
	}
	if v, ok := s.services[t.Service]; ok {
		s.say(v, "(task "+t.id()+") failed health checks: "+reason+".")
	}
	s.stop(t, "ServiceSchedulerInitiated", reason)
	s.failed(t)
}

// die ends a task whose containers ended by themselves, and counts it as failed.
func (s *Server) die(t *task, code, reason string, exitCode *int) {
	t.View.StopCode, t.View.StoppedReason = code, reason
	for i := range t.View.Containers {
		t.View.Containers[i].LastStatus, t.View.Containers[i].ExitCode = "STOPPED", exitCode
	}
	t.View.DesiredStatus = "STOPPED"
	t.View.StoppingAt, t.View.ExecutionStoppedAt = pointer(s.now()), pointer(s.now())
	for i := range t.Balanced {
		s.deregister(&t.Balanced[i])
	}
	s.to(t, "DEPROVISIONING", s.config.Clock.Now().Add(s.config.IDs.Between(stopLow, stopHigh)))
	s.failed(t)
}

// failed counts a task that never settled against its deployment.
func (s *Server) failed(t *task) {
	v, ok := s.services[t.Service]
	if !ok {
		return
	}
	for _, p := range v.Deployments {
		if p.View.ID == t.View.StartedBy && !t.Settled {
			s.fail(v, p)
			break
		}
	}
	t.Settled = false
	s.wake(v, reaction)
}

// stop asks the task to end. Its containers get their time to do so.
func (s *Server) stop(t *task, code, reason string) {
	if t.View.DesiredStatus == "STOPPED" {
		return
	}
	t.View.DesiredStatus, t.View.StopCode, t.View.StoppedReason = "STOPPED", code, reason
	t.View.StoppingAt = pointer(s.now())
	t.Settled = false
	status, wait := "STOPPING", s.config.IDs.Between(stopLow, stopHigh)
	switch {
	case t.View.LastStatus == "RUNNING" && len(t.Balanced) > 0:
		status, wait = "DEACTIVATING", s.config.IDs.Between(deregisterLow, deregisterHigh)
	case t.View.LastStatus != "RUNNING":
		status = "DEPROVISIONING"
	}
	for i := range t.Balanced {
		s.deregister(&t.Balanced[i])
	}
	s.to(t, status, s.config.Clock.Now().Add(wait))
}

// stepDown takes a task that ends to its next state.
func (s *Server) stepDown(t *task) {
	now := s.config.Clock.Now()
	switch t.View.LastStatus {
	case "DEACTIVATING":
		s.to(t, "STOPPING", now.Add(s.config.IDs.Between(stopLow, stopHigh)))
	case "STOPPING":
		t.View.ExecutionStoppedAt = pointer(s.now())
		for i := range t.View.Containers {
			if c := &t.View.Containers[i]; c.LastStatus == "RUNNING" {
				c.LastStatus, c.ExitCode = "STOPPED", pointer(0)
			}
		}
		s.to(t, "DEPROVISIONING", now.Add(s.config.IDs.Between(time.Second, stopLow)))
	case "STOPPED":
		delete(s.tasks, t.id())
		s.keep(taskBucket, t.id(), nil)
	default:
		s.stopped(t)
	}
}

func (s *Server) stopped(t *task) {
	t.View.StoppedAt = pointer(s.now())
	s.setAttachments(t, "DELETED")
	for i := range t.View.Containers {
		t.View.Containers[i].LastStatus = "STOPPED"
	}
	s.to(t, "STOPPED", s.config.Clock.Now().Add(retention))
	s.roomMade(t.Cluster)
	if v, ok := s.services[t.Service]; ok {
		s.wake(v, reaction)
	}
}

// roomMade wakes the services of the cluster that wait for a place.
func (s *Server) roomMade(cluster string) {
	for _, key := range sortedKeys(s.services) {
		v := s.services[key]
		if v.Cluster == cluster && v.Status == "ACTIVE" && !v.Steady {
			s.wake(v, reaction)
		}
	}
}
