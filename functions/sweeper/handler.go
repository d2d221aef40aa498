// Package sweeper finds what a lost event left behind, and puts it back on its way:
// operations that nobody started, executions that died, deadlines that passed,
// alarms that nobody follows, services and node pools that were changed by hand,
// images that nobody released, and resources that the table does not know.
//
// It runs on a schedule, and at once when an execution dies. It starts nothing by
// itself: it writes to the table, and the table's stream wakes dispatch.
//
// It must never know how an operation is carried out, or delete a resource.
package sweeper

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"portolan/shared/built"
	"portolan/shared/contract"
	"portolan/shared/leftover"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
	"portolan/shared/outcome"
	"portolan/shared/store"
)

// Store is the part of the store that the sweeper uses.
type Store interface {
	outcome.Store
	built.Store
	Agenda(ctx context.Context, p store.Page) (store.Agenda, string, error)
	Clusters(ctx context.Context, p store.Page) ([]model.Cluster, string, error)
	Policies(ctx context.Context, cluster string, p store.Page) ([]model.Policy, string, error)
	PoliciesOfAlarm(ctx context.Context, alarm string, p store.Page) ([]model.Policy, string, error)
	Operations(ctx context.Context, target string, p store.Page) ([]model.Operation, string, error)
	Belongings(ctx context.Context, cluster string, p store.Page) (store.Belongings, string, error)
}

// Executions looks at executions of state machines, and stops them.
type Executions interface {
	DescribeExecution(context.Context, *sfn.DescribeExecutionInput, ...func(*sfn.Options)) (*sfn.DescribeExecutionOutput, error)
	StopExecution(context.Context, *sfn.StopExecutionInput, ...func(*sfn.Options)) (*sfn.StopExecutionOutput, error)
}

// Alarms looks at alarms.
type Alarms interface {
	DescribeAlarms(context.Context, *cloudwatch.DescribeAlarmsInput, ...func(*cloudwatch.Options)) (*cloudwatch.DescribeAlarmsOutput, error)
}

// Images looks at images in repositories.
type Images interface {
	DescribeImages(context.Context, *ecr.DescribeImagesInput, ...func(*ecr.Options)) (*ecr.DescribeImagesOutput, error)
}

// Handler handles runs of the schedule, and ends of executions.
type Handler struct {
	Store      Store
	Executions Executions
	Alarms     Alarms
	Images     Images
	Groups     Groups
	NodeGroups NodeGroups

	// Services look at the services of an orchestrator's clusters. The services of one
	// that is not in it are not looked at.
	Services map[contract.Orchestrator]orchestrator.Glancer

	// Swarms looks at the nodes of swarms, of which no event tells when an engine ends.
	Swarms Nodes

	Resources leftover.Resources
	Compute   leftover.Compute

	// Region is where the repositories are that bindings name.
	Region string

	// ExecutionPrefix, the operation's kind, a colon and the execution's name make an
	// execution's ARN.
	ExecutionPrefix string
	Now             func() time.Time
	NewID           func() string
	Log             *slog.Logger
}

// In is an event of EventBridge: of the schedule, or of an execution that ended.
type In struct {
	DetailType string    `json:"detail-type"`
	Time       time.Time `json:"time"`
	Detail     struct {
		Name   string `json:"name"`
		Status string `json:"status"`
		Cause  string `json:"cause"`
	} `json:"detail"`
}

// Out is what was found, and how many resources the table does not know; those are
// counted once an hour.
type Out struct {
	Findings []Finding `json:"findings"`
	Orphans  int       `json:"orphans"`
}

// A Finding is one thing that was put back on its way.
type Finding struct {
	What string `json:"what"`
	Did  string `json:"did"`
	Why  string `json:"why"`
}

// patience is how old something has to be before it counts as lost: the usual way
// takes seconds.
const patience = 2 * time.Minute

// Handle sweeps. It is idempotent. What could not be looked at is in the error, and
// comes up again at the next run.
func (h *Handler) Handle(ctx context.Context, in In) (Out, error) {
	out := Out{Findings: []Finding{}}
	if in.DetailType == "Step Functions Execution Status Change" {
		found, err := h.died(ctx, in)
		return h.report(ctx, out, found), err
	}
	clusters := sync.OnceValues(func() ([]model.Cluster, error) { return h.clusters(ctx) })
	found, err := h.sweep(ctx, clusters, h.time(in))
	out = h.report(ctx, out, found)
	var orphansErr error
	if firstOfHour(in.Time) {
		out.Orphans, orphansErr = h.orphans(ctx, clusters)
	}
	return out, errors.Join(err, orphansErr)
}

// A listing lists the clusters that are not retired, by name. Most runs need none of
// them, so it reads them when it is called first.
type listing func() ([]model.Cluster, error)

// ready lists the clusters that work.
func (l listing) ready() ([]model.Cluster, error) {
	all, err := l()
	ready := slices.Clone(all)
	return slices.DeleteFunc(ready, func(c model.Cluster) bool { return c.Status != contract.ClusterReady }), err
}

// time is the time of a run: now, or the schedule's time where our clock is behind it.
func (h *Handler) time(in In) time.Time {
	if now := h.Now(); now.After(in.Time) {
		return now
	}
	return in.Time
}

// sweep looks at what the table tells of, and keeps how far it came.
func (h *Handler) sweep(ctx context.Context, clusters listing, at time.Time) ([]Finding, error) {
	agenda, next, err := h.Store.Agenda(ctx, store.Page{Limit: pageSize})
	if err != nil {
		return nil, err
	}
	cursor := agenda.Cursor
	after := cursor
	var found, more []Finding
	var operationsErr, alarmsErr, roundErr, keepErr error
	after.Next, found, operationsErr = h.operations(ctx, agenda, next)
	more, alarmsErr = h.alarms(ctx, clusters, !resting(cursor.Round, at))
	found = append(found, more...)
	after.Round, more, roundErr = h.round(ctx, clusters, cursor.Round, at)
	found = append(found, more...)
	if after != cursor {
		keepErr = h.Store.Commit(ctx, store.KeepCursor(after))
	}
	return found, errors.Join(operationsErr, alarmsErr, roundErr, keepErr)
}

// clusterPagesMax bounds the clusters that one run looks at, by pages of a hundred.
const clusterPagesMax = 20

func (h *Handler) clusters(ctx context.Context) ([]model.Cluster, error) {
	var all []model.Cluster
	page := store.Page{Limit: pageSize}
	for range clusterPagesMax {
		clusters, next, err := h.Store.Clusters(ctx, page)
		if err != nil {
			return nil, err
		}
		all = append(all, clusters...)
		if page.Next = next; next == "" {
			break
		}
	}
	return all, nil
}

// period is the schedule's, as template.yaml says it.
const period = 5 * time.Minute

// firstOfHour says whether a run is the first one of its hour.
func firstOfHour(t time.Time) bool { return t.Sub(t.Truncate(time.Hour)) < period }

func (h *Handler) report(ctx context.Context, out Out, found []Finding) Out {
	for _, f := range found {
		h.Log.WarnContext(ctx, "found", "what", f.What, "did", f.Did, "reason", f.Why)
	}
	out.Findings = append(out.Findings, found...)
	return out
}
