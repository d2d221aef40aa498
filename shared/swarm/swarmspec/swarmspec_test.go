package swarmspec_test

import (
	"strings"
	"testing"

	"portolan/shared/contract"
	"portolan/shared/swarm/swarmspec"
)

func fits() contract.ServiceSpec {
	return contract.ServiceSpec{
		Image: "web:1", Memory: contract.Memory{LimitMiB: 64},
		Ports: []contract.Port{{ContainerPort: 8080}, {ContainerPort: 8443, HostPort: 443}},
		LoadBalancer: contract.LoadBalancer{ContainerPort: 8080, Rules: []contract.RoutingRule{
			{Paths: []string{"/shop", "/shop/*"}, Hosts: []string{"shop.example.com"}},
		}},
		Swarm: contract.SwarmService{
			Networks: []string{"backend"}, Configs: []contract.SwarmFile{{Name: "web", Path: "/etc/web"}},
			SecretFiles:  []contract.SwarmFile{{Name: "database"}},
			Mounts:       []contract.SwarmMount{{Volume: "cache", ContainerPath: "/cache"}, {ContainerPath: "/tmp", SizeMiB: 8}},
			Preferences:  []string{"node.labels.rack"},
			Certificates: []contract.ListenerCertificate{{Port: 443, Certificate: "arn"}},
		},
	}
}

func number(n int) *int { return &n }

func TestCheck(t *testing.T) {
	type spec = contract.ServiceSpec
	no := false
	tests := []struct {
		name    string
		change  func(*spec)
		pointer string
		words   string
	}{
		{"it fits", func(*spec) {}, "", ""},
		{"a container's name", func(s *spec) { s.Container = "webapp" }, "/container", "names containers itself"},
		{"spread over nodes first", func(s *spec) {
			s.Placement.Spread = []contract.PlacementSpread{contract.Node, contract.Zone}
		}, "/placement/spread", "zone comes before node"},
		{"spread over zones first", func(s *spec) {
			s.Placement.Spread = []contract.PlacementSpread{contract.Zone, contract.Node}
		}, "", ""},
		{"a role", func(s *spec) { s.Role = "arn" }, "/role", "no IAM role of its own"},
		{"no memory", func(s *spec) { s.Memory = contract.Memory{} }, "/memory", "is needed"},
		{"reservation above the limit", func(s *spec) { s.Memory.ReservationMiB = 65 }, "/memory/reservationMiB", "above the limit of 64"},
		{"a variable with an equals sign", func(s *spec) { s.Environment = map[string]string{"A=/": ""} }, "/environment/A=~1", "no ="},
		{"secrets of AWS", func(s *spec) { s.Secrets = map[string]string{"A": "arn:aws:ssm:x"} }, "/secrets", "/swarm/secretFiles"},
		{"the same port twice", func(s *spec) { s.Ports = append(s.Ports, s.Ports[0]) }, "/ports/2", "listed twice"},
		{"the same host port twice", func(s *spec) {
			s.Ports = append(s.Ports, contract.Port{ContainerPort: 1, HostPort: 443})
		}, "/ports/2/hostPort", "taken twice"},
		{"the same host port by udp", func(s *spec) {
			s.Ports = append(s.Ports, contract.Port{ContainerPort: 1, HostPort: 443, Protocol: contract.Udp})
		}, "", ""},
		{"the managers' port", func(s *spec) { s.Ports[1].HostPort = 2377 }, "/ports/1/hostPort", "that of the managers"},
		{"a published port by DNS", func(s *spec) { s.Swarm.EndpointMode = contract.EndpointDnsrr }, "/swarm/endpointMode", "needs vip"},
		{"a balanced port that is not listed", func(s *spec) { s.Ports = s.Ports[1:] }, "/loadBalancer/containerPort", "8080/tcp"},
		{"too many values in a rule", func(s *spec) {
			s.LoadBalancer.Rules[0].Paths = []string{"/1", "/2", "/3", "/4", "/5"}
		}, "/loadBalancer/rules/0", "takes 5"},
		{"a host without a dot", func(s *spec) { s.LoadBalancer.Rules[0].Hosts = []string{"shop"} }, "/loadBalancer/rules/0/hosts/0", "dot"},
		{"a certificate of no port", func(s *spec) { s.Swarm.Certificates[0].Port = 80 }, "/swarm/certificates/0/port", "hostPort of none"},
		{"two certificates of one port", func(s *spec) {
			s.Swarm.Certificates = append(s.Swarm.Certificates, s.Swarm.Certificates[0])
		}, "/swarm/certificates/1/port", "two certificates"},
		{"a certificate without listeners", func(s *spec) { s.Swarm.Listeners = &no }, "/swarm/certificates/0", "/swarm/listeners"},
		{"a global service that surges", func(s *spec) {
			s.Mode, s.Rollout.HealthyPercentMax = contract.Global, 200
		}, "/rollout/healthyPercentMax", "at most 100"},
		{"a global service that never stops", func(s *spec) {
			s.Mode, s.Rollout.HealthyPercentMin = contract.Global, number(100)
		}, "/rollout/healthyPercentMin", "below 100"},
		{"a global service that starts first", func(s *spec) {
			s.Mode, s.Swarm.UpdateOrder = contract.Global, contract.StartFirst
		}, "/swarm/updateOrder", "stops before"},
		{"a global service that is spread", func(s *spec) { s.Mode = contract.Global }, "/placement/spread", "every node"},
		{"a global service with a maximum", func(s *spec) {
			s.Mode, s.Swarm.ReplicasPerNodeMax = contract.Global, 2
		}, "/swarm/replicasPerNodeMax", "one task on each"},
		{"no room to replace", func(s *spec) { s.Rollout.HealthyPercentMax = 100 }, "/rollout/healthyPercentMax", "above 100"},
		{"none may stop first", func(s *spec) { s.Swarm.UpdateOrder = contract.StopFirst }, "/swarm/updateOrder", "may stop first"},
		{"none may start first", func(s *spec) {
			s.Swarm.UpdateOrder, s.Rollout = contract.StartFirst, contract.Rollout{HealthyPercentMax: 100, HealthyPercentMin: number(50)}
		}, "/swarm/updateOrder", "may start first"},
		{"a choice of values", func(s *spec) {
			s.Placement.Constraints = []contract.Constraint{{Attribute: "zone", Operator: contract.In, Values: []string{"a", "b"}}}
		}, "/placement/constraints/0/values", "no choice among 2"},
		{"none of several values", func(s *spec) {
			s.Placement.Constraints = []contract.Constraint{{Attribute: "zone", Operator: contract.NotIn, Values: []string{"a", "b"}}}
		}, "", ""},
		{"an attribute that nodes do not have", func(s *spec) {
			s.Placement.Constraints = []contract.Constraint{{Attribute: "node.ip", Operator: contract.In, Values: []string{"a"}}}
		}, "/placement/constraints/0/attribute", "node.labels"},
		{"a file system", func(s *spec) {
			s.Volumes = []contract.Volume{{Name: "a", ContainerPath: "/a", FileSystemId: "fs-1"}}
		}, "", ""},
		{"a volume of no file system", func(s *spec) { s.Volumes = []contract.Volume{{Name: "a", ContainerPath: "/a"}} }, "/volumes/0/fileSystemId", "missing"},
		{"a volume that is made", func(s *spec) {
			s.Volumes = []contract.Volume{{Name: "a", ContainerPath: "/a", FileSystemId: "fs-1", SizeGiB: 1}}
		}, "/volumes/0", "EBS"},
		{"a volume's name twice", func(s *spec) {
			s.Volumes = []contract.Volume{{Name: "a", ContainerPath: "/a", FileSystemId: "fs-1"}, {Name: "a", ContainerPath: "/b", FileSystemId: "fs-1"}}
		}, "/volumes/1/name", "taken twice"},
		{"a mount where a volume is", func(s *spec) {
			s.Volumes = []contract.Volume{{Name: "a", ContainerPath: "/cache", FileSystemId: "fs-1"}}
		}, "/swarm/mounts/0/containerPath", "taken twice"},
		{"a driver of memory", func(s *spec) { s.Swarm.Mounts[1].Driver = "local" }, "/swarm/mounts/1/driver", "memory"},
		{"a size of a volume", func(s *spec) { s.Swarm.Mounts[0].SizeMiB = 1 }, "/swarm/mounts/0/sizeMiB", "names a volume"},
		{"two files at one path", func(s *spec) {
			s.Swarm.Configs = append(s.Swarm.Configs, contract.SwarmFile{Name: "other", Path: "/run/secrets/database"})
		}, "/swarm/configs/1", "two files"},
		{"a network twice", func(s *spec) { s.Swarm.Networks = []string{"a", "a"} }, "/swarm/networks/1", "listed twice"},
		{"words for ECS", func(s *spec) { s.Ecs.NetworkMode = contract.Awsvpc }, "/ecs", "on ecs"},
		{"words for Kubernetes", func(s *spec) { s.Kubernetes.Namespace = "shop" }, "/kubernetes", "on kubernetes"},
		{"no logs", func(s *spec) { s.Logging.Driver = contract.None }, "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			spec := fits()
			test.change(&spec)
			fields := swarmspec.Check(swarmspec.Cluster{Balanced: true, Logs: true}, "web", spec)
			if test.pointer == "" {
				if len(fields) > 0 {
					t.Errorf("got %v", fields)
				}
				return
			}
			for _, field := range fields {
				if field.Pointer == test.pointer && strings.Contains(field.Detail, test.words) && strings.HasPrefix(field.Detail, "Swarm: ") {
					return
				}
			}
			t.Errorf("got %v", fields)
		})
	}
}

// What the cluster's own has to give is refused where somebody else made the cluster.
func TestCheckOnAnAdoptedSwarm(t *testing.T) {
	spec := fits()
	yes := true
	spec.Logging.Driver, spec.Swarm.Listeners = contract.Awslogs, &yes
	fields := swarmspec.Check(swarmspec.Cluster{}, strings.Repeat("a", 64), spec)
	var pointers []string
	for _, field := range fields {
		pointers = append(pointers, field.Pointer)
	}
	if got := strings.Join(pointers, " "); got != "/name /loadBalancer /swarm/listeners /swarm/certificates/0 /logging/driver" {
		t.Errorf("got %s", got)
	}
}

func TestAttribute(t *testing.T) {
	for name, want := range map[string]string{
		"zone": "node.labels.portolan.zone", "rack": "node.labels.rack", "node.role": "node.role", "engine.labels.disk": "engine.labels.disk",
		"node.labels.rack": "node.labels.rack", "nodePool": "node.labels.portolan.pool",
	} {
		if got := swarmspec.Attribute(name); got != want {
			t.Errorf("%s is %s", name, got)
		}
	}
}
