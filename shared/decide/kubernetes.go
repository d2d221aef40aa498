package decide

import (
	"fmt"
	"reflect"
	"strings"

	"portolan/shared/contract"
	"portolan/shared/orchestrator"
)

// Adopted says whether a description is of a cluster that somebody else made.
func Adopted(spec contract.ClusterSpec) bool {
	return spec.Adopted.Credentials != "" || len(spec.Swarm.Addresses) > 0
}

// saysAdopted says whether a description speaks of adoption at all.
func saysAdopted(spec contract.ClusterSpec) bool { return !reflect.ValueOf(spec.Adopted).IsZero() }

// kubernetes checks what only clusters of the orchestrator kubernetes say, and
// what they cannot say.
func (b *blame) kubernetes(spec contract.ClusterSpec) {
	switch {
	case spec.Orchestrator != contract.Kubernetes:
		b.notKubernetes(spec)
	case Adopted(spec):
		b.adoptedKubernetes(spec)
	default:
		b.eks(spec)
	}
}

// notKubernetes blames what another orchestrator does not have.
func (b *blame) notKubernetes(spec contract.ClusterSpec) {
	if !reflect.ValueOf(spec.Kubernetes).IsZero() {
		b.add("/kubernetes", "must be left out for %s", spec.Orchestrator)
	}
	if Adopted(spec) && spec.Orchestrator == contract.Ecs {
		b.add("/adopted", "must be left out for ecs: only a cluster of kubernetes or swarm can be adopted")
	}
	for i, pool := range spec.NodePools {
		if pool.Spot && spec.Orchestrator != contract.Swarm {
			b.add(fmt.Sprintf("/nodePools/%d/spot", i), "must be left out for %s", spec.Orchestrator)
		}
	}
}

// adoptedKubernetes blames what is said of a cluster that is there already and only
// a new one can be told.
func (b *blame) adoptedKubernetes(spec contract.ClusterSpec) {
	b.notECS(spec)
	b.credentials(spec)
	if len(spec.NodePools) > 0 {
		b.add("/nodePools", "must be left out: an adopted cluster has the nodes that it has")
	}
	if spec.Network.Cidr != "" {
		b.add("/network/cidr", "must be left out: an adopted cluster has its network; vpcId and subnetIds say where "+
			"the connector to a private endpoint is put")
	}
	k := spec.Kubernetes
	for _, field := range []struct {
		name string
		said bool
	}{
		{"version", k.Version != ""}, {"endpointAccess", k.EndpointAccess != ""},
		{"publicAccessCidrs", len(k.PublicAccessCidrs) > 0}, {"openToTheInternet", k.OpenToTheInternet},
	} {
		if field.said {
			b.add("/kubernetes/"+field.name, "must be left out: it is for a new cluster, and this one is adopted")
		}
	}
}

// credentials takes only secrets of the team's own: Portolan may read those of all
// teams, and must not be talked into using one for another.
func (b *blame) credentials(spec contract.ClusterSpec) {
	_, name, _ := strings.Cut(spec.Adopted.Credentials, ":secret:")
	if prefix := "portolan/" + spec.Team + "/"; !strings.HasPrefix(name, prefix) {
		b.add("/adopted/credentials", "must be a secret of the team's own, whose name begins with %s; %q does not", prefix, name)
	}
}

// eks checks the description of a new cluster in Amazon EKS.
func (b *blame) eks(spec contract.ClusterSpec) {
	b.notECS(spec)
	if len(spec.NodePools) == 0 {
		b.add("/nodePools", "is missing: a new cluster of kubernetes has at least one node pool")
	}
	first := map[string]int{}
	for i, pool := range spec.NodePools {
		if before, found := first[pool.Name]; found {
			b.add(fmt.Sprintf("/nodePools/%d/name", i), "%q is taken by /nodePools/%d", pool.Name, before)
			continue
		}
		first[pool.Name] = i
	}
	k := spec.Kubernetes
	if k.Context != "" {
		b.add("/kubernetes/context", "must be left out: it is for an adopted cluster's kubeconfig")
	}
	if k.EksCluster != "" {
		b.add("/kubernetes/eksCluster", "must be left out: a new cluster's name in EKS follows from its own")
	}
	b.publicAccess(k)
}

func (b *blame) notECS(spec contract.ClusterSpec) {
	if !reflect.ValueOf(spec.Ecs).IsZero() {
		b.add("/ecs", "must be left out for %s", spec.Orchestrator)
	}
}

// publicAccess checks who may reach the API server from the internet. Nobody may
// unless it is said.
func (b *blame) publicAccess(k contract.KubernetesCluster) {
	if PrivateOnly(k) {
		if len(k.PublicAccessCidrs) > 0 {
			b.add("/kubernetes/publicAccessCidrs", "must be left out for a private endpoint")
		}
		return
	}
	open := len(k.PublicAccessCidrs) == 0 // as EKS has it
	for i, cidr := range k.PublicAccessCidrs {
		b.addressRange(fmt.Sprintf("/kubernetes/publicAccessCidrs/%d", i), cidr)
		open = open || strings.HasSuffix(cidr, "/0")
	}
	switch {
	case open && !k.OpenToTheInternet:
		b.add("/kubernetes/openToTheInternet", "must be true for an endpoint that 0.0.0.0/0 reaches, as it does without "+
			"publicAccessCidrs; to name them is better")
	case !open && k.EndpointAccess == contract.EndpointPublic:
		b.add("/kubernetes/endpointAccess", "must be publicAndPrivate with publicAccessCidrs: Portolan has no address of "+
			"its own that they could let in, and uses the connector")
	}
}

// PrivateOnly says whether a new cluster's API server is reached from its VPC only.
func PrivateOnly(k contract.KubernetesCluster) bool {
	return k.EndpointAccess == "" || k.EndpointAccess == contract.EndpointPrivate
}

// AdoptedFacts are what a description says of how an adopted cluster is reached.
func AdoptedFacts(spec contract.ClusterSpec) orchestrator.Facts {
	if spec.Orchestrator == contract.Swarm {
		return adoptedSwarmFacts(spec)
	}
	return orchestrator.Facts{Kubernetes: &orchestrator.KubernetesFacts{
		Credentials: spec.Adopted.Credentials, Context: spec.Kubernetes.Context,
		EKSCluster: spec.Kubernetes.EksCluster, Namespace: spec.Kubernetes.Namespace,
		VPC: spec.Network.VpcId, Subnets: spec.Network.SubnetIds,
	}}
}
