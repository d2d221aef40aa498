package kubernetes

import (
	"encoding/json"
	"fmt"
	"net/http"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	kubejson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/apimachinery/pkg/util/yaml"

	"portolan/local/kubernetes/store"
)

func (s *Server) patch(q *request) (answer, error) {
	as, err := accepts(q)
	if err != nil {
		return answer{}, err
	}
	media, err := mediaType(q, string(types.JSONPatchType), string(types.MergePatchType), string(types.StrategicMergePatchType),
		string(types.ApplyYAMLPatchType))
	if err != nil {
		return answer{}, err
	}
	patchType := types.PatchType(media)
	if err := patchOptions(q, patchType); err != nil {
		return answer{}, err
	}
	raw, err := readBody(q)
	if err != nil {
		return answer{}, err
	}
	code := http.StatusOK
	var kept store.Object
	err = s.change(q, func(tx *store.Tx) error {
		old := tx.Get(q.kind.Resource, q.namespace, q.name)
		switch {
		case patchType == types.ApplyYAMLPatchType:
			if old == nil {
				code = http.StatusCreated
			}
			kept, err = s.apply(tx, q, raw, old)
		case old == nil:
			err = apierrors.NewNotFound(q.groupResource(), q.name)
		default:
			kept, err = s.patched(tx, q, patchType, raw, old)
		}
		return err
	})
	if err != nil {
		return answer{}, err
	}
	return answer{code: code, body: s.shown(q.kind, &store.Entry{Object: kept}, as)}, nil
}

func patchOptions(q *request, patchType types.PatchType) error {
	options := &metav1.PatchOptions{DryRun: q.query["dryRun"], FieldManager: q.query.Get("fieldManager"),
		FieldValidation: q.query.Get("fieldValidation")}
	if q.query.Has("force") {
		force := q.isTrue("force")
		options.Force = &force
	}
	if errs := metavalidation.ValidatePatchOptions(options, patchType); len(errs) > 0 {
		return apierrors.NewInvalid(schema.GroupKind{Group: "meta.k8s.io", Kind: "PatchOptions"}, "", errs)
	}
	return nil
}

// patched changes an object by a patch that says how.
func (s *Server) patched(tx *store.Tx, q *request, patchType types.PatchType, raw []byte, old store.Object) (store.Object, error) {
	before := typed((&store.Entry{Object: old}).JSON(), q.kind.GroupVersionKind)
	after, err := patchJSON(q, patchType, before, raw)
	if err != nil {
		return nil, err
	}
	o := q.kind.New()
	if err := decode(q, after, q.kind.GroupVersionKind, o); err != nil {
		return nil, err
	}
	if o.GetName() != q.name {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("the name of the object (%s) does not match the name on the URL (%s)",
			o.GetName(), q.name))
	}
	return s.keep(tx, q, o, old, s.noteUpdate(q, old))
}

func patchJSON(q *request, patchType types.PatchType, before, raw []byte) (after []byte, err error) {
	switch patchType {
	case types.JSONPatchType:
		patch, decodeErr := jsonpatch.DecodePatch(raw)
		if decodeErr != nil {
			return nil, apierrors.NewBadRequest(fmt.Sprintf("error decoding patch: %v", decodeErr))
		}
		if after, err = patch.Apply(before); err != nil {
			return nil, apierrors.NewGenericServerResponse(http.StatusUnprocessableEntity, "", schema.GroupResource{}, "", err.Error(), 0, false)
		}
	case types.MergePatchType:
		if !json.Valid(raw) {
			return nil, apierrors.NewBadRequest("invalid JSON patch")
		}
		after, err = jsonpatch.MergePatch(before, raw)
	default:
		after, err = strategicpatch.StrategicMergePatch(before, raw, q.kind.New())
	}
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	return after, nil
}

// decodeApplied reads YAML. Most of it is JSON, which is read many times faster as what it is.
func decodeApplied(raw []byte) (*unstructured.Unstructured, error) {
	wanted := &unstructured.Unstructured{Object: map[string]any{}}
	if kubejson.Unmarshal(raw, &wanted.Object) == nil {
		return wanted, nil
	}
	wanted.Object = map[string]any{}
	return wanted, yaml.Unmarshal(raw, &wanted.Object)
}

// apply merges what a manager wants an object to be with what others do.
func (s *Server) apply(tx *store.Tx, q *request, raw []byte, old store.Object) (store.Object, error) {
	wanted, err := decodeApplied(raw)
	if err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("error decoding patch: %v", err))
	}
	m, err := s.fieldManager(q.kind, q.subresource)
	if err != nil {
		return nil, err
	}
	live := q.kind.New()
	if old != nil {
		live = old.DeepCopyObject().(store.Object)
	} else if q.subresource != "" {
		return nil, apierrors.NewNotFound(q.groupResource(), q.name)
	}
	withKind(q, live)
	merged, err := m.Apply(live, wanted, q.manager(), q.isTrue("force"))
	if err != nil {
		return nil, err
	}
	o := merged.(store.Object)
	if o.GetName() == "" {
		o.SetName(q.name)
	}
	o.SetManagedFields(stamped(live.GetManagedFields(), o.GetManagedFields(), s.config.Clock.Now()))
	noted := func(store.Object) error { return nil }
	if old == nil {
		if uid := o.GetUID(); uid != "" {
			return nil, apierrors.NewConflict(q.groupResource(), q.name, fmt.Errorf("uid mismatch: the provided object specified uid %s, "+
				"and no existing object was found", uid))
		}
		o.SetResourceVersion("") // it says only which object is not meant
		return s.make(tx, q, o, noted)
	}
	if err := place(q, o); err != nil {
		return nil, err
	}
	return s.keep(tx, q, o, old, noted)
}
