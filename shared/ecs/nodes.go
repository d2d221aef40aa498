package ecs

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"portolan/shared/contract"
	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// ListNodes implements orchestrator.Nodes. It makes two calls.
func (d *Driver) ListNodes(
	ctx context.Context, query orchestrator.NodeQuery,
) (orchestrator.NodePage, error) {
	facts, err := factsOf(query.Cluster)
	if err != nil {
		return orchestrator.NodePage{}, err
	}
	if facts.Capacity == contract.FARGATE {
		return orchestrator.NodePage{}, nil
	}
	input := &ecs.ListContainerInstancesInput{
		Cluster:    aws.String(facts.ClusterARN),
		MaxResults: pageSize(query.Limit),
		NextToken:  optional(query.Next),
	}
	if query.Instance != "" {
		input.Filter = aws.String("ec2InstanceId == " + query.Instance)
	}
	list, err := d.ecs.ListContainerInstances(ctx, input)
	if err != nil {
		return orchestrator.NodePage{}, fault.FromAWS(err, "listing nodes")
	}
	page := orchestrator.NodePage{Next: aws.ToString(list.NextToken)}
	if len(list.ContainerInstanceArns) == 0 {
		return page, nil
	}
	out, err := d.ecs.DescribeContainerInstances(ctx, &ecs.DescribeContainerInstancesInput{
		Cluster: aws.String(facts.ClusterARN), ContainerInstances: list.ContainerInstanceArns,
	})
	if err != nil {
		return orchestrator.NodePage{}, fault.FromAWS(err, "describing nodes")
	}
	for _, instance := range out.ContainerInstances {
		page.Nodes = append(page.Nodes, nodeOf(instance))
	}
	return page, nil
}

func nodeOf(instance types.ContainerInstance) orchestrator.Node {
	node := orchestrator.Node{
		ID:       lastPart(aws.ToString(instance.ContainerInstanceArn)),
		Instance: aws.ToString(instance.Ec2InstanceId),
		State:    nodeState(instance),
		Tasks:    int(instance.RunningTasksCount + instance.PendingTasksCount),
	}
	for _, attribute := range instance.Attributes {
		if aws.ToString(attribute.Name) == "ecs.availability-zone" {
			node.Zone = aws.ToString(attribute.Value)
		}
	}
	return node
}

func nodeState(instance types.ContainerInstance) orchestrator.NodeState {
	switch {
	case !instance.AgentConnected:
		return orchestrator.NodeDown
	case aws.ToString(instance.Status) == "DRAINING":
		return orchestrator.NodeDraining
	case aws.ToString(instance.Status) == "ACTIVE":
		return orchestrator.NodeReady
	}
	return orchestrator.NodeDown
}

// Cordon implements orchestrator.Nodes. ECS has no state between ACTIVE and
// DRAINING, so this starts the drain.
func (d *Driver) Cordon(ctx context.Context, node orchestrator.NodeRef) error {
	return d.setState(ctx, node, types.ContainerInstanceStatusDraining)
}

// Drain implements orchestrator.Nodes. Tasks that no service started stay.
func (d *Driver) Drain(ctx context.Context, node orchestrator.NodeRef) error {
	return d.setState(ctx, node, types.ContainerInstanceStatusDraining)
}

// Uncordon implements orchestrator.Nodes.
func (d *Driver) Uncordon(ctx context.Context, node orchestrator.NodeRef) error {
	return d.setState(ctx, node, types.ContainerInstanceStatusActive)
}

func (d *Driver) setState(
	ctx context.Context, node orchestrator.NodeRef, state types.ContainerInstanceStatus,
) error {
	facts, err := factsOf(node.Cluster)
	if err != nil {
		return err
	}
	if facts.Capacity == contract.FARGATE {
		return noNode(node)
	}
	out, err := d.ecs.UpdateContainerInstancesState(ctx, &ecs.UpdateContainerInstancesStateInput{
		Cluster:            aws.String(facts.ClusterARN),
		ContainerInstances: []string{node.ID},
		Status:             state,
	})
	if err != nil {
		return fault.FromAWS(err, "making node "+node.ID+" "+string(state))
	}
	if len(out.Failures) == 0 {
		return nil
	}
	reason := aws.ToString(out.Failures[0].Reason)
	if reason == "MISSING" {
		return noNode(node)
	}
	return fault.New(fault.Unavailable, "making node %s %s: %s", node.ID, state, reason)
}

func noNode(node orchestrator.NodeRef) error {
	return fault.New(fault.NotFound, "cluster %q has no node %q", node.Cluster.Name, node.ID)
}

// node looks at one node.
func (d *Driver) node(
	ctx context.Context, ref orchestrator.NodeRef,
) (orchestrator.Node, error) {
	facts, err := factsOf(ref.Cluster)
	if err != nil {
		return orchestrator.Node{}, err
	}
	if facts.Capacity == contract.FARGATE {
		return orchestrator.Node{}, noNode(ref)
	}
	out, err := d.ecs.DescribeContainerInstances(ctx, &ecs.DescribeContainerInstancesInput{
		Cluster: aws.String(facts.ClusterARN), ContainerInstances: []string{ref.ID},
	})
	if err != nil {
		return orchestrator.Node{}, fault.FromAWS(err, "describing node "+ref.ID)
	}
	if len(out.ContainerInstances) == 0 ||
		aws.ToString(out.ContainerInstances[0].Status) == "INACTIVE" {
		return orchestrator.Node{}, noNode(ref)
	}
	return nodeOf(out.ContainerInstances[0]), nil
}

// DrainStatus implements orchestrator.Nodes. It makes at most three calls. ECS's
// own count leaves out tasks that were told to stop and still serve their last
// requests, so these are counted here.
func (d *Driver) DrainStatus(
	ctx context.Context, ref orchestrator.NodeRef,
) (orchestrator.DrainStatus, error) {
	node, err := d.node(ctx, ref)
	if err != nil {
		return orchestrator.DrainStatus{}, err
	}
	status := orchestrator.DrainStatus{State: node.State, TasksLeft: node.Tasks}
	if status.TasksLeft == 0 {
		status.TasksLeft, err = d.ending(ctx, ref)
	}
	return status, err
}

// ending counts the tasks of a node that were told to stop and have not.
func (d *Driver) ending(ctx context.Context, ref orchestrator.NodeRef) (int, error) {
	cluster := aws.String(ref.Cluster.Facts.ECS.ClusterARN)
	list, err := d.ecs.ListTasks(ctx, &ecs.ListTasksInput{
		Cluster:           cluster,
		ContainerInstance: aws.String(ref.ID),
		DesiredStatus:     types.DesiredStatusStopped,
		MaxResults:        pageSize(0),
	})
	err = fault.FromAWS(err, "listing the stopped tasks of node "+ref.ID)
	if err != nil || len(list.TaskArns) == 0 {
		return 0, err
	}
	out, err := d.ecs.DescribeTasks(ctx, &ecs.DescribeTasksInput{
		Cluster: cluster, Tasks: list.TaskArns,
	})
	if err != nil {
		return 0, fault.FromAWS(err, "describing the stopped tasks of node "+ref.ID)
	}
	count := 0
	for _, task := range out.Tasks {
		if taskState(task) != orchestrator.TaskStopped {
			count++
		}
	}
	return count, nil
}

// Leave implements orchestrator.Nodes. It makes two calls.
func (d *Driver) Leave(ctx context.Context, ref orchestrator.NodeRef) error {
	node, err := d.node(ctx, ref)
	if fault.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if node.Tasks > 0 {
		return fault.New(fault.Conflict, "node %q has %d tasks left", ref.ID, node.Tasks)
	}
	_, err = d.ecs.DeregisterContainerInstance(ctx, &ecs.DeregisterContainerInstanceInput{
		Cluster:           aws.String(ref.Cluster.Facts.ECS.ClusterARN),
		ContainerInstance: aws.String(ref.ID),
	})
	err = fault.IgnoreNotFound(fault.FromAWS(err, "deregistering node "+ref.ID))
	if fault.IsInvalid(err) {
		// A task came in between the two calls: ECS refuses without force.
		return fault.Wrap(fault.Conflict, err, "leaving")
	}
	return err
}
