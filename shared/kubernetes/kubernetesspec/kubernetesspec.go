// Package kubernetesspec knows which service descriptions a Kubernetes cluster can
// run. What it cannot do is refused at the door, and never dropped in silence.
//
// It must never link a client of Kubernetes or AWS, because the API's function uses
// it.
package kubernetesspec

import (
	"fmt"
	"reflect"

	"portolan/shared/contract"
	"portolan/shared/fault"
)

// Cluster is what has to be known of a cluster to judge a description.
type Cluster struct {
	// EKS is true where the cluster is known by its name in Amazon EKS, whose Pod
	// Identity gives IAM roles to pods.
	EKS bool
}

// Check returns what a cluster cannot do of the description of a service of that
// name. The description fits the API's schema. Pointers are into the description.
func Check(cluster Cluster, service string, spec contract.ServiceSpec) []fault.Field {
	c := &checker{cluster: cluster, service: service, spec: spec}
	c.names()
	c.memory()
	c.ports()
	c.environment()
	c.identity()
	c.loadBalancer()
	c.volumes()
	c.mode()
	c.rollout()
	c.placement()
	c.logging()
	c.otherOrchestrators()
	return c.fields
}

type checker struct {
	cluster Cluster
	service string
	spec    contract.ServiceSpec
	fields  []fault.Field
}

func (c *checker) refuse(pointer, format string, args ...any) {
	detail := "Kubernetes: " + fmt.Sprintf(format, args...)
	c.fields = append(c.fields, fault.Field{Pointer: pointer, Detail: detail})
}

// names checks what the schema's patterns let through and Kubernetes does not.
func (c *checker) names() {
	if !isLabelName(c.service) {
		c.refuse("/name", "a service is named by 1 to 63 lower-case letters, digits and dashes, the first a letter and "+
			"the last no dash, not %q", c.service)
	}
	k := c.spec.Kubernetes
	for _, named := range []struct{ pointer, name string }{
		{"/kubernetes/serviceAccount", k.ServiceAccount}, {"/kubernetes/ingressClass", k.IngressClass},
	} {
		if named.name != "" && !isSubdomain(named.name) {
			c.refuse(named.pointer, "a name has no dot or dash beside a dot, and is no %q", named.name)
		}
	}
	for i, volume := range c.spec.Volumes {
		if volume.StorageClass != "" && !isSubdomain(volume.StorageClass) {
			c.refuse(fmt.Sprintf("/volumes/%d/storageClass", i), "a name has no dot or dash beside a dot, and is no %q",
				volume.StorageClass)
		}
	}
}

func (c *checker) memory() {
	m := c.spec.Memory
	if m.LimitMiB == 0 && m.ReservationMiB == 0 {
		c.refuse("/memory", "a limit or a reservation is needed")
	}
	if m.LimitMiB != 0 && m.ReservationMiB > m.LimitMiB {
		c.refuse("/memory/reservationMiB", "%d MiB is above the limit of %d MiB", m.ReservationMiB, m.LimitMiB)
	}
}

func (c *checker) ports() {
	seen, hosts := map[string]bool{}, map[string]bool{}
	for i, port := range c.spec.Ports {
		pointer := fmt.Sprintf("/ports/%d", i)
		protocol := protocolOf(port)
		key := fmt.Sprintf("%d/%s", port.ContainerPort, protocol)
		if seen[key] {
			c.refuse(pointer, "port %s is listed twice", key)
		}
		seen[key] = true
		if port.HostPort == 0 {
			continue
		}
		host := fmt.Sprintf("%d/%s", port.HostPort, protocol)
		if hosts[host] {
			c.refuse(pointer+"/hostPort", "host port %s is taken twice", host)
		}
		hosts[host] = true
	}
}

func protocolOf(port contract.Port) contract.PortProtocol {
	if port.Protocol == "" {
		return contract.Tcp
	}
	return port.Protocol
}

// identity checks who the tasks are. A role is given to a service account, so one
// that others use too would give it to them as well.
func (c *checker) identity() {
	if c.spec.Role == "" {
		return
	}
	if !c.cluster.EKS {
		c.refuse("/role", "IAM roles are given by EKS Pod Identity, and the cluster has no name in Amazon EKS; an adopted "+
			"one that is in EKS says so with kubernetes.eksCluster")
	}
	if c.spec.Kubernetes.ServiceAccount != "" {
		c.refuse("/kubernetes/serviceAccount", "must be left out beside a role: the role would be that of everything that "+
			"uses the service account")
	}
}

func (c *checker) logging() {
	if driver := c.spec.Logging.Driver; driver != "" {
		c.refuse("/logging/driver", "must be left out, and not be %s: a node keeps what containers write, and what the "+
			"cluster has installed for it takes it from there", driver)
	}
}

func (c *checker) otherOrchestrators() {
	if !reflect.ValueOf(c.spec.Ecs).IsZero() {
		c.refuse("/ecs", "is for services on ecs")
	}
}
