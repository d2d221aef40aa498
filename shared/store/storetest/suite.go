package storetest

import (
	"context"
	"errors"
	"testing"

	"portolan/shared/contract"
	"portolan/shared/fault"
	"portolan/shared/model"
	"portolan/shared/store"
)

// Suite is the store's contract. open returns a store over an empty table, each
// time another one.
func Suite(t *testing.T, open func(testing.TB) *store.Store) {
	Alone(t, open)
	run(t, open, map[string]func(*table){
		"a lease is taken once":               (*table).race,
		"a page goes on in its own list only": (*table).foreignPages,
	})
}

// Alone is the part of the contract that a DynamoDB can keep which neither
// isolates transactions from one another nor checks where a page starts.
func Alone(t *testing.T, open func(testing.TB) *store.Store) {
	run(t, open, map[string]func(*table){
		"what is written is read":               (*table).roundTrips,
		"what is not there is not found":        (*table).notFound,
		"things are read together":              (*table).load,
		"a name is given once":                  (*table).names,
		"a write names the version it read":     (*table).versions,
		"a cluster that is not ready":           (*table).guards,
		"an operation starts and ends once":     (*table).operations,
		"a queue is in order":                   (*table).queue,
		"a lease has one holder":                (*table).lease,
		"who lost the lease writes nothing":     (*table).fence,
		"an event is handled once":              (*table).seen,
		"an answer is kept":                     (*table).answers,
		"a transaction is done whole or not":    (*table).atomic,
		"what is deleted may be deleted twice":  (*table).deletes,
		"lists are in order and paged":          (*table).pages,
		"an index has only what is looked for":  (*table).sparse,
		"days are apart":                        (*table).days,
		"a page has a bounded number of things": (*table).bounds,
		"where a task came from moves forward":  (*table).tasks,
	})
}

func run(t *testing.T, open func(testing.TB) *store.Store, tests map[string]func(*table)) {
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(&table{T: t, store: open(t)}) })
	}
}

// A table is one that is tested.
type table struct {
	*testing.T
	store *store.Store
}

func (t *table) ctx() context.Context { return t.Context() }

// commits writes what must not be refused.
func (t *table) commits(writes ...store.Write) {
	t.Helper()
	if err := t.store.Commit(t.ctx(), writes...); err != nil {
		t.Fatal(err)
	}
}

// refuses writes what must be refused, in those words.
func (t *table) refuses(kind fault.Kind, text string, writes ...store.Write) {
	t.Helper()
	err := t.store.Commit(t.ctx(), writes...)
	if fault.KindOf(err) != kind || err.Error() != text {
		t.Errorf("got  %v (%s)\nwant %s (%s)", err, fault.KindOf(err), text, kind)
	}
}

func (t *table) isSeen(writes ...store.Write) {
	t.Helper()
	if err := t.store.Commit(t.ctx(), writes...); !errors.Is(err, store.ErrSeen) {
		t.Errorf("got %v, not %v", err, store.ErrSeen)
	}
}

// must is the value of a read that has to succeed.
func must[T any](v T, err error) func(*table) T {
	return func(t *table) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// rows are the things of a page that has to be readable.
func rows[T any](items []T, next string, err error) func(*table) ([]T, string) {
	return func(t *table) ([]T, string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return items, next
	}
}

var all = store.Page{Limit: 100}

func cluster(name string) model.Cluster {
	return model.Cluster{
		Spec:   contract.ClusterSpec{Name: name, Team: "shop", Orchestrator: contract.Ecs},
		Status: contract.ClusterReady, Generation: 1, CreatedAt: noon,
	}
}

func service(name string) model.Service {
	return model.Service{Cluster: "demo", Name: name, Team: "shop", Status: contract.ServiceHealthy, CreatedAt: noon}
}

func operation(id string, target contract.Target) model.Operation {
	return model.Operation{
		ID: id, Kind: contract.KindDeploy, Target: target, Status: contract.OperationPending,
		Team: "shop", CreatedAt: noon, Deadline: noon.AddDate(0, 0, 1),
	}
}

func policy(name, alarm string) model.Policy {
	return model.Policy{Cluster: "demo", Name: name, Team: "shop", Spec: contract.PolicySpec{Alarm: alarm, Service: "web", SizeMax: 6}}
}

func binding(name, pipeline, repository string) model.Binding {
	return model.Binding{Cluster: "demo", Name: name, Team: "shop", Spec: contract.BindingSpec{
		Service: "web", Pipeline: pipeline, Repository: repository,
	}}
}
