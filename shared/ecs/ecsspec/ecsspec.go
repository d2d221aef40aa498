// Package ecsspec knows which service descriptions Amazon ECS can run. What ECS
// cannot do is refused at the door, and never dropped in silence.
//
// It must never link an AWS client, because the API's function uses it.
package ecsspec

import (
	"fmt"
	"reflect"
	"strings"

	"portolan/shared/contract"
	"portolan/shared/fault"
)

// Check returns what an ECS cluster of that capacity cannot do of a description
// that fits the API's schema. Pointers are into the description.
func Check(capacity contract.EcsClusterCapacity, spec contract.ServiceSpec) []fault.Field {
	c := &checker{spec: spec, fargate: capacity == contract.FARGATE}
	c.memory()
	if c.fargate {
		c.onFargate()
	}
	c.ports()
	c.loadBalancer()
	c.mode()
	c.rollout()
	c.placement()
	c.secrets()
	c.volumes()
	c.otherOrchestrators()
	return c.fields
}

// NetworkMode is the one that is asked for, or the default of the capacity.
func NetworkMode(
	capacity contract.EcsClusterCapacity, spec contract.ServiceSpec,
) contract.EcsServiceNetworkMode {
	switch {
	case spec.Ecs.NetworkMode != "":
		return spec.Ecs.NetworkMode
	case capacity == contract.FARGATE:
		return contract.Awsvpc
	}
	return contract.Bridge
}

type checker struct {
	spec    contract.ServiceSpec
	fargate bool
	fields  []fault.Field
}

func (c *checker) refuse(pointer, format string, args ...any) {
	detail := "ECS: " + fmt.Sprintf(format, args...)
	c.fields = append(c.fields, fault.Field{Pointer: pointer, Detail: detail})
}

func (c *checker) networkMode() contract.EcsServiceNetworkMode {
	if c.fargate {
		return NetworkMode(contract.FARGATE, c.spec)
	}
	return NetworkMode(contract.EC2, c.spec)
}

func (c *checker) memory() {
	m := c.spec.Memory
	if m.LimitMiB == 0 && m.ReservationMiB == 0 {
		c.refuse("/memory", "a limit or a reservation is needed")
	}
	if m.LimitMiB != 0 && m.ReservationMiB > m.LimitMiB {
		c.refuse("/memory/reservationMiB", "%d MiB is above the limit of %d MiB",
			m.ReservationMiB, m.LimitMiB)
	}
}

func (c *checker) ports() {
	mode := c.networkMode()
	seen := map[string]bool{}
	hosts := map[string]bool{}
	for i, port := range c.spec.Ports {
		pointer := fmt.Sprintf("/ports/%d", i)
		protocol := protocolOf(port)
		key := fmt.Sprintf("%d/%s", port.ContainerPort, protocol)
		if seen[key] {
			c.refuse(pointer, "port %s is listed twice", key)
		}
		seen[key] = true
		if port.HostPort == 0 {
			continue
		}
		if mode != contract.Bridge && port.HostPort != port.ContainerPort {
			c.refuse(pointer+"/hostPort",
				"in network mode %s it equals containerPort (%d), or is left out",
				mode, port.ContainerPort)
		}
		host := fmt.Sprintf("%d/%s", port.HostPort, protocol)
		if hosts[host] {
			c.refuse(pointer+"/hostPort", "host port %s is taken twice", host)
		}
		hosts[host] = true
	}
}

func protocolOf(port contract.Port) contract.PortProtocol {
	if port.Protocol == "" {
		return contract.Tcp
	}
	return port.Protocol
}

// Quotas of Application Load Balancers: values in the conditions of one rule.
const conditionValuesMax = 5

func (c *checker) loadBalancer() {
	balancer := c.spec.LoadBalancer
	if balancer.ContainerPort == 0 {
		return
	}
	listed := false
	for _, port := range c.spec.Ports {
		if port.ContainerPort == balancer.ContainerPort && protocolOf(port) == contract.Tcp {
			listed = true
		}
	}
	if !listed {
		c.refuse("/loadBalancer/containerPort", "port %d/tcp is not listed in /ports",
			balancer.ContainerPort)
	}
	for i, rule := range balancer.Rules {
		pointer := fmt.Sprintf("/loadBalancer/rules/%d", i)
		if n := len(rule.Hosts) + len(rule.Paths); n > conditionValuesMax {
			c.refuse(pointer,
				"%d hosts and paths; a rule of an Application Load Balancer takes %d in all",
				n, conditionValuesMax)
		}
		for j, host := range rule.Hosts {
			if !strings.Contains(host, ".") {
				c.refuse(fmt.Sprintf("%s/hosts/%d", pointer, j),
					"a host of an Application Load Balancer's rule contains a dot")
			}
		}
	}
}

func (c *checker) mode() {
	if c.spec.Mode != contract.Global {
		return
	}
	if c.fargate {
		c.refuse("/mode", "Fargate has no nodes to run one task on each of")
	}
	if highest := c.spec.Rollout.HealthyPercentMax; highest > 100 {
		c.refuse("/rollout/healthyPercentMax",
			"a node runs one task of a global service, so it is at most 100, not %d", highest)
	}
	if lowest := c.spec.Rollout.HealthyPercentMin; lowest != nil && *lowest == 100 {
		c.refuse("/rollout/healthyPercentMin",
			"a task of a global service stops before the next one starts, so it is below 100")
	}
	if len(c.spec.Placement.Spread) > 0 {
		c.refuse("/placement/spread", "a global service is on every node")
	}
}

// rollout refuses percentages that leave no room to replace a task: ECS accepts
// them, and then waits for ever.
func (c *checker) rollout() {
	rollout := c.spec.Rollout
	never := rollout.HealthyPercentMin == nil || *rollout.HealthyPercentMin == 100
	if c.spec.Mode != contract.Global && never && rollout.HealthyPercentMax == 100 {
		c.refuse("/rollout/healthyPercentMax",
			"with healthyPercentMin 100 no task can be replaced, unless it is above 100")
	}
}

func (c *checker) placement() {
	if !c.fargate {
		return
	}
	if len(c.spec.Placement.Constraints) > 0 {
		c.refuse("/placement/constraints", "Fargate has no nodes to choose from")
	}
	if len(c.spec.Placement.Spread) > 0 {
		c.refuse("/placement/spread", "Fargate spreads tasks over zones by itself")
	}
}

func (c *checker) secrets() {
	if len(c.spec.Secrets) > 0 && c.spec.Ecs.ExecutionRole == "" {
		c.refuse("/ecs/executionRole",
			"secrets need a role that may read them; the cluster's own may not")
	}
}

func (c *checker) volumes() {
	names := map[string]bool{}
	for i, volume := range c.spec.Volumes {
		if names[volume.Name] {
			c.refuse(fmt.Sprintf("/volumes/%d/name", i), "%q is taken twice", volume.Name)
		}
		names[volume.Name] = true
		if volume.FileSystemId == "" {
			c.refuse(fmt.Sprintf("/volumes/%d/fileSystemId", i), "is missing: a volume is an EFS file system")
		}
		if volume.SizeGiB != 0 || volume.StorageClass != "" {
			c.refuse(fmt.Sprintf("/volumes/%d", i), "sizeGiB and storageClass are for kubernetes")
		}
	}
}

func (c *checker) otherOrchestrators() {
	if !reflect.ValueOf(c.spec.Kubernetes).IsZero() {
		c.refuse("/kubernetes", "is for services on kubernetes")
	}
}
