package ecs

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// deploy makes d the service's primary deployment. Where rollback is not empty,
// it is the reason of a rollback.
func (s *Server) deploy(v *service, d *definition, rollback string) {
	now := s.now()
	p := &deployment{Rollback: rollback, View: deploymentView{
		ID: "ecs-svc/" + s.config.IDs.Digits(19), Status: "PRIMARY", TaskDefinition: d.Arn, DesiredCount: v.Desired,
		CreatedAt: now, UpdatedAt: now, LaunchType: v.LaunchType, CapacityProviderStrategy: v.Strategy,
		NetworkConfiguration: v.Settings.NetworkConfiguration, RolloutState: "IN_PROGRESS",
	}}
	p.View.RolloutStateReason = "ECS deployment " + p.View.ID + " in progress."
	if rollback != "" {
		p.View.RolloutStateReason = rollback
	}
	if v.LaunchType == "FARGATE" || len(v.Strategy) > 0 && isFargate(v.Strategy[0].CapacityProvider) {
		p.View.PlatformVersion, p.View.PlatformFamily = "1.4.0", "Linux"
	}
	for _, old := range v.Deployments {
		old.View.Status = "ACTIVE"
	}
	v.Deployments = append([]*deployment{p}, v.Deployments...)
	v.Settings.TaskDefinition = d.Arn
	v.Steady = false
	s.tellDeployment(v, p, "INFO", "SERVICE_DEPLOYMENT_IN_PROGRESS")
	s.keep(serviceBucket, v.key(), v)
	s.wake(v, reaction)
}

func (s *Server) tellDeployment(v *service, p *deployment, eventType, name string) {
	s.emit("ECS Deployment State Change", []string{v.ARN}, map[string]any{
		"eventType": eventType, "eventName": name, "deploymentId": p.View.ID,
		"updatedAt": iso(s.config.Clock.Now()), "reason": p.View.RolloutStateReason,
	})
}

// threshold is how many tasks may fail before the circuit breaker acts: half of
// the desired count, but at least 3 and at most 200.
func threshold(desired int) int { return max(3, min(200, (desired+1)/2)) }

// fail counts a task of the deployment that did not come up, and stops the
// rollout when the circuit breaker says so.
func (s *Server) fail(v *service, p *deployment) {
	p.View.FailedTasks++
	p.Run++
	// ECS starts tasks that keep failing at longer and longer intervals.
	pause := min(15*time.Minute, 5*time.Second<<min(p.Run/2, 10))
	p.Retry = s.config.Clock.Now().Add(pause)
	p.View.UpdatedAt = s.now()
	s.keep(serviceBucket, v.key(), v)
	if p.Run == 5 {
		s.say(v, "is unable to consistently start tasks successfully. For more information, see the Troubleshooting section.")
		s.act(v, "WARN", "SERVICE_TASK_START_IMPAIRED", nil)
	}
	breaker := v.breaker()
	if !breaker.Enable || p != v.primary() || p.View.RolloutState != "IN_PROGRESS" ||
		p.View.FailedTasks < threshold(v.Desired) {
		return
	}
	s.breakCircuit(v, p, breaker.Rollback)
}

func (s *Server) breakCircuit(v *service, p *deployment, rollback bool) {
	p.View.RolloutState = "FAILED"
	p.View.RolloutStateReason = "ECS deployment circuit breaker: tasks failed to start."
	s.say(v, fmt.Sprintf("(deployment %s) deployment failed: tasks failed to start.", p.View.ID))
	s.tellDeployment(v, p, "ERROR", "SERVICE_DEPLOYMENT_FAILED")
	if !rollback || v.Completed == "" || p.Rollback != "" {
		return
	}
	d, err := s.findDefinition(v.Completed)
	if err != nil || d.Arn == p.View.TaskDefinition {
		return
	}
	to := p.View.ID
	for _, old := range v.Deployments[1:] {
		if old.View.TaskDefinition == v.Completed {
			to = old.View.ID
			break
		}
	}
	s.say(v, "rolling back to deployment "+to+".")
	s.deploy(v, d, "ECS deployment circuit breaker: rolling back to deploymentId "+to+".")
}

// conclude completes the rollout once the primary deployment alone has all the
// tasks that are desired, settled. It tells so once.
func (s *Server) conclude(v *service, live []*task) {
	p := v.primary()
	settled := 0
	for _, t := range live {
		if t.View.StartedBy != p.View.ID || t.moving(s) {
			return
		}
		if t.Settled {
			settled++
		}
	}
	if settled != len(live) || settled != s.desired(v) || p.View.RolloutState == "FAILED" {
		return
	}
	if p.View.RolloutState == "IN_PROGRESS" {
		p.View.RolloutState = "COMPLETED"
		p.View.RolloutStateReason = "ECS deployment " + p.View.ID + " completed."
		p.View.UpdatedAt = s.now()
		v.Completed = p.View.TaskDefinition
		s.say(v, fmt.Sprintf("(deployment %s) deployment completed.", p.View.ID))
		s.tellDeployment(v, p, "INFO", "SERVICE_DEPLOYMENT_COMPLETED")
	}
	v.Deployments = v.Deployments[:1]
	if !v.Steady {
		v.Steady = true
		s.say(v, "has reached a steady state.")
		s.act(v, "INFO", "SERVICE_STEADY_STATE", nil)
	}
	s.keep(serviceBucket, v.key(), v)
}

// taskList is how ECS names tasks in a service's events.
func taskList(tasks []*task) string {
	names := make([]string, len(tasks))
	for i, t := range tasks {
		names[i] = "(task " + t.id() + ")"
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}
