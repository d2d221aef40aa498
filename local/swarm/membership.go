package swarm

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/moby/moby/api/types/swarm"

	"portolan/local/swarm/cluster"
)

// How long it takes to become part of a swarm, and how long an engine tries before it
// goes on in the background.
const (
	initLow, initHigh = 500 * time.Millisecond, 1500 * time.Millisecond
	joinLow, joinHigh = 800 * time.Millisecond, 2500 * time.Millisecond
	joinPatience      = 20 * time.Second
	joinAgain         = 5 * time.Second
	swarmPort         = "2377"
)

func unavailable(format string, args ...any) error {
	return cluster.Errorf(http.StatusServiceUnavailable, format, args...)
}

func invalid(format string, args ...any) error {
	return cluster.Errorf(http.StatusBadRequest, format, args...)
}

var (
	errNoSwarm     = unavailable("This node is not part of a swarm")
	errSwarmExists = unavailable("This node is already part of a swarm. Use \"docker swarm leave\" to leave this swarm and " +
		"join another one.")
	errNotInSwarm = unavailable("This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect " +
		"this node to swarm and try again.")
	errWorker = unavailable("This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state. " +
		"Please run this command on a manager node or promote the current node to a manager.")
	errPrepared = unavailable("This node is not a swarm manager. Manager is being prepared or has trouble connecting to the cluster.")
	errJoinsOn  = unavailable("Timeout was reached before node joined. The attempt to join the swarm will continue in the " +
		"background. Use the \"docker info\" command to see the current swarm status of your node.")
)

// manager returns the swarm, if the engine is a manager of it and there is a leader.
func (n *engine) manager() (*cluster.Cluster, error) {
	c := n.cluster()
	switch {
	case c == nil:
		return nil, errNotInSwarm
	case !c.IsMember(n.NodeID):
		if wants, err := c.Node(n.NodeID); err == nil && wants.Spec.Role == swarm.NodeRoleManager {
			return nil, errPrepared
		}
		return nil, errWorker
	case !c.Led():
		return nil, cluster.ErrNoLeader
	}
	return c, nil
}

// initialize makes a swarm with this engine as its only manager.
func (n *engine) initialize(ctx context.Context, request swarm.InitRequest) (nodeID string, err error) {
	e := n.engines
	if err := e.locked(func() error { return n.mayInit(&request) }); err != nil {
		return "", err
	}
	if err := e.config.Clock.Sleep(ctx, e.config.IDs.Between(initLow, initHigh)); err != nil {
		return "", err
	}
	return nodeID, e.locked(func() error {
		// Somebody else may have been faster meanwhile.
		if err := n.mayInit(&request); err != nil {
			return err
		}
		if request.ForceNewCluster && n.cluster() != nil {
			nodeID = n.NodeID
			return n.forceNew()
		}
		of, err := e.found(func(config cluster.Config) (*cluster.Cluster, error) { return cluster.New(config, request.Spec), nil })
		if err != nil {
			return err
		}
		n.enter(of, n.joining(request.AdvertiseAddr, request.Availability), true)
		nodeID = n.NodeID
		return nil
	})
}

// locked is change for what may be refused.
func (e *Engines) locked(fn func() error) (err error) {
	e.change(func() { err = fn() })
	return err
}

func (n *engine) mayInit(request *swarm.InitRequest) error {
	c := n.cluster()
	switch {
	case n.Joining != nil, c != nil && !request.ForceNewCluster:
		return errSwarmExists
	case c != nil && !c.IsMember(n.NodeID):
		return errWorker
	}
	if request.ListenAddr == "" {
		return invalid("invalid ListenAddr %q: invalid empty address", request.ListenAddr)
	}
	if request.Spec.Name != "" && request.Spec.Name != "default" {
		return invalid(`swarm spec must be named "default"`)
	}
	return checkAvailability(request.Availability)
}

func checkAvailability(a swarm.NodeAvailability) error {
	switch a {
	case "", swarm.NodeAvailabilityActive, swarm.NodeAvailabilityDrain, swarm.NodeAvailabilityPause:
		return nil
	}
	return cluster.Errorf(http.StatusInternalServerError, "invalid Availability: %q", a)
}

// forceNew goes on alone with what this manager knows; the workers follow it.
func (n *engine) forceNew() error {
	e := n.engines
	old := n.cluster()
	from := n.Swarm
	of, err := e.found(old.Copy)
	if err != nil {
		return err
	}
	for _, id := range sortedKeys(e.engines) {
		other := e.engines[id]
		if other.Swarm != from || other != n && old.IsMember(other.NodeID) {
			continue
		}
		other.Swarm = of.key
		other.touch()
		old.Silence(other.NodeID)
	}
	for _, peer := range old.Managers() {
		if peer.NodeID != n.NodeID {
			of.cluster.Silence(peer.NodeID)
		}
	}
	of.cluster.ForceNew(n.NodeID)
	return nil
}

// enter makes the engine a node.
func (n *engine) enter(of *swarmOf, j cluster.Joining, manager bool) {
	n.Swarm, n.Joining = of.key, nil
	n.NodeID = of.cluster.Join(j, manager)
	for _, image := range sortedKeys(n.Images) {
		of.cluster.MarkPulled(n.NodeID, image)
	}
	n.touch()
}

func (n *engine) joining(advertise string, a swarm.NodeAvailability) cluster.Joining {
	host, port := n.Address, swarmPort
	if at, p, err := net.SplitHostPort(advertise); err == nil {
		host, port = at, p
	} else if net.ParseIP(advertise) != nil {
		host = advertise
	}
	return cluster.Joining{Description: n.description(), Availability: a, Addr: host, Port: port}
}

// join makes the engine part of the swarm that answers at the addresses.
func (n *engine) join(ctx context.Context, request swarm.JoinRequest) error {
	e := n.engines
	if err := e.locked(func() error { return n.mayJoin(request) }); err != nil {
		return err
	}
	if err := e.config.Clock.Sleep(ctx, e.config.IDs.Between(joinLow, joinHigh)); err != nil {
		return err
	}
	wait := false
	err := e.locked(func() (err error) {
		if err := n.mayJoin(request); err != nil {
			return err
		}
		wait, err = n.tryJoin(request)
		if wait {
			n.Joining = &request
			n.touch()
		}
		return err
	})
	if !wait {
		return err
	}
	return n.joinPatiently(ctx)
}

// joinPatiently tries again for a while, and then leaves it to the background.
func (n *engine) joinPatiently(ctx context.Context) error {
	e := n.engines
	for end := e.config.Clock.Now().Add(joinPatience); e.config.Clock.Now().Before(end); {
		if err := e.config.Clock.Sleep(ctx, joinAgain); err != nil {
			return err
		}
		done := false
		err := e.locked(func() (err error) {
			done, err = n.joinOnce()
			return err
		})
		if done || err != nil {
			return err
		}
	}
	e.change(n.tryAgain)
	return errJoinsOn
}

// joinOnce tries what the engine is at; done is that there is nothing to try any more.
func (n *engine) joinOnce() (done bool, err error) {
	if n.Joining == nil {
		return true, nil
	}
	wait, err := n.tryJoin(*n.Joining)
	if wait {
		return false, nil
	}
	n.Joining = nil
	n.touch()
	return true, err
}

func (n *engine) tryAgain() {
	n.engines.at("join "+n.ID, n.engines.config.Clock.Now().Add(joinAgain), func() {
		if !n.up() {
			return
		}
		if done, _ := n.joinOnce(); !done {
			n.tryAgain()
		}
	})
}

func (n *engine) mayJoin(request swarm.JoinRequest) error {
	switch {
	case n.cluster() != nil || n.Joining != nil:
		return errSwarmExists
	case request.ListenAddr == "":
		return invalid("invalid ListenAddr %q: invalid empty address", request.ListenAddr)
	case len(request.RemoteAddrs) == 0:
		return invalid("at least 1 RemoteAddr is required to join")
	}
	for _, address := range request.RemoteAddrs {
		if address == "" {
			return invalid("invalid remoteAddr %q: invalid empty address", address)
		}
	}
	if err := checkAvailability(request.Availability); err != nil {
		return err
	}
	return cluster.CheckTokenForm(request.JoinToken)
}

// tryJoin asks the first of the addresses, as Docker does; wait is that nobody answers
// there who can decide.
func (n *engine) tryJoin(request swarm.JoinRequest) (wait bool, err error) {
	remote := n.engines.addressed(request.RemoteAddrs[0])
	if remote == nil || remote == n || !remote.answers() {
		return true, nil
	}
	c := remote.cluster()
	if !remote.up() || c == nil || !c.IsMember(remote.NodeID) {
		return false, unavailable("rpc error: code = Unavailable desc = connection error: desc = \"transport: Error while dialing "+
			"dial tcp %s: connect: connection refused\"", withPort(request.RemoteAddrs[0]))
	}
	if !c.Led() {
		return true, nil
	}
	manager, err := c.CheckToken(request.JoinToken)
	if err != nil {
		return false, err
	}
	n.enter(n.engines.swarms[remote.Swarm], n.joining(request.AdvertiseAddr, request.Availability), manager)
	return false, nil
}

func withPort(address string) string {
	if _, _, err := net.SplitHostPort(address); err == nil {
		return address
	}
	return net.JoinHostPort(strings.Trim(address, "[]"), swarmPort)
}

// answers says whether a machine answers at all, be it with a refusal.
func (n *engine) answers() bool { return n.State != cut && n.State != dead }

// leave takes the engine out of its swarm. A manager leaves only by force, and stays on
// the list of managers.
func (n *engine) leave(force bool) error {
	c := n.cluster()
	switch {
	case c == nil && n.Joining == nil:
		return errNoSwarm
	case c == nil:
		n.Joining = nil
		n.touch()
		return nil
	case c.IsMember(n.NodeID) && !force:
		return n.warnOfLeaving(c)
	}
	c.Silence(n.NodeID)
	n.Swarm, n.NodeID = "", ""
	n.touch()
	return nil
}

func (n *engine) warnOfLeaving(c *cluster.Cluster) error {
	message := "You are attempting to leave the swarm on a node that is participating as a manager. "
	if c.Led() {
		reachable, unreachable := c.CountManagers()
		switch {
		case reachable == 1 && unreachable == 0:
			return unavailable("%sRemoving the last manager erases all current state of the swarm. Use `--force` to ignore "+
				"this message. ", message)
		case reachable-2 <= unreachable:
			message += fmt.Sprintf("Removing this node leaves %v managers out of %v. Without a Raft quorum your swarm will be "+
				"inaccessible. ", reachable-1, reachable+unreachable)
		}
	}
	return unavailable("%sThe only way to restore a swarm that has lost consensus is to reinitialize it with "+
		"`--force-new-cluster`. Use `--force` to suppress this message.", message)
}
