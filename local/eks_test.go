package local_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"portolan/local"
	"portolan/shared/contract"
)

// inEKS is the description of a cluster of Kubernetes with one pool.
func inEKS(network contract.Network) contract.ClusterSpec {
	return contract.ClusterSpec{Name: "shop", Team: "storefront", Orchestrator: contract.Kubernetes, Network: network,
		NodePools: []contract.NodePoolSpec{{Name: "web", InstanceType: "m6i.large", Size: 2}}}
}

// A public endpoint is called without a connector; a node whose instance dies is replaced,
// and the cluster leaves nothing when it goes.
func TestPublicKubernetesClusterInAnExistingVPC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start(t)
		defer l.Close()
		spec := inEKS(defaultNetwork(t, l))
		spec.Kubernetes = contract.KubernetesCluster{EndpointAccess: contract.EndpointPublic, OpenToTheInternet: true}
		o := provision(t, l, spec)
		if o.Status != contract.OperationSucceeded {
			t.Fatalf("provision ended %s: %s", o.Status, o.Reason)
		}
		if got := liveStacks(t.Context(), t, l); !slices.Equal(got, []string{"portolan-shop", "portolan-shop-addons", "portolan-shop-pool-web"}) {
			t.Errorf("stacks are %v", got)
		}
		// Nobody chose a version, and what EKS chose is what an upgrade begins with.
		if c := theCluster(t, l, "shop"); c.Version != "v1.34.2-eks-3cfe0ce" {
			t.Errorf("the cluster has version %q", c.Version)
		}
		service := contract.ServiceSpec{Image: "example.com/web:1", Replicas: aws.Int(2), Memory: contract.Memory{LimitMiB: 512}}
		if status := request(t, l, http.MethodPut, "/v1/clusters/shop/services/web", service, &o); status != http.StatusAccepted {
			t.Fatalf("the service is refused: %d", status)
		}
		if o = ended(t, l, o); o.Status != contract.OperationSucceeded {
			t.Fatalf("deploy ended %s: %s", o.Status, o.Reason)
		}
		client := ec2.NewFromConfig(l.UserConfig())
		instances, err := client.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{})
		if err != nil || len(instances.Reservations) != 2 {
			t.Fatalf("there are %v, %v", instances, err)
		}
		victim := *instances.Reservations[0].Instances[0].InstanceId
		if _, err := client.TerminateInstances(t.Context(), &ec2.TerminateInstancesInput{InstanceIds: []string{victim}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(15 * time.Minute)
		var seen contract.Service
		request(t, l, http.MethodGet, "/v1/clusters/shop/services/web", nil, &seen)
		if seen.Status != contract.ServiceHealthy || seen.ReplicasObserved != 2 {
			t.Errorf("after an instance died, the service is %s with %d tasks", seen.Status, seen.ReplicasObserved)
		}
		group, err := eks.NewFromConfig(l.UserConfig()).DescribeNodegroup(t.Context(), &eks.DescribeNodegroupInput{
			ClusterName: aws.String("portolan-shop"), NodegroupName: aws.String("web")})
		if err != nil || group.Nodegroup.Status != types.NodegroupStatusActive {
			t.Errorf("the node group is %+v, %v", group, err)
		}
		request(t, l, http.MethodDelete, "/v1/clusters/shop", nil, &o)
		if o = ended(t, l, o); o.Status != contract.OperationSucceeded {
			t.Errorf("retire ended %s: %s (left: %v)", o.Status, o.Reason, o.Left)
		}
		if got := liveStacks(t.Context(), t, l); len(got) > 0 {
			t.Errorf("stacks %v are left", got)
		}
	})
}

// Nodes that do not join fail the provision, which says why and cleans up.
func TestKubernetesClusterWhoseNodesDoNotJoinLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start(t)
		defer l.Close()
		l.EKS.BreakNodes("portolan-shop", "web", "the image does not boot")
		o := provision(t, l, inEKS(contract.Network{}))
		if o.Status != contract.OperationFailedClean || !strings.Contains(o.Reason, "NodeCreationFailure") {
			t.Errorf("provision ended %s: %s (left: %v)", o.Status, o.Reason, o.Left)
		}
		if got := liveStacks(t.Context(), t, l); len(got) > 0 {
			t.Errorf("stacks %v are left", got)
		}
		clusters, err := eks.NewFromConfig(l.UserConfig()).ListClusters(t.Context(), &eks.ListClustersInput{})
		if err != nil || len(clusters.Clusters) > 0 {
			t.Errorf("left in EKS are %v, %v", clusters.Clusters, err)
		}
	})
}

// sizes are the desired capacities of all Auto Scaling groups.
func sizes(t *testing.T, l *local.Local) (all []int32) {
	t.Helper()
	out, err := autoscaling.NewFromConfig(l.UserConfig()).DescribeAutoScalingGroups(t.Context(), &autoscaling.DescribeAutoScalingGroupsInput{})
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range out.AutoScalingGroups {
		all = append(all, *group.DesiredCapacity)
	}
	return all
}

// Whoever changes the size of a node group, in Auto Scaling or in EKS, finds it put right:
// of the first CloudTrail tells, and the second is found by a look.
func TestAResizedNodeGroupIsPutRight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start(t)
		defer l.Close()
		spec := inEKS(defaultNetwork(t, l))
		spec.Drift = contract.Repair
		spec.Kubernetes = contract.KubernetesCluster{EndpointAccess: contract.EndpointPublic, OpenToTheInternet: true}
		provisioned(t, l, spec)
		client := autoscaling.NewFromConfig(l.UserConfig())
		groups, err := client.DescribeAutoScalingGroups(t.Context(), &autoscaling.DescribeAutoScalingGroupsInput{})
		if err != nil {
			t.Fatal(err)
		}
		for name, resize := range map[string]func() error{
			"Auto Scaling": func() error {
				_, err := client.SetDesiredCapacity(t.Context(), &autoscaling.SetDesiredCapacityInput{
					AutoScalingGroupName: groups.AutoScalingGroups[0].AutoScalingGroupName, DesiredCapacity: aws.Int32(3)})
				return err
			},
			"EKS": func() error {
				_, err := eks.NewFromConfig(l.UserConfig()).UpdateNodegroupConfig(t.Context(), &eks.UpdateNodegroupConfigInput{
					ClusterName: aws.String("portolan-shop"), NodegroupName: aws.String("web"),
					ScalingConfig: &types.NodegroupScalingConfig{DesiredSize: aws.Int32(1)}})
				return err
			},
		} {
			if err := resize(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(50 * time.Minute)
			if got := sizes(t, l); !slices.Equal(got, []int32{2}) {
				t.Errorf("%s: the size stays %v", name, got)
			}
		}
		var page contract.OperationPage
		request(t, l, http.MethodGet, "/v1/operations?cluster=shop", nil, &page)
		var sources []string
		for _, o := range page.Items {
			if o.Kind == contract.KindRepair && o.Status == contract.OperationSucceeded {
				sources = append(sources, o.Cause.Source)
			}
		}
		if slices.Sort(sources); !slices.Equal(sources, []string{"sweeper", "trail"}) {
			t.Errorf("repairs came from %v", sources)
		}
	})
}
