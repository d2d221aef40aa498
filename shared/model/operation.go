package model

import (
	"fmt"
	"strings"
	"time"

	"portolan/shared/contract"
)

// Operation is one requested change, from acceptance to its end.
type Operation struct {
	ID         string                   `json:"id"`
	Kind       contract.OperationKind   `json:"kind"`
	Target     contract.Target          `json:"target"`
	Generation int64                    `json:"generation"`
	Status     contract.OperationStatus `json:"status"`
	Reason     string                   `json:"reason,omitempty"`
	Left       []string                 `json:"left,omitempty"`
	Cause      contract.Cause           `json:"cause"`
	Team       string                   `json:"team"`

	// Joined are the causes of further wishes that the operation carries out too,
	// because they came while it waited for its turn; the first ones only.
	Joined []contract.Cause `json:"joined,omitempty"`

	// Wishes counts all of those further wishes, so that who writes the operation while it
	// waits notices one that joined meanwhile.
	Wishes int64 `json:"wishes,omitempty"`

	// NodePool is the pool that a scale operation on a cluster changes.
	NodePool string `json:"nodePool,omitempty"`

	// Node is the node that a drain or its undoing is about, by the orchestrator's own
	// name.
	Node string `json:"node,omitempty"`

	// Release is the release that a deploy operation was asked to roll out.
	Release int64 `json:"release,omitempty"`

	// Parent is the operation that asked for this one and may wait for its end.
	Parent string `json:"parent,omitempty"`

	// Token is the fencing token under which the operation holds its target's
	// lease. Execution is the state machine's execution.
	Token     int64  `json:"token,omitempty"`
	Execution string `json:"execution,omitempty"`

	// Attempt counts the executions from 1. A further one takes over from one that
	// died. It undoes what was done where TakenOver says why.
	Attempt   int    `json:"attempt,omitempty"`
	TakenOver string `json:"takenOver,omitempty"`

	// WokenAt is when the sweeper last wrote the operation so that the table's stream
	// tells dispatch of it again.
	WokenAt time.Time `json:"wokenAt,omitzero"`

	CreatedAt time.Time `json:"createdAt"`
	StartedAt time.Time `json:"startedAt,omitzero"`
	EndedAt   time.Time `json:"endedAt,omitzero"`
	Deadline  time.Time `json:"deadline"`
}

// Ended says whether the operation reached one of its three ends.
func (o *Operation) Ended() bool {
	switch o.Status {
	case contract.OperationSucceeded, contract.OperationFailedClean, contract.OperationFailedDirty:
		return true
	}
	return false
}

// Awaited says whether somebody may wait for the operation's end: an operation that asked
// for it, or one whose wish it carries out too.
func (o *Operation) Awaited() bool { return o.Parent != "" || len(o.Joined) > 0 }

// ExecutionName is the name of the state machine's execution: the operation's id,
// and the number of the attempt behind it from the second on.
func (o *Operation) ExecutionName() string {
	if o.Attempt <= 1 {
		return o.ID
	}
	return fmt.Sprintf("%s-%d", o.ID, o.Attempt)
}

// OperationOfExecution is the id of the operation that an execution works for, by
// the execution's name.
func OperationOfExecution(name string) string {
	id, _, _ := strings.Cut(name, "-")
	return id
}

// TargetKey is the one text for a target: "cluster/NAME", "service/CLUSTER/NAME",
// "policy/CLUSTER/NAME" or "job/CLUSTER/NAME".
func TargetKey(t contract.Target) string {
	switch {
	case t.Service != "":
		return "service/" + t.Cluster + "/" + t.Service
	case t.Policy != "":
		return "policy/" + t.Cluster + "/" + t.Policy
	case t.Job != "":
		return "job/" + t.Cluster + "/" + t.Job
	}
	return "cluster/" + t.Cluster
}

// ParseTarget is the inverse of TargetKey.
func ParseTarget(key string) (contract.Target, error) {
	parts := strings.Split(key, "/")
	switch {
	case len(parts) == 2 && parts[0] == "cluster":
		return contract.Target{Cluster: parts[1]}, nil
	case len(parts) == 3 && parts[0] == "service":
		return contract.Target{Cluster: parts[1], Service: parts[2]}, nil
	case len(parts) == 3 && parts[0] == "policy":
		return contract.Target{Cluster: parts[1], Policy: parts[2]}, nil
	case len(parts) == 3 && parts[0] == "job":
		return contract.Target{Cluster: parts[1], Job: parts[2]}, nil
	}
	return contract.Target{}, fmt.Errorf("%q is not the key of a target", key)
}

// Lease is the right of one operation to change a target.
type Lease struct {
	Target string `json:"target"`

	// Holder is the id of the operation that holds the lease; empty when it is free.
	Holder string `json:"holder,omitempty"`

	// Token grows with each holder. A write under an older token is refused, so
	// one who lost the lease can change nothing more.
	Token     int64     `json:"token"`
	ExpiresAt time.Time `json:"expiresAt,omitzero"`
}

// Free says whether the lease can be taken at that time.
func (l *Lease) Free(now time.Time) bool {
	return l.Holder == "" || !now.Before(l.ExpiresAt)
}
