package simulate

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"portolan/local/dynamodb"
	"portolan/shared/model"
)

// A mirror has what the table's stream told of clusters and what is theirs, so that who
// watches need not ask the table. It is as new as what the oracle has read of the stream,
// which it does before and behind each call of a function or machine.
type mirror struct {
	mu    sync.Mutex
	items map[itemKey]*mirrored
}

type itemKey struct{ partition, sort string }

// A mirrored is an item as its newest record has it. It is decoded when it is first asked for.
type mirrored struct {
	record *dynamodb.Record
	value  any
}

func newMirror() *mirror { return &mirror{items: map[itemKey]*mirrored{}} }

func keyOf(r *dynamodb.Record) itemKey { return itemKey{r.KeyText("PK"), r.KeyText("SK")} }

// take notes what a record tells.
func (m *mirror) take(key itemKey, r *dynamodb.Record) {
	kind, _, _ := strings.Cut(key.partition, "#")
	if kind != "CLUSTER" && kind != "JOBS" && kind != "RELEASES" {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.EventName() == "REMOVE" {
		delete(m.items, key)
		return
	}
	m.items[key] = &mirrored{record: r}
}

// reflected is an item as the store's types have it. It is shared, and not to be changed.
func reflected[T any](m *mirror, partition, sort string) (*T, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	found := m.items[itemKey{partition, sort}]
	if found == nil {
		return nil, fmt.Errorf("the table has no %s of %s", sort, partition)
	}
	return decoded[T](found), nil
}

func decoded[T any](i *mirrored) *T {
	if i.value == nil {
		i.value = as[T](i.record)
	}
	return i.value.(*T)
}

// as is the item of a record as the store's types have it.
func as[T any](r *dynamodb.Record) *T {
	out := new(T)
	if err := json.Unmarshal(r.Document(), out); err != nil {
		panic(fmt.Sprintf("an item of the table is no %T: %v", *out, err))
	}
	return out
}

// allOf are the items whose partition has a prefix, in order.
func allOf[T any](m *mirror, prefix string) (out []*T) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var keys []itemKey
	for key := range m.items {
		if strings.HasPrefix(key.partition, prefix) {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b itemKey) int {
		return cmp.Or(strings.Compare(a.partition, b.partition), strings.Compare(a.sort, b.sort))
	})
	for _, key := range keys {
		out = append(out, decoded[T](m.items[key]))
	}
	return out
}

func (m *mirror) cluster(name string) (*model.Cluster, error) {
	return reflected[model.Cluster](m, "CLUSTER#"+name, "CLUSTER")
}

func (m *mirror) service(cluster, name string) (*model.Service, error) {
	return reflected[model.Service](m, "CLUSTER#"+cluster, "SERVICE#"+name)
}

func (m *mirror) binding(cluster, name string) (*model.Binding, error) {
	return reflected[model.Binding](m, "CLUSTER#"+cluster, "BINDING#"+name)
}

func (m *mirror) release(cluster, service string, number int64) (*model.Release, error) {
	return reflected[model.Release](m, "RELEASES#"+cluster+"/"+service, fmt.Sprintf("%010d", number))
}

// releases are those of all services, the oldest of each first.
func (m *mirror) releases() []*model.Release { return allOf[model.Release](m, "RELEASES#") }

func (m *mirror) job(cluster, name string) (*model.Job, error) {
	return reflected[model.Job](m, "JOBS#"+cluster, name)
}

// jobs are those of a cluster.
func (m *mirror) jobs(cluster string) []*model.Job {
	return slices.DeleteFunc(allOf[model.Job](m, "JOBS#"+cluster), func(j *model.Job) bool { return j.Cluster != cluster })
}
