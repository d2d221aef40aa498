package store

import (
	"context"
	"fmt"
	"strings"

	"portolan/shared/contract"
	"portolan/shared/model"
)

func clusterKey(name string) key { return key{join("CLUSTER", name), "CLUSTER"} }

func serviceKey(cluster, name string) key {
	return key{join("CLUSTER", cluster), join("SERVICE", name)}
}

func jobKey(cluster, name string) key { return key{join("JOBS", cluster), name} }

func policyKey(cluster, name string) key {
	return key{join("CLUSTER", cluster), join("POLICY", name)}
}

func bindingKey(cluster, name string) key {
	return key{join("CLUSTER", cluster), join("BINDING", name)}
}

func releaseKey(cluster, service string, number int64) key {
	return key{join("RELEASES", cluster+"/"+service), fmt.Sprintf("%010d", number)}
}

func operationKey(id string) key { return key{join("OPERATION", id), "OPERATION"} }

func leaseKey(target string) key { return key{join("TARGET", target), "LEASE"} }

func queueKey(target, operation string) key {
	return key{join("TARGET", target), join("QUEUE", operation)}
}

// openPartition holds all open operations in the index. The API's throttling keeps
// what is accepted in a second far below what one partition takes.
const openPartition = "OPEN"

var cursorKey = key{"SWEEPER", "CURSOR"}

// cursorSort comes before the id of each operation.
const cursorSort = "#CURSOR"

func taskKey(task string) key { return key{join("TASK", task), "TASK"} }

func waitKey(thing string) key { return key{join("WAIT", thing), "WAIT"} }

func seenKey(source, event string) key { return key{join("SEEN", source, event), "SEEN"} }

// Cluster returns a cluster, retired ones too.
func (s *Store) Cluster(ctx context.Context, name string) (*model.Cluster, error) {
	out := new(model.Cluster)
	return out, s.get(ctx, clusterKey(name), out, "cluster %s", name)
}

// Clusters lists the clusters that are not retired, by name.
func (s *Store) Clusters(ctx context.Context, p Page) ([]model.Cluster, string, error) {
	return page[model.Cluster](ctx, s, query{partition: "CLUSTERS", index: true}, p)
}

// Service returns a service, retired ones too.
func (s *Store) Service(ctx context.Context, cluster, name string) (*model.Service, error) {
	out := new(model.Service)
	return out, s.get(ctx, serviceKey(cluster, name), out, "service %s of cluster %s", name, cluster)
}

// Services lists the services of a cluster by name, retired ones too.
func (s *Store) Services(ctx context.Context, cluster string, p Page) ([]model.Service, string, error) {
	q := query{partition: join("CLUSTER", cluster), prefix: "SERVICE#"}
	return page[model.Service](ctx, s, q, p)
}

// Belongings are services and bindings of one cluster.
type Belongings struct {
	Services []model.Service
	Bindings []model.Binding
}

// Belongings lists what belongs to a cluster in one go: first its bindings, then its
// services, each by name. A page counts what stands between them too, but does not carry
// it: the cluster, which alone has facts, and its policies, which alone name an alarm.
func (s *Store) Belongings(ctx context.Context, cluster string, p Page) (Belongings, string, error) {
	var out Belongings
	q := query{partition: join("CLUSTER", cluster), filter: "attribute_not_exists(facts) AND attribute_not_exists(spec.alarm)"}
	items, next, err := s.items(ctx, q, p)
	if err != nil {
		return out, "", err
	}
	for _, item := range items {
		switch kind, _, _ := strings.Cut(textOf(item["SK"]), "#"); kind {
		case "BINDING":
			out.Bindings, err = appendDecoded(out.Bindings, item)
		case "SERVICE":
			out.Services, err = appendDecoded(out.Services, item)
		}
		if err != nil {
			return Belongings{}, "", err
		}
	}
	return out, next, nil
}

// Release returns one release of a service.
func (s *Store) Release(ctx context.Context, cluster, service string, number int64) (*model.Release, error) {
	out := new(model.Release)
	return out, s.get(ctx, releaseKey(cluster, service, number), out,
		"release %d of service %s of cluster %s", number, service, cluster)
}

// Releases lists the releases of a service, newest first.
func (s *Store) Releases(ctx context.Context, cluster, service string, p Page) ([]model.Release, string, error) {
	q := query{partition: join("RELEASES", cluster+"/"+service), backwards: true}
	return page[model.Release](ctx, s, q, p)
}

// Job returns a job.
func (s *Store) Job(ctx context.Context, cluster, name string) (*model.Job, error) {
	out := new(model.Job)
	return out, s.get(ctx, jobKey(cluster, name), out, "job %s of cluster %s", name, cluster)
}

// Jobs lists the jobs of a cluster by name.
func (s *Store) Jobs(ctx context.Context, cluster string, p Page) ([]model.Job, string, error) {
	return page[model.Job](ctx, s, query{partition: join("JOBS", cluster)}, p)
}

// Policy returns a scaling policy.
func (s *Store) Policy(ctx context.Context, cluster, name string) (*model.Policy, error) {
	out := new(model.Policy)
	return out, s.get(ctx, policyKey(cluster, name), out, "policy %s of cluster %s", name, cluster)
}

// Policies lists the scaling policies of a cluster by name.
func (s *Store) Policies(ctx context.Context, cluster string, p Page) ([]model.Policy, string, error) {
	q := query{partition: join("CLUSTER", cluster), prefix: "POLICY#"}
	return page[model.Policy](ctx, s, q, p)
}

// PoliciesOfAlarm lists the scaling policies that name an alarm.
func (s *Store) PoliciesOfAlarm(ctx context.Context, alarm string, p Page) ([]model.Policy, string, error) {
	return page[model.Policy](ctx, s, query{partition: join("ALARM", alarm), index: true}, p)
}

// Decisions lists what was decided for a policy on one day, newest first.
func (s *Store) Decisions(ctx context.Context, cluster, policy, day string, p Page) ([]model.Decision, string, error) {
	q := query{partition: join("DECISIONS", cluster+"/"+policy, day), backwards: true}
	return page[model.Decision](ctx, s, q, p)
}

// Binding returns a pipeline binding.
func (s *Store) Binding(ctx context.Context, cluster, name string) (*model.Binding, error) {
	out := new(model.Binding)
	return out, s.get(ctx, bindingKey(cluster, name), out, "binding %s of cluster %s", name, cluster)
}

// Bindings lists the pipeline bindings of a cluster by name.
func (s *Store) Bindings(ctx context.Context, cluster string, p Page) ([]model.Binding, string, error) {
	q := query{partition: join("CLUSTER", cluster), prefix: "BINDING#"}
	return page[model.Binding](ctx, s, q, p)
}

// BindingsOfPipeline lists the bindings that name a pipeline.
func (s *Store) BindingsOfPipeline(ctx context.Context, pipeline string, p Page) ([]model.Binding, string, error) {
	q := query{partition: join("SOURCE", "pipeline/"+pipeline), index: true}
	return page[model.Binding](ctx, s, q, p)
}

// BindingsOfRepository lists the bindings that name an image repository.
func (s *Store) BindingsOfRepository(ctx context.Context, repository string, p Page) ([]model.Binding, string, error) {
	q := query{partition: join("SOURCE", "repository/"+repository), index: true}
	return page[model.Binding](ctx, s, q, p)
}

// Operation returns an operation.
func (s *Store) Operation(ctx context.Context, id string) (*model.Operation, error) {
	out := new(model.Operation)
	return out, s.get(ctx, operationKey(id), out, "operation %s", id)
}

// Operations lists the operations on a target, newest first.
func (s *Store) Operations(ctx context.Context, target string, p Page) ([]model.Operation, string, error) {
	q := query{partition: join("TARGET", target), index: true, backwards: true}
	return page[model.Operation](ctx, s, q, p)
}

// A Queue is a target's lease and the ids of the operations on it that have not
// ended, oldest first, at most 100 of them.
type Queue struct {
	Lease      model.Lease
	Operations []string
}

// Queue reads a target's lease and queue together, strongly consistent.
func (s *Store) Queue(ctx context.Context, target string) (Queue, error) {
	type row struct {
		model.Lease
		Operation string `json:"operation"`
	}
	rows, _, err := page[row](ctx, s, query{partition: join("TARGET", target)}, Page{Limit: 100})
	q := Queue{Lease: model.Lease{Target: target}}
	for _, r := range rows {
		if r.Operation == "" {
			q.Lease = r.Lease
			continue
		}
		q.Operations = append(q.Operations, r.Operation)
	}
	return q, err
}

// An Agenda is what the sweeper has before it: how far it came, and operations that have
// not ended, on all targets, oldest first.
type Agenda struct {
	Cursor     Cursor
	Operations []Open
}

// Agenda reads a page of the sweeper's agenda; the first one has the cursor, which is at the
// beginning until one was kept. The index that it reads lags: the cursor may be an older one.
func (s *Store) Agenda(ctx context.Context, p Page) (Agenda, string, error) {
	var out Agenda
	items, next, err := s.items(ctx, query{partition: openPartition, index: true}, p)
	if err != nil {
		return out, "", err
	}
	for _, item := range items {
		if textOf(item["PK"]) == cursorKey.partition {
			err = decode(item, &out.Cursor)
		} else {
			out.Operations, err = appendDecoded(out.Operations, item)
		}
		if err != nil {
			return Agenda{}, "", err
		}
	}
	return out, next, nil
}

// Audit lists what was done to a cluster, or to one service of it, on one day,
// newest first.
func (s *Store) Audit(ctx context.Context, t contract.Target, day string, p Page) ([]model.AuditRecord, string, error) {
	q := query{partition: join("AUDIT", t.Cluster, day), backwards: true}
	if t.Service != "" {
		q = query{partition: join("AUDIT", t.Cluster+"/"+t.Service, day), index: true, backwards: true}
	}
	return page[model.AuditRecord](ctx, s, q, p)
}

// TaskRole returns where a task came from.
func (s *Store) TaskRole(ctx context.Context, task string) (*contract.TaskRole, error) {
	out := new(contract.TaskRole)
	return out, s.get(ctx, taskKey(task), out, "task %s", task)
}

// Wait returns the task token that waits for a thing.
func (s *Store) Wait(ctx context.Context, thing string) (token string, err error) {
	var out struct {
		Token string `json:"token"`
	}
	err = s.get(ctx, waitKey(thing), &out, "a wait for %s", thing)
	return out.Token, err
}
