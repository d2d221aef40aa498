package local_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

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
