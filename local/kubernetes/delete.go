package kubernetes

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/json"

	"portolan/local/kubernetes/store"
)

// optionsKind is the kind that the options of a delete are sent as: of any group.
func optionsKind(q *request, raw []byte) schema.GroupVersionKind {
	sent := &metav1.TypeMeta{}
	if !strings.HasPrefix(q.Header.Get("Content-Type"), runtime.ContentTypeProtobuf) && json.Unmarshal(raw, sent) == nil &&
		sent.Kind == "DeleteOptions" {
		return sent.GroupVersionKind()
	}
	return q.kind.GroupVersion().WithKind("DeleteOptions")
}

// deleteOptions are in the body or, where it is empty, in the query.
func deleteOptions(q *request) (metav1.DeleteOptions, error) {
	var o metav1.DeleteOptions
	raw, err := readBody(q)
	if err != nil {
		return o, err
	}
	if len(raw) > 0 {
		if _, err := mediaType(q, ofObjects...); err != nil {
			return o, err
		}
		if err := decode(q, raw, optionsKind(q, raw), &o); err != nil {
			return o, err
		}
	} else {
		if policy := metav1.DeletionPropagation(q.query.Get("propagationPolicy")); policy != "" {
			o.PropagationPolicy = &policy
		}
		if seconds, err := strconv.ParseInt(q.query.Get("gracePeriodSeconds"), 10, 64); err == nil {
			o.GracePeriodSeconds = &seconds
		}
		o.DryRun = q.query["dryRun"]
	}
	if errs := metavalidation.ValidateDeleteOptions(&o); len(errs) > 0 {
		return o, apierrors.NewInvalid(schema.GroupKind{Group: "meta.k8s.io", Kind: "DeleteOptions"}, "", errs)
	}
	if len(o.DryRun) > 0 {
		q.query["dryRun"] = o.DryRun
	}
	return o, nil
}

func (s *Server) delete(header http.Header, q *request) (answer, error) {
	if _, err := accepts(q); err != nil {
		return answer{}, err
	}
	options, err := deleteOptions(q)
	if err != nil {
		return answer{}, err
	}
	var last store.Object
	removed := false
	err = s.change(q, func(tx *store.Tx) error {
		o := tx.Get(q.kind.Resource, q.namespace, q.name)
		if o == nil {
			return apierrors.NewNotFound(q.groupResource(), q.name)
		}
		if err := checkPreconditions(q, o, options.Preconditions); err != nil {
			return err
		}
		if o, ok := o.(*corev1.Namespace); ok && slices.Contains([]string{"default", "kube-system", "kube-public"}, o.Name) {
			return apierrors.NewForbidden(q.groupResource(), q.name, fmt.Errorf("this namespace may not be deleted"))
		}
		last, removed = q.kind.Delete(tx, o, s.config.Clock.Now(), options)
		return nil
	})
	if err != nil {
		return answer{}, err
	}
	if q.kind.OrphansByDefault() && options.PropagationPolicy == nil {
		header.Set("Warning", `299 - "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background `+
			`to remove them or set propagationPolicy=Orphan to suppress this warning"`)
	}
	if !removed || slices.Contains([]string{"pods", "services", "serviceaccounts", "persistentvolumeclaims", "persistentvolumes"},
		q.resource) {
		return answer{code: http.StatusOK, body: s.shown(q.kind, &store.Entry{Object: last}, "")}, nil
	}
	status := &metav1.Status{Status: metav1.StatusSuccess,
		Details: &metav1.StatusDetails{Name: q.name, Group: q.group, Kind: q.resource, UID: last.GetUID()}}
	return answer{code: http.StatusOK, body: encode(status, metav1.Unversioned.WithKind("Status"))}, nil
}

func (s *Server) deleteAll(q *request) (answer, error) {
	options, err := deleteOptions(q)
	if err != nil {
		return answer{}, err
	}
	sel, err := selectionOf(q)
	if err != nil {
		return answer{}, err
	}
	var gone []*store.Entry
	revision := int64(0)
	err = s.change(q, func(tx *store.Tx) error {
		for _, e := range tx.List(q.kind.Resource, q.namespace) {
			if sel.has(e) {
				last, _ := q.kind.Delete(tx, e.Object, s.config.Clock.Now(), options)
				gone = append(gone, &store.Entry{Object: last})
			}
		}
		revision = tx.Revision()
		return nil
	})
	if err != nil {
		return answer{}, err
	}
	return answer{code: http.StatusOK, body: s.shownList(q.kind, gone, metav1.ListMeta{ResourceVersion: itoa(revision)}, "", true)}, nil
}
