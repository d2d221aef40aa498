package swarm

import (
	"os"
	"time"

	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/swarm"

	"portolan/shared/contract"
)

const (
	healthyMin = 100 // percent of the replicas, where the rollout says nothing
	healthyMax = 200

	// batches is in how many steps at least a service is replaced whose health nobody
	// looks at.
	batches = 4
)

// updateConfig says the rollout's percentages in the swarm's words: how many tasks are
// replaced at a time, and whether the new one starts first. A failure stops the update,
// and it is Portolan that goes back: the swarm would go back to the scale of then.
func updateConfig(spec contract.ServiceSpec, replicas int) *swarm.UpdateConfig {
	config := &swarm.UpdateConfig{
		Order: order(spec, replicas), FailureAction: swarm.UpdateFailureActionPause, Monitor: monitor(spec),
		Delay: time.Duration(spec.Swarm.UpdateDelaySeconds) * time.Second,
	}
	room := replicas * (100 - minimum(spec)) / 100
	if config.Order == swarm.UpdateOrderStartFirst {
		room = replicas * (maximum(spec) - 100) / 100
	}
	if len(spec.HealthCheck.Command) == 0 {
		// The swarm takes a task for good as soon as it runs, and stops the one before it. So
		// it goes on only when those of a batch have stayed up, with no more at stake.
		room = min(room, (replicas+batches-1)/batches)
		config.Delay = max(config.Delay, config.Monitor)
	}
	config.Parallelism = uint64(max(1, room))
	return config
}

// order is whether new tasks start before the old ones stop: wherever there is room for
// one more. A global service has one task on each node, and so never room.
func order(spec contract.ServiceSpec, replicas int) swarm.UpdateOrder {
	switch {
	case spec.Swarm.UpdateOrder == contract.StartFirst:
		return swarm.UpdateOrderStartFirst
	case spec.Swarm.UpdateOrder == contract.StopFirst, spec.Mode == contract.Global, maximum(spec) <= 100:
		return swarm.UpdateOrderStopFirst
	case minimum(spec) < 100 && replicas*(maximum(spec)-100) < 100:
		return swarm.UpdateOrderStopFirst
	}
	return swarm.UpdateOrderStartFirst
}

func minimum(spec contract.ServiceSpec) int {
	if spec.Rollout.HealthyPercentMin == nil {
		return healthyMin
	}
	return *spec.Rollout.HealthyPercentMin
}

func maximum(spec contract.ServiceSpec) int {
	if spec.Rollout.HealthyPercentMax == 0 {
		return healthyMax
	}
	return spec.Rollout.HealthyPercentMax
}

func monitor(spec contract.ServiceSpec) time.Duration {
	if spec.Swarm.MonitorSeconds == 0 {
		return monitorDefault
	}
	return time.Duration(spec.Swarm.MonitorSeconds) * time.Second
}

// deadline is how long a rollout may take.
func deadline(spec contract.ServiceSpec) time.Duration {
	return seconds(spec.Rollout.DeadlineSeconds, 900)
}

func endpointMode(spec contract.ServiceSpec) swarm.ResolutionMode {
	if spec.Swarm.EndpointMode == contract.EndpointDnsrr {
		return swarm.ResolutionModeDNSRR
	}
	return swarm.ResolutionModeVIP
}

// published are the ports that the routing mesh answers on every node: those with a
// hostPort, and the one behind the load balancer's rules, which gets a free one.
func published(spec contract.ServiceSpec) []swarm.PortConfig {
	var ports []swarm.PortConfig
	for _, port := range spec.Ports {
		balanced := port.ContainerPort == spec.LoadBalancer.ContainerPort && port.Protocol != contract.Udp
		if port.HostPort == 0 && !balanced {
			continue
		}
		protocol := network.TCP
		if port.Protocol == contract.Udp {
			protocol = network.UDP
		}
		ports = append(ports, swarm.PortConfig{
			Protocol: protocol, TargetPort: uint32(port.ContainerPort), PublishedPort: uint32(port.HostPort),
			PublishMode: swarm.PortConfigPublishModeIngress,
		})
	}
	return ports
}

func fileMode(file contract.SwarmFile) os.FileMode {
	if file.Mode == nil {
		return 0o444
	}
	return os.FileMode(*file.Mode)
}
