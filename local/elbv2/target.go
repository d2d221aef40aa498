package elbv2

import (
	"context"
	"slices"
	"strconv"
	"time"

	"portolan/local/wire"
)

// A Target is a registered target. Its health follows from the times: it is
// initial until enough checks have passed, and draining once it was taken out.
type Target struct {
	ID           string     `json:"Id"`
	Port         int        `json:"Port"`
	Zone         string     `json:"AvailabilityZone,omitempty"`
	Registered   wire.Time  `json:"Registered"`
	Deregistered *wire.Time `json:"Deregistered"`
}

func (s *Service) targetOperations(operations map[string]wire.Operation) {
	operations["RegisterTargets"] = wire.Op(s.registerTargets)
	operations["DeregisterTargets"] = wire.Op(s.deregisterTargets)
	operations["DescribeTargetHealth"] = wire.Op(s.describeTargetHealth)
}

type targetDescription struct {
	ID   string `json:"Id"`
	Port int    `json:"Port,omitempty"`
	Zone string `json:"AvailabilityZone,omitempty"`
}

type targetsInput struct {
	ARN     string              `json:"TargetGroupArn"`
	Targets []targetDescription `json:"Targets"`
}

func (s *Service) registerTargets(ctx context.Context, in *targetsInput) (*struct{}, error) {
	_, err := s.changeGroup(in.ARN, func(g *TargetGroup) {
		now := wire.At(s.now())
		g.Targets = g.present(s.now())
		for _, target := range in.Targets {
			target = g.complete(target)
			i := g.index(target)
			fresh := Target{ID: target.ID, Port: target.Port, Zone: target.Zone, Registered: now}
			if i < 0 {
				g.Targets = append(g.Targets, fresh)
			} else if g.Targets[i].Deregistered != nil {
				g.Targets[i] = fresh
			}
		}
	})
	return nothing, err
}

func (g *TargetGroup) complete(target targetDescription) targetDescription {
	if target.Port == 0 {
		target.Port = g.groupHead.Port
	}
	return target
}

func (g *TargetGroup) index(target targetDescription) int {
	return slices.IndexFunc(g.Targets, func(t Target) bool { return t.ID == target.ID && t.Port == target.Port })
}

// present lists the targets that are not gone by now, in a slice of its own.
func (g *TargetGroup) present(now time.Time) []Target {
	return slices.DeleteFunc(slices.Clone(g.Targets), func(t Target) bool {
		return t.Deregistered != nil && now.Sub(t.Deregistered.Time) >= g.drainTime()
	})
}

func (g *TargetGroup) drainTime() time.Duration {
	for _, attribute := range g.Attributes {
		if attribute.Key == "deregistration_delay.timeout_seconds" {
			seconds, _ := strconv.Atoi(attribute.Value)
			return time.Duration(seconds) * time.Second
		}
	}
	return 0
}

func (s *Service) deregisterTargets(ctx context.Context, in *targetsInput) (*struct{}, error) {
	_, err := s.changeGroup(in.ARN, func(g *TargetGroup) {
		g.Targets = g.present(s.now())
		for _, target := range in.Targets {
			for i := range g.Targets {
				t := &g.Targets[i]
				if t.ID == target.ID && (target.Port == 0 || t.Port == target.Port) && t.Deregistered == nil {
					t.Deregistered = wire.AtPtr(s.now())
				}
			}
		}
	})
	return nothing, err
}

type targetHealth struct {
	State       string `json:"State"`
	Reason      string `json:"Reason,omitempty"`
	Description string `json:"Description,omitempty"`
}

type healthDescription struct {
	Target          targetDescription `json:"Target"`
	HealthCheckPort string            `json:"HealthCheckPort"`
	Health          targetHealth      `json:"TargetHealth"`
}

type healthOutput struct {
	Descriptions []healthDescription `json:"TargetHealthDescriptions"`
}

// describeTargetHealth answers for the targets that are asked for, also for
// those that are not registered, or for all registered ones.
func (s *Service) describeTargetHealth(ctx context.Context, in *targetsInput) (*healthOutput, error) {
	s.mu.Lock()
	group, ok := s.targetGroups.Get(in.ARN)
	used := len(s.viewOf(group).LoadBalancerARNs) > 0
	s.mu.Unlock()
	if !ok {
		return nil, noGroup(in.ARN)
	}
	group.Targets = group.present(s.now())
	asked := in.Targets
	if len(asked) == 0 {
		for _, target := range group.Targets {
			asked = append(asked, targetDescription{target.ID, target.Port, target.Zone})
		}
	}
	out := &healthOutput{}
	for _, target := range asked {
		target = group.complete(target)
		out.Descriptions = append(out.Descriptions, healthDescription{
			Target: target, HealthCheckPort: strconv.Itoa(target.Port), Health: s.health(&group, target, used),
		})
	}
	return out, nil
}

func (s *Service) health(group *TargetGroup, target targetDescription, used bool) targetHealth {
	i := group.index(target)
	switch {
	case i < 0:
		return targetHealth{"unused", "Target.NotRegistered", "Target is not registered to the target group"}
	case group.Targets[i].Deregistered != nil:
		return targetHealth{"draining", "Target.DeregistrationInProgress", "Target deregistration is in progress"}
	case !used:
		return targetHealth{"unused", "Target.NotInUse", "Target group is not configured to receive traffic from the load balancer"}
	}
	since := s.now().Sub(group.Targets[i].Registered.Time)
	interval := time.Duration(group.IntervalSeconds) * time.Second
	answers := s.config.Answers == nil || s.config.Answers(group.ARN, target.ID, target.Port)
	switch {
	case answers && since >= interval*time.Duration(group.Healthy):
		return targetHealth{State: "healthy"}
	case !answers && since >= interval*time.Duration(group.Unhealthy):
		return targetHealth{"unhealthy", "Target.Timeout", "Request timed out"}
	}
	return targetHealth{"initial", "Elb.RegistrationInProgress", "Target registration is in progress"}
}

// Targets lists the ids of the targets of a group that are registered and not
// draining, with their ports.
func (s *Service) Targets(groupARN string) []Target {
	s.mu.Lock()
	defer s.mu.Unlock()
	group, _ := s.targetGroups.Get(groupARN)
	return slices.DeleteFunc(slices.Clone(group.Targets), func(t Target) bool { return t.Deregistered != nil })
}
