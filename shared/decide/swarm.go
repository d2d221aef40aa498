package decide

import (
	"fmt"
	"net"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"portolan/shared/contract"
	"portolan/shared/orchestrator"
)

// hostName is the name of a host in DNS.
var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$`)

// rootVolumeMin is the least size of a root volume in GiB where the image is one of
// Amazon's for containers.
const rootVolumeMin = 30

// swarm checks what only clusters of the orchestrator swarm say, and what they cannot
// say.
func (b *blame) swarm(spec contract.ClusterSpec) {
	if spec.Orchestrator != contract.Swarm {
		b.notSwarm(spec)
		return
	}
	b.notECS(spec)
	if Adopted(spec) || saysAdopted(spec) {
		b.adoptedSwarm(spec)
		return
	}
	b.managers(spec.Swarm.Managers)
	b.poolNames(spec.NodePools)
	if spec.Swarm.ServerName != "" {
		b.add("/swarm/serverName", "must be left out: it is for an adopted swarm, whose certificates are there already")
	}
	if spec.Swarm.EncryptSharedStorage && !spec.Swarm.SharedStorage {
		b.add("/swarm/encryptSharedStorage", "needs sharedStorage to be true: there is nothing else to encrypt")
	}
	b.ingress("/swarm", spec.Swarm.AllowedIngress, true)
}

// notSwarm blames what another orchestrator does not have.
func (b *blame) notSwarm(spec contract.ClusterSpec) {
	if !reflect.ValueOf(spec.Swarm).IsZero() {
		b.add("/swarm", "must be left out for %s", spec.Orchestrator)
	}
	for i, pool := range spec.NodePools {
		at := fmt.Sprintf("/nodePools/%d", i)
		if pool.RootVolumeGiB != 0 && pool.RootVolumeGiB < rootVolumeMin {
			b.add(at+"/rootVolumeGiB", "must be at least %d for %s, not %d", rootVolumeMin, spec.Orchestrator, pool.RootVolumeGiB)
		}
		if pool.RootVolumeType != "" {
			b.add(at+"/rootVolumeType", "must be left out for %s", spec.Orchestrator)
		}
		if pool.EbsOptimized {
			b.add(at+"/ebsOptimized", "must be left out for %s", spec.Orchestrator)
		}
	}
}

// managers checks how many managers a new swarm gets.
func (b *blame) managers(m contract.SwarmManagers) {
	if m.Count == 0 {
		b.add("/swarm/managers", "is missing: a new swarm says its managers' count and instanceType")
		return
	}
	if wrong := managerCount(m.Count); wrong != "" {
		b.add("/swarm/managers/count", "%s", wrong)
	}
	if m.Spot {
		b.add("/swarm/managers/spot", "must be left out: EC2 takes Spot instances back with two minutes' notice, several at a time, and "+
			"the managers hold the quorum; workers may be Spot instances")
	}
}

// managerCount says what is wrong with a number of managers; nothing when it is empty.
func managerCount(count int) string {
	if count%2 == 1 && count >= 1 && count <= 7 {
		return ""
	}
	return fmt.Sprintf("must be 1, 3, 5 or 7, not %d: an even number bears no more losses than the odd one below it, "+
		"and each manager more makes every change slower", count)
}

// poolNames blames names that two node pools share, and the managers' own.
func (b *blame) poolNames(pools []contract.NodePoolSpec) {
	first := map[string]int{}
	for i, pool := range pools {
		at := fmt.Sprintf("/nodePools/%d/name", i)
		before, found := first[pool.Name]
		switch {
		case pool.Name == orchestrator.SwarmManagersPool:
			b.add(at, "must not be %s, which /swarm/managers describes", pool.Name)
		case found:
			b.add(at, "%q is taken by /nodePools/%d", pool.Name, before)
		default:
			first[pool.Name] = i
		}
	}
}

// adoptedSwarm blames what is said of a swarm that is there already and only a new one
// can be told, and how its managers are reached.
func (b *blame) adoptedSwarm(spec contract.ClusterSpec) {
	b.adoptedOnly(spec)
	sockets := b.addresses(spec.Swarm.Addresses)
	switch {
	case len(spec.Swarm.Addresses) == 0:
		b.add("/swarm/addresses", "is missing: it says where the adopted swarm's managers are, such as 10.0.1.17:2376")
	case sockets > 0 && spec.Adopted.Credentials != "":
		b.add("/adopted/credentials", "must be left out: a socket takes no certificates")
	case sockets == 0 && spec.Adopted.Credentials == "":
		b.add("/adopted/credentials", "is missing: Portolan speaks to an engine over the network with mutual TLS only")
	case sockets == 0:
		b.credentials(spec)
	case spec.Swarm.ServerName != "":
		b.add("/swarm/serverName", "must be left out: a socket takes no certificates")
	}
	switch {
	case spec.Network.VpcId == "":
	case sockets > 0:
		b.add("/network", "must be left out: a socket is not in a VPC")
	default:
		b.onePort(spec.Swarm.Addresses)
	}
}

// onePort blames addresses with several ports where a connector calls them: its security
// group lets out to one.
func (b *blame) onePort(addresses []string) {
	first := ""
	for i, address := range addresses {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			continue // blamed already
		}
		if first == "" {
			first = port
		}
		if port != first {
			b.add(fmt.Sprintf("/swarm/addresses/%d", i), "has port %s, and those before it have %s: a connector in a VPC calls one port",
				port, first)
		}
	}
}

// adoptedOnly blames what only a new swarm can be told.
func (b *blame) adoptedOnly(spec contract.ClusterSpec) {
	if len(spec.NodePools) > 0 {
		b.add("/nodePools", "must be left out: an adopted cluster has the nodes that it has")
	}
	if spec.Network.Cidr != "" {
		b.add("/network/cidr", "must be left out: an adopted cluster has its network; vpcId and subnetIds say where "+
			"the connector to its engines is put")
	}
	s := spec.Swarm
	for _, field := range []struct {
		name string
		said bool
	}{
		{"managers", s.Managers != contract.SwarmManagers{}}, {"channel", s.Channel != ""},
		{"engineVersion", s.EngineVersion != ""},
		{"cloudWatchLogs", s.CloudWatchLogs != nil}, {"systemPrune", s.SystemPrune},
		{"sharedStorage", s.SharedStorage}, {"encryptSharedStorage", s.EncryptSharedStorage},
		{"allowedIngress", len(s.AllowedIngress) > 0},
	} {
		if field.said {
			b.add("/swarm/"+field.name, "must be left out: it is for a new cluster, and this one is adopted")
		}
	}
}

// addresses checks where the managers of an adopted swarm are said to be, and returns
// how many of them are sockets.
func (b *blame) addresses(addresses []string) (sockets int) {
	for i, address := range addresses {
		at := fmt.Sprintf("/swarm/addresses/%d", i)
		if path, found := strings.CutPrefix(address, "unix://"); found {
			sockets++
			if !strings.HasPrefix(path, "/") {
				b.add(at, "%q names no socket by its whole path; unix:///var/run/docker.sock would", address)
			}
			continue
		}
		if wrong := hostPort(address); wrong != "" {
			b.add(at, "%q %s; 10.0.1.17:2376 would be right", address, wrong)
		}
	}
	if sockets > 0 && len(addresses) > 1 {
		b.add("/swarm/addresses", "must be one socket, or only addresses with a port, not both")
	}
	return sockets
}

// hostPort says what is wrong with the address of an engine; nothing when it is empty.
func hostPort(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "is no host with a port"
	}
	if number, err := strconv.ParseUint(port, 10, 16); err != nil || number == 0 {
		return "has no port between 1 and 65535"
	}
	if net.ParseIP(host) == nil && !hostName.MatchString(host) {
		return "has no host by name or IP address"
	}
	return ""
}

// adoptedSwarmFacts are what a description says of how an adopted swarm is reached.
func adoptedSwarmFacts(spec contract.ClusterSpec) orchestrator.Facts {
	return orchestrator.Facts{Swarm: &orchestrator.SwarmFacts{
		Managers: spec.Swarm.Addresses, Credentials: spec.Adopted.Credentials, ServerName: spec.Swarm.ServerName,
		VPC: spec.Network.VpcId, Subnets: spec.Network.SubnetIds,
	}}
}
