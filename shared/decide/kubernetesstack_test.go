package decide_test

import (
	"maps"
	"slices"
	"testing"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/orchestrator"
)

func eksCluster() contract.ClusterSpec {
	return contract.ClusterSpec{Name: "shop", Team: "checkout", Orchestrator: contract.Kubernetes,
		NodePools: []contract.NodePoolSpec{
			{Name: "web", InstanceType: "m6i.large", Size: 3, KeyPair: "ops", RootVolumeGiB: 40},
			{Name: "batch", InstanceType: "c7g.xlarge", Size: 0, Spot: true},
		}}
}

var deployment = decide.Deployment{ServiceRole: "service", NodeRole: "node", SurveyRole: "survey", UpgradeRole: "upgrade", ConnectorLayer: "layer"}

func TestKubernetesStackNames(t *testing.T) {
	existing := eksCluster()
	existing.Network.VpcId = "vpc-1"
	adopted := contract.ClusterSpec{Name: "shop", Orchestrator: contract.Kubernetes, Adopted: contract.AdoptedCluster{Credentials: "arn"}}
	private := adopted
	private.Network.VpcId = "vpc-1"
	own := []string{"portolan-shop", "portolan-shop-pool-web", "portolan-shop-pool-batch", "portolan-shop-addons"}
	for name, test := range map[string]struct {
		spec contract.ClusterSpec
		want []string
	}{
		"in a new VPC":            {eksCluster(), append([]string{"portolan-shop-network"}, own...)},
		"in an existing VPC":      {existing, own},
		"adopted":                 {adopted, nil},
		"adopted, with connector": {private, []string{"portolan-shop"}},
		"of another orchestrator": {contract.ClusterSpec{Name: "shop", Orchestrator: contract.Ecs, NodePools: existing.NodePools},
			[]string{"portolan-shop-network", "portolan-shop"}},
	} {
		if got := decide.StackNames(test.spec); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func stackOf(t *testing.T, spec contract.ClusterSpec, name string, before decide.Outputs, template string) map[string]string {
	t.Helper()
	got, err := decide.ClusterStack(clusterOf(spec), name, before, deployment)
	if err != nil || got.Name != name || got.Template != template {
		t.Fatalf("%s: %+v, %v", name, got, err)
	}
	return got.Parameters
}

func TestKubernetesStacks(t *testing.T) {
	spec := eksCluster()
	spec.Kubernetes.Version = "1.34"
	network := map[string]string{"VpcId": "vpc-1", "PrivateSubnetIds": "a,b", "PublicSubnetIds": "c,d"}
	if got, want := stackOf(t, spec, "portolan-shop", decide.Outputs{Values: network}, "kubernetes"), (map[string]string{
		"ClusterName": "shop", "KubernetesVersion": "1.34", "EndpointPrivateAccess": "true", "EndpointPublicAccess": "false",
		"ServiceRoleArn": "service", "NodeRoleArn": "node", "SurveyRoleArn": "survey", "UpgradeRoleArn": "upgrade", "Connector": "yes",
		"ConnectorLayerArn": "layer", "VpcId": "vpc-1", "SubnetIds": "a,b"}); !maps.Equal(got, want) {
		t.Errorf("got %v,\nwant %v", got, want)
	}
	cluster := decide.Outputs{Values: map[string]string{"EksClusterName": "portolan-shop", "InstanceRoleArn": "nodes", "SubnetIds": "a,b"}}
	if got, want := stackOf(t, spec, "portolan-shop-pool-web", cluster, "kubernetes-nodes"), (map[string]string{
		"ClusterName": "shop", "TeamName": "checkout", "PoolName": "web", "EksClusterName": "portolan-shop", "InstanceRoleArn": "nodes",
		"SubnetIds": "a,b", "InstanceType": "m6i.large", "AmiType": "AL2023_x86_64_STANDARD", "CapacityType": "ON_DEMAND",
		"KeyName": "ops", "NodesMin": "0", "NodesDesired": "3", "NodesMax": "10", "RootVolumeSizeGiB": "40"}); !maps.Equal(got, want) {
		t.Errorf("got %v,\nwant %v", got, want)
	}
	if got := stackOf(t, spec, "portolan-shop-pool-batch", cluster, "kubernetes-nodes"); got["CapacityType"] != "SPOT" ||
		got["AmiType"] != "AL2023_ARM_64_STANDARD" || got["NodesDesired"] != "0" || got["KeyName"] != "" || got["RootVolumeSizeGiB"] != "" {
		t.Errorf("got %v", got)
	}
	if got, want := stackOf(t, spec, "portolan-shop-addons", cluster, "kubernetes-addons"), (map[string]string{
		"ClusterName": "shop", "EksClusterName": "portolan-shop"}); !maps.Equal(got, want) {
		t.Errorf("got %v,\nwant %v", got, want)
	}
}

// A connector is made unless everybody on the internet reaches the API server anyway, and the
// addresses of a public endpoint are always said.
func TestEndpoints(t *testing.T) {
	office, world := []string{"203.0.113.0/24"}, []string{"203.0.113.0/24", "0.0.0.0/0"}
	for _, test := range []struct {
		access                           contract.KubernetesClusterEndpointAccess
		cidrs                            []string
		private, public, from, connector string
	}{
		{"", nil, "true", "false", "", "yes"},
		{contract.EndpointPrivate, nil, "true", "false", "", "yes"},
		{contract.EndpointPublic, nil, "false", "true", "0.0.0.0/0", "no"},
		{contract.EndpointPublicAndPrivate, nil, "true", "true", "0.0.0.0/0", "no"},
		{contract.EndpointPublicAndPrivate, office, "true", "true", "203.0.113.0/24", "yes"},
		{contract.EndpointPublicAndPrivate, world, "true", "true", "203.0.113.0/24,0.0.0.0/0", "no"},
	} {
		spec := eksCluster()
		spec.Network = contract.Network{VpcId: "vpc-9", SubnetIds: []string{"x", "y"}}
		spec.Kubernetes = contract.KubernetesCluster{EndpointAccess: test.access, PublicAccessCidrs: test.cidrs}
		got := stackOf(t, spec, "portolan-shop", decide.Outputs{}, "kubernetes")
		if got["EndpointPrivateAccess"] != test.private || got["EndpointPublicAccess"] != test.public ||
			got["PublicAccessCidrs"] != test.from || got["Connector"] != test.connector || got["SubnetIds"] != "x,y" {
			t.Errorf("%s from %q: %v", test.access, test.cidrs, got)
		}
	}
}

func TestImagesFitTheInstances(t *testing.T) {
	for instance, want := range map[string]string{
		"m6i.large": "AL2023_x86_64_STANDARD", "t3a.micro": "AL2023_x86_64_STANDARD", "m7i-flex.large": "AL2023_x86_64_STANDARD",
		"t4g.small": "AL2023_ARM_64_STANDARD", "c6gn.medium": "AL2023_ARM_64_STANDARD", "a1.large": "AL2023_ARM_64_STANDARD",
		"is4gen.large": "AL2023_ARM_64_STANDARD", "x2gd.large": "AL2023_ARM_64_STANDARD", "g5g.xlarge": "AL2023_ARM_64_NVIDIA",
		"g4dn.xlarge": "AL2023_x86_64_NVIDIA", "p5en.48xlarge": "AL2023_x86_64_NVIDIA", "trn1.2xlarge": "AL2023_x86_64_NEURON",
	} {
		spec := eksCluster()
		spec.NodePools[0].InstanceType = instance
		if got := stackOf(t, spec, "portolan-shop-pool-web", decide.Outputs{}, "kubernetes-nodes")["AmiType"]; got != want {
			t.Errorf("%s boots %s", instance, got)
		}
	}
}

func TestConnectorStack(t *testing.T) {
	spec := contract.ClusterSpec{Name: "shop", Orchestrator: contract.Kubernetes, Adopted: contract.AdoptedCluster{Credentials: "arn"},
		Network: contract.Network{VpcId: "vpc-9", SubnetIds: []string{"x", "y"}}}
	for host, port := range map[string]string{"10.0.0.1:6443": "6443", "api.example": "443"} {
		got := stackOf(t, spec, "portolan-shop", decide.Outputs{APIHost: host}, "connector")
		want := map[string]string{"ClusterName": "shop", "VpcId": "vpc-9", "SubnetIds": "x,y", "AllowedHosts": host,
			"ApiPort": port, "ConnectorLayerArn": "layer"}
		if !maps.Equal(got, want) {
			t.Errorf("got %v,\nwant %v", got, want)
		}
	}
	if _, err := decide.ClusterStack(clusterOf(spec), "portolan-shop", decide.Outputs{}, deployment); err == nil {
		t.Error("a connector to nowhere is planned")
	}
}

func TestConnectorStackOfASwarm(t *testing.T) {
	spec := contract.ClusterSpec{Name: "old", Orchestrator: contract.Swarm, Adopted: contract.AdoptedCluster{Credentials: "arn"},
		Network: contract.Network{VpcId: "vpc-9", SubnetIds: []string{"x", "y"}},
		Swarm:   contract.SwarmCluster{Addresses: []string{"10.0.1.17:2376", "10.0.2.17:2376"}}}
	got := stackOf(t, spec, "portolan-old", decide.Outputs{}, "connector")
	want := map[string]string{"ClusterName": "old", "VpcId": "vpc-9", "SubnetIds": "x,y", "ApiPort": "2376",
		"AllowedHosts": "10.0.1.17:2376,10.0.2.17:2376", "ConnectorLayerArn": "layer"}
	if !maps.Equal(got, want) {
		t.Errorf("got %v,\nwant %v", got, want)
	}
}

func TestKubernetesFacts(t *testing.T) {
	spec := eksCluster()
	spec.Kubernetes.Namespace = "shop"
	facts, endpoint := decide.Facts(clusterOf(spec), map[string]string{"EksClusterName": "portolan-shop", "Endpoint": "https://x",
		"CertificateAuthority": "ca", "ConnectorArn": "connector", "VpcId": "vpc-1", "SubnetIds": "a,b"})
	want := orchestrator.KubernetesFacts{EKSCluster: "portolan-shop", Endpoint: "https://x", CertificateAuthority: "ca",
		Connector: "connector", Namespace: "shop", VPC: "vpc-1", Subnets: []string{"a", "b"}}
	if got := facts.Kubernetes; facts.ECS != nil || endpoint != "" || got == nil || !sameFacts(*got, want) {
		t.Errorf("got %+v", got)
	}
	adopted := contract.ClusterSpec{Name: "shop", Orchestrator: contract.Kubernetes, Adopted: contract.AdoptedCluster{Credentials: "arn"}}
	facts, _ = decide.Facts(clusterOf(adopted), map[string]string{"ConnectorArn": "connector"})
	if got := facts.Kubernetes; got == nil || !sameFacts(*got, orchestrator.KubernetesFacts{Credentials: "arn", Connector: "connector"}) {
		t.Errorf("adopted: %+v", got)
	}
}

func sameFacts(a, b orchestrator.KubernetesFacts) bool {
	return slices.Equal(a.Subnets, b.Subnets) && maps.Equal(a.AutoScalingGroups, b.AutoScalingGroups) && a.EKSCluster == b.EKSCluster &&
		a.Endpoint == b.Endpoint && a.CertificateAuthority == b.CertificateAuthority && a.Connector == b.Connector &&
		a.Namespace == b.Namespace && a.VPC == b.VPC && a.Credentials == b.Credentials && a.Context == b.Context
}
