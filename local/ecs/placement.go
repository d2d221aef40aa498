package ecs

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// placement is a question: where can one more task run?
type placement struct {
	cluster     string
	definition  *definition
	launchType  string
	provider    string
	service     *service // nil for a task of its own
	constraints []typed
	strategy    []typed
}

// spot is the answer.
type spot struct {
	launchType string
	provider   string
	instance   *instance // nil on Fargate
}

// place finds a spot, or a sentence that tells why there is none.
func (s *Server) place(p placement) (spot, string) {
	if p.launchType == "FARGATE" || isFargate(p.provider) {
		return spot{launchType: "FARGATE", provider: p.provider}, ""
	}
	group := ""
	if p.provider != "" {
		if entity, ok := s.providers[p.provider]; ok {
			group = entity.group()
		}
	}
	var fit []*instance
	refusal := "Reason: No Container Instances were found in your cluster."
	for _, i := range s.instancesOf(p.cluster) {
		if i.View.Status != "ACTIVE" || !i.View.AgentConnected || group != "" && i.Group != group {
			continue
		}
		if why := s.refuse(i, p); why != "" {
			refusal = "The closest matching (container-instance " + lastOf(i.View.ContainerInstanceArn) + ") " + why
			continue
		}
		fit = append(fit, i)
	}
	if len(fit) == 0 {
		return spot{}, refusal
	}
	return spot{launchType: "EC2", provider: p.provider, instance: s.choose(fit, p)}, ""
}

// refuse tells in ECS's words why the task cannot run on the instance.
func (s *Server) refuse(i *instance, p placement) string {
	cpu, memory, ports := p.definition.needs()
	freeCPU, freeMemory, taken := s.free(i)
	switch {
	case p.service != nil && p.service.Scheduling == "DAEMON" && s.countOn(i, p.service) > 0:
		return "already runs a task of the daemon service."
	case memory > freeMemory:
		return "has insufficient memory available."
	case cpu > freeCPU:
		return "has insufficient CPU units available."
	case slices.ContainsFunc(ports, func(port int) bool { return slices.Contains(taken, port) }):
		return "is already using a port required by your task."
	}
	for _, c := range p.constraints {
		if c.Type == "distinctInstance" && p.service != nil && s.countOn(i, p.service) > 0 ||
			c.Type == "memberOf" && !i.member(c.Expression) {
			return "encountered error \"MemberOf placement constraint unsatisfied.\""
		}
	}
	return ""
}

// refusalCode is the reason in a SERVICE_TASK_PLACEMENT_FAILURE event.
func refusalCode(refusal string) string {
	switch {
	case strings.Contains(refusal, "memory"):
		return "RESOURCE:MEMORY"
	case strings.Contains(refusal, "CPU"):
		return "RESOURCE:CPU"
	case strings.Contains(refusal, "port"):
		return "RESOURCE:PORTS"
	case strings.Contains(refusal, "No Container Instances"):
		return "RESOURCE:NONE"
	}
	return "MemberOf"
}

// member evaluates the part of the cluster query language that is in use:
// attribute:name or ec2InstanceId, == value, != value, in [a, b] or not_in [a, b],
// and joined by and.
func (i *instance) member(expression string) bool {
	for _, term := range strings.Split(expression, " and ") {
		term = strings.TrimSpace(term)
		for _, operator := range []string{"==", "!=", " not_in ", " in "} {
			left, right, ok := strings.Cut(term, operator)
			if !ok {
				continue
			}
			subject := strings.TrimSpace(left)
			name, isAttribute := strings.CutPrefix(subject, "attribute:")
			has := i.attribute(name)
			if subject == "ec2InstanceId" {
				has = i.View.Ec2InstanceID
			} else if !isAttribute {
				return false
			}
			values := strings.FieldsFunc(strings.Trim(strings.TrimSpace(right), "[]"), func(r rune) bool { return r == ',' || r == ' ' })
			if slices.Contains(values, has) == (operator == "!=" || operator == " not_in ") {
				return false
			}
			break
		}
	}
	return true
}

// choose sorts by the strategy's items in their order. Without one, tasks of a
// service spread over zones and then instances.
func (s *Server) choose(fit []*instance, p placement) *instance {
	strategy := p.strategy
	if len(strategy) == 0 {
		strategy = []typed{{Type: "spread", Field: "attribute:ecs.availability-zone"}, {Type: "spread", Field: "instanceId"}}
	}
	return slices.MinFunc(fit, func(a, b *instance) int {
		for _, item := range strategy {
			if c := s.compare(a, b, item, p); c != 0 {
				return c
			}
		}
		return strings.Compare(a.View.Ec2InstanceID, b.View.Ec2InstanceID)
	})
}

func (s *Server) compare(a, b *instance, item typed, p placement) int {
	switch item.Type {
	case "spread":
		return cmp.Compare(s.countIn(a, item.Field, p), s.countIn(b, item.Field, p))
	case "binpack":
		cpuA, memoryA, _ := s.free(a)
		cpuB, memoryB, _ := s.free(b)
		if strings.EqualFold(item.Field, "cpu") {
			return cmp.Compare(cpuA, cpuB)
		}
		return cmp.Compare(memoryA, memoryB)
	}
	return 0
}

// countIn counts tasks like p's on the instances that share the field's value.
func (s *Server) countIn(i *instance, field string, p placement) int {
	name, isAttribute := strings.CutPrefix(field, "attribute:")
	count := 0
	for _, other := range s.instances {
		same := other == i
		if isAttribute {
			same = other.Cluster == i.Cluster && other.attribute(name) == i.attribute(name)
		}
		if same {
			count += s.countLike(other, p)
		}
	}
	return count
}

func (s *Server) countLike(i *instance, p placement) int {
	if p.service != nil {
		return s.countOn(i, p.service)
	}
	count := 0
	for _, t := range s.tasks {
		if t.View.ContainerInstanceArn == i.View.ContainerInstanceArn && t.View.DesiredStatus == "RUNNING" {
			count++
		}
	}
	return count
}

// countOn counts the service's tasks on the instance, those that stop left out.
func (s *Server) countOn(i *instance, v *service) int {
	count := 0
	for _, t := range s.tasks {
		if t.Service == v.key() && t.View.ContainerInstanceArn == i.View.ContainerInstanceArn && t.View.DesiredStatus == "RUNNING" {
			count++
		}
	}
	return count
}

// free is what the instance has left: a task holds its share until it stopped.
func (s *Server) free(i *instance) (cpu, memory int, ports []int) {
	cpu, memory = i.CPU, i.Memory
	ports = append(ports, agentPorts...)
	for _, t := range s.tasks {
		if t.View.ContainerInstanceArn != i.View.ContainerInstanceArn || t.View.LastStatus == "STOPPED" {
			continue
		}
		cpu -= t.CPU
		memory -= t.Memory
		ports = append(ports, t.HostPorts...)
	}
	return cpu, memory, ports
}

// agentPorts are taken on each instance: SSH, Docker and the agent.
var agentPorts = []int{22, 2375, 2376, 51678, 51679}

// dynamicPort is the next free one where a port mapping leaves the host's open.
func dynamicPort(taken []int) int {
	port := 32768
	for slices.Contains(taken, port) {
		port++
	}
	return port
}

// daemonInstances are those on which the daemon service should have a task.
func (s *Server) daemonInstances(v *service) []*instance {
	return slices.DeleteFunc(s.instancesOf(v.Cluster), func(i *instance) bool {
		return i.View.Status != "ACTIVE" || slices.ContainsFunc(v.Settings.PlacementConstraints, func(c typed) bool {
			return c.Type == "memberOf" && !i.member(c.Expression)
		})
	})
}

func portsText(ports []int) []string {
	text := make([]string, len(ports))
	for i, port := range ports {
		text[i] = strconv.Itoa(port)
	}
	return text
}
