package swarm

import (
	"cmp"
	"net/http"
	"net/netip"
	"time"

	"github.com/moby/moby/api/types/swarm"

	"portolan/local/swarm/cluster"
)

// The states of an engine.
const (
	booting = "booting" // nothing answers yet
	running = "running"
	stopped = "stopped" // the machine answers, and the engine does not
	cut     = "cut"     // it runs, and nobody reaches it
	dead    = "dead"    // the machine is gone, or as good as
)

// secretAgain is how long an engine waits that could not read its secret.
const secretAgain = 5 * time.Second

// An engine is one Docker engine.
type engine struct {
	Machine
	DaemonID string
	State    string
	Boots    time.Time

	// Died tells that its containers ended with it, and Gone that it never comes back: it
	// is kept so that its address is known, until another machine has it.
	Died, Gone bool

	// Identity is what it read of its secret.
	Identity *identity

	// Swarm is the key of the swarm that it is in, and NodeID the node that it is there.
	// Joining is what it tries again and again in the background.
	Swarm   string
	NodeID  string
	Joining *swarm.JoinRequest
	Images  map[string]bool // pulled while it was in no swarm

	engines *Engines
	events  []event
	counted int           // events that were ever published
	changed chan struct{} // closed at the next event, and when the engine ends
}

// Launch starts a machine with an engine on it. Launching it again changes nothing.
func (e *Engines) Launch(m Machine) {
	e.change(func() {
		if _, ok := e.engines[m.ID]; ok {
			return
		}
		if before, ok := e.byAddress[m.Address]; ok && before.Gone {
			delete(e.engines, before.ID)
			before.touch()
		}
		m.Version = cmp.Or(m.Version, versionDefault)
		one := &engine{Machine: m, DaemonID: e.config.IDs.UUID(), State: booting, Boots: e.config.Clock.Now().Add(m.Boot),
			Images: map[string]bool{}, engines: e, changed: make(chan struct{})}
		e.engines[m.ID] = one
		e.byAddress[m.Address] = one
		one.touch()
		one.resume()
	})
}

// resume goes on with what an engine was at.
func (n *engine) resume() {
	if n.State == booting {
		n.engines.at("boot "+n.ID, n.Boots, n.boot)
	}
	if n.Joining != nil {
		n.tryAgain()
	}
}

func (n *engine) boot() {
	if n.State != booting {
		return
	}
	if n.Secret != "" {
		found, err := n.engines.readIdentity(n.Secret)
		if err != nil {
			n.engines.at("boot "+n.ID, n.engines.config.Clock.Now().Add(secretAgain), n.boot)
			return
		}
		n.Identity = found
	}
	n.State = running
	n.touch()
	if c := n.cluster(); c != nil {
		c.Hear(n.NodeID, n.Died)
	}
	n.Died = false
	if n.Joining != nil {
		n.tryAgain()
	}
}

func (n *engine) touch() { n.engines.dirty[dirty{"", "", n.ID}] = true }

func (n *engine) up() bool { return n.State == running }

// cluster is the swarm that the engine is in; nil for none.
func (n *engine) cluster() *cluster.Cluster {
	if of, ok := n.engines.swarms[n.Swarm]; ok {
		return of.cluster
	}
	return nil
}

// fall takes an engine away from the others.
func (n *engine) fall(state string) {
	if n.State == state || n.State == dead {
		return
	}
	n.State = state
	n.touch()
	n.endStreams()
	if c := n.cluster(); c != nil {
		c.Silence(n.NodeID)
	}
}

// find calls fn with the lock and a machine's engine, and says whether there is one.
func (e *Engines) find(machine string, fn func(*engine)) (known bool) {
	e.change(func() {
		if one, ok := e.engines[machine]; ok {
			known = true
			fn(one)
		}
	})
	return known
}

// Terminate ends a machine for good.
func (e *Engines) Terminate(machine string) bool {
	return e.find(machine, func(n *engine) {
		n.fall(dead)
		n.Gone = true
		n.touch()
	})
}

// Kill lets a machine die, until Revive.
func (e *Engines) Kill(machine string) bool {
	return e.find(machine, func(n *engine) {
		n.Died = true
		n.fall(dead)
	})
}

// Stop ends the engine of a machine as SIGKILL does, until Revive. Its address refuses
// connections.
func (e *Engines) Stop(machine string) bool {
	return e.find(machine, func(n *engine) {
		n.Died = true
		n.fall(stopped)
	})
}

// Partition cuts a machine off from everybody, until Revive. What runs on it runs on.
func (e *Engines) Partition(machine string) bool {
	return e.find(machine, func(n *engine) { n.fall(cut) })
}

// Revive lets an engine be there again, after its machine's boot where that had died.
func (e *Engines) Revive(machine string) bool {
	return e.find(machine, func(n *engine) {
		if n.Gone || n.State == running || n.State == booting {
			return
		}
		boot := time.Duration(0)
		if n.State == dead {
			boot = n.Boot
		}
		n.State, n.Boots = booting, e.config.Clock.Now().Add(boot)
		n.touch()
		n.resume()
	})
}

// Socket is the Engine API for who is on the machine itself; nil where no engine runs.
func (e *Engines) Socket(machine string) http.Handler {
	e.mu.Lock()
	defer e.mu.Unlock()
	if n, ok := e.engines[machine]; ok && n.up() {
		return n
	}
	return nil
}

// Addresses are where the machines are that did not end, by machine.
func (e *Engines) Addresses() map[string]string {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := map[string]string{}
	for id, n := range e.engines {
		if !n.Gone {
			out[id] = n.Address
		}
	}
	return out
}

// addressed finds the engine of an address, host:port or host alone.
func (e *Engines) addressed(address string) *engine {
	host := address
	if at, err := netip.ParseAddrPort(address); err == nil {
		host = at.Addr().String()
	}
	return e.byAddress[host]
}
