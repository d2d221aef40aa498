package controllers

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"portolan/local/kubernetes/store"
)

// balances is how long it takes to make a load balancer.
const balances = 30 * time.Second

// balance gives an ingress, or a service that asks for one, the name of a load balancer.
func (c *Controllers) balance(tx *store.Tx, namespace, name string) {
	if s, ok := store.Get[*corev1.Service](tx, "services", namespace, name); ok && s.DeletionTimestamp == nil &&
		s.Spec.Type == corev1.ServiceTypeLoadBalancer && len(s.Status.LoadBalancer.Ingress) == 0 {
		if c.later(s, namespace, name) {
			return
		}
		edit(tx, "services", s, func(s *corev1.Service) {
			s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{Hostname: c.balancerName(s)}}
		})
	}
	if i, ok := store.Get[*networkingv1.Ingress](tx, "ingresses", namespace, name); ok && i.DeletionTimestamp == nil &&
		len(i.Status.LoadBalancer.Ingress) == 0 {
		if c.later(i, namespace, name) {
			return
		}
		edit(tx, "ingresses", i, func(i *networkingv1.Ingress) {
			i.Status.LoadBalancer.Ingress = []networkingv1.IngressLoadBalancerIngress{{Hostname: c.balancerName(i)}}
		})
	}
}

// later says whether a load balancer for an object is still being made.
func (c *Controllers) later(o store.Object, namespace, name string) bool {
	wait := o.GetCreationTimestamp().Add(balances).Sub(c.now())
	if wait > 0 {
		c.wake("balance", namespace, name, wait)
	}
	return wait > 0
}

func (c *Controllers) balancerName(o store.Object) string {
	short := func(s string) string { return s[:min(len(s), 8)] }
	return strings.Join([]string{"k8s", short(o.GetNamespace()), short(o.GetName()), c.config.IDs.Hex(10)}, "-") + "." + c.config.Host
}
