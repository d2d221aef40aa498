package decide

import (
	"slices"
	"strings"
	"testing"

	"portolan/shared/contract"
)

// onSwarm is a description of a new swarm with which nothing is wrong.
func onSwarm() contract.ClusterSpec {
	return contract.ClusterSpec{
		Name: "fleet", Team: "shop", Orchestrator: contract.Swarm,
		NodePools: []contract.NodePoolSpec{{Name: "workers", InstanceType: "m6i.large", Size: 2, RootVolumeGiB: 20,
			RootVolumeType: contract.VolumeStandard, EbsOptimized: true}},
		Swarm: contract.SwarmCluster{Managers: contract.SwarmManagers{Count: 3, InstanceType: "m6i.large"}},
	}
}

// adoptedSwarm is a description of an adopted swarm with which nothing is wrong.
func adoptedSwarm() contract.ClusterSpec {
	return contract.ClusterSpec{
		Name: "old", Team: "shop", Orchestrator: contract.Swarm, Adopted: adopted().Adopted,
		Swarm: contract.SwarmCluster{Addresses: []string{"10.0.1.17:2376", "manager-2.example.com:2376"}, ServerName: "swarm.example.com"},
	}
}

// onSocket is a description of an adopted swarm that is a socket of this machine.
func onSocket() contract.ClusterSpec {
	return contract.ClusterSpec{
		Name: "here", Team: "shop", Orchestrator: contract.Swarm,
		Adopted: contract.AdoptedCluster{Verbs: []contract.Verb{contract.VerbDeploy}},
		Swarm:   contract.SwarmCluster{Addresses: []string{"unix:///var/run/docker.sock"}},
	}
}

func TestCheckSwarmCluster(t *testing.T) {
	for name, test := range map[string]struct {
		spec   func() contract.ClusterSpec
		change func(*contract.ClusterSpec)
		want   []string // pointers
	}{
		"a new one":        {onSwarm, func(*contract.ClusterSpec) {}, nil},
		"without workers":  {onSwarm, func(s *contract.ClusterSpec) { s.NodePools = nil }, nil},
		"without managers": {onSwarm, func(s *contract.ClusterSpec) { s.Swarm.Managers = contract.SwarmManagers{} }, []string{"/swarm/managers"}},
		"two managers":     {onSwarm, func(s *contract.ClusterSpec) { s.Swarm.Managers.Count = 2 }, []string{"/swarm/managers/count"}},
		"six managers":     {onSwarm, func(s *contract.ClusterSpec) { s.Swarm.Managers.Count = 6 }, []string{"/swarm/managers/count"}},
		"a pool called managers": {onSwarm, func(s *contract.ClusterSpec) { s.NodePools[0].Name = "managers" },
			[]string{"/nodePools/0/name"}},
		"a pool twice": {onSwarm, func(s *contract.ClusterSpec) { s.NodePools = append(s.NodePools, s.NodePools[0]) },
			[]string{"/nodePools/1/name"}},
		"a server name": {onSwarm, func(s *contract.ClusterSpec) { s.Swarm.ServerName = "x" }, []string{"/swarm/serverName"}},
		"nothing to encrypt": {onSwarm, func(s *contract.ClusterSpec) { s.Swarm.EncryptSharedStorage = true },
			[]string{"/swarm/encryptSharedStorage"}},
		"SSH from everywhere": {onSwarm, func(s *contract.ClusterSpec) {
			s.Swarm.AllowedIngress = []contract.Ingress{{Cidr: "0.0.0.0/0", Port: 22}}
		}, []string{"/swarm/allowedIngress/0/openToTheInternet"}},
		"Spot instances":      {onSwarm, func(s *contract.ClusterSpec) { s.NodePools[0].Spot = true }, nil},
		"Spot managers":       {onSwarm, func(s *contract.ClusterSpec) { s.Swarm.Managers.Spot = true }, []string{"/swarm/managers/spot"}},
		"words of ecs":        {onSwarm, func(s *contract.ClusterSpec) { s.Ecs.Capacity = contract.EC2 }, []string{"/ecs"}},
		"words of kubernetes": {onSwarm, func(s *contract.ClusterSpec) { s.Kubernetes.Version = "1.34" }, []string{"/kubernetes"}},
		"words of swarm":      {onEC2, func(s *contract.ClusterSpec) { s.Swarm.SystemPrune = true }, []string{"/swarm"}},
		"a small volume": {onEC2, func(s *contract.ClusterSpec) { s.NodePools[0].RootVolumeGiB = 20 },
			[]string{"/nodePools/0/rootVolumeGiB"}},
		"a slow volume":     {onEC2, func(s *contract.ClusterSpec) { s.NodePools[0].RootVolumeType = "gp2" }, []string{"/nodePools/0/rootVolumeType"}},
		"an optimised node": {onEC2, func(s *contract.ClusterSpec) { s.NodePools[0].EbsOptimized = true }, []string{"/nodePools/0/ebsOptimized"}},

		"an adopted one":     {adoptedSwarm, func(*contract.ClusterSpec) {}, nil},
		"behind a connector": {adoptedSwarm, func(s *contract.ClusterSpec) { s.Network = existing("") }, nil},
		"two ports in a VPC": {adoptedSwarm, func(s *contract.ClusterSpec) {
			s.Network, s.Swarm.Addresses[1] = existing(""), "10.0.1.18:2377"
		}, []string{"/swarm/addresses/1"}},
		"two ports elsewhere":   {adoptedSwarm, func(s *contract.ClusterSpec) { s.Swarm.Addresses[1] = "10.0.1.18:2377" }, nil},
		"without certificates":  {adoptedSwarm, func(s *contract.ClusterSpec) { s.Adopted.Credentials = "" }, []string{"/adopted/credentials"}},
		"without addresses":     {adoptedSwarm, func(s *contract.ClusterSpec) { s.Swarm.Addresses = nil }, []string{"/swarm/addresses"}},
		"another team's secret": {adoptedSwarm, func(s *contract.ClusterSpec) { s.Team = "pay" }, []string{"/adopted/credentials"}},
		"no port":               {adoptedSwarm, func(s *contract.ClusterSpec) { s.Swarm.Addresses[0] = "10.0.1.17" }, []string{"/swarm/addresses/0"}},
		"a bad port":            {adoptedSwarm, func(s *contract.ClusterSpec) { s.Swarm.Addresses[1] = "10.0.1.17:70000" }, []string{"/swarm/addresses/1"}},
		"a URL":                 {adoptedSwarm, func(s *contract.ClusterSpec) { s.Swarm.Addresses[0] = "https://10.0.1.17:2376" }, []string{"/swarm/addresses/0"}},
		"a host that is none":   {adoptedSwarm, func(s *contract.ClusterSpec) { s.Swarm.Addresses[0] = "man ager:2376" }, []string{"/swarm/addresses/0"}},
		"with managers": {adoptedSwarm, func(s *contract.ClusterSpec) { s.Swarm.Managers.Count = 3 },
			[]string{"/swarm/managers"}},
		"with a range": {adoptedSwarm, func(s *contract.ClusterSpec) { s.Network.Cidr = "10.0.0.0/16" }, []string{"/network/cidr"}},
		"with pools":   {adoptedSwarm, func(s *contract.ClusterSpec) { s.NodePools = onSwarm().NodePools }, []string{"/nodePools"}},

		"a socket":                   {onSocket, func(*contract.ClusterSpec) {}, nil},
		"a socket with certificates": {onSocket, func(s *contract.ClusterSpec) { s.Adopted = adopted().Adopted }, []string{"/adopted/credentials"}},
		"a socket with a name":       {onSocket, func(s *contract.ClusterSpec) { s.Swarm.ServerName = "engines.shop" }, []string{"/swarm/serverName"}},
		"a socket in a VPC":          {onSocket, func(s *contract.ClusterSpec) { s.Network = existing("") }, []string{"/network"}},
		"half a path":                {onSocket, func(s *contract.ClusterSpec) { s.Swarm.Addresses[0] = "unix://docker.sock" }, []string{"/swarm/addresses/0"}},
		"a socket and an address": {onSocket, func(s *contract.ClusterSpec) { s.Swarm.Addresses = append(s.Swarm.Addresses, "10.0.0.1:2376") },
			[]string{"/swarm/addresses"}},
		"kubernetes without credentials": {adopted, func(s *contract.ClusterSpec) {
			s.Adopted = contract.AdoptedCluster{Verbs: []contract.Verb{contract.VerbScale}}
			s.Kubernetes = contract.KubernetesCluster{}
			s.NodePools = onEKS().NodePools
		}, []string{"/adopted/credentials"}},
	} {
		t.Run(name, func(t *testing.T) {
			spec := test.spec()
			test.change(&spec)
			want := slices.Clone(test.want)
			var got []string
			for _, f := range CheckCluster(spec) {
				got = append(got, f.Pointer)
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

func TestManagersAreOdd(t *testing.T) {
	for count := -1; count <= 9; count++ {
		allowed := slices.Contains([]int{1, 3, 5, 7}, count)
		if wrong := managerCount(count); (wrong == "") != allowed {
			t.Errorf("%d managers: %q", count, wrong)
		}
	}
	if wrong := managerCount(4); !strings.Contains(wrong, "1, 3, 5 or 7, not 4") {
		t.Errorf("the answer is %q", wrong)
	}
}
