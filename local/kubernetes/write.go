package kubernetes

import (
	"errors"
	"fmt"
	"net/http"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"portolan/local/kubernetes/store"
)

// errDry undoes a change that was asked for dry.
var errDry = errors.New("dry run")

// change runs a change, and undoes it again where the request is dry.
func (s *Server) change(q *request, fn func(*store.Tx) error) error {
	dry := len(q.query["dryRun"]) > 0
	err := s.store.Change(func(tx *store.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		if dry {
			return errDry
		}
		return nil
	})
	if errors.Is(err, errDry) {
		return nil
	}
	return err
}

// optionsInvalid says what is wrong with a request's options.
func optionsInvalid(q *request, kind string) error {
	var errs = metavalidation.ValidateDryRun(nil, q.query["dryRun"])
	errs = append(errs, metavalidation.ValidateFieldValidation(nil, q.query.Get("fieldValidation"))...)
	if len(errs) == 0 {
		return nil
	}
	return apierrors.NewInvalid(schema.GroupKind{Group: "meta.k8s.io", Kind: kind}, "", errs)
}

func (s *Server) create(q *request) (answer, error) {
	as, err := accepts(q)
	if err != nil {
		return answer{}, err
	}
	if err := optionsInvalid(q, "CreateOptions"); err != nil {
		return answer{}, err
	}
	if _, err := mediaType(q, ofObjects...); err != nil {
		return answer{}, err
	}
	raw, err := readBody(q)
	if err != nil {
		return answer{}, err
	}
	o := q.kind.New()
	if err := decode(q, raw, q.kind.GroupVersionKind, o); err != nil {
		return answer{}, err
	}
	var made store.Object
	err = s.change(q, func(tx *store.Tx) error {
		made, err = s.make(tx, q, o, func(o store.Object) error { return s.manage(q, q.kind.New(), o, s.config.Clock.Now()) })
		return err
	})
	if err != nil {
		return answer{}, err
	}
	return answer{code: http.StatusCreated, body: s.shown(q.kind, &store.Entry{Object: made}, as)}, nil
}

// make keeps a new object, once it is complete and checked. Its fields' managers are
// noted by manage.
func (s *Server) make(tx *store.Tx, q *request, o store.Object, manage func(store.Object) error) (store.Object, error) {
	if err := place(q, o); err != nil {
		return nil, err
	}
	if o.GetName() == "" && o.GetGenerateName() != "" {
		o.SetName(tx.FreeName(q.kind.Resource, q.namespace, o.GetGenerateName()))
	}
	if o.GetResourceVersion() != "" {
		return nil, apierrors.NewBadRequest("resourceVersion should not be set on objects to be created")
	}
	q.kind.Default(o)
	withKind(q, o)
	if err := manage(o); err != nil {
		return nil, err
	}
	q.kind.PrepareCreate(o, tx.NewUID())
	if err := s.namespaceOpen(tx, q); err != nil {
		return nil, err
	}
	if err := s.admit(tx, q, o, nil); err != nil {
		return nil, err
	}
	if errs := q.kind.Check(o); len(errs) > 0 {
		return nil, apierrors.NewInvalid(q.kind.GroupVersionKind.GroupKind(), o.GetName(), errs)
	}
	if tx.Get(q.kind.Resource, o.GetNamespace(), o.GetName()) != nil {
		return nil, apierrors.NewAlreadyExists(q.groupResource(), o.GetName())
	}
	return tx.Put(q.kind.Resource, untyped(o)), nil
}

func withKind(q *request, o store.Object) {
	o.GetObjectKind().SetGroupVersionKind(q.kind.GroupVersionKind)
}

// place puts an object where the request's path says, if it does not say otherwise.
func place(q *request, o store.Object) error {
	if q.kind.Namespaced && o.GetNamespace() == "" {
		o.SetNamespace(q.namespace)
	}
	if q.kind.Namespaced && o.GetNamespace() != q.namespace {
		return apierrors.NewBadRequest(fmt.Sprintf("the namespace of the provided object does not match the namespace sent on the " +
			"request"))
	}
	if q.name != "" && o.GetName() != q.name {
		return apierrors.NewBadRequest(fmt.Sprintf("the name of the object (%s) does not match the name on the URL (%s)", o.GetName(), q.name))
	}
	return nil
}

func (s *Server) update(q *request) (answer, error) {
	as, err := accepts(q)
	if err != nil {
		return answer{}, err
	}
	if err := optionsInvalid(q, "UpdateOptions"); err != nil {
		return answer{}, err
	}
	if _, err := mediaType(q, ofObjects...); err != nil {
		return answer{}, err
	}
	raw, err := readBody(q)
	if err != nil {
		return answer{}, err
	}
	o := q.kind.New()
	if err := decode(q, raw, q.kind.GroupVersionKind, o); err != nil {
		return answer{}, err
	}
	if err := place(q, o); err != nil {
		return answer{}, err
	}
	var kept store.Object
	err = s.change(q, func(tx *store.Tx) error {
		old := tx.Get(q.kind.Resource, q.namespace, q.name)
		if old == nil {
			return apierrors.NewNotFound(q.groupResource(), q.name)
		}
		kept, err = s.keep(tx, q, o, old, s.noteUpdate(q, old))
		return err
	})
	if err != nil {
		return answer{}, err
	}
	return answer{code: http.StatusOK, body: s.shown(q.kind, &store.Entry{Object: kept}, as)}, nil
}

// noteUpdate notes whose the fields are that an update changes.
func (s *Server) noteUpdate(q *request, old store.Object) func(store.Object) error {
	return func(o store.Object) error {
		before := old.DeepCopyObject().(store.Object)
		withKind(q, before)
		return s.manage(q, before, o, s.config.Clock.Now())
	}
}

// keep puts a changed object in place of the old one, once it is complete and checked.
func (s *Server) keep(tx *store.Tx, q *request, o, old store.Object, manage func(store.Object) error) (store.Object, error) {
	if err := current(q, o, old); err != nil {
		return nil, err
	}
	q.kind.Default(o)
	withKind(q, o)
	if err := manage(o); err != nil {
		return nil, err
	}
	if q.subresource == "status" {
		q.kind.PrepareStatus(o, old)
	} else {
		q.kind.PrepareUpdate(o, old)
	}
	if err := s.admit(tx, q, o, old); err != nil {
		return nil, err
	}
	o.SetResourceVersion(old.GetResourceVersion())
	if errs := q.kind.CheckUpdate(o, old); len(errs) > 0 {
		return nil, apierrors.NewInvalid(q.kind.GroupVersionKind.GroupKind(), o.GetName(), errs)
	}
	if equality.Semantic.DeepEqual(untyped(o), old) {
		return old, nil
	}
	kept := tx.Put(q.kind.Resource, o)
	q.kind.Released(tx, kept)
	return kept, nil
}

// current refuses a change of something that is not what it was when the client read it.
func current(q *request, o, old store.Object) error {
	if uid := o.GetUID(); uid != "" && uid != old.GetUID() {
		return apierrors.NewConflict(q.groupResource(), q.name, mismatch("UID", uid, old.GetUID()))
	}
	if version := o.GetResourceVersion(); version != "" && version != old.GetResourceVersion() {
		return apierrors.NewConflict(q.groupResource(), q.name,
			errors.New("the object has been modified; please apply your changes to the latest version and try again"))
	}
	return nil
}

func mismatch[T ~string](what string, wanted, is T) error {
	return fmt.Errorf("Precondition failed: %s in precondition: %v, %s in object meta: %v", what, wanted, what, is)
}

// checkPreconditions refuses to delete something else than what the client means.
func checkPreconditions(q *request, o store.Object, p *metav1.Preconditions) error {
	refused := func(what, wanted, is, happened string) error {
		kind := schema.GroupResource{Group: q.group, Resource: q.kind.Kind}
		return apierrors.NewConflict(kind, o.GetName(), fmt.Errorf("the %s in the precondition (%s) does not match the %s in record (%s). "+
			"The object might have been %s", what, wanted, what, is, happened))
	}
	switch {
	case p == nil:
	case p.UID != nil && *p.UID != o.GetUID():
		return refused("UID", string(*p.UID), string(o.GetUID()), "deleted and then recreated")
	case p.ResourceVersion != nil && *p.ResourceVersion != o.GetResourceVersion():
		return refused("ResourceVersion", *p.ResourceVersion, o.GetResourceVersion(), "modified")
	}
	return nil
}
