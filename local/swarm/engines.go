package swarm

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"portolan/local/agenda"
	"portolan/local/clock"
	"portolan/local/disk"
	"portolan/local/swarm/cluster"
	"portolan/local/unique"
)

// Config is what Engines are made of. Disk, Images and Secret may be nil.
type Config struct {
	Clock  *clock.Clock
	Disk   *disk.Disk
	IDs    *unique.Source
	Images cluster.Images

	// Secret is what the engines of machines whose Secret is set read when they start: a
	// JSON object of ca, certificate and key in PEM. An error is that they try again.
	Secret func(arn string) (string, error)
}

// A Machine is where an engine runs.
type Machine struct {
	// ID is the machine's, such as an EC2 instance's, and Name its host name.
	ID, Name string

	// Address is the IP address at which the engine and its swarm's other nodes find it.
	Address string

	CPUs      int
	MemoryMiB int
	Labels    map[string]string // of the engine

	// Version is the engine's; that of Debian's package when it is empty.
	Version string

	// Secret names what the engine knows its clients by; without it everybody is let in,
	// and nothing is encrypted.
	Secret string

	// Boot is how long the machine takes to start.
	Boot time.Duration
}

// Engines are all simulated engines, which reach each other.
type Engines struct {
	config Config
	agenda *agenda.Agenda

	mu        sync.Mutex
	engines   map[string]*engine // by machine
	byAddress map[string]*engine // those that ended included, until another has the address
	swarms    map[string]*swarmOf
	dirty     map[dirty]bool
	closed    chan struct{}
	once      sync.Once
}

// A swarmOf is a swarm by the key under which it is kept: one that was forced to begin
// anew has the same id as the one that it comes from.
type swarmOf struct {
	key     string
	cluster *cluster.Cluster
}

// dirty is what has to be kept again; the key is empty for an engine.
type dirty struct{ key, kind, id string }

const (
	engineBucket = "swarm/engines"
	swarmBucket  = "swarm/swarms"
)

// New returns the engines that are on disk, where they were.
func New(config Config) (*Engines, error) {
	e := &Engines{config: config, agenda: agenda.New(config.Clock), engines: map[string]*engine{}, byAddress: map[string]*engine{},
		swarms: map[string]*swarmOf{}, dirty: map[dirty]bool{}, closed: make(chan struct{})}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.load(); err != nil {
		return nil, fmt.Errorf("loading Docker engines: %w", err)
	}
	return e, nil
}

func (e *Engines) load() error {
	err := disk.LoadJSON(e.config.Disk, engineBucket, func(id string, loaded *engine) {
		loaded.engines, loaded.changed = e, make(chan struct{})
		e.engines[id] = loaded
		e.byAddress[loaded.Address] = loaded
	})
	if err != nil {
		return err
	}
	var keys []string
	if err := e.config.Disk.Load(swarmBucket, func(key, _ []byte) error {
		keys = append(keys, string(key))
		return nil
	}); err != nil {
		return err
	}
	for _, key := range keys {
		made := &swarmOf{key: key}
		made.cluster, err = cluster.Load(e.clusterConfig(made), func(kind string, fn func(string, []byte) error) error {
			return e.config.Disk.Load(bucketOf(key, kind), func(id, raw []byte) error { return fn(string(id), raw) })
		})
		if err != nil {
			return err
		}
		e.swarms[key] = made
	}
	for _, id := range sortedKeys(e.engines) {
		e.engines[id].resume()
	}
	return nil
}

func bucketOf(key, kind string) string { return "swarm/" + key + "/" + kind }

// Close stops everything where it is; streams end.
func (e *Engines) Close() {
	e.once.Do(func() { close(e.closed) })
	e.agenda.Close()
}

// change runs fn with the lock, and keeps what it changed.
func (e *Engines) change(fn func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	fn()
	e.keep()
}

// keep writes what changed. What the disk refuses then holds in memory.
func (e *Engines) keep() {
	if len(e.dirty) == 0 {
		return
	}
	defer clear(e.dirty)
	if e.config.Disk == nil {
		return
	}
	_ = e.config.Disk.Update(func(tx *disk.Tx) error {
		for _, d := range slices.SortedFunc(maps.Keys(e.dirty), func(a, b dirty) int {
			return strings.Compare(a.key+a.kind+a.id, b.key+b.kind+b.id)
		}) {
			if err := e.write(tx, d); err != nil {
				return err
			}
		}
		return nil
	})
}

func (e *Engines) write(tx *disk.Tx, d dirty) error {
	bucket, value := engineBucket, any(nil)
	if made, ok := e.swarms[d.key]; ok {
		bucket, value = bucketOf(d.key, d.kind), made.cluster.Kept(d.kind, d.id)
		if d.kind == cluster.KindObject {
			if err := tx.Put(swarmBucket, []byte(d.key), []byte("{}")); err != nil {
				return err
			}
		}
	} else if one, ok := e.engines[d.id]; ok {
		value = one
	}
	if value == nil {
		return tx.Delete(bucket, []byte(d.id))
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return tx.Put(bucket, []byte(d.id), raw)
}

// at notes what is done with the lock at due.
func (e *Engines) at(key string, due time.Time, do func()) {
	e.agenda.At(key, due, func() { e.change(do) })
}

// clusterConfig lets a swarm live among the engines.
func (e *Engines) clusterConfig(of *swarmOf) cluster.Config {
	return cluster.Config{
		Clock: e.config.Clock, IDs: e.config.IDs, Images: e.config.Images,
		At:      func(key string, due time.Time, do func()) { e.at("swarm "+of.key+" "+key, due, do) },
		Touched: func(kind, id string) { e.dirty[dirty{of.key, kind, id}] = true },
		Publish: func(event cluster.Event) {
			for _, id := range sortedKeys(e.engines) {
				if one := e.engines[id]; one.Swarm == of.key && one.up() && of.cluster.IsMember(one.NodeID) {
					one.publish(event)
				}
			}
		},
	}
}

// found makes a swarm that has no node yet.
func (e *Engines) found(make func(cluster.Config) (*cluster.Cluster, error)) (*swarmOf, error) {
	of := &swarmOf{key: e.config.IDs.Base36(12)}
	made, err := make(e.clusterConfig(of))
	if err != nil {
		return nil, err
	}
	of.cluster = made
	e.swarms[of.key] = of
	made.All(func(kind, id string) { e.dirty[dirty{of.key, kind, id}] = true })
	return of, nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
