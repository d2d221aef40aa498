// Package upgrade raises the version of clusters in Amazon EKS by one: the control
// plane first, then one node pool after the other.
//
// It must never change anything before it has looked for what stands in the way.
package upgrade

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

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

// EKS is the part of its client that the steps use.
type EKS interface {
	DescribeCluster(context.Context, *eks.DescribeClusterInput, ...func(*eks.Options)) (*eks.DescribeClusterOutput, error)
	UpdateClusterVersion(context.Context, *eks.UpdateClusterVersionInput, ...func(*eks.Options)) (*eks.UpdateClusterVersionOutput, error)
	DescribeNodegroup(context.Context, *eks.DescribeNodegroupInput, ...func(*eks.Options)) (*eks.DescribeNodegroupOutput, error)
	UpdateNodegroupVersion(context.Context, *eks.UpdateNodegroupVersionInput, ...func(*eks.Options)) (*eks.UpdateNodegroupVersionOutput, error)
	DescribeUpdate(context.Context, *eks.DescribeUpdateInput, ...func(*eks.Options)) (*eks.DescribeUpdateOutput, error)
	ListInsights(context.Context, *eks.ListInsightsInput, ...func(*eks.Options)) (*eks.ListInsightsOutput, error)
	DescribeInsight(context.Context, *eks.DescribeInsightInput, ...func(*eks.Options)) (*eks.DescribeInsightOutput, error)
}

// Handler handles the steps FindBlockers, UpdateControlPlane, UpdatePool and
// ObserveUpdate.
type Handler struct {
	Store Store

	// Client and Orchestrator return clients whose calls carry the operation's id as
	// the name of their role session.
	Client       func(operation string) EKS
	Orchestrator func(cluster *model.Cluster, operation string) orchestrator.Orchestrator
	Log          *slog.Logger
}

// In is a call with the state of the machine.
type In struct {
	step.Call
	State State `json:"state"`
}

// State is what the machine carries from step to step: the update that is waited
// for, of a pool or, when Pool is empty, of the control plane.
type State struct {
	Pool    string         `json:"pool"`
	Update  string         `json:"update"`
	Verdict decide.Verdict `json:"verdict"`
	Reason  string         `json:"reason"`
	Left    []string       `json:"left"`
	Looks   int            `json:"looks"`
}

// ofSwarm says that the cluster is a swarm, whose nodes another machine replaces.
const ofSwarm decide.Verdict = "Swarm"

// A work is what a step works on.
type work struct {
	In
	operation *model.Operation
	cluster   *model.Cluster
	client    EKS
}

// name is the cluster's in EKS, and version the one that is wanted.
func (w *work) name() string    { return w.cluster.Facts.Kubernetes.EKSCluster }
func (w *work) version() string { return w.cluster.Spec.Kubernetes.Version }

// Handle does one step.
func (h *Handler) Handle(ctx context.Context, in In) (State, error) {
	steps := map[string]func(context.Context, *work) (State, error){
		"FindBlockers":       h.findBlockers,
		"UpdateControlPlane": h.updateControlPlane,
		"UpdatePool":         h.updatePool,
		"ObserveUpdate":      h.observe,
	}
	do, ok := steps[in.Step]
	if !ok {
		return State{}, in.Unknown("upgrade", slices.Collect(maps.Keys(steps))...)
	}
	operation, cluster, err := step.EnterCluster(ctx, h.Store, in.Call)
	if err != nil {
		return State{}, err
	}
	if cluster.Facts.Swarm != nil && in.Step == "FindBlockers" {
		return State{Verdict: ofSwarm, Left: []string{}, Reason: "the nodes get engine " + decide.EngineVersion(cluster.Spec)}, nil
	}
	if cluster.Facts.Kubernetes == nil || cluster.Facts.Kubernetes.EKSCluster == "" {
		return State{}, fault.New(fault.Invalid, "cluster %s is none of Amazon EKS", cluster.Name())
	}
	out, err := do(ctx, &work{In: in, operation: operation, cluster: cluster, client: h.Client(operation.ID)})
	if err != nil {
		return State{}, err
	}
	if out.Left == nil {
		out.Left = []string{}
	}
	h.Log.InfoContext(ctx, "step done", "step", in.Step, "operation", in.Operation, "cluster", cluster.Name(),
		"pool", out.Pool, "update", out.Update, "verdict", out.Verdict, "reason", out.Reason)
	return out, nil
}

// findBlockers fails when something stands in the way. The version that is wanted
// then goes back to the one that the cluster has: nothing was changed.
func (h *Handler) findBlockers(ctx context.Context, w *work) (State, error) {
	has, err := w.controlPlane(ctx)
	if err != nil {
		return State{}, err
	}
	if has == w.version() {
		return State{Verdict: decide.Healthy, Reason: "the control plane has version " + has + " already"}, nil
	}
	upgrader, ok := h.Orchestrator(w.cluster, w.operation.ID).(orchestrator.Upgrader)
	if !ok {
		return State{}, fault.New(fault.Invalid, "clusters of %s are not upgraded by Portolan", w.cluster.Spec.Orchestrator)
	}
	blockers, err := upgrader.Blockers(ctx, w.cluster.Ref(), w.version())
	if err != nil {
		return State{}, err
	}
	insights, err := w.insights(ctx)
	if err != nil {
		return State{}, err
	}
	if blockers = append(blockers, insights...); len(blockers) == 0 {
		return State{Verdict: decide.Healthy, Reason: "nothing stands in the way"}, nil
	}
	out := State{Verdict: decide.Failed, Reason: fmt.Sprintf("%d things stand in the way of version %s: %s",
		len(blockers), w.version(), strings.Join(blockers, "; "))}
	w.cluster.Spec.Kubernetes.Version = has
	return out, h.Store.Commit(ctx, w.Fence(), store.UpdateCluster(*w.cluster))
}

// controlPlane is the version that the control plane has.
func (w *work) controlPlane(ctx context.Context) (string, error) {
	name := w.name()
	out, err := w.client.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: &name})
	if err != nil {
		return "", fault.FromAWS(err, "looking at cluster "+name+" in EKS")
	}
	return aws.ToString(out.Cluster.Version), nil
}

// updateControlPlane asks for the control plane's new version, unless it has it.
func (h *Handler) updateControlPlane(ctx context.Context, w *work) (State, error) {
	has, err := w.controlPlane(ctx)
	if err != nil {
		return State{}, err
	}
	if has == w.version() {
		return State{Verdict: decide.Healthy, Reason: "the control plane has version " + has}, nil
	}
	out, err := w.client.UpdateClusterVersion(ctx, &eks.UpdateClusterVersionInput{
		Name: aws.String(w.name()), Version: aws.String(w.version()), ClientRequestToken: aws.String(w.operation.ID + "-control-plane"),
	})
	if err != nil {
		return State{}, fault.FromAWS(err, "raising the version of cluster "+w.name())
	}
	return State{Update: aws.ToString(out.Update.Id), Verdict: decide.Progressing,
		Reason: fmt.Sprintf("the control plane goes from version %s to %s", has, w.version())}, nil
}

// updatePool asks for new nodes in the next pool whose nodes have another version;
// it is Healthy when there is none. EKS replaces the nodes: it starts new ones, cordons
// and drains the old ones with respect for disruption budgets, and then ends them.
func (h *Handler) updatePool(ctx context.Context, w *work) (State, error) {
	seen := make([]decide.PoolVersion, 0, len(w.cluster.NodePools))
	for _, pool := range w.cluster.NodePools {
		out, err := w.client.DescribeNodegroup(ctx, &eks.DescribeNodegroupInput{
			ClusterName: aws.String(w.name()), NodegroupName: aws.String(pool.Name),
		})
		if err != nil {
			return State{}, fault.FromAWS(err, "looking at node pool "+pool.Name)
		}
		seen = append(seen, decide.PoolVersion{Pool: pool.Name, Version: aws.ToString(out.Nodegroup.Version)})
	}
	next := decide.NextPool(w.cluster, seen)
	if next == "" {
		w.cluster.OrchestratorVersion = "v" + w.version()
		return State{Verdict: decide.Healthy, Reason: "control plane and nodes have version " + w.version(), Looks: w.State.Looks + 1},
			h.Store.Commit(ctx, w.Fence(), store.UpdateCluster(*w.cluster))
	}
	out, err := w.client.UpdateNodegroupVersion(ctx, &eks.UpdateNodegroupVersionInput{
		ClusterName: aws.String(w.name()), NodegroupName: aws.String(next), Version: aws.String(w.version()),
		ClientRequestToken: aws.String(w.operation.ID + "-" + next),
	})
	if err != nil {
		return State{}, fault.FromAWS(err, "raising the version of node pool "+next)
	}
	return State{Pool: next, Update: aws.ToString(out.Update.Id), Verdict: decide.Progressing,
		Reason: "the nodes of pool " + next + " are replaced", Left: left(w, seen), Looks: w.State.Looks + 1}, nil
}

// left names the pools whose nodes are older than the control plane.
func left(w *work, seen []decide.PoolVersion) []string {
	var out []string
	for _, pool := range seen {
		if pool.Version != w.version() {
			out = append(out, fmt.Sprintf("node pool %s of cluster %s, at version %s", pool.Pool, w.cluster.Name(), pool.Version))
		}
	}
	return out
}

// observe looks at the update that is waited for.
func (h *Handler) observe(ctx context.Context, w *work) (State, error) {
	out := w.State
	out.Looks++
	in := &eks.DescribeUpdateInput{Name: aws.String(w.name()), UpdateId: aws.String(w.State.Update)}
	what := "control plane"
	if w.State.Pool != "" {
		in.NodegroupName, what = aws.String(w.State.Pool), "node pool "+w.State.Pool
	}
	seen, err := w.client.DescribeUpdate(ctx, in)
	if err != nil {
		return State{}, fault.FromAWS(err, "looking at the update of the "+what)
	}
	switch seen.Update.Status {
	case types.UpdateStatusSuccessful:
		out.Verdict, out.Reason = decide.Healthy, "the "+what+" has version "+w.version()
	case types.UpdateStatusFailed, types.UpdateStatusCancelled:
		out.Verdict, out.Reason = decide.Failed, "the "+what+" was not updated: "+explain(seen.Update.Errors)
	default:
		out.Verdict = decide.Progressing
	}
	return out, nil
}

// explain says what EKS says is wrong with an update.
func explain(errors []types.ErrorDetail) string {
	if len(errors) == 0 {
		return "EKS gives no reason"
	}
	words := make([]string, 0, len(errors))
	for _, each := range errors {
		text := string(each.ErrorCode) + ": " + aws.ToString(each.ErrorMessage)
		if len(each.ResourceIds) > 0 {
			text += " (" + strings.Join(each.ResourceIds, ", ") + ")"
		}
		words = append(words, text)
	}
	return strings.Join(words, "; ")
}
