package kinds

import (
	"reflect"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"portolan/local/kubernetes/store"
)

// A Kind is one kind of object.
type Kind struct {
	schema.GroupVersionKind
	Resource   string // the plural, as in paths
	Singular   string
	Short      []string
	Categories []string
	Namespaced bool
	New        func() store.Object

	HasStatus bool // with a subresource of its own
	HasScale  bool

	generation bool // counts the changes of the spec
	named      validation.ValidateNameFunc
	defaults   func(store.Object)
	create     func(store.Object)
	change     func(updated, old store.Object)
	check      func(store.Object) field.ErrorList
	compare    func(updated, old store.Object) field.ErrorList
}

// GroupResource names the kind's resource as errors do.
func (k *Kind) GroupResource() schema.GroupResource {
	return schema.GroupResource{Group: k.Group, Resource: k.Resource}
}

// behaviour is what is particular to a kind, in the words of its own type.
type behaviour[T store.Object] struct {
	defaults func(T)
	create   func(T)
	change   func(updated, old T)
	check    func(T) field.ErrorList
	compare  func(updated, old T) field.ErrorList
}

// define completes a kind with what is particular to it.
func define[T store.Object](k Kind, b behaviour[T]) *Kind {
	k.defaults, k.create, k.check = one(b.defaults), one(b.create), checking(b.check)
	if b.change != nil {
		k.change = func(updated, old store.Object) { b.change(updated.(T), old.(T)) }
	}
	if b.compare != nil {
		k.compare = func(updated, old store.Object) field.ErrorList { return b.compare(updated.(T), old.(T)) }
	}
	if k.named == nil {
		k.named = validation.NameIsDNSSubdomain
	}
	return &k
}

func one[T store.Object](fn func(T)) func(store.Object) {
	if fn == nil {
		return func(store.Object) {}
	}
	return func(o store.Object) { fn(o.(T)) }
}

func checking[T store.Object](fn func(T) field.ErrorList) func(store.Object) field.ErrorList {
	if fn == nil {
		return func(store.Object) field.ErrorList { return nil }
	}
	return func(o store.Object) field.ErrorList { return fn(o.(T)) }
}

// Default fills in what was left out.
func (k *Kind) Default(o store.Object) { k.defaults(o) }

// PrepareCreate sets what a client does not set when it creates an object.
func (k *Kind) PrepareCreate(o store.Object, uid types.UID) {
	o.SetUID(uid)
	o.SetResourceVersion("")
	o.SetDeletionTimestamp(nil)
	o.SetDeletionGracePeriodSeconds(nil)
	o.SetSelfLink("")
	o.SetGeneration(0)
	if k.generation {
		o.SetGeneration(1)
	}
	if k.HasStatus {
		part(o, "Status").SetZero()
	}
	k.create(o)
}

// PrepareUpdate keeps what a client cannot change.
func (k *Kind) PrepareUpdate(updated, old store.Object) {
	keepMeta(updated, old)
	if k.HasStatus {
		part(updated, "Status").Set(part(old, "Status"))
	}
	if k.change != nil {
		k.change(updated, old)
	}
	if k.generation && k.differs(updated, old) {
		updated.SetGeneration(old.GetGeneration() + 1)
	}
}

// differs says whether a change counts: one of the spec and, of a deployment, one of
// its annotations too.
func (k *Kind) differs(updated, old store.Object) bool {
	if !equality.Semantic.DeepEqual(part(updated, "Spec").Interface(), part(old, "Spec").Interface()) {
		return true
	}
	return k.Resource == "deployments" && !equality.Semantic.DeepEqual(updated.GetAnnotations(), old.GetAnnotations())
}

// PrepareStatus keeps all but the status.
func (k *Kind) PrepareStatus(updated, old store.Object) {
	keepMeta(updated, old)
	if k.Resource != "nodes" { // a kubelet labels its node when it tells its status
		updated.SetLabels(old.GetLabels())
	}
	updated.SetFinalizers(old.GetFinalizers())
	updated.SetOwnerReferences(old.GetOwnerReferences())
	if spec := part(updated, "Spec"); spec.IsValid() {
		spec.Set(part(old, "Spec"))
	}
}

func keepMeta(updated, old store.Object) {
	updated.SetUID(old.GetUID())
	updated.SetCreationTimestamp(old.GetCreationTimestamp())
	updated.SetDeletionTimestamp(old.GetDeletionTimestamp())
	updated.SetDeletionGracePeriodSeconds(old.GetDeletionGracePeriodSeconds())
	updated.SetGeneration(old.GetGeneration())
	updated.SetGenerateName(old.GetGenerateName())
	updated.SetSelfLink("")
}

// Check says what is wrong with a new object.
func (k *Kind) Check(o store.Object) field.ErrorList {
	all := validation.ValidateObjectMetaAccessor(o, k.Namespaced, k.named, field.NewPath("metadata"))
	return append(all, k.check(o)...)
}

// CheckUpdate says what is wrong with a changed object.
func (k *Kind) CheckUpdate(updated, old store.Object) field.ErrorList {
	all := validation.ValidateObjectMetaAccessorUpdate(updated, old, field.NewPath("metadata"))
	all = append(all, k.check(updated)...)
	if k.compare != nil {
		all = append(all, k.compare(updated, old)...)
	}
	return all
}

// part is a field of an object, and the zero Value where it has none of that name.
func part(o store.Object, name string) reflect.Value {
	return reflect.ValueOf(o).Elem().FieldByName(name)
}

func to[T any](v T) *T { return &v }

// orDefault sets a pointer that is nil to the value.
func orDefault[T any](p **T, value T) {
	if *p == nil {
		*p = &value
	}
}

// orValue sets what is zero to the value.
func orValue[T comparable](p *T, value T) {
	var zero T
	if *p == zero {
		*p = value
	}
}
