package kubernetes

import (
	"net/http"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"portolan/local/kubernetes/store"
)

var scaleKind = autoscalingv1.SchemeGroupVersion.WithKind("Scale")

// serveScale reads or writes how many replicas an object has.
func (s *Server) serveScale(q *request) (answer, error) {
	if _, err := accepts(q); err != nil {
		return answer{}, err
	}
	var change func(*autoscalingv1.Scale) error
	switch q.verb {
	case "get":
	case "update":
		if _, err := mediaType(q, ofObjects...); err != nil {
			return answer{}, err
		}
		raw, err := readBody(q)
		if err != nil {
			return answer{}, err
		}
		change = func(scale *autoscalingv1.Scale) error {
			*scale = autoscalingv1.Scale{}
			return decode(q, raw, scaleKind, scale)
		}
	case "patch":
		media, err := mediaType(q, string(types.JSONPatchType), string(types.MergePatchType), string(types.StrategicMergePatchType))
		if err != nil {
			return answer{}, err
		}
		raw, err := readBody(q)
		if err != nil {
			return answer{}, err
		}
		change = func(scale *autoscalingv1.Scale) error {
			after, err := patchScale(types.PatchType(media), encode(scale, scaleKind), raw)
			if err != nil {
				return err
			}
			*scale = autoscalingv1.Scale{}
			return decode(q, after, scaleKind, scale)
		}
	default:
		return answer{}, notAllowed(q)
	}
	return s.scale(q, change)
}

func patchScale(patchType types.PatchType, before, raw []byte) ([]byte, error) {
	if patchType == types.StrategicMergePatchType { // a Scale has no lists
		patchType = types.MergePatchType
	}
	return patchJSON(nil, patchType, before, raw)
}

func (s *Server) scale(q *request, change func(*autoscalingv1.Scale) error) (answer, error) {
	var is *autoscalingv1.Scale
	err := s.change(q, func(tx *store.Tx) error {
		old := tx.Get(q.kind.Resource, q.namespace, q.name)
		if old == nil {
			return apierrors.NewNotFound(q.groupResource(), q.name)
		}
		is = scaleOf(old)
		if change == nil {
			return nil
		}
		if err := change(is); err != nil {
			return err
		}
		if errs := validation.ValidateNonnegativeField(int64(is.Spec.Replicas), field.NewPath("spec", "replicas")); len(errs) > 0 {
			return apierrors.NewInvalid(scaleKind.GroupKind(), q.name, errs)
		}
		o := old.DeepCopyObject().(store.Object)
		o.SetUID(is.UID)
		o.SetResourceVersion(is.ResourceVersion)
		*replicasOf(o) = &is.Spec.Replicas
		kept, err := s.keep(tx, q, o, old, s.noteUpdate(q, old))
		if err == nil {
			is = scaleOf(kept)
		}
		return err
	})
	if err != nil {
		return answer{}, err
	}
	return answer{code: http.StatusOK, body: encode(is, scaleKind)}, nil
}

func replicasOf(o store.Object) **int32 {
	switch o := o.(type) {
	case *appsv1.Deployment:
		return &o.Spec.Replicas
	case *appsv1.ReplicaSet:
		return &o.Spec.Replicas
	case *appsv1.StatefulSet:
		return &o.Spec.Replicas
	}
	panic("an object without replicas has no scale")
}

func scaleOf(o store.Object) *autoscalingv1.Scale {
	s := &autoscalingv1.Scale{ObjectMeta: metav1.ObjectMeta{Namespace: o.GetNamespace(), Name: o.GetName(), UID: o.GetUID(),
		ResourceVersion: o.GetResourceVersion(), CreationTimestamp: o.GetCreationTimestamp()},
		Spec: autoscalingv1.ScaleSpec{Replicas: **replicasOf(o)}}
	var selector *metav1.LabelSelector
	switch o := o.(type) {
	case *appsv1.Deployment:
		s.Status.Replicas, selector = o.Status.Replicas, o.Spec.Selector
	case *appsv1.ReplicaSet:
		s.Status.Replicas, selector = o.Status.Replicas, o.Spec.Selector
	case *appsv1.StatefulSet:
		s.Status.Replicas, selector = o.Status.Replicas, o.Spec.Selector
	}
	if picks, err := metav1.LabelSelectorAsSelector(selector); err == nil {
		s.Status.Selector = picks.String()
	}
	return s
}
