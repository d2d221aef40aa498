package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// How long a cluster may take until it is usable. Two busy cores need some seconds.
const startDeadline = 2 * time.Minute

// A Config says what cluster to start.
type Config struct {
	Nodes int       // 3 where it is 0
	Log   io.Writer // hears of a build, which takes minutes; standard error where it is nil
}

// A Cluster is a running Kubernetes that listens on the loopback interface only.
type Cluster struct {
	directory string
	lock      *os.File // held as long as the directory is in use
	program   string
	address   string // of its API, as URL
	kubelet   string // the port that kwok answers for the nodes' kubelets at
	etcd      string // of its store, as URL
	users     identities
	api       *api
	processes []*process
}

// Start starts a cluster and returns it when its nodes take pods. The components are
// built first where that was not done before. They end with Stop, and at the latest
// with this process.
func Start(ctx context.Context, config Config) (*Cluster, error) {
	if config.Nodes == 0 {
		config.Nodes = 3
	}
	if config.Log == nil {
		config.Log = os.Stderr
	}
	program, err := Build(ctx, config.Log)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startDeadline)
	defer cancel()
	for {
		c, err := start(ctx, program, config)
		// Another process may have taken a port before the component could.
		if err != nil && ctx.Err() == nil && strings.Contains(err.Error(), "address already in use") {
			continue
		}
		return c, err
	}
}

func start(ctx context.Context, program string, config Config) (*Cluster, error) {
	directory, lock, err := newDirectory(os.TempDir())
	if err != nil {
		return nil, err
	}
	c := &Cluster{directory: directory, lock: lock, program: program}
	if err := c.run(ctx, config); err != nil {
		return nil, fmt.Errorf("starting Kubernetes: %w", errors.Join(err, c.end()))
	}
	return c, nil
}

// Kubeconfig returns the kubeconfig of the cluster's administrator.
func (c *Cluster) Kubeconfig() []byte { return slices.Clone(c.users.admin) }

// LimitedKubeconfig returns the kubeconfig of somebody whom the cluster knows and who
// has no rights: what they ask for is Forbidden.
func (c *Cluster) LimitedKubeconfig() []byte { return slices.Clone(c.users.limited) }

// ExpiredKubeconfig returns the kubeconfig of somebody whose certificate ran out
// yesterday: the cluster does not know them, and whatever they ask for is Unauthorized.
func (c *Cluster) ExpiredKubeconfig() []byte { return slices.Clone(c.users.expired) }

// Directory returns where the cluster keeps its data and the components' logs. It is
// gone after Stop.
func (c *Cluster) Directory() string { return c.directory }

// Stop ends the cluster and forgets all that it had. It returns an error when a
// component had ended before, with what that one said last.
func (c *Cluster) Stop() error {
	var failures []error
	for _, p := range c.processes {
		failures = append(failures, p.hasEnded())
	}
	return errors.Join(append(failures, c.end())...)
}

// end ends the components, and removes what they kept.
func (c *Cluster) end() error {
	for _, p := range slices.Backward(c.processes) {
		p.stop()
	}
	return errors.Join(os.RemoveAll(c.directory), c.lock.Close())
}

// run starts the components and waits for them.
func (c *Cluster) run(ctx context.Context, config Config) error {
	ports, err := freePorts(4)
	if err != nil {
		return err
	}
	c.address = "https://127.0.0.1:" + ports[0]
	c.etcd = "http://127.0.0.1:" + ports[1]
	c.kubelet = ports[2]
	if c.users, c.api, err = newIdentities(c.directory, c.address); err != nil {
		return err
	}
	if err := c.runStore("http://127.0.0.1:" + ports[3]); err != nil {
		return err
	}
	if err := c.runServer(ports[0]); err != nil {
		return err
	}
	if err := c.wait(ctx, "the API server to be ready", c.serverReady); err != nil {
		return err
	}
	if err := errors.Join(c.runControllers(), c.runScheduler(), c.runNodes()); err != nil {
		return err
	}
	return c.populate(ctx, config.Nodes)
}

// populate makes what a cluster has from its installer, and waits until pods can run.
func (c *Cluster) populate(ctx context.Context, nodes int) error {
	if err := errors.Join(c.api.createNodes(ctx, nodes), c.api.createStorageClass(ctx)); err != nil {
		return err
	}
	return c.wait(ctx, "the nodes to take pods", func(ctx context.Context) error {
		return c.api.nodesUsable(ctx, nodes)
	})
}

func (c *Cluster) serverReady(ctx context.Context) error {
	return c.api.do(ctx, http.MethodGet, "/readyz", nil, nil)
}

// wait waits until a question is answered without an error. It gives up at once when a
// component has ended.
func (c *Cluster) wait(ctx context.Context, what string, ask func(context.Context) error) error {
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		for _, p := range c.processes {
			if ended := p.hasEnded(); ended != nil {
				return ended
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w; at last: %w\n%s", what, ctx.Err(), err, c.tails())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// tails returns what each component said last.
func (c *Cluster) tails() string {
	var out strings.Builder
	for _, p := range c.processes {
		fmt.Fprintf(&out, "%s said last:\n%s\n", p.name, p.tail())
	}
	return out.String()
}

// file returns the path of a file of the cluster's.
func (c *Cluster) file(name string) string { return filepath.Join(c.directory, name) }

// freePorts returns ports of the loopback interface that nobody listens at.
func freePorts(count int) ([]string, error) {
	var ports []string
	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("looking for a free port: %w", err)
		}
		defer listener.Close() // when all are known, so that they differ
		_, port, err := net.SplitHostPort(listener.Addr().String())
		if err != nil {
			return nil, err
		}
		ports = append(ports, port)
	}
	return ports, nil
}
