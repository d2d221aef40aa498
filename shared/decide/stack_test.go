package decide_test

import (
	"maps"
	"slices"
	"testing"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/model"
)

// clusterOf is a cluster of a description, as it is accepted.
func clusterOf(spec contract.ClusterSpec) *model.Cluster {
	c := &model.Cluster{Spec: spec, Stacks: decide.StackNames(spec)}
	for _, pool := range spec.NodePools {
		c.NodePools = append(c.NodePools, model.NodePool{Name: pool.Name, Size: pool.Size, SizeMax: 10})
	}
	return c
}

func TestStackNames(t *testing.T) {
	if got := decide.StackNames(contract.ClusterSpec{Name: "shop"}); !slices.Equal(got, []string{"portolan-shop-network", "portolan-shop"}) {
		t.Errorf("with a new VPC: %q", got)
	}
	existing := contract.ClusterSpec{Name: "shop", Network: contract.Network{VpcId: "vpc-1"}}
	if got := decide.StackNames(existing); !slices.Equal(got, []string{"portolan-shop"}) {
		t.Errorf("in an existing VPC: %q", got)
	}
}

func TestNetworkStack(t *testing.T) {
	for cidr, want := range map[string]string{"": "10.0.0.0/16", "10.8.0.0/20": "10.8.0.0/20"} {
		c := clusterOf(contract.ClusterSpec{Name: "shop", Network: contract.Network{Cidr: cidr}})
		got, err := decide.ClusterStack(c, "portolan-shop-network", decide.Outputs{}, decide.Deployment{})
		if err != nil || got.Template != "network" || got.Name != "portolan-shop-network" || got.Parameters["VpcCidr"] != want {
			t.Errorf("%q: got %+v, %v", cidr, got, err)
		}
	}
}

func TestClusterStackOnEC2(t *testing.T) {
	c := clusterOf(contract.ClusterSpec{
		Name: "shop", Ecs: contract.EcsCluster{Capacity: contract.EC2, InstanceRole: "shopNodes", AllowedIngress: []contract.Ingress{
			{Port: 22, Cidr: "0.0.0.0/0", OpenToTheInternet: true}, {Port: 80, Cidr: "203.0.113.0/24"}}},
		NodePools: []contract.NodePoolSpec{{Name: "default", InstanceType: "m6i.large", Size: 3, KeyPair: "ops", RootVolumeGiB: 40}},
	})
	c.NodePools[0].Size = 7 // meanwhile; the stack is made with what was asked for
	outputs := map[string]string{"VpcId": "vpc-1", "PrivateSubnetIds": "a,b", "PublicSubnetIds": "c,d"}
	got, err := decide.ClusterStack(c, "portolan-shop", decide.Outputs{Values: outputs}, decide.Deployment{})
	if err != nil || got.Template != "ecs" {
		t.Fatalf("got %+v, %v", got, err)
	}
	want := map[string]string{
		"ClusterName": "shop", "CapacityType": "EC2", "VpcId": "vpc-1", "SubnetIds": "a,b", "LoadBalancerSubnetIds": "c,d",
		"AdminCidr": "0.0.0.0/0", "OpenAdminPortToTheWorld": "yes", "IngressCidr": "203.0.113.0/24",
		"InstanceType": "m6i.large", "NodesMin": "0", "NodesDesired": "3", "NodesMax": "10", "KeyName": "ops",
		"InstanceRoleName": "shopNodes", "RootVolumeSizeGiB": "40",
	}
	if !maps.Equal(got.Parameters, want) {
		t.Errorf("got %v,\nwant %v", got.Parameters, want)
	}
}

// An admin port is open to the world only if the caller says so in so many words.
func TestAdminPortIsNotOpenByItself(t *testing.T) {
	c := clusterOf(contract.ClusterSpec{Name: "shop", Ecs: contract.EcsCluster{
		AllowedIngress: []contract.Ingress{{Port: 22, Cidr: "203.0.113.0/24"}}}})
	got, err := decide.ClusterStack(c, "portolan-shop", decide.Outputs{}, decide.Deployment{})
	if err != nil || got.Parameters["OpenAdminPortToTheWorld"] != "" || got.Parameters["AdminCidr"] != "203.0.113.0/24" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestClusterStackInAnExistingVPC(t *testing.T) {
	c := clusterOf(contract.ClusterSpec{Name: "shop", Ecs: contract.EcsCluster{Capacity: contract.FARGATE},
		Network: contract.Network{VpcId: "vpc-9", SubnetIds: []string{"x", "y"}}})
	got, err := decide.ClusterStack(c, "portolan-shop", decide.Outputs{}, decide.Deployment{})
	want := map[string]string{"ClusterName": "shop", "CapacityType": "FARGATE", "VpcId": "vpc-9", "SubnetIds": "x,y", "LoadBalancerSubnetIds": "x,y"}
	if err != nil || !maps.Equal(got.Parameters, want) {
		t.Errorf("got %v, %v", got.Parameters, err)
	}
}

// No stack is made that the cluster does not already name as its own.
func TestStackHasToBeIntended(t *testing.T) {
	if _, err := decide.ClusterStack(clusterOf(contract.ClusterSpec{Name: "shop"}), "portolan-other", decide.Outputs{}, decide.Deployment{}); err == nil {
		t.Error("a stack of another cluster is planned")
	}
}

func TestFacts(t *testing.T) {
	c := clusterOf(contract.ClusterSpec{Name: "shop", Ecs: contract.EcsCluster{Capacity: contract.EC2}})
	facts, endpoint := decide.Facts(c, map[string]string{
		"ClusterArn": "arn", "CapacityProviderName": "p", "ListenerArn": "l", "VpcId": "v", "SubnetIds": "a,b",
		"SecurityGroupId": "g", "TaskExecutionRoleArn": "r", "LogGroupName": "logs", "AutoScalingGroupName": "asg",
		"LoadBalancerDnsName": "shop.example"})
	got := facts.ECS
	if endpoint != "shop.example" || got.ClusterARN != "arn" || got.CapacityProvider != "p" || got.ListenerARN != "l" || got.VPC != "v" ||
		!slices.Equal(got.Subnets, []string{"a", "b"}) || got.SecurityGroup != "g" || got.TaskExecutionRoleARN != "r" ||
		got.LogGroup != "logs" || got.AutoScalingGroup != "asg" || got.AssignPublicIP || got.Capacity != contract.EC2 {
		t.Errorf("got %+v, %s", got, endpoint)
	}
}
