package ecsspec

import (
	"strings"
	"testing"

	"portolan/shared/contract"
)

func good() contract.ServiceSpec {
	return contract.ServiceSpec{
		Image:  "web:1",
		Cpu:    256,
		Memory: contract.Memory{LimitMiB: 512},
		Ports:  []contract.Port{{ContainerPort: 8080}},
		LoadBalancer: contract.LoadBalancer{
			ContainerPort: 8080,
			Rules:         []contract.RoutingRule{{Paths: []string{"/"}}},
		},
	}
}

func TestGoodDescriptionsPass(t *testing.T) {
	spec := good()
	for _, capacity := range []contract.EcsClusterCapacity{contract.EC2, contract.FARGATE} {
		if fields := Check(capacity, spec); len(fields) > 0 {
			t.Errorf("%s refuses %v", capacity, fields)
		}
	}
}

func TestCheck(t *testing.T) {
	percent := 100
	tests := []struct {
		name     string
		capacity contract.EcsClusterCapacity
		change   func(*contract.ServiceSpec)
		pointer  string
		detail   string
	}{
		{"no memory", contract.EC2, func(s *contract.ServiceSpec) {
			s.Memory = contract.Memory{}
		}, "/memory", "a limit or a reservation"},
		{"reservation above limit", contract.EC2, func(s *contract.ServiceSpec) {
			s.Memory = contract.Memory{LimitMiB: 64, ReservationMiB: 65}
		}, "/memory/reservationMiB", "above the limit of 64"},
		{"a volume of no file system", contract.EC2, func(s *contract.ServiceSpec) {
			s.Volumes = []contract.Volume{{Name: "data", ContainerPath: "/data"}}
		}, "/volumes/0/fileSystemId", "is missing"},
		{"a volume of a class", contract.EC2, func(s *contract.ServiceSpec) {
			s.Volumes = []contract.Volume{{Name: "data", ContainerPath: "/data", FileSystemId: "fs-1", SizeGiB: 1}}
		}, "/volumes/0", "are for kubernetes"},
		{"words of another orchestrator", contract.EC2, func(s *contract.ServiceSpec) {
			s.Kubernetes.Namespace = "shop"
		}, "/kubernetes", "is for services on kubernetes"},
		{"fargate without cpu", contract.FARGATE, func(s *contract.ServiceSpec) {
			s.Cpu = 0
		}, "/cpu", "Fargate needs it"},
		{"fargate without limit", contract.FARGATE, func(s *contract.ServiceSpec) {
			s.Memory = contract.Memory{ReservationMiB: 512}
		}, "/memory/limitMiB", "Fargate needs it"},
		{"fargate with odd cpu", contract.FARGATE, func(s *contract.ServiceSpec) {
			s.Cpu = 300
		}, "/cpu", "not 300"},
		{"fargate with odd memory", contract.FARGATE, func(s *contract.ServiceSpec) {
			s.Memory.LimitMiB = 1536
		}, "/memory/limitMiB", "512, 1024 or 2048"},
		{"fargate with memory past the step", contract.FARGATE, func(s *contract.ServiceSpec) {
			s.Cpu, s.Memory.LimitMiB = 8192, 17408
		}, "/memory/limitMiB", "16384 to 61440 MiB in steps of 4096"},
		{"fargate with bridge", contract.FARGATE, func(s *contract.ServiceSpec) {
			s.Ecs.NetworkMode = contract.Bridge
		}, "/ecs/networkMode", "awsvpc only"},
		{"fargate global", contract.FARGATE, func(s *contract.ServiceSpec) {
			s.Mode = contract.Global
		}, "/mode", "no nodes"},
		{"fargate with constraint", contract.FARGATE, func(s *contract.ServiceSpec) {
			s.Placement.Constraints = []contract.Constraint{{Attribute: "zone"}}
		}, "/placement/constraints", "no nodes"},
		{"fargate with spread", contract.FARGATE, func(s *contract.ServiceSpec) {
			s.Placement.Spread = []contract.PlacementSpread{contract.Zone}
		}, "/placement/spread", "by itself"},
		{"awsvpc with another host port", contract.EC2, func(s *contract.ServiceSpec) {
			s.Ecs.NetworkMode, s.Ports[0].HostPort = contract.Awsvpc, 80
		}, "/ports/0/hostPort", "equals containerPort"},
		{"port twice", contract.EC2, func(s *contract.ServiceSpec) {
			s.Ports = append(s.Ports, contract.Port{ContainerPort: 8080, Protocol: contract.Tcp})
		}, "/ports/1", "listed twice"},
		{"host port twice", contract.EC2, func(s *contract.ServiceSpec) {
			s.Ports[0].HostPort = 80
			s.Ports = append(s.Ports, contract.Port{ContainerPort: 8081, HostPort: 80})
		}, "/ports/1/hostPort", "taken twice"},
		{"balanced port not listed", contract.EC2, func(s *contract.ServiceSpec) {
			s.LoadBalancer.ContainerPort = 9090
		}, "/loadBalancer/containerPort", "not listed"},
		{"balanced port is udp", contract.EC2, func(s *contract.ServiceSpec) {
			s.Ports[0].Protocol = contract.Udp
		}, "/loadBalancer/containerPort", "8080/tcp is not listed"},
		{"six values in a rule", contract.EC2, func(s *contract.ServiceSpec) {
			s.LoadBalancer.Rules[0] = contract.RoutingRule{
				Hosts: []string{"a.io", "b.io", "c.io"}, Paths: []string{"/a", "/b", "/c"},
			}
		}, "/loadBalancer/rules/0", "6 hosts and paths"},
		{"host without a dot", contract.EC2, func(s *contract.ServiceSpec) {
			s.LoadBalancer.Rules[0].Hosts = []string{"shop.io", "localhost"}
		}, "/loadBalancer/rules/0/hosts/1", "contains a dot"},
		{"global above 100 percent", contract.EC2, func(s *contract.ServiceSpec) {
			s.Mode, s.Rollout.HealthyPercentMax = contract.Global, 200
		}, "/rollout/healthyPercentMax", "at most 100, not 200"},
		{"global never below 100 percent", contract.EC2, func(s *contract.ServiceSpec) {
			s.Mode, s.Rollout.HealthyPercentMin = contract.Global, &percent
		}, "/rollout/healthyPercentMin", "below 100"},
		{"no room to replace a task", contract.EC2, func(s *contract.ServiceSpec) {
			s.Rollout.HealthyPercentMax = 100
		}, "/rollout/healthyPercentMax", "no task can be replaced"},
		{"global spread", contract.EC2, func(s *contract.ServiceSpec) {
			s.Mode, s.Placement.Spread = contract.Global, []contract.PlacementSpread{contract.Node}
		}, "/placement/spread", "every node"},
		{"secrets without a role", contract.EC2, func(s *contract.ServiceSpec) {
			s.Secrets = map[string]string{"KEY": "arn:aws:ssm:eu-west-1:1:parameter/key"}
		}, "/ecs/executionRole", "may read them"},
		{"volume twice", contract.EC2, func(s *contract.ServiceSpec) {
			s.Volumes = []contract.Volume{{Name: "data", FileSystemId: "fs-1"}, {Name: "data", FileSystemId: "fs-2"}}
		}, "/volumes/1/name", "taken twice"},
	}
	for _, test := range tests {
		spec := good()
		test.change(&spec)
		fields := Check(test.capacity, spec)
		if len(fields) != 1 || fields[0].Pointer != test.pointer ||
			!strings.Contains(fields[0].Detail, test.detail) ||
			!strings.HasPrefix(fields[0].Detail, "ECS: ") {
			t.Errorf("%s: got %+v", test.name, fields)
		}
	}
}

func TestNetworkMode(t *testing.T) {
	spec := good()
	if got := NetworkMode(contract.EC2, spec); got != contract.Bridge {
		t.Errorf("on EC2: %s", got)
	}
	if got := NetworkMode(contract.FARGATE, spec); got != contract.Awsvpc {
		t.Errorf("on Fargate: %s", got)
	}
	spec.Ecs.NetworkMode = contract.Host
	if got := NetworkMode(contract.EC2, spec); got != contract.Host {
		t.Errorf("asked for host: %s", got)
	}
}

// Every size that Fargate is said to offer is accepted, and nothing between.
func TestFargateSizes(t *testing.T) {
	accepted := 0
	for _, s := range sizes {
		for memory := 256; memory <= 131072; memory += 256 {
			spec := good()
			spec.Cpu, spec.Memory.LimitMiB = s.cpu, memory
			if len(Check(contract.FARGATE, spec)) == 0 {
				accepted++
			}
		}
	}
	// 3 + 4 + 7 + 13 + 23 + 12 + 12, as AWS's table has them.
	if accepted != 74 {
		t.Errorf("%d sizes are accepted", accepted)
	}
}
