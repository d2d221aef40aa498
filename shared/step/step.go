// Package step is what the steps of all state machines have in common: how they
// are called, and the fence in front of what they do.
//
// It must never know what a step does.
package step

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"portolan/shared/contract"
	"portolan/shared/fault"
	"portolan/shared/model"
	"portolan/shared/store"
)

// Call says which step of which operation a state machine asks for. Token is the
// fencing token that dispatch gave the operation, Target its target's key.
type Call struct {
	Step      string `json:"step"`
	Operation string `json:"operation"`
	Token     int64  `json:"token"`
	Target    string `json:"target"`
}

// Store is the part of the store that the fence reads.
type Store interface {
	Load(ctx context.Context, reads ...store.Read) error
}

// Enter loads the operation that a step works for, and with the same request what else
// the step needs. It is Halted when the operation has ended or no longer holds its
// target's lease: whoever took it over does the rest, and this step may change nothing
// more.
func Enter(ctx context.Context, s Store, c Call, more ...store.Read) (*model.Operation, error) {
	if c.Operation == "" || c.Target == "" {
		return nil, fault.New(fault.Invalid, "a step needs an operation and its target")
	}
	operation, lease := new(model.Operation), new(model.Lease)
	reads := []store.Read{store.ReadOperation(c.Operation, operation), store.ReadLease(c.Target, lease)}
	err := s.Load(ctx, append(reads, more...)...)
	if err != nil && (!fault.IsNotFound(err) || operation.ID == "") {
		return nil, err
	}
	if operation.Ended() {
		return nil, fault.New(fault.Halted, "operation %s has ended: %s", c.Operation, operation.Status)
	}
	if lease.Holder != c.Operation || lease.Token != c.Token {
		return nil, fault.New(fault.Halted, "operation %s no longer holds the lease of %s", c.Operation, c.Target)
	}
	if err != nil {
		return nil, err
	}
	return operation, nil
}

// EnterCluster is Enter for a step of an operation on a cluster, with the cluster.
func EnterCluster(ctx context.Context, s Store, c Call) (*model.Operation, *model.Cluster, error) {
	name, err := c.ClusterTarget()
	if err != nil {
		return nil, nil, err
	}
	cluster := new(model.Cluster)
	operation, err := Enter(ctx, s, c, store.ReadCluster(name, cluster))
	if err != nil {
		return nil, nil, err
	}
	return operation, cluster, nil
}

// Fence is the write behind which a step's other writes stand.
func (c Call) Fence() store.Write { return store.Holds(c.Target, c.Operation, c.Token) }

// Unknown is the error for a step that a function does not have; steps are those
// that it has.
func (c Call) Unknown(function string, steps ...string) error {
	slices.Sort(steps)
	return fault.New(fault.Invalid, "the %s function has no step %q; it has %s",
		function, c.Step, strings.Join(steps, ", "))
}

// ServiceTarget returns the target of an operation on a service.
func (c Call) ServiceTarget() (contract.Target, error) {
	target, err := model.ParseTarget(c.Target)
	if err == nil && target.Service == "" {
		err = fmt.Errorf("%s is not a service", c.Target)
	}
	return target, fault.Wrap(fault.Invalid, err, "reading the target")
}

// JobTarget returns the target of an operation on a job.
func (c Call) JobTarget() (contract.Target, error) {
	target, err := model.ParseTarget(c.Target)
	if err == nil && target.Job == "" {
		err = fmt.Errorf("%s is not a job", c.Target)
	}
	return target, fault.Wrap(fault.Invalid, err, "reading the target")
}

// ClusterTarget returns the name of the cluster that an operation is about.
func (c Call) ClusterTarget() (string, error) {
	target, err := model.ParseTarget(c.Target)
	return target.Cluster, fault.Wrap(fault.Invalid, err, "reading the target")
}
