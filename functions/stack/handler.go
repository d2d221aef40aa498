// Package stack creates the CloudFormation stacks that clusters are made of, from
// the templates in stacks/, and keeps what their outputs say. Waiting for a stack
// and deleting one need no thought, and so no function: state machines do it.
//
// It must never know how a cluster is used once it is there.
package stack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/smithy-go"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/fault"
	"portolan/shared/model"
	"portolan/shared/step"
	"portolan/shared/store"
	"portolan/stacks"
)

// Store is the part of the store that the steps use.
type Store interface {
	step.Store
	Commit(ctx context.Context, writes ...store.Write) error
}

// CloudFormation is the part of its client that the steps use.
type CloudFormation interface {
	CreateStack(context.Context, *cloudformation.CreateStackInput, ...func(*cloudformation.Options)) (*cloudformation.CreateStackOutput, error)
	DescribeStacks(context.Context, *cloudformation.DescribeStacksInput, ...func(*cloudformation.Options)) (*cloudformation.DescribeStacksOutput, error)
	DescribeStackResources(context.Context, *cloudformation.DescribeStackResourcesInput, ...func(*cloudformation.Options)) (*cloudformation.DescribeStackResourcesOutput, error)
	DescribeStackEvents(context.Context, *cloudformation.DescribeStackEventsInput, ...func(*cloudformation.Options)) (*cloudformation.DescribeStackEventsOutput, error)
}

// Handler handles the steps PlanStacks, PlanDeletion, CreateStack, RecordFacts and
// ExplainFailure.
type Handler struct {
	Store Store

	// Client returns a client whose calls carry the operation's id as the name of
	// their role session.
	Client func(operation string) CloudFormation

	// EKS and Secrets return clients of the same sessions.
	EKS     func(operation string) EKS
	Secrets func(operation string) Secrets

	// StackRole is the ARN of the role that CloudFormation works with.
	StackRole string

	// Deployment is what the stacks have to know of the control plane.
	Deployment decide.Deployment
	Log        *slog.Logger
}

// In is a call with the state of the machine.
type In struct {
	step.Call
	Stack string `json:"stack"`
	State State  `json:"state"`
}

// State is what the machines carry from step to step. Error is what a Catch saw.
type State struct {
	Stacks []string `json:"stacks"`

	// Orchestrator is that of a cluster which Portolan makes; empty for an adopted one.
	Orchestrator contract.Orchestrator `json:"orchestrator,omitempty"`

	LookAfterSeconds int    `json:"lookAfterSeconds"`
	Looks            int    `json:"looks"`
	Reason           string `json:"reason"`
	Error            struct {
		Error string `json:"Error"`
		Cause string `json:"Cause"`
	} `json:"error,omitzero"`
}

// A work is what a step works on.
type work struct {
	In
	operation *model.Operation
	cluster   *model.Cluster
	client    CloudFormation
}

// lookAfterSeconds is how long a machine waits for a stack's event before it
// looks at the stack itself.
const lookAfterSeconds = 60

// Handle does one step.
func (h *Handler) Handle(ctx context.Context, in In) (State, error) {
	steps := map[string]func(context.Context, *work) (State, error){
		"PlanStacks":     h.plan,
		"PlanDeletion":   h.planDeletion,
		"CreateStack":    h.create,
		"RecordFacts":    h.record,
		"ExplainFailure": h.explain,
	}
	do, ok := steps[in.Step]
	if !ok {
		return State{}, in.Unknown("stack", slices.Collect(maps.Keys(steps))...)
	}
	operation, cluster, err := step.EnterCluster(ctx, h.Store, in.Call)
	if err != nil {
		return State{}, err
	}
	out, err := do(ctx, &work{In: in, operation: operation, cluster: cluster, client: h.Client(operation.ID)})
	if !decide.Adopted(cluster.Spec) {
		out.Orchestrator = cluster.Spec.Orchestrator
	}
	if out.Stacks == nil {
		out.Stacks = []string{} // an adopted cluster has none, and a Map goes over those
	}
	return out, err
}

func (h *Handler) plan(_ context.Context, w *work) (State, error) {
	return State{Stacks: w.cluster.Stacks, LookAfterSeconds: lookAfterSeconds}, nil
}

func (h *Handler) planDeletion(_ context.Context, w *work) (State, error) {
	return deletion(w.cluster), nil
}

// deletion is the state for deleting a cluster's stacks: the last one first.
func deletion(c *model.Cluster) State {
	last := slices.Clone(c.Stacks)
	slices.Reverse(last)
	return State{Stacks: last, LookAfterSeconds: lookAfterSeconds}
}

// create asks for a stack. One of that name which this operation asked for before
// is taken as done; anybody else's is a Conflict.
func (h *Handler) create(ctx context.Context, w *work) (State, error) {
	client, o, c := w.client, w.operation, w.cluster
	before, err := h.before(ctx, w)
	if err != nil {
		return State{}, err
	}
	wanted, err := decide.ClusterStack(c, w.Stack, before, h.Deployment)
	if err != nil {
		return State{}, fault.Wrap(fault.Invalid, err, "planning stack %s", w.Stack)
	}
	template, err := stacks.Template(wanted.Template)
	if err != nil {
		return State{}, err
	}
	_, err = client.CreateStack(ctx, h.request(wanted, template, o, c))
	var exists *types.AlreadyExistsException
	if errors.As(err, &exists) {
		err = h.mine(ctx, client, wanted.Name, o.ID)
	}
	if err != nil {
		return State{}, fault.FromAWS(err, "creating stack "+wanted.Name)
	}
	h.Log.InfoContext(ctx, "stack asked for", "operation", o.ID, "stack", wanted.Name)
	return State{LookAfterSeconds: lookAfterSeconds}, nil
}

// before is what the stacks before the one that is wanted say, and where an adopted
// cluster's API is, where its description does not say so.
func (h *Handler) before(ctx context.Context, w *work) (decide.Outputs, error) {
	out := decide.Outputs{Values: map[string]string{}}
	for _, name := range w.cluster.Stacks {
		if name == w.Stack {
			break
		}
		before, err := describe(ctx, w.client, name)
		if err != nil {
			return out, err
		}
		maps.Copy(out.Values, outputs(before))
	}
	if !decide.Adopted(w.cluster.Spec) || w.cluster.Spec.Orchestrator == contract.Swarm {
		return out, nil
	}
	var err error
	out.APIHost, err = h.apiHost(ctx, w)
	return out, err
}

func outputs(stack *types.Stack) map[string]string {
	values := map[string]string{}
	for _, output := range stack.Outputs {
		values[aws.ToString(output.OutputKey)] = aws.ToString(output.OutputValue)
	}
	return values
}

func (h *Handler) request(s decide.Stack, template string, o *model.Operation, c *model.Cluster) *cloudformation.CreateStackInput {
	tags := []types.Tag{
		{Key: aws.String("portolan:cluster"), Value: aws.String(c.Name())},
		{Key: aws.String("portolan:team"), Value: aws.String(c.Spec.Team)},
		{Key: aws.String("portolan:operation"), Value: aws.String(o.ID)},
	}
	in := &cloudformation.CreateStackInput{
		StackName: &s.Name, TemplateBody: &template, Tags: tags, RoleARN: &h.StackRole,
		ClientRequestToken: aws.String(o.ID + "-create"),
		Capabilities:       []types.Capability{types.CapabilityCapabilityIam},
		OnFailure:          types.OnFailureRollback,
	}
	for _, key := range slices.Sorted(maps.Keys(s.Parameters)) {
		in.Parameters = append(in.Parameters, types.Parameter{
			ParameterKey: aws.String(key), ParameterValue: aws.String(s.Parameters[key]),
		})
	}
	return in
}

// mine returns nil when the operation made the stack of that name.
func (h *Handler) mine(ctx context.Context, client CloudFormation, name, operation string) error {
	stack, err := describe(ctx, client, name)
	if err != nil {
		return err
	}
	for _, tag := range stack.Tags {
		if aws.ToString(tag.Key) == "portolan:operation" && aws.ToString(tag.Value) == operation {
			return nil
		}
	}
	return fault.New(fault.Conflict, "a stack named %s exists already, and this operation did not make it", name)
}

// describe returns a stack by its name; NotFound when there is none.
func describe(ctx context.Context, client CloudFormation, name string) (*types.Stack, error) {
	out, err := client.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
	var refused smithy.APIError
	if errors.As(err, &refused) && refused.ErrorCode() == "ValidationError" &&
		strings.Contains(refused.ErrorMessage(), "does not exist") {
		return nil, fault.New(fault.NotFound, "stack %s does not exist", name)
	}
	if err != nil {
		return nil, fault.FromAWS(err, "looking at stack "+name)
	}
	if len(out.Stacks) == 0 {
		return nil, fault.New(fault.NotFound, "stack %s does not exist", name)
	}
	return &out.Stacks[0], nil
}

// record keeps what the outputs of the cluster's stack say. An adopted cluster may
// have none.
func (h *Handler) record(ctx context.Context, w *work) (State, error) {
	c := w.cluster
	said := map[string]string{}
	if len(c.Stacks) > 0 {
		stack, err := describe(ctx, w.client, decide.ClusterStackName(c.Name()))
		if err != nil {
			return State{}, err
		}
		said = outputs(stack)
	}
	facts, endpoint := decide.Facts(c, said)
	if facts.Kubernetes != nil && !decide.Adopted(c.Spec) {
		var err error
		if facts.Kubernetes.AutoScalingGroups, err = h.groups(ctx, w, facts.Kubernetes.EKSCluster); err != nil {
			return State{}, err
		}
	}
	c.Facts, c.Endpoint = facts, endpoint
	return State{}, h.Store.Commit(ctx, w.Fence(), store.UpdateCluster(*c))
}

// keepFacts keeps what the cluster's stack says when an execution died before it
// did: the clean-up has to know the nodes.
func (h *Handler) keepFacts(ctx context.Context, w *work) {
	if w.cluster.Facts.ECS != nil || w.cluster.Facts.Swarm != nil || len(w.cluster.Stacks) == 0 {
		return
	}
	stack, err := describe(ctx, w.client, w.cluster.Stacks[len(w.cluster.Stacks)-1])
	switch {
	case err != nil:
	case len(stack.Outputs) > 0:
		_, err = h.record(ctx, w)
	default:
		err = h.salvage(ctx, w)
	}
	if err != nil && !fault.IsNotFound(err) {
		h.Log.WarnContext(ctx, "what the stack says cannot be kept", "operation", w.operation.ID, "error", err)
	}
}

// explain finds out why provisioning failed: the first resource of a stack that
// failed, or else the error that the machine caught. The state that it returns is
// ready for the clean-up.
func (h *Handler) explain(ctx context.Context, w *work) (State, error) {
	h.keepFacts(ctx, w)
	out := deletion(w.cluster)
	out.Reason = fmt.Sprintf("%s: %s", w.State.Error.Error, w.State.Error.Cause)
	if w.State.Reason != "" {
		out.Reason = w.State.Reason
	}
	for _, name := range w.cluster.Stacks {
		reason, err := firstFailure(ctx, w.client, name)
		if err != nil && !fault.IsNotFound(err) {
			h.Log.WarnContext(ctx, "the stack's events cannot be read", "stack", name, "error", err)
		}
		if reason != "" {
			out.Reason = reason
		}
	}
	return out, nil
}

// pagesMax bounds how far back the events of a stack are read; a page has a
// hundred of them.
const pagesMax = 5

// firstFailure returns which resource of a stack failed first, and why; empty when
// none did.
func firstFailure(ctx context.Context, client CloudFormation, name string) (string, error) {
	reason, next := "", (*string)(nil)
	for range pagesMax {
		page, err := client.DescribeStackEvents(ctx, &cloudformation.DescribeStackEventsInput{
			StackName: &name, NextToken: next,
		})
		if err != nil {
			return reason, fault.FromAWS(err, "reading the events of stack "+name)
		}
		for _, event := range page.StackEvents { // newest first
			if event.ResourceStatus == types.ResourceStatusCreateFailed {
				reason = fmt.Sprintf("stack %s: %s (%s) failed: %s", name, aws.ToString(event.LogicalResourceId),
					aws.ToString(event.ResourceType), aws.ToString(event.ResourceStatusReason))
			}
		}
		if next = page.NextToken; next == nil {
			break
		}
	}
	return reason, nil
}
