package swarm

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// How long an engine may take until it answers, and until it has ended when asked to.
// Two busy processors need some seconds.
const (
	startDeadline = 2 * time.Minute
	stopDeadline  = 30 * time.Second
)

//go:embed engine.sh
var engineScript string

// An Engine is a Docker engine on a host of its own.
type Engine struct {
	name      string
	testbed   *Testbed
	host      int // the last part of its address
	directory string
	arguments []string
	client    *http.Client // of the socket

	mu      sync.Mutex
	process *process // nil while the host is off
}

// NewHost makes a host, which has its address and is off. It is known by a name, engine-N
// where that is empty. Install and Start make an engine of it.
func (b *Testbed) NewHost(name string) (*Engine, error) {
	host, err := b.newHost()
	if err != nil {
		return nil, err
	}
	if name == "" {
		name = fmt.Sprintf("engine-%d", host)
	}
	e := &Engine{name: name, testbed: b, host: host, directory: filepath.Join(b.slot.directory, fmt.Sprint(host))}
	e.client = newSocketClient(e.Socket())
	b.mu.Lock()
	defer b.mu.Unlock()
	b.engines = append(b.engines, e)
	return e, nil
}

// StartEngine starts an engine on a new host, which the testbed's authority knows. It is
// answering when it returns.
func (b *Testbed) StartEngine(ctx context.Context) (*Engine, error) {
	e, err := b.NewHost("")
	if err != nil {
		return nil, err
	}
	server, err := b.authority.Server(e.IP(), e.name)
	if err != nil {
		return nil, err
	}
	if err := e.Install(server); err != nil {
		return nil, err
	}
	return e, e.Start(ctx)
}

// IP is the host's address on the testbed's network.
func (e *Engine) IP() string { return e.testbed.network.address(e.host) }

// Address is where the engine listens with TLS, as host:port.
func (e *Engine) Address() string { return net.JoinHostPort(e.IP(), "2376") }

// Socket is the path where the engine listens without TLS.
func (e *Engine) Socket() string { return e.file("docker.sock") }

// Name is the host's name.
func (e *Engine) Name() string { return e.name }

func (e *Engine) file(name string) string { return filepath.Join(e.directory, name) }

// Install puts an engine on the host, with what it shows to callers and, as the identity's
// CA, whose callers it lets in.
func (e *Engine) Install(server Identity) error {
	if err := e.install(server); err != nil {
		return fmt.Errorf("installing an engine on %s: %w", e.name, err)
	}
	return nil
}

func (e *Engine) install(server Identity) error {
	if err := os.MkdirAll(e.directory, 0o700); err != nil {
		return err
	}
	registry := e.testbed.network.address(gateway)
	hosts := "127.0.0.1 localhost\n127.0.1.1 " + e.name + "\n"
	for _, name := range e.testbed.names {
		hosts += registry + " " + name + "\n"
	}
	for name, content := range map[string][]byte{
		"hosts": []byte(hosts),
		// Nobody answers there, so that a name that nobody knows is not waited for.
		"resolv.conf": []byte("nameserver 127.0.0.1\n"),
		"ca.pem":      server.CA, "cert.pem": server.Certificate, "key.pem": server.Key,
	} {
		if err := os.WriteFile(e.file(name), content, 0o600); err != nil {
			return err
		}
	}
	e.arguments = []string{
		"dockerd", "--host", "unix://" + e.Socket(), "--host", "tcp://" + e.Address(),
		"--tlsverify", "--tlscacert", e.file("ca.pem"), "--tlscert", e.file("cert.pem"), "--tlskey", e.file("key.pem"),
		"--data-root", e.file("data"), "--exec-root", "/run/docker", "--pidfile", "/run/docker.pid",
		"--cgroup-parent", fmt.Sprintf("%s/%d", e.testbed.slot.cgroup(), e.host),
		"--shutdown-timeout", "5", "--userland-proxy=false",
	}
	for _, name := range append(e.testbed.names, registry) {
		e.arguments = append(e.arguments, "--insecure-registry", name)
	}
	return nil
}

// Start starts the engine of a host that is off, with the data that it had, and waits
// until it answers.
func (e *Engine) Start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startDeadline)
	defer cancel()
	if err := e.boot(ctx); err != nil {
		return fmt.Errorf("starting %s: %w", e.name, err)
	}
	return e.wait(ctx)
}

func (e *Engine) boot(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.process != nil && !e.process.hasEnded() {
		return errors.New("it runs already")
	}
	log, err := os.OpenFile(e.file("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	// A socket that nobody listens at any more is in the way of the next.
	if err := os.RemoveAll(e.Socket()); err != nil {
		return err
	}
	const own = syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC
	arguments := append([]string{"-c", engineScript, "engine", e.name, e.directory}, e.arguments...)
	if e.process, err = startProcess(log, own, "sh", arguments...); err != nil {
		return err
	}
	if err := e.testbed.network.plug(ctx, e.host, e.process); err != nil {
		e.process.kill()
		return err
	}
	_, err = e.process.stdin.Write([]byte("go\n"))
	return err
}

// wait waits until the engine answers. It gives up at once when it has ended.
func (e *Engine) wait(ctx context.Context) error {
	for {
		err := e.ask(ctx, "/_ping", nil)
		if err == nil {
			return nil
		}
		e.mu.Lock()
		ended := e.process.ended
		e.mu.Unlock()
		select {
		case <-ended:
			return fmt.Errorf("%s ended; the end of its log:\n%s", e.name, e.Log())
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w; the end of its log:\n%s", e.name, err, e.Log())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Kill ends the host with all that runs on it at once, as a power cut does. Its data
// stays for Start. A host that is off stays so.
func (e *Engine) Kill() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.process != nil {
		e.process.kill()
	}
}

// Stop ends the engine in order, as a shutdown of its host does, and at the latest
// after half a minute without.
func (e *Engine) Stop() {
	e.mu.Lock()
	p := e.process
	e.mu.Unlock()
	if p == nil {
		return
	}
	// It fails only for a process that has ended.
	_ = p.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(stopDeadline):
	}
	e.Kill()
}

// Running says whether the host is on.
func (e *Engine) Running() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.process != nil && !e.process.hasEnded()
}

// pid is the host's first process, where the host is on.
func (e *Engine) pid() (int, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.process == nil || e.process.hasEnded() {
		return 0, false
	}
	return e.process.command.Process.Pid, true
}

// Disconnect takes the host off the network, as if its cable were pulled.
func (e *Engine) Disconnect(ctx context.Context) error {
	return e.testbed.network.set(ctx, e.host, "down")
}

// Connect takes back Disconnect.
func (e *Engine) Connect(ctx context.Context) error { return e.testbed.network.set(ctx, e.host, "up") }

// Log returns the last lines of what the engine said.
func (e *Engine) Log() string {
	content, err := os.ReadFile(e.file("log"))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	return strings.Join(lines[max(0, len(lines)-30):], "\n")
}
