package swarm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// A Config says what the engines of a testbed share.
type Config struct {
	// Registries are names for which the testbed's registry answers, besides its own
	// address, such as registry.example.com.
	Registries []string
}

// A Testbed is a private network with engines and a registry.
type Testbed struct {
	slot      *slot
	network   *network
	registry  *registry
	names     []string // of registries
	authority *Authority
	mesh      *mesh // nil where the kernel has IPVS

	mu      sync.Mutex
	hosts   int // that got an address until now
	engines []*Engine
}

// Start makes the network and the registry. Engines come with StartEngine. All of it
// ends with Stop, and at the latest with this process.
func Start(ctx context.Context, config Config) (*Testbed, error) {
	if err := Check(); err != nil {
		return nil, err
	}
	s, err := takeSlot(os.TempDir())
	if err != nil {
		return nil, err
	}
	b := &Testbed{slot: s, names: config.Registries}
	if err := b.start(ctx); err != nil {
		return nil, errors.Join(err, b.Stop())
	}
	return b, nil
}

func (b *Testbed) start(ctx context.Context) (err error) {
	if b.authority, err = NewAuthority(); err != nil {
		return err
	}
	if b.network, err = startNetwork(ctx, b.slot.number); err != nil {
		return err
	}
	if b.registry, err = startRegistry(b.network.address(gateway)); err != nil {
		return err
	}
	if !hasIPVS() {
		b.mesh = startMesh(b)
	}
	return nil
}

// Directory is where the testbed keeps its data and the engines' logs. It is gone after
// Stop.
func (b *Testbed) Directory() string { return b.slot.directory }

// Authority is whom the engines trust that were given no certificates of their own.
func (b *Testbed) Authority() *Authority { return b.authority }

// Client returns the certificate of somebody whom these engines answer.
func (b *Testbed) Client() (Identity, error) {
	return b.authority.Client("client", time.Now().AddDate(0, 1, 0))
}

// Stop ends all engines and removes what they kept.
func (b *Testbed) Stop() error {
	var failure error
	if b.mesh != nil {
		failure = b.mesh.end()
	}
	var killing sync.WaitGroup
	for _, e := range b.running() {
		killing.Go(e.Kill)
	}
	killing.Wait()
	if b.registry != nil {
		failure = errors.Join(failure, b.registry.stop())
	}
	if b.network != nil {
		b.network.stop()
	}
	return errors.Join(failure, b.slot.release())
}

// running returns the engines whose host is on.
func (b *Testbed) running() []*Engine {
	b.mu.Lock()
	defer b.mu.Unlock()
	var on []*Engine
	for _, e := range b.engines {
		if e.Running() {
			on = append(on, e)
		}
	}
	return on
}

// Log returns the last lines of what each engine said whose host is on.
func (b *Testbed) Log() string {
	var said []string
	for _, e := range b.running() {
		said = append(said, fmt.Sprintf("%s said last:\n%s", e.name, e.Log()))
	}
	return strings.Join(said, "\n")
}

// newHost takes the next address of the network.
func (b *Testbed) newHost() (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.hosts == hostsMax {
		return 0, fmt.Errorf("a testbed has addresses for %d engines", hostsMax)
	}
	b.hosts++
	return b.hosts, nil
}

// StartEngines starts engines at the same time, which are answering when it returns.
func (b *Testbed) StartEngines(ctx context.Context, count int) ([]*Engine, error) {
	engines := make([]*Engine, count)
	failures := make([]error, count)
	var starting sync.WaitGroup
	for i := range count {
		starting.Go(func() { engines[i], failures[i] = b.StartEngine(ctx) })
	}
	starting.Wait()
	return engines, errors.Join(failures...)
}
