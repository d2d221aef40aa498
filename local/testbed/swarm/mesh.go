package swarm

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// meshPause is between two looks at what the mesh has to lead to. It is well below the two
// seconds that an engine leaves between taking a task out of the mesh and ending it.
const meshPause = 200 * time.Millisecond

// lookPause is between two looks at which engines are in which swarm.
const lookPause = 2 * time.Second

// answerMax is how long a manager may take to say where tasks run, before another is asked: one
// that has just gone, or is not there yet, does not answer at all.
const answerMax = 2 * time.Second

// meshPatience is how long an engine that joins or leaves a swarm may have only a part of
// what the mesh needs of it. Two busy processors need some seconds.
const meshPatience = 15 * time.Second

// A mesh does what IPVS does for engines, on a kernel that has none. An engine leads what
// comes to a published port into a namespace of its own, ingress_sbox, and has IPVS
// choose there, among the tasks that run, the one whose address on the overlay network
// ingress gets the connection. Without IPVS it silently does neither. The mesh has
// netfilter do both: addresses, networks and tasks are still the engines' own.
type mesh struct {
	testbed *Testbed
	stop    context.CancelFunc
	ended   chan struct{}

	looked   time.Time
	members  map[*Engine]membership
	doors    map[*Engine]door
	failures map[*Engine]failure // of those that it did not succeed with since
}

// A failure is the last of some in a row.
type failure struct {
	err          error
	since, until time.Time
}

// lasts says whether the engine had its time to get ready.
func (f failure) lasts() bool { return f.until.Sub(f.since) > meshPatience }

// A door is what was made on a host, by its process and the namespace of ingress.
type door struct {
	process   int
	namespace uint64
	gateway   string // the address of ingress_sbox on the host's own bridge
	rules     string
}

// hasIPVS says whether the kernel has what engines make the mesh of.
func hasIPVS() bool {
	// Where it is a module, an engine would load it too.
	_ = exec.Command("modprobe", "ip_vs").Run()
	_, err := os.Stat("/proc/net/ip_vs")
	return err == nil
}

func startMesh(b *Testbed) *mesh {
	ctx, stop := context.WithCancel(context.Background())
	m := &mesh{testbed: b, stop: stop, ended: make(chan struct{}), doors: map[*Engine]door{}, failures: map[*Engine]failure{}}
	go func() {
		defer close(m.ended)
		for ticker := time.NewTicker(meshPause); ; {
			select {
			case <-ctx.Done():
				ticker.Stop()
				return
			case <-ticker.C:
				m.round(ctx)
			}
		}
	}()
	return m
}

// end ends the mesh, and returns what it could not do for long on hosts that are still on.
func (m *mesh) end() error {
	m.stop()
	<-m.ended
	var failures []error
	for _, e := range m.testbed.running() {
		if f := m.failures[e]; f.lasts() {
			failures = append(failures, fmt.Errorf("making the mesh of %s: %w", e.name, f.err))
		}
	}
	return errors.Join(failures...)
}

// count keeps what became of the last look at a host.
func (m *mesh) count(e *Engine, err error) {
	if err == nil {
		delete(m.failures, e)
		return
	}
	f, again := m.failures[e]
	f.err, f.until = err, time.Now()
	if !again {
		f.since = f.until
	}
	m.failures[e] = f
}

// round brings the hosts of each swarm to what one of its managers sees. A swarm without
// a manager that answers stays as it is, as it does with IPVS.
func (m *mesh) round(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if time.Since(m.looked) > lookPause {
		m.look(ctx)
	}
	done := map[*Engine]bool{}
	for manager, in := range m.members {
		if !in.ControlAvailable || done[manager] {
			continue
		}
		asking, answered := context.WithTimeout(ctx, answerMax)
		table, err := manager.backends(asking)
		answered()
		if err != nil {
			continue // another manager may know
		}
		for e, its := range m.members {
			known := func(r struct{ NodeID string }) bool { return r.NodeID == in.NodeID }
			if done[e] || e != manager && !slices.ContainsFunc(its.RemoteManagers, known) {
				continue
			}
			done[e] = true
			if err := m.lead(ctx, e, table); ctx.Err() == nil {
				m.count(e, err)
			}
		}
	}
}

// look asks each engine which swarm it is in.
func (m *mesh) look(ctx context.Context) {
	m.looked = time.Now()
	m.members = map[*Engine]membership{}
	for _, e := range m.testbed.running() {
		its, err := e.membership(ctx)
		if err == nil && its.NodeID != "" {
			m.members[e] = its
		}
	}
}

// lead makes a host lead its published ports to their tasks. It changes nothing where it
// does already.
func (m *mesh) lead(ctx context.Context, e *Engine, table map[published][]string) error {
	pid, running := e.pid()
	if !running {
		return nil
	}
	sandbox := fmt.Sprintf("/proc/%d/root/run/docker/netns/ingress_sbox", pid)
	found, err := os.Stat(sandbox)
	if err != nil {
		return nil // there is none yet, or no more
	}
	namespace := found.Sys().(*syscall.Stat_t).Ino
	d := m.doors[e]
	if d.process != pid || d.namespace != namespace {
		if len(table) == 0 {
			return nil
		}
		if d, err = open(ctx, e, pid, namespace, sandbox); err != nil {
			return err
		}
		m.doors[e] = d
	}
	rules := inside(table)
	if rules == d.rules {
		return nil
	}
	err = errors.Join(
		restore(ctx, sandbox, rules),
		restore(ctx, fmt.Sprintf("/proc/%d/ns/net", pid), outside(table, d.gateway)),
	)
	if err == nil {
		d.rules = rules
		m.doors[e] = d
	}
	return err
}

// open makes the chains that the rules are in, on the host and in ingress_sbox.
func open(ctx context.Context, e *Engine, pid int, namespace uint64, sandbox string) (door, error) {
	d := door{process: pid, namespace: namespace}
	var bridge struct {
		Containers map[string]struct{ Name, IPv4Address string }
	}
	if err := e.ask(ctx, "/v1.41/networks/docker_gwbridge", &bridge); err != nil {
		return d, err
	}
	d.gateway, _, _ = strings.Cut(bridge.Containers["ingress-sbox"].IPv4Address, "/")
	if d.gateway == "" {
		return d, errors.New("ingress_sbox has no address yet")
	}
	host := fmt.Sprintf("/proc/%d/ns/net", pid)
	return d, errors.Join(
		ensure(ctx, sandbox, "nat", "PREROUTING", "-j MESH"),
		ensure(ctx, sandbox, "nat", "POSTROUTING", "-o eth0 -m conntrack --ctstate DNAT -j MASQUERADE"),
		run(ctx, "", "nsenter", "--net="+sandbox, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"),
		ensure(ctx, host, "nat", "PREROUTING", "-m addrtype --dst-type LOCAL -j MESH"),
		ensure(ctx, host, "nat", "OUTPUT", "-m addrtype --dst-type LOCAL -j MESH"),
		ensure(ctx, host, "filter", "FORWARD", "-o docker_gwbridge -p tcp -m conntrack --ctstate DNAT -j ACCEPT"),
		ensure(ctx, host, "filter", "FORWARD", "-i docker_gwbridge -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT"),
	)
}

// ensure puts a rule at the top of a chain, where it is not yet there.
func ensure(ctx context.Context, namespace, table, chain, rule string) error {
	iptables := "iptables -w 5 -t " + table
	return run(ctx, "", "nsenter", "--net="+namespace, "sh", "-c", fmt.Sprintf(
		"%[1]s -N MESH 2>/dev/null; %[1]s -C %[2]s %[3]s 2>/dev/null || %[1]s -I %[2]s %[3]s", iptables, chain, rule))
}

// restore puts rules in place of those that a namespace's chain MESH had, at once.
func restore(ctx context.Context, namespace, rules string) error {
	return run(ctx, "*nat\n:MESH - [0:0]\n"+rules+"COMMIT\n", "nsenter", "--net="+namespace, "iptables-restore", "--noflush", "-w", "5")
}

// ports returns the published ports in their order.
func ports(table map[published][]string) []published {
	return slices.SortedFunc(maps.Keys(table), func(a, b published) int { return a.port - b.port })
}

// inside returns the rules of ingress_sbox: which task a new connection goes to.
func inside(table map[published][]string) string {
	var rules strings.Builder
	for _, p := range ports(table) {
		addresses := slices.Sorted(slices.Values(table[p]))
		for i, address := range addresses {
			fmt.Fprintf(&rules, "-A MESH -p tcp --dport %d -m statistic --mode nth --every %d --packet 0 -j DNAT --to-destination %s:%d\n",
				p.port, len(addresses)-i, address, p.target)
		}
	}
	return rules.String()
}

// outside returns the rules of the host: published ports lead to ingress_sbox.
func outside(table map[published][]string, gateway string) string {
	var rules strings.Builder
	for _, p := range ports(table) {
		fmt.Fprintf(&rules, "-A MESH -p tcp --dport %d -j DNAT --to-destination %s:%d\n", p.port, gateway, p.port)
	}
	return rules.String()
}
