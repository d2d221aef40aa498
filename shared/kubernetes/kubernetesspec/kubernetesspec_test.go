package kubernetesspec_test

import (
	"fmt"
	"strings"
	"testing"

	"portolan/shared/contract"
	"portolan/shared/kubernetes/kubernetesspec"
)

func fits() contract.ServiceSpec {
	return contract.ServiceSpec{
		Image: "web:1", Memory: contract.Memory{LimitMiB: 64}, Ports: []contract.Port{{ContainerPort: 8080}},
		LoadBalancer: contract.LoadBalancer{ContainerPort: 8080, Rules: []contract.RoutingRule{
			{Paths: []string{"/shop", "/shop/*", "/*"}, Hosts: []string{"shop.example.com", "*.example.com"}},
		}},
	}
}

func number(n int) *int { return &n }

func TestCheck(t *testing.T) {
	type spec = contract.ServiceSpec
	tests := []struct {
		name    string
		change  func(*spec)
		pointer string
		words   string
	}{
		{"it fits", func(*spec) {}, "", ""},
		{"no memory", func(s *spec) { s.Memory = contract.Memory{} }, "/memory", "is needed"},
		{"reservation above the limit", func(s *spec) { s.Memory.ReservationMiB = 65 }, "/memory/reservationMiB", "above the limit of 64"},
		{"the same port twice", func(s *spec) { s.Ports = append(s.Ports, s.Ports[0]) }, "/ports/1", "listed twice"},
		{"tcp and udp", func(s *spec) {
			s.Ports = append(s.Ports, contract.Port{ContainerPort: 8080, Protocol: contract.Udp})
		}, "", ""},
		{"the same host port twice", func(s *spec) {
			s.Ports = []contract.Port{{ContainerPort: 8080, HostPort: 80}, {ContainerPort: 8081, HostPort: 80}}
		}, "/ports/1/hostPort", "taken twice"},
		{"a variable that is none", func(s *spec) { s.Environment = map[string]string{"1/A~": ""} }, "/environment/1~1A~0", "no digit"},
		{"a variable from two places", func(s *spec) {
			s.Environment = map[string]string{"A": "1"}
			s.Kubernetes.SecretKeys = map[string]contract.SecretKey{"A": {Secret: "shop", Key: "a"}}
		}, "/kubernetes/secretKeys/A", "/environment too"},
		{"a Secret's name", func(s *spec) {
			s.Kubernetes.SecretKeys = map[string]contract.SecretKey{"A": {Secret: "a..b", Key: "a"}}
		}, "/kubernetes/secretKeys/A/secret", `"a..b"`},
		{"secrets of AWS", func(s *spec) { s.Secrets = map[string]string{"A": "arn:aws:ssm:x"} }, "/secrets", "/kubernetes/secretKeys"},
		{"a role beside a service account", func(s *spec) {
			s.Role, s.Kubernetes.ServiceAccount = "arn", "shop"
		}, "/kubernetes/serviceAccount", "left out beside a role"},
		{"a role", func(s *spec) { s.Role = "arn" }, "", ""},
		{"a service account's name", func(s *spec) { s.Kubernetes.ServiceAccount = "a.-b" }, "/kubernetes/serviceAccount", `"a.-b"`},
		{"a class's name", func(s *spec) { s.Kubernetes.IngressClass = "a-.b" }, "/kubernetes/ingressClass", `"a-.b"`},
		{"a port that is not listed", func(s *spec) { s.Ports = nil }, "/loadBalancer/containerPort", "8080/tcp"},
		{"a path with a star inside", func(s *spec) { s.LoadBalancer.Rules[0].Paths[1] = "/*/a" }, "/loadBalancer/rules/0/paths/1", `"/*/a"`},
		{"a path with a question mark", func(s *spec) { s.LoadBalancer.Rules[0].Paths[0] = "/a?" }, "/loadBalancer/rules/0/paths/0", `"/a?"`},
		{"a path that climbs", func(s *spec) { s.LoadBalancer.Rules[0].Paths[0] = "/a/../b" }, "/loadBalancer/rules/0/paths/0", "path"},
		{"a host in capitals", func(s *spec) { s.LoadBalancer.Rules[0].Hosts[0] = "Shop.com" }, "/loadBalancer/rules/0/hosts/0", "lower case"},
		{"a star that is not first", func(s *spec) { s.LoadBalancer.Rules[0].Hosts[0] = "a.*.com" }, "/loadBalancer/rules/0/hosts/0", "first part"},
		{"a star before one word", func(s *spec) { s.LoadBalancer.Rules[0].Hosts[0] = "*.com" }, "/loadBalancer/rules/0/hosts/0", "first part"},
		{"a volume of two kinds", func(s *spec) {
			s.Volumes = []contract.Volume{{Name: "a", ContainerPath: "/a", FileSystemId: "fs-1", SizeGiB: 1}}
		}, "/volumes/0", "either fileSystemId"},
		{"a volume of no kind", func(s *spec) { s.Volumes = []contract.Volume{{Name: "a", ContainerPath: "/a"}} }, "/volumes/0", "either"},
		{"a volume's name twice", func(s *spec) {
			s.Volumes = []contract.Volume{{Name: "a", ContainerPath: "/a", FileSystemId: "fs-1"}, {Name: "a", ContainerPath: "/b", FileSystemId: "fs-2"}}
		}, "/volumes/1/name", "taken twice"},
		{"a volume's path twice", func(s *spec) {
			s.Volumes = []contract.Volume{{Name: "a", ContainerPath: "/a", FileSystemId: "fs-1"}, {Name: "b", ContainerPath: "/a", FileSystemId: "fs-2"}}
		}, "/volumes/1/containerPath", "taken twice"},
		{"a class of what is not made", func(s *spec) {
			s.Volumes = []contract.Volume{{Name: "a", ContainerPath: "/a", FileSystemId: "fs-1", StorageClass: "gp3"}}
		}, "/volumes/0/storageClass", "nothing is made"},
		{"a class's bad name", func(s *spec) {
			s.Volumes = []contract.Volume{{Name: "a", ContainerPath: "/a", SizeGiB: 1, StorageClass: "a..b"}}
		}, "/volumes/0/storageClass", `"a..b"`},
		{"a volume for one task", func(s *spec) {
			s.Volumes = []contract.Volume{{Name: "a", ContainerPath: "/a", SizeGiB: 1}}
			s.Replicas = number(1)
		}, "", ""},
		{"a volume for two tasks", func(s *spec) {
			s.Volumes = []contract.Volume{{Name: "a", ContainerPath: "/a", SizeGiB: 1}}
			s.Replicas = number(2)
		}, "/replicas", "at most 1, not 2"},
		{"a volume for each node", func(s *spec) {
			s.Volumes = []contract.Volume{{Name: "a", ContainerPath: "/a", SizeGiB: 1}}
			s.Mode = contract.Global
		}, "/mode", "one on each node"},
		{"a volume that two hold for a while", func(s *spec) {
			s.Volumes = []contract.Volume{{Name: "a", ContainerPath: "/a", SizeGiB: 1}}
			s.Rollout.HealthyPercentMin = number(100)
		}, "/rollout/healthyPercentMin", "stops before"},
		{"spread of a global service", func(s *spec) {
			s.Mode, s.Placement.Spread = contract.Global, []contract.PlacementSpread{contract.Zone}
		}, "/placement/spread", "every node"},
		{"a node's port for two", func(s *spec) {
			s.Mode, s.Ports[0].HostPort, s.Rollout.HealthyPercentMin = contract.Global, 80, number(100)
		}, "/ports/0/hostPort", "below 100"},
		{"no room to replace", func(s *spec) { s.Rollout.HealthyPercentMax = 100 }, "/rollout/healthyPercentMax", "above 100"},
		{"no room on a node", func(s *spec) {
			s.Mode, s.Rollout.HealthyPercentMin, s.Rollout.HealthyPercentMax = contract.Global, number(100), 100
		}, "/rollout/healthyPercentMax", "above 100"},
		{"an attribute that is no label", func(s *spec) {
			s.Placement.Constraints = []contract.Constraint{{Attribute: "a-", Values: []string{"b"}}}
		}, "/placement/constraints/0/attribute", `"a-"`},
		{"a value that is no label's", func(s *spec) {
			s.Placement.Constraints = []contract.Constraint{{Attribute: "a", Values: []string{"b", "-b"}}}
		}, "/placement/constraints/0/values/1", `"-b"`},
		{"spread twice", func(s *spec) {
			s.Placement.Spread = []contract.PlacementSpread{contract.Node, contract.Node}
		}, "/placement/spread/1", "listed twice"},
		{"a taint's key", func(s *spec) { s.Kubernetes.Tolerations = []contract.Toleration{{Key: "a/b/c"}} }, "/kubernetes/tolerations/0/key", "a/b/c"},
		{"a taint's value", func(s *spec) {
			s.Kubernetes.Tolerations = []contract.Toleration{{Key: "a.example/b", Value: "c-"}}
		}, "/kubernetes/tolerations/0/value", "c-"},
		{"logs", func(s *spec) { s.Logging.Driver = contract.Awslogs }, "/logging/driver", "left out"},
		{"no logs", func(s *spec) { s.Logging.Driver = contract.None }, "/logging/driver", "left out"},
		{"words for ECS", func(s *spec) { s.Ecs.NetworkMode = contract.Bridge }, "/ecs", "on ecs"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			spec := fits()
			test.change(&spec)
			fields := kubernetesspec.Check(kubernetesspec.Cluster{EKS: true}, "web", spec)
			if test.pointer == "" {
				if len(fields) > 0 {
					t.Errorf("got %v", fields)
				}
				return
			}
			for _, field := range fields {
				if field.Pointer == test.pointer && strings.Contains(field.Detail, test.words) && strings.HasPrefix(field.Detail, "Kubernetes: ") {
					return
				}
			}
			t.Errorf("got %v", fields)
		})
	}
}

// What AWS's own has to give is refused on clusters that are not known in EKS.
func TestCheckOutsideOfEKS(t *testing.T) {
	spec := fits()
	spec.Role = "arn:aws:iam::111122223333:role/web"
	spec.Volumes = []contract.Volume{{Name: "a", ContainerPath: "/a", FileSystemId: "fs-1"}}
	fields := kubernetesspec.Check(kubernetesspec.Cluster{}, "web", spec)
	if len(fields) != 2 || fields[0].Pointer != "/role" || fields[1].Pointer != "/volumes/0/fileSystemId" ||
		!strings.Contains(fields[0].Detail, "eksCluster") {
		t.Errorf("got %v", fields)
	}
}

func TestNamesOfServices(t *testing.T) {
	for name, fit := range map[string]bool{
		"web": true, "a": true, "web-2": true, "2web": false, "Web": false, "web-": false, "a.b": false, "": false,
		strings.Repeat("a", 63): true, strings.Repeat("a", 64): false,
	} {
		if fields := kubernetesspec.Check(kubernetesspec.Cluster{}, name, fits()); (len(fields) == 0) != fit {
			t.Errorf("%q: %v", name, fields)
		}
	}
}

func TestPath(t *testing.T) {
	for path, want := range map[string]string{
		"/": "/ false true", "/*": "/ true true", "/shop": "/shop false true", "/shop/*": "/shop/ true true",
		"/shop*": "/shop* false false", "//": "// false false", "/a%2f": "/a%2f false false",
	} {
		said, below, ok := kubernetesspec.Path(path)
		if got := fmt.Sprint(said, " ", below, " ", ok); got != want {
			t.Errorf("%s: %s", path, got)
		}
	}
}
