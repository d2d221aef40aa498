package swarm

import (
	"context"
	"strings"

	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"

	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// An Engine is one Docker engine of a cluster, which need not be in its swarm yet. All
// that changes it is idempotent, and a change that the engine of another swarm is asked
// for is a Conflict that names the swarm.
type Engine struct {
	*connection
	address string
}

// Engine returns the engine whose API is at an address, host:port or unix:///path. It is
// called with the credentials that the cluster's facts name, directly or by its
// connector. Managers of the cluster need not be known yet.
func (d *Driver) Engine(ctx context.Context, cluster orchestrator.ClusterRef, address string) (*Engine, error) {
	if cluster.Facts.Swarm == nil {
		return nil, fault.New(fault.NotFound, "cluster %q is no swarm yet", cluster.Name)
	}
	c, err := d.dial(ctx, cluster, *cluster.Facts.Swarm, []string{address})
	if err != nil {
		return nil, err
	}
	return &Engine{connection: c, address: address}, nil
}

// MembershipState is how an engine stands to a swarm.
type MembershipState string

const (
	// Outside engines are in no swarm.
	Outside MembershipState = "Outside"

	// Joining engines are on their way in.
	Joining MembershipState = "Joining"

	// Inside engines are in a swarm.
	Inside MembershipState = "Inside"

	// Broken engines cannot take part in the swarm that they are in, or were to join.
	Broken MembershipState = "Broken"
)

// EngineInfo is what an engine is like.
type EngineInfo struct {
	// Version is the engine's own, such as 20.10.24.
	Version string
	Name    string
	State   MembershipState

	// Reason is what the engine says of what is broken.
	Reason string

	// Node is the engine's id in its swarm, and Address the one that it is known by there.
	Node, Address string
	Manager       bool

	// Swarm is the id of its swarm, and Cluster the name of the cluster that Portolan made
	// the swarm for. Both are known to managers only, and while they see a leader.
	Swarm, Cluster string

	// Peers are where the managers of its swarm are, host:port of the swarm's own protocol.
	Peers []string

	// Labels are the engine's own, NAME=VALUE, as its configuration says.
	Labels []string
}

// Info looks at the engine. It is Unavailable for one that does not answer, and Invalid
// for one that cannot be talked to: its certificate is wrong, or it is too old.
func (e *Engine) Info(ctx context.Context) (EngineInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, engineDeadline)
	defer cancel()
	out, err := e.client.Info(ctx, client.InfoOptions{})
	if err != nil {
		return EngineInfo{}, classify(err, "looking at engine "+e.address)
	}
	told := out.Info.Swarm
	info := EngineInfo{
		Version: out.Info.ServerVersion, Name: out.Info.Name, Node: told.NodeID, Address: told.NodeAddr,
		Manager: told.ControlAvailable, Reason: tokens.ReplaceAllString(told.Error, "SWM$1-…"), Labels: out.Info.Labels,
	}
	info.State = membership(told.LocalNodeState)
	if told.Cluster != nil {
		info.Swarm, info.Cluster = told.Cluster.ID, told.Cluster.Spec.Labels[labelCluster]
	}
	for _, peer := range told.RemoteManagers {
		info.Peers = append(info.Peers, peer.Addr)
	}
	return info, nil
}

func membership(state swarm.LocalNodeState) MembershipState {
	switch state {
	case swarm.LocalNodeStateActive:
		return Inside
	case swarm.LocalNodeStatePending:
		return Joining
	case swarm.LocalNodeStateError, swarm.LocalNodeStateLocked:
		return Broken
	}
	return Outside
}

// Where engines listen for the swarm's own protocol.
const (
	swarmPort   = "2377"
	swarmListen = "0.0.0.0:" + swarmPort
)

// Init makes the engine the first manager of a new swarm for the cluster, known to others
// by an address, and returns what the engine is then. An engine that is a manager of the
// cluster's swarm already stays one. Who else tries at the same time is the caller's
// matter.
func (e *Engine) Init(ctx context.Context, advertise string) (EngineInfo, error) {
	info, err := e.Info(ctx)
	if err != nil {
		return info, err
	}
	if info.State != Outside {
		return info, e.belongs(info, true)
	}
	ctx, cancel := context.WithTimeout(ctx, engineDeadline)
	defer cancel()
	_, err = e.client.SwarmInit(ctx, client.SwarmInitOptions{
		ListenAddr: swarmListen, AdvertiseAddr: advertise, Availability: swarm.NodeAvailabilityActive,
		Spec: swarm.Spec{Annotations: swarm.Annotations{Name: "default", Labels: map[string]string{labelCluster: e.cluster.Name}}},
	})
	if err != nil {
		return info, classify(err, "making a swarm on engine "+e.address)
	}
	return e.Info(ctx)
}

// belongs says whether an engine that is in a swarm is in the cluster's, in that role.
func (e *Engine) belongs(info EngineInfo, manager bool) error {
	switch {
	case info.State == Joining:
		return fault.New(fault.Unavailable, "engine %s is still joining a swarm", e.address)
	case info.State == Broken:
		return fault.New(fault.Conflict, "engine %s cannot take part in its swarm: %s", e.address, info.Reason)
	case info.Manager && info.Swarm == "":
		return fault.New(fault.Unavailable, "engine %s is a manager of a swarm that has no leader", e.address)
	case info.Manager && e.facts.SwarmID != "" && info.Swarm != e.facts.SwarmID:
		return fault.New(fault.Conflict, "engine %s is in another swarm, %s, and not in %s of cluster %s", e.address, info.Swarm,
			e.facts.SwarmID, e.cluster.Name)
	case info.Manager && e.facts.SwarmID == "" && info.Cluster != e.cluster.Name:
		return fault.New(fault.Conflict, "engine %s is in another swarm, %s, which was not made for cluster %s", e.address,
			info.Swarm, e.cluster.Name)
	case info.Manager != manager && manager:
		return fault.New(fault.Conflict, "engine %s is in a swarm already, as a worker of the managers %s", e.address,
			strings.Join(info.Peers, ", "))
	}
	return nil
}

// JoinInput is what it takes to join a swarm.
type JoinInput struct {
	// Token decides whether the engine becomes a worker or a manager.
	Token   Token
	Manager bool

	// Managers are the addresses of managers that are in the swarm: a host, or host:port
	// of the swarm's own protocol.
	Managers []string

	// Advertise is the address by which the others know the engine.
	Advertise string
}

// Join makes the engine a worker or a manager of the cluster's swarm, and returns what
// the engine is then. One that is in the swarm already, in that role, stays. It is
// Unavailable while the engine is on its way in, which goes on by itself.
func (e *Engine) Join(ctx context.Context, in JoinInput) (EngineInfo, error) {
	info, err := e.Info(ctx)
	if err != nil {
		return info, err
	}
	if info.State == Broken && info.Node == "" {
		// It was told to join and never did; it begins anew.
		if err := e.leave(ctx, true); err != nil {
			return info, err
		}
		info.State = Outside
	}
	if info.State != Outside {
		return info, e.joined(ctx, info, in)
	}
	var remotes []string
	for _, manager := range in.Managers {
		if !strings.Contains(manager, ":") {
			manager += ":" + swarmPort
		}
		remotes = append(remotes, manager)
	}
	timed, cancel := context.WithTimeout(ctx, engineDeadline)
	defer cancel()
	_, err = e.client.SwarmJoin(timed, client.SwarmJoinOptions{
		ListenAddr: swarmListen, AdvertiseAddr: in.Advertise, RemoteAddrs: remotes, JoinToken: string(in.Token),
		Availability: swarm.NodeAvailabilityActive,
	})
	if err != nil {
		return info, classify(err, "joining engine "+e.address+" to the swarm of cluster "+e.cluster.Name)
	}
	return e.Info(ctx)
}

// joined says whether an engine that is in a swarm is in the right one. A worker does not
// know which swarm it is in, so the managers are asked.
func (e *Engine) joined(ctx context.Context, info EngineInfo, in JoinInput) error {
	if err := e.belongs(info, in.Manager); err != nil || info.State != Inside {
		return err
	}
	if info.Manager && !in.Manager {
		return fault.New(fault.Conflict, "engine %s is in the swarm already, as a manager", e.address)
	}
	if info.Manager || len(e.facts.Managers) == 0 {
		return nil
	}
	managers, err := e.driver.connect(ctx, e.cluster)
	if err != nil {
		return err
	}
	if _, err := managers.node(ctx, info.Node); err != nil {
		if fault.IsNotFound(err) {
			return fault.New(fault.Conflict, "engine %s is in another swarm, of the managers %s, which cluster %s does not know",
				e.address, strings.Join(info.Peers, ", "), e.cluster.Name)
		}
		return err
	}
	return nil
}

// Leave takes the engine out of whatever swarm it is in; one that is in none has left. A
// manager is a Conflict, since its swarm may lose its quorum: it is demoted before, or it
// is forced.
func (e *Engine) Leave(ctx context.Context, force bool) error {
	info, err := e.Info(ctx)
	if err != nil || info.State == Outside {
		return err
	}
	if info.Manager && !force {
		return fault.New(fault.Conflict, "engine %s is a manager: it is demoted before it leaves", e.address)
	}
	return e.leave(ctx, force)
}

func (e *Engine) leave(ctx context.Context, force bool) error {
	ctx, cancel := context.WithTimeout(ctx, engineDeadline)
	defer cancel()
	_, err := e.client.SwarmLeave(ctx, client.SwarmLeaveOptions{Force: force})
	if err != nil && strings.Contains(err.Error(), "not part of a swarm") {
		return nil
	}
	return classify(err, "taking engine "+e.address+" out of its swarm")
}

// ForceNewCluster makes the engine, a manager whose swarm has lost its quorum, the only
// manager of the swarm as the engine last knew it. What the other managers had decided
// since is lost.
func (e *Engine) ForceNewCluster(ctx context.Context, advertise string) (EngineInfo, error) {
	info, err := e.Info(ctx)
	if err != nil {
		return info, err
	}
	if info.State == Outside || !info.Manager {
		return info, fault.New(fault.Conflict, "engine %s is no manager of a swarm, so it knows nothing that could be recovered", e.address)
	}
	timed, cancel := context.WithTimeout(ctx, engineDeadline)
	defer cancel()
	_, err = e.client.SwarmInit(timed, client.SwarmInitOptions{
		ListenAddr: swarmListen, AdvertiseAddr: advertise, ForceNewCluster: true, Availability: swarm.NodeAvailabilityActive,
		Spec: swarm.Spec{Annotations: swarm.Annotations{Name: "default", Labels: map[string]string{labelCluster: e.cluster.Name}}},
	})
	if err != nil {
		return info, classify(err, "forcing a new swarm on engine "+e.address)
	}
	return e.Info(ctx)
}
