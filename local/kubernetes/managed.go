package kubernetes

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"portolan/local/kubernetes/kinds"
	"portolan/local/kubernetes/store"
)

// fieldManager keeps who manages which fields of a kind, with the library that
// Kubernetes itself does it with.
func (s *Server) fieldManager(k *kinds.Kind, subresource string) (*managedfields.FieldManager, error) {
	gv := k.GroupVersion()
	var not *fieldpath.Set // what nobody manages through this path
	switch {
	case subresource == "status":
		not = fieldpath.NewSet(fieldpath.MakePathOrDie("spec"), fieldpath.MakePathOrDie("metadata", "labels"))
	case k.HasStatus:
		not = fieldpath.NewSet(fieldpath.MakePathOrDie("status"))
	}
	var reset map[fieldpath.APIVersion]fieldpath.Filter
	if not != nil {
		reset = map[fieldpath.APIVersion]fieldpath.Filter{fieldpath.APIVersion(gv.String()): fieldpath.NewExcludeSetFilter(not)}
	}
	m, err := managedfields.NewDefaultFieldManager(s.converter, kinds.Scheme, defaulter{k}, kinds.Scheme, k.GroupVersionKind, gv,
		subresource, reset)
	if err != nil {
		return nil, fmt.Errorf("the field manager of %s: %w", k.Resource, err)
	}
	return m, nil
}

// defaulter defaults the objects of one kind.
type defaulter struct{ kind *kinds.Kind }

func (d defaulter) Default(o runtime.Object) {
	if object, ok := o.(store.Object); ok && object.GetObjectKind().GroupVersionKind().Kind == d.kind.Kind {
		d.kind.Default(object)
	}
}

// manage notes whose the fields are that an update or a create sets.
func (s *Server) manage(q *request, old, updated store.Object, now time.Time) error {
	m, err := s.fieldManager(q.kind, q.subresource)
	if err != nil {
		return err
	}
	managed, err := m.Update(old, updated, q.manager())
	if err != nil {
		return fmt.Errorf("managing the fields of %s %s: %w", q.kind.Resource, updated.GetName(), err)
	}
	entries := managed.(store.Object).GetManagedFields()
	updated.SetManagedFields(stamped(old.GetManagedFields(), entries, now))
	return nil
}

// stamped sets the times of entries that were not there before in that state, since
// the library takes them from the machine's clock.
func stamped(before, entries []metav1.ManagedFieldsEntry, now time.Time) []metav1.ManagedFieldsEntry {
	known := map[metav1.Time]bool{}
	for _, e := range before {
		if e.Time != nil {
			known[metav1.NewTime(e.Time.UTC())] = true
		}
	}
	at := metav1.NewTime(now).Rfc3339Copy()
	for i := range entries {
		if t := entries[i].Time; t != nil && !known[metav1.NewTime(t.UTC())] {
			entries[i].Time = &at
		}
	}
	return entries
}

// untyped takes kind and apiVersion off an object, which the store does without.
func untyped(o store.Object) store.Object {
	o.GetObjectKind().SetGroupVersionKind(schema.GroupVersionKind{})
	return o
}
