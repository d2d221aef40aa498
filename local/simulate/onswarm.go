package simulate

import (
	"encoding/json"
	"net/http"

	"github.com/moby/moby/api/types/swarm"

	"portolan/shared/contract"
)

// Marks that Portolan makes on what is its own, which are part of what it promises.
const (
	instanceOfNode   = "portolan.instance"
	serviceInSwarm   = "portolan.service"
	releaseInSwarm   = "portolan.release"
	jobInSwarm       = "portolan.job"
	removedFromThere = "portolan.removing"
)

// changesSwarm says whether a call changes a swarm or an engine.
func (c *call) changesSwarm() bool {
	return c.engine != nil && c.engine.Method != http.MethodGet && c.engine.Method != http.MethodHead
}

// swarmChange reads a call that changes a service of a swarm.
func (c *call) swarmChange() (change, bool) {
	if c.engine == nil || c.engine.Method != http.MethodPost {
		return change{}, false
	}
	path := c.enginePath()
	if len(path) < 2 || path[0] != "services" || path[len(path)-1] != "create" && path[len(path)-1] != "update" {
		return change{}, false
	}
	var spec swarm.ServiceSpec
	if json.Unmarshal(c.engine.Body, &spec) != nil || spec.Labels[removedFromThere] != "" || spec.Labels[jobInSwarm] != "" {
		return change{}, false
	}
	out := change{service: spec.Labels[serviceInSwarm]}
	if replicated := spec.Mode.Replicated; replicated != nil && replicated.Replicas != nil {
		count := int(*replicated.Replicas)
		out.replicas = &count
	}
	return out, true
}

// intendedInSwarm checks that what is made of a service is made for one that the table has.
func intendedInSwarm(o *oracle, c *call) {
	change, ok := c.swarmChange()
	if !ok {
		return
	}
	v, err := o.w.mirror.service(c.cluster, change.service)
	if err != nil || v.Status == contract.ServiceRetired {
		o.broken(4, "service %q is changed on %s, which the table does not know as intended", change.service, c.cluster)
	}
}

// runningInSwarm is a service as its swarm has it.
func (o *oracle) runningInSwarm(cluster, name string) running {
	s, err := o.w.dockerSwarm(cluster).service(name)
	if err != nil || s.Spec.Labels[serviceInSwarm] != name {
		return running{}
	}
	seen := running{found: true, release: s.Spec.Labels[releaseInSwarm], image: s.Spec.TaskTemplate.ContainerSpec.Image}
	if replicated := s.Spec.Mode.Replicated; replicated != nil && replicated.Replicas != nil {
		seen.desired = int(*replicated.Replicas)
	}
	return seen
}

// nodesInSwarm are the nodes of a swarm.
func (o *oracle) nodesInSwarm(cluster string) (out []node) {
	s := o.w.dockerSwarm(cluster)
	for _, n := range s.nodes() {
		out = append(out, node{n.ID, n.Spec.Availability != swarm.NodeAvailabilityActive, len(s.tasksOn(n.ID))})
	}
	return out
}
