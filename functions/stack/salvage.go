package stack

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"

	"portolan/shared/decide"
	"portolan/shared/fault"
	"portolan/shared/store"
)

// salvage keeps what can be known of a cluster whose stack never came to have
// outputs: its Auto Scaling group above all, whose protected nodes would hold up
// the stack's rollback and deletion until they are taken away.
func (h *Handler) salvage(ctx context.Context, w *work) error {
	name := decide.ClusterStackName(w.cluster.Name())
	out, err := w.client.DescribeStackResources(ctx, &cloudformation.DescribeStackResourcesInput{StackName: &name})
	if err != nil {
		return notThere(fault.FromAWS(err, "looking at the resources of stack "+name))
	}
	made := map[string]string{}
	for _, resource := range out.StackResources {
		if id := aws.ToString(resource.PhysicalResourceId); id != "" {
			made[aws.ToString(resource.ResourceType)] = id
		}
	}
	if made[groupType] == "" {
		return nil
	}
	// ECS takes a cluster's name where it takes its ARN.
	w.cluster.Facts, _ = decide.Facts(w.cluster, map[string]string{
		"ClusterArn": made[clusterType], "AutoScalingGroupName": made[groupType],
	})
	return h.Store.Commit(ctx, w.Fence(), store.UpdateCluster(*w.cluster))
}

const (
	clusterType = "AWS::ECS::Cluster"
	groupType   = "AWS::AutoScaling::AutoScalingGroup"
)

// notThere makes nothing of an error that says that there is no such stack, which
// CloudFormation calls a validation error.
func notThere(err error) error {
	if fault.IsInvalid(err) || fault.IsNotFound(err) {
		return nil
	}
	return err
}
