package swarm

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"portolan/shared/decide"
	"portolan/shared/fault"
)

// Stacks changes the stacks of node pools.
type Stacks interface {
	DescribeStacks(context.Context, *cloudformation.DescribeStacksInput, ...func(*cloudformation.Options)) (*cloudformation.DescribeStacksOutput, error)
	UpdateStack(context.Context, *cloudformation.UpdateStackInput, ...func(*cloudformation.Options)) (*cloudformation.UpdateStackOutput, error)
}

// updateStacks tells the pools' stacks which engine new nodes get. It changes no node,
// and is Healthy once all stacks know.
func (h *Handler) updateStacks(ctx context.Context, w *work) (State, error) {
	out := State{Looks: w.State.Looks + 1, Verdict: decide.Healthy, Reason: "new nodes get engine " + decide.EngineVersion(w.cluster.Spec)}
	client := h.Stacks(w.operation.ID)
	for _, pool := range w.cluster.NodePools {
		verdict, err := h.updateStack(ctx, w, client, pool.Name)
		if err != nil {
			return State{}, err
		}
		switch {
		case verdict == decide.Failed:
			out.Verdict, out.Reason = decide.Failed, "the stack of node pool "+pool.Name+" could not be updated"
			return out, nil
		case verdict == decide.Progressing:
			out.Verdict = decide.Progressing
		}
	}
	return out, nil
}

func (h *Handler) updateStack(ctx context.Context, w *work, client Stacks, pool string) (decide.Verdict, error) {
	name := decide.PoolStackName(w.cluster.Name(), pool)
	found, err := client.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
	if err != nil {
		return "", fault.FromAWS(err, "looking at stack "+name)
	}
	if len(found.Stacks) == 0 {
		return "", fault.New(fault.NotFound, "stack %s does not exist", name)
	}
	stack := found.Stacks[0]
	wanted := decide.SwarmUpgradeParameters(w.cluster, pool)
	same := true
	var parameters []cfn.Parameter
	for _, p := range stack.Parameters {
		key := aws.ToString(p.ParameterKey)
		value, changes := wanted[key]
		if !changes {
			parameters = append(parameters, cfn.Parameter{ParameterKey: &key, UsePreviousValue: aws.Bool(true)})
			continue
		}
		same = same && value == aws.ToString(p.ParameterValue)
		parameters = append(parameters, cfn.Parameter{ParameterKey: &key, ParameterValue: &value})
	}
	status := string(stack.StackStatus)
	switch {
	case strings.HasSuffix(status, "_IN_PROGRESS"):
		return decide.Progressing, nil
	case same && strings.Contains(status, "ROLLBACK"):
		return decide.Failed, nil
	case same:
		return decide.Healthy, nil
	}
	_, err = client.UpdateStack(ctx, &cloudformation.UpdateStackInput{
		StackName: &name, UsePreviousTemplate: aws.Bool(true), Parameters: parameters,
		Capabilities: []cfn.Capability{cfn.CapabilityCapabilityIam}, ClientRequestToken: aws.String(w.operation.ID + "-update"),
	})
	return decide.Progressing, fault.FromAWS(err, "updating stack "+name)
}

// planUpgrade picks the next node that has to go because it was launched before the
// stacks were updated.
func (h *Handler) planUpgrade(ctx context.Context, w *work) (State, error) {
	view, err := h.view(ctx, w)
	if err != nil {
		return State{}, err
	}
	groups, err := h.groups(ctx, w)
	if err != nil {
		return State{}, err
	}
	var pools []decide.SwarmPool
	for _, pool := range w.cluster.NodePools {
		for _, group := range groups {
			if aws.ToString(group.AutoScalingGroupName) == w.cluster.Facts.Swarm.AutoScalingGroups[pool.Name] {
				here := slices.DeleteFunc(slices.Clone(group.Instances), leaving)
				pools = append(pools, decide.SwarmPool{Name: pool.Name, Group: *group.AutoScalingGroupName, Size: pool.Size,
					Capacity: int(aws.ToInt32(group.DesiredCapacity)), Instances: len(here), Outdated: outdated(group)})
			}
		}
	}
	plan := decide.PlanSwarmUpgrade(pools, view)
	out := State{Looks: w.State.Looks + 1, Upgrade: plan.Action, Reason: plan.Reason, Group: plan.Group, Desired: plan.Desired,
		Nodes: plan.Nodes, Shrink: plan.Shrink}
	if plan.Action != decide.UpgradeDone {
		return out, nil
	}
	w.cluster.OrchestratorVersion = decide.EngineVersion(w.cluster.Spec)
	return out, h.keep(ctx, w)
}

// outdated are the instances that were launched by another version of the launch
// template than the group has now.
func outdated(group types.AutoScalingGroup) []string {
	var ids []string
	for _, i := range group.Instances {
		if leaving(i) || group.LaunchTemplate == nil || i.LaunchTemplate == nil {
			continue
		}
		if aws.ToString(i.LaunchTemplate.Version) != aws.ToString(group.LaunchTemplate.Version) {
			ids = append(ids, aws.ToString(i.InstanceId))
		}
	}
	return ids
}
