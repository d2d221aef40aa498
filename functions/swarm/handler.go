// Package swarm holds the steps that make a Docker swarm of the engines on the
// instances of a cluster: their certificates, who makes the swarm, who joins it, and who
// is forgotten.
//
// It must never know what runs on a swarm. Neither keys nor tokens are in what its steps
// return or log, for both stay in the histories of machines.
package swarm

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"portolan/shared/decide"
	"portolan/shared/fault"
	"portolan/shared/model"
	"portolan/shared/step"
	"portolan/shared/store"
	"portolan/shared/swarm"
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

// Compute looks at instances.
type Compute interface {
	DescribeInstances(context.Context, *ec2.DescribeInstancesInput, ...func(*ec2.Options)) (*ec2.DescribeInstancesOutput, error)
}

// Secrets keeps certificates.
type Secrets interface {
	CreateSecret(context.Context, *secretsmanager.CreateSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.CreateSecretOutput, error)
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
	DeleteSecret(context.Context, *secretsmanager.DeleteSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.DeleteSecretOutput, error)
}

// Handler handles the steps of swarms.
type Handler struct {
	Store Store

	// The clients' calls carry the operation's id as the name of their role session.
	Driver  func(operation string) *swarm.Driver
	Groups  func(operation string) Groups
	Compute func(operation string) Compute
	Secrets func(operation string) Secrets
	Stacks  func(operation string) Stacks
	Now     func() time.Time
	Log     *slog.Logger
}

// In is a call with the state of the machine.
type In struct {
	step.Call
	State State `json:"state"`
}

// State is what the machines carry from step to step.
type State struct {
	Action decide.SwarmAction `json:"action,omitempty"`
	Reason string             `json:"reason"`
	Looks  int                `json:"looks"`

	// Silent counts the looks in a row at which no manager answered.
	Silent int `json:"silent,omitempty"`

	// Group is that of the managers, or of the node that an upgrade replaces.
	Group string `json:"group,omitempty"`

	// Down says since when nodes are down whose machines live, and Replaced is the group of
	// the one that is replaced for it.
	Down     map[string]time.Time `json:"down,omitempty"`
	Replaced string               `json:"replaced,omitempty"`

	// Node is the one that is replaced because it is down.
	Node decide.NodeID `json:"node"`

	// Verdict is how far something came. Upgrade is what an upgrade does next: with
	// Desired a group's new capacity, or with Nodes those that go, and with Shrink
	// without others in their place.
	Verdict decide.Verdict       `json:"verdict,omitempty"`
	Upgrade decide.UpgradeAction `json:"upgrade,omitempty"`
	Desired int                  `json:"desired"`
	Nodes   []decide.NodeID      `json:"nodes,omitempty"`
	Shrink  bool                 `json:"shrink"`
}

// A work is what a step works on.
type work struct {
	In
	operation *model.Operation
	cluster   *model.Cluster
	driver    *swarm.Driver
}

// Handle does one step.
func (h *Handler) Handle(ctx context.Context, in In) (State, error) {
	steps := map[string]func(context.Context, *work) (State, error){
		"MakeCertificates":   h.makeCertificates,
		"DeleteCertificates": h.deleteCertificates,
		"LookAtSwarm":        h.look,
		"InitSwarm":          h.init,
		"JoinNodes":          h.join,
		"ForgetNodes":        h.forget,
		"RotateTokens":       h.rotate,
		"UpdateStacks":       h.updateStacks,
		"PlanUpgrade":        h.planUpgrade,
		"RecoverSwarm":       h.recover,
	}
	do, ok := steps[in.Step]
	if !ok {
		return State{}, in.Unknown("swarm", slices.Collect(maps.Keys(steps))...)
	}
	operation, cluster, err := step.EnterCluster(ctx, h.Store, in.Call)
	if err != nil {
		return State{}, err
	}
	if cluster.Facts.Swarm == nil {
		return State{}, fault.New(fault.Invalid, "cluster %s is no swarm", cluster.Name())
	}
	out, err := do(ctx, &work{In: in, operation: operation, cluster: cluster, driver: h.Driver(operation.ID)})
	if err != nil {
		return State{}, err
	}
	h.Log.InfoContext(ctx, "step done", "step", in.Step, "operation", in.Operation, "target", in.Target,
		"action", out.Action, "upgrade", out.Upgrade, "verdict", out.Verdict, "reason", out.Reason)
	return out, nil
}

// keep writes what the step found out about the cluster.
func (h *Handler) keep(ctx context.Context, w *work) error {
	if err := h.Store.Commit(ctx, w.Fence(), store.UpdateCluster(*w.cluster)); err != nil {
		return err
	}
	w.cluster.Version++
	return nil
}
