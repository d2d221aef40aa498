package swarm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
)

// A network is a bridge that engines are plugged into. It is in a network namespace of
// its own, so that this machine has only a cable to it, and no rule of this machine's
// firewall, which other engines may have changed, sees what engines say to each other.
type network struct {
	number int
	holder *process
}

// hostsMax is how many engines a network has addresses for.
const hostsMax = 250

// gateway is the last part of this machine's own address on the network.
const gateway = 254

func (n *network) address(host int) string { return fmt.Sprintf("10.77.%d.%d", n.number, host) }

func startNetwork(ctx context.Context, number int) (*network, error) {
	holder, err := startProcess(os.Stderr, syscall.CLONE_NEWNET, "cat")
	if err != nil {
		return nil, err
	}
	n := &network{number, holder}
	if err := n.wire(ctx); err != nil {
		holder.kill()
		return nil, fmt.Errorf("making a network for engines: %w", err)
	}
	return n, nil
}

// wire makes the bridge, and the cable from this machine to it.
func (n *network) wire(ctx context.Context) error {
	cable := fmt.Sprintf("ptl%d", n.number)
	// The cable of a killed process goes with its namespace, a moment later.
	_ = run(ctx, "", "ip", "link", "delete", cable)
	err := run(ctx, fmt.Sprintf("link add %s type veth peer name host netns %d\naddr add %s/24 dev %s\nlink set %s up\n",
		cable, n.holder.command.Process.Pid, n.address(gateway), cable, cable), "ip", "-batch", "-")
	if err != nil {
		return err
	}
	return errors.Join(
		n.holder.network(ctx, "link add switch type bridge", "link set switch up", "link set host master switch up"),
		// Where the kernel has bridged frames pass iptables, it starts so in each namespace.
		run(ctx, "", "nsenter", "--net", "--target", fmt.Sprint(n.holder.command.Process.Pid), "sh", "-c",
			"f=/proc/sys/net/bridge/bridge-nf-call-iptables; [ ! -e $f ] || echo 0 >$f"),
	)
}

// plug gives a host its interface, with its address.
func (n *network) plug(ctx context.Context, host int, p *process) error {
	// The interface of a host that was killed goes with its namespace, a moment later.
	_ = n.holder.network(ctx, fmt.Sprintf("link delete host%d", host))
	err := n.holder.network(ctx,
		fmt.Sprintf("link add host%d type veth peer name eth0 netns %d", host, p.command.Process.Pid),
		fmt.Sprintf("link set host%d master switch up", host))
	if err != nil {
		return err
	}
	return p.network(ctx, fmt.Sprintf("addr add %s/24 dev eth0", n.address(host)), "link set lo up", "link set eth0 up")
}

// set takes a host's interface up or down at the bridge, as a cable that is pulled.
func (n *network) set(ctx context.Context, host int, state string) error {
	return n.holder.network(ctx, fmt.Sprintf("link set host%d %s", host, state))
}

func (n *network) stop() { n.holder.kill() }
