// Package swarmspec knows which service descriptions a swarm can run. What it cannot do
// is refused at the door, and never dropped in silence.
//
// It must never link a client of Docker or AWS, because the API's function uses it.
package swarmspec

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"portolan/shared/contract"
	"portolan/shared/fault"
)

// Cluster is what has to be known of a cluster to judge a description.
type Cluster struct {
	// Balanced is true where the cluster has a load balancer that Portolan made.
	Balanced bool

	// Logs is true where the tasks' output goes to CloudWatch Logs.
	Logs bool
}

// Check returns what a cluster cannot do of the description of a service of that name.
// The description fits the API's schema. Pointers are into the description.
func Check(cluster Cluster, service string, spec contract.ServiceSpec) []fault.Field {
	c := &checker{cluster: cluster, service: service, spec: spec}
	c.identity()
	return append(c.fields, Runnable(cluster, service, spec)...)
}

// Runnable is what Check returns but for what a release is only told to whom, and which no
// engine sees: its role, and the container's name.
func Runnable(cluster Cluster, service string, spec contract.ServiceSpec) []fault.Field {
	c := &checker{cluster: cluster, service: service, spec: spec}
	c.names()
	c.memory()
	c.environment()
	c.ports()
	c.loadBalancer()
	c.certificates()
	c.mode()
	c.rollout()
	c.placement()
	c.volumes()
	c.files()
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
	detail := "Swarm: " + fmt.Sprintf(format, args...)
	c.fields = append(c.fields, fault.Field{Pointer: pointer, Detail: detail})
}

func (c *checker) names() {
	if len(c.service) > serviceMax {
		c.refuse("/name", "a service's name has at most %d characters, not %d", serviceMax, len(c.service))
	}
}

// serviceMax is how long the engine lets a service's name be.
const serviceMax = 63

func (c *checker) identity() {
	if c.spec.Container != "" {
		c.refuse("/container", "must be left out: a swarm names containers itself, after the service and the task")
	}
	if c.spec.Role != "" {
		c.refuse("/role", "a task has no IAM role of its own: all tasks of a node can have that of its instance and no other. "+
			"Services that need roles belong on ecs, or on kubernetes in EKS")
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

func (c *checker) environment() {
	for _, name := range slices.Sorted(maps.Keys(c.spec.Environment)) {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			c.refuse("/environment/"+escaped(name), "a variable's name is not empty and has no =")
		}
	}
	if len(c.spec.Secrets) > 0 {
		c.refuse("/secrets", "a task reads no Secrets Manager or Parameter Store into its variables: make a secret of the swarm, "+
			"and name it in /swarm/secretFiles")
	}
}

// escaped is a name as it stands in a JSON pointer.
func escaped(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

func (c *checker) logging() {
	if c.spec.Logging.Driver == contract.Awslogs && !c.cluster.Logs {
		c.refuse("/logging/driver", "the cluster sends no logs to CloudWatch Logs (swarm.cloudWatchLogs), so it is left out, or none")
	}
}

func (c *checker) otherOrchestrators() {
	if !reflect.ValueOf(c.spec.Ecs).IsZero() {
		c.refuse("/ecs", "is for services on ecs: a swarm has one network mode for all, and no role that starts tasks")
	}
	if !reflect.ValueOf(c.spec.Kubernetes).IsZero() {
		c.refuse("/kubernetes", "is for services on kubernetes")
	}
}
