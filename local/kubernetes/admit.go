package kubernetes

import (
	"fmt"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"portolan/local/kubernetes/kinds"
	"portolan/local/kubernetes/store"
)

// namespaceOpen refuses new objects in a namespace that is not there or is being
// deleted.
func (s *Server) namespaceOpen(tx *store.Tx, q *request) error {
	if !q.kind.Namespaced {
		return nil
	}
	n, ok := store.Get[*corev1.Namespace](tx, "namespaces", "", q.namespace)
	if !ok {
		return apierrors.NewNotFound(corev1.Resource("namespaces"), q.namespace)
	}
	if n.DeletionTimestamp == nil {
		return nil
	}
	err := apierrors.NewForbidden(q.groupResource(), q.name,
		fmt.Errorf("unable to create new content in namespace %s because it is being terminated", q.namespace))
	err.ErrStatus.Details.Causes = append(err.ErrStatus.Details.Causes, metav1.StatusCause{Type: corev1.NamespaceTerminatingCause,
		Message: fmt.Sprintf("namespace %s is being terminated", q.namespace), Field: "metadata.namespace"})
	return err
}

// admit adds what a cluster gives to an object, and refuses what it could not run.
func (s *Server) admit(tx *store.Tx, q *request, o, old store.Object) error {
	switch o := o.(type) {
	case *corev1.Pod:
		if old == nil && tx.Get("serviceaccounts", q.namespace, o.Spec.ServiceAccountName) == nil {
			account := o.Spec.ServiceAccountName
			return apierrors.NewForbidden(q.groupResource(), o.Name, fmt.Errorf("error looking up service account %s/%s: "+
				"serviceaccount %q not found", q.namespace, account, account))
		}
	case *corev1.Service:
		return s.addressService(tx, o)
	case *corev1.PersistentVolumeClaim:
		if old == nil && o.Spec.StorageClassName == nil {
			o.Spec.StorageClassName = kinds.DefaultClass(tx)
		}
	}
	return nil
}

// addressService gives a service its address and the ports on the nodes.
func (s *Server) addressService(tx *store.Tx, o *corev1.Service) error {
	if o.Spec.Type == corev1.ServiceTypeExternalName {
		return nil
	}
	addresses, ports := map[string]bool{}, map[int32]bool{}
	for _, other := range store.Find[*corev1.Service](tx, "services", "", nil) {
		if other.Namespace == o.Namespace && other.Name == o.Name {
			continue
		}
		addresses[other.Spec.ClusterIP] = true
		for _, p := range other.Spec.Ports {
			ports[p.NodePort] = true
		}
	}
	for n := 1; o.Spec.ClusterIP == "" && n < 1<<16; n++ {
		if address := fmt.Sprintf("10.100.%d.%d", n>>8, n&255); !addresses[address] {
			o.Spec.ClusterIP, o.Spec.ClusterIPs = address, []string{address}
		}
	}
	if o.Spec.ClusterIP == "" {
		return apierrors.NewGenericServerResponse(http.StatusInternalServerError, "create", corev1.Resource("services"), o.Name,
			"failed to allocate IP: range is full", 0, false)
	}
	if o.Spec.Type == corev1.ServiceTypeClusterIP {
		return nil
	}
	next := int32(30000)
	for i := range o.Spec.Ports {
		for p := &o.Spec.Ports[i]; p.NodePort == 0 && next < 32768; next++ {
			if !ports[next] {
				p.NodePort = next
			}
		}
	}
	return nil
}
