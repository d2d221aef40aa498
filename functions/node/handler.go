// Package node holds the steps that look at the nodes of a cluster and take them
// out of service: planning a pool's size, and the gate of cordon, drain and leave
// that each node passes before its instance may go.
//
// It must never know which orchestrator a node belongs to.
package node

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/fault"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
	"portolan/shared/step"
	"portolan/shared/store"
)

// Store is the part of the store that the steps use.
type Store interface {
	step.Store
	Commit(ctx context.Context, writes ...store.Write) error
}

// Groups looks at Auto Scaling groups.
type Groups interface {
	DescribeAutoScalingGroups(context.Context, *autoscaling.DescribeAutoScalingGroupsInput, ...func(*autoscaling.Options)) (*autoscaling.DescribeAutoScalingGroupsOutput, error)
}

// Handler handles the steps of nodes.
type Handler struct {
	Store Store

	// Orchestrator and Groups return clients whose calls carry the operation's id as
	// the name of their role session.
	Orchestrator func(cluster *model.Cluster, operation string) orchestrator.Orchestrator
	Groups       func(operation string) Groups
	Now          func() time.Time
	Log          *slog.Logger
}

// In is a call with the state of the machine.
type In struct {
	step.Call
	State State `json:"state"`

	// NodePool is the pool to plan, and Empty is true when all nodes have to go.
	NodePool string `json:"nodePool"`
	Empty    bool   `json:"empty"`

	// Node is the node at the gate. Force lets it pass with tasks left.
	Node  decide.NodeID `json:"node"`
	Force bool          `json:"force"`
	Group string        `json:"group"`
}

// State is what the machines carry from step to step.
type State struct {
	Action  decide.PoolAction `json:"action,omitempty"`
	Group   string            `json:"group,omitempty"`
	Desired int               `json:"desired"`

	// Maximum is the most that the group may have; 0 leaves it.
	Maximum int             `json:"maximum"`
	Remove  []decide.NodeID `json:"remove,omitempty"`

	// Shrink is true when the group gets smaller by the nodes that are removed.
	Shrink   bool      `json:"shrink"`
	Instance string    `json:"instance,omitempty"`
	Deadline time.Time `json:"deadline,omitzero"`
	Verdict  string    `json:"verdict,omitempty"`
	Reason   string    `json:"reason"`
	Looks    int       `json:"looks"`
}

// A work is what a step works on.
type work struct {
	In
	cluster *model.Cluster
	driver  orchestrator.Orchestrator
	groups  Groups

	// appeared says that the node had not joined when it was planned.
	appeared bool
}

func (w *work) ref() orchestrator.NodeRef {
	return orchestrator.NodeRef{Cluster: w.cluster.Ref(), ID: w.Node.ID}
}

// Handle does one step.
func (h *Handler) Handle(ctx context.Context, in In) (State, error) {
	steps := map[string]func(context.Context, *work) (State, error){
		"PlanNodes":    h.plan,
		"ObserveNodes": h.observeNodes,
		"FindNode":     h.find,
		"CordonNode":   h.cordon,
		"DrainNode":    h.drain,
		"ObserveDrain": h.observeDrain,
		"LeaveCluster": h.leave,
		"ObserveLeave": h.observeLeave,
		"UncordonNode": h.uncordon,
	}
	do, ok := steps[in.Step]
	if !ok {
		return State{}, in.Unknown("node", slices.Collect(maps.Keys(steps))...)
	}
	_, cluster, err := step.EnterCluster(ctx, h.Store, in.Call)
	if err != nil {
		return State{}, err
	}
	w := &work{In: in, cluster: cluster,
		driver: h.Orchestrator(cluster, in.Operation), groups: h.Groups(in.Operation)}
	if err := w.recognise(ctx); err != nil {
		return State{}, err
	}
	out, err := do(ctx, w)
	if err != nil {
		return State{}, err
	}
	h.Log.InfoContext(ctx, "step done", "step", in.Step, "operation", in.Operation, "target", in.Target,
		"node", in.Node.ID, "action", out.Action, "verdict", out.Verdict, "reason", out.Reason)
	return out, nil
}

// nodesMax bounds how many nodes of a cluster are looked at.
const nodesMax = 2000

// nodes returns all nodes of the cluster.
func (w *work) nodes(ctx context.Context) ([]orchestrator.Node, error) {
	var all []orchestrator.Node
	query := orchestrator.NodeQuery{Cluster: w.cluster.Ref()}
	for len(all) < nodesMax {
		page, err := w.driver.ListNodes(ctx, query)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Nodes...)
		if page.Next == "" {
			return all, nil
		}
		query.Next = page.Next
	}
	return nil, fault.New(fault.Invalid, "cluster %s has more than %d nodes", w.cluster.Name(), nodesMax)
}

// group returns the Auto Scaling group of that name, or nil when it is gone.
func (w *work) group(ctx context.Context, name string) (*types.AutoScalingGroup, error) {
	out, err := w.groups.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{
		AutoScalingGroupNames: []string{name},
	})
	if err != nil {
		return nil, fault.FromAWS(err, "looking at Auto Scaling group "+name)
	}
	if len(out.AutoScalingGroups) == 0 {
		return nil, nil
	}
	return &out.AutoScalingGroups[0], nil
}

// groupName is the Auto Scaling group of the pool that the step plans; empty when it
// has none. Nor has it one where all nodes have to go and somebody else sees to it:
// EKS drains the nodes of a node group that is deleted.
func (w *work) groupName() string {
	switch facts := w.cluster.Facts; {
	case facts.ECS != nil:
		return facts.ECS.AutoScalingGroup
	case facts.Kubernetes != nil && !w.Empty:
		return facts.Kubernetes.AutoScalingGroups[w.poolName()]
	case facts.Swarm != nil:
		return facts.Swarm.AutoScalingGroups[w.poolName()]
	}
	return ""
}

// findGroup finds the group by the cluster's tag, for a cluster of which nobody
// could keep what its stack says, and keeps it: each node still has to pass the
// gate.
func (h *Handler) findGroup(ctx context.Context, w *work) error {
	out, err := w.groups.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{
		Filters: []types.Filter{{Name: aws.String("tag:portolan:cluster"), Values: []string{w.cluster.Name()}}},
	})
	if err != nil {
		return fault.FromAWS(err, "looking for the Auto Scaling group of cluster "+w.cluster.Name())
	}
	if len(out.AutoScalingGroups) == 0 {
		return nil
	}
	// ECS takes a cluster's name where it takes its ARN.
	w.cluster.Facts, _ = decide.Facts(w.cluster, map[string]string{
		"ClusterArn":           w.cluster.Name(),
		"AutoScalingGroupName": aws.ToString(out.AutoScalingGroups[0].AutoScalingGroupName),
	})
	err = h.Store.Commit(ctx, w.Fence(), store.UpdateCluster(*w.cluster))
	w.cluster.Version++
	return err
}

// plan compares the nodes that are there with those that are wanted.
func (h *Handler) plan(ctx context.Context, w *work) (State, error) {
	if w.Empty && w.cluster.Spec.Orchestrator == contract.Ecs && w.cluster.Facts.ECS == nil {
		if err := h.findGroup(ctx, w); err != nil {
			return State{}, err
		}
	}
	if w.cluster.Facts.Swarm != nil {
		return h.planSwarm(ctx, w)
	}
	out := State{Looks: w.State.Looks + 1, Group: w.groupName()}
	if out.Group == "" || (!w.Empty && w.cluster.Pool(w.poolName()) == nil) {
		out.Action, out.Reason = decide.PoolDone, "there are no nodes to plan"
		return out, nil
	}
	group, err := w.group(ctx, out.Group)
	if err != nil {
		return State{}, err
	}
	if group == nil {
		out.Action, out.Reason = decide.PoolDone, "the Auto Scaling group is gone"
		return out, nil
	}
	nodes, err := w.nodes(ctx)
	if err != nil {
		return State{}, err
	}
	wanted := 0
	if !w.Empty {
		wanted = w.cluster.Pool(w.poolName()).Size
	}
	plan := decide.PlanPool(wanted, int(*group.DesiredCapacity), live(group), nodes)
	out.Action, out.Desired, out.Remove, out.Reason = plan.Action, wanted, plan.Remove, plan.Reason
	out.Shrink = plan.Action == decide.PoolShrink
	if plan.Action == decide.PoolDone {
		return out, h.recordSize(ctx, w, plan.Joined)
	}
	return out, nil
}

// poolName is the pool that the step plans: the one that it names, or the only
// one.
func (w *work) poolName() string {
	if w.NodePool == "" && len(w.cluster.NodePools) > 0 {
		return w.cluster.NodePools[0].Name
	}
	return w.NodePool
}

// live lists the instances of a group that are not on their way out.
func live(group *types.AutoScalingGroup) []string {
	var ids []string
	for _, instance := range group.Instances {
		switch instance.LifecycleState {
		case types.LifecycleStateTerminating, types.LifecycleStateTerminatingWait,
			types.LifecycleStateTerminatingProceed, types.LifecycleStateTerminated:
		default:
			ids = append(ids, *instance.InstanceId)
		}
	}
	return ids
}

func (h *Handler) recordSize(ctx context.Context, w *work, joined int) error {
	pool := w.cluster.Pool(w.poolName())
	if pool == nil || pool.SizeObserved == joined {
		return nil
	}
	pool.SizeObserved = joined
	err := h.Store.Commit(ctx, w.Fence(), store.UpdateCluster(*w.cluster))
	w.cluster.Version++
	return err
}

// observeNodes looks whether the cluster works and its nodes have joined.
func (h *Handler) observeNodes(ctx context.Context, w *work) (State, error) {
	out := State{Looks: w.State.Looks + 1, Verdict: string(decide.Progressing)}
	health, err := w.driver.Health(ctx, w.cluster.Ref())
	if err != nil {
		return State{}, err
	}
	wanted := 0
	for _, pool := range w.cluster.NodePools {
		wanted += pool.Size
	}
	out.Reason = fmt.Sprintf("%d of %d nodes have joined", health.NodesRegistered, wanted)
	if len(w.cluster.NodePools) == 0 {
		out.Reason = "the cluster works, and has no nodes of its own"
	}
	switch {
	case health.State != orchestrator.Healthy:
		out.Reason = health.Reason
	case health.NodesRegistered >= wanted:
		out.Verdict = string(decide.Healthy)
		return out, h.recordHealth(ctx, w, health)
	}
	return out, nil
}

// recordHealth keeps the version that the orchestrator says it has, and how many nodes have
// joined: all of them in the only pool, or in each of several as many as are wanted.
func (h *Handler) recordHealth(ctx context.Context, w *work, health orchestrator.Health) error {
	pools := w.cluster.NodePools
	if health.Version == "" && len(pools) == 0 {
		return nil
	}
	w.cluster.OrchestratorVersion = cmp.Or(health.Version, w.cluster.OrchestratorVersion)
	for i := range pools {
		pools[i].SizeObserved = pools[i].Size
	}
	if len(pools) == 1 {
		pools[0].SizeObserved = health.NodesRegistered
	}
	return h.Store.Commit(ctx, w.Fence(), store.UpdateCluster(*w.cluster))
}
