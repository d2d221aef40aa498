package decide

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"portolan/shared/contract"
	"portolan/shared/fault"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
)

const (
	// nodePoolSizeMax bounds a node pool whose description does not.
	nodePoolSizeMax = 10

	// networkSuffix ends the name of the stack of a cluster's own VPC.
	networkSuffix = "-network"
)

// NewCluster returns the cluster that a description asks for, with the names of
// all the stacks that it will ever have. The description passed CheckCluster.
func NewCluster(spec contract.ClusterSpec, now time.Time) model.Cluster {
	if spec.Drift == "" {
		spec.Drift = contract.Repair
	}
	c := model.Cluster{
		Spec: spec, Status: contract.ClusterProvisioning, Generation: 1,
		Stacks: StackNames(spec), CreatedAt: now,
	}
	switch {
	case Adopted(spec):
		c.Facts = AdoptedFacts(spec)
	case spec.Orchestrator == contract.Swarm:
		c.Facts.Swarm = NewSwarmFacts(spec)
	}
	for _, pool := range pools(spec) {
		c.NodePools = append(c.NodePools, model.NodePool{
			Name: pool.Name, Size: pool.Size, SizeMax: sizeMax(pool),
		})
	}
	return c
}

func sizeMax(pool contract.NodePoolSpec) int {
	if pool.SizeMax == 0 {
		return max(nodePoolSizeMax, pool.Size)
	}
	return pool.SizeMax
}

// ChangeCluster returns the cluster with other settings, or nil when they are so
// already, and what is wrong with the wish.
func ChangeCluster(c model.Cluster, wanted contract.ClusterChange) (*model.Cluster, []fault.Field) {
	if wanted.Verbs != nil && !Adopted(c.Spec) {
		return nil, []fault.Field{{Pointer: "/verbs", Detail: "must be left out: they are for an adopted cluster, " +
			"and Portolan made this one"}}
	}
	changed := false
	if wanted.Drift != "" && wanted.Drift != c.Spec.Drift {
		c.Spec.Drift, changed = wanted.Drift, true
	}
	if wanted.Verbs != nil && !slices.Equal(wanted.Verbs, c.Spec.Adopted.Verbs) {
		c.Spec.Adopted.Verbs, changed = wanted.Verbs, true
	}
	if !changed {
		return nil, nil
	}
	return &c, nil
}

// RetireCluster returns the cluster as it is wanted from now on: gone.
func RetireCluster(c model.Cluster) model.Cluster {
	c.Status, c.Reason = contract.ClusterRetiring, ""
	c.Generation++
	return c
}

// ScaleNodePool returns the cluster with another wanted size of a node pool that
// it has. It leaves the cluster that was handed in as it was.
//
// The size that is wanted already is a new wish where another one was seen and no
// operation is on its way to it, as after one that ended dirty: busy says whether one
// is at work on the cluster or waits to be.
func ScaleNodePool(c model.Cluster, pool string, size int, busy bool) (model.Cluster, []fault.Field) {
	c.NodePools = append([]model.NodePool(nil), c.NodePools...)
	p := c.Pool(pool)
	if wrong := managerCount(size); c.Spec.Orchestrator == contract.Swarm && pool == orchestrator.SwarmManagersPool && wrong != "" {
		return c, []fault.Field{{Pointer: "/size", Detail: wrong}}
	}
	if size > p.SizeMax {
		return c, []fault.Field{{Pointer: "/size", Detail: fmt.Sprintf(
			"must be at most %d, the pool's sizeMax, not %d", p.SizeMax, size)}}
	}
	if p.Size != size || p.SizeObserved != size && !busy {
		p.Size = size
		c.Generation++
	}
	return c, nil
}

// blame collects what is wrong with a description.
type blame []fault.Field

func (b *blame) add(pointer, format string, args ...any) {
	*b = append(*b, fault.Field{Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
}

// CheckCluster returns what is wrong with a description beyond what its schema
// says: fields that exclude or need each other.
func CheckCluster(spec contract.ClusterSpec) []fault.Field {
	var b blame
	if strings.HasSuffix(spec.Name, networkSuffix) {
		b.add("/name", "must not end in %s, as the network stack of another cluster does", networkSuffix)
	}
	b.network(spec.Network)
	for i, pool := range spec.NodePools {
		if pool.Size > sizeMax(pool) {
			b.add(fmt.Sprintf("/nodePools/%d/size", i), "must be at most sizeMax, which is %d, not %d",
				pool.SizeMax, pool.Size)
		}
	}
	if saysAdopted(spec) && spec.Orchestrator != contract.Swarm && spec.Adopted.Credentials == "" {
		b.add("/adopted/credentials", "is missing: it names the secret that lets Portolan in")
	}
	b.ecs(spec)
	b.kubernetes(spec)
	b.swarm(spec)
	return b
}

func (b *blame) network(n contract.Network) {
	switch {
	case n.VpcId != "" && len(n.SubnetIds) == 0:
		b.add("/network/subnetIds", "is missing: an existing VPC is named together with its subnets")
	case n.VpcId == "" && len(n.SubnetIds) > 0:
		b.add("/network/vpcId", "is missing: subnets are named together with their VPC")
	}
	if n.Cidr == "" {
		return
	}
	if n.VpcId != "" || len(n.SubnetIds) > 0 {
		b.add("/network/cidr", "is for a new VPC only: leave it out, or leave out vpcId and subnetIds")
	}
	b.addressRange("/network/cidr", n.Cidr)
}

// addressRange blames what is no range of IPv4 addresses.
func (b *blame) addressRange(pointer, cidr string) {
	prefix, err := netip.ParsePrefix(cidr)
	switch {
	case err != nil:
		b.add(pointer, "%q is no range of IPv4 addresses; 10.0.0.0/16 would be", cidr)
	case prefix != prefix.Masked():
		b.add(pointer, "%q has bits set after the first %d; %s would be right",
			cidr, prefix.Bits(), prefix.Masked())
	}
}

func (b *blame) ecs(spec contract.ClusterSpec) {
	if spec.Orchestrator != contract.Ecs {
		return
	}
	switch spec.Ecs.Capacity {
	case "":
		b.add("/ecs", "is missing: a cluster of the orchestrator ecs says its capacity, EC2 or FARGATE")
	case contract.EC2:
		if len(spec.NodePools) != 1 {
			b.add("/nodePools", "must have exactly one node pool for ecs on EC2, not %d", len(spec.NodePools))
		}
	case contract.FARGATE:
		if len(spec.NodePools) > 0 {
			b.add("/nodePools", "must be left out for ecs on FARGATE, which has no nodes")
		}
		if spec.Ecs.InstanceRole != "" {
			b.add("/ecs/instanceRole", "must be left out for ecs on FARGATE, which has no nodes")
		}
	}
	b.ingress("/ecs", spec.Ecs.AllowedIngress, spec.Ecs.Capacity != contract.FARGATE)
}

// ingress checks who may reach the cluster that the block at a pointer describes. Its
// stack takes one range for each port.
func (b *blame) ingress(block string, ingress []contract.Ingress, hasNodes bool) {
	first := map[contract.IngressPort]int{}
	for i, allowed := range ingress {
		at := fmt.Sprintf("%s/allowedIngress/%d", block, i)
		if before, found := first[allowed.Port]; found {
			b.add(at, "is a second range for port %d, after %s/allowedIngress/%d; %s takes one for each port",
				allowed.Port, block, before, block[1:])
		} else {
			first[allowed.Port] = i
		}
		b.addressRange(at+"/cidr", allowed.Cidr)
		if allowed.Port != contract.N22 {
			continue
		}
		if !hasNodes {
			b.add(at+"/port", "must not be 22 for ecs on FARGATE, which has no nodes")
		}
		if strings.HasSuffix(allowed.Cidr, "/0") && !allowed.OpenToTheInternet {
			b.add(at+"/openToTheInternet",
				"must be true to let %s reach port 22; a narrower cidr is better", allowed.Cidr)
		}
	}
}
