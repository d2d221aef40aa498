package cluster

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/moby/moby/api/types/swarm"

	"portolan/local/clock"
	"portolan/local/unique"
)

// Config is what a Cluster is made of. Images and the functions but At may be nil.
type Config struct {
	Clock  *clock.Clock
	IDs    *unique.Source
	Images Images

	// At notes to call do at due, in place of what was noted for the key, while nobody
	// else calls the Cluster.
	At func(key string, due time.Time, do func())

	// Publish is told what became of objects.
	Publish func(Event)

	// Touched is told which object has to be kept again, or is gone.
	Touched func(kind, id string)

	// RoleChanged is told of a node that has become a manager, or a worker. It must not
	// call the Cluster.
	RoleChanged func(nodeID string, manager bool)
}

// A Cluster is one swarm.
type Cluster struct {
	config Config
	object object

	nodes    map[string]*node
	services map[string]*service
	tasks    map[string]*task
	secrets  map[string]*swarm.Secret
	configs  map[string]*swarm.Config
	networks map[string]*swarm.Network

	updates map[string]*update // under way, by service
	updated map[string]uint64  // the description that a service's last update was to
	woken   map[string]bool    // services to look at
	working bool
}

// An object is the swarm itself, with who its managers are.
type object struct {
	swarm.Swarm

	// Index counts the changes; it is the version of what changed last.
	Index uint64

	// Leader is the node that leads; empty while none does. Elects is when the managers
	// that are left choose the next.
	Leader  string
	Elects  time.Time
	Members []member
	NextIP  int // of virtual addresses
}

// Kinds of what is kept.
const (
	KindObject  = "object"
	KindNode    = "node"
	KindService = "service"
	KindTask    = "task"
	KindSecret  = "secret"
	KindConfig  = "config"
	KindNetwork = "network"
)

func newCluster(config Config) *Cluster {
	return &Cluster{config: config, nodes: map[string]*node{}, services: map[string]*service{}, tasks: map[string]*task{},
		secrets: map[string]*swarm.Secret{}, configs: map[string]*swarm.Config{}, networks: map[string]*swarm.Network{},
		updates: map[string]*update{}, updated: map[string]uint64{}, woken: map[string]bool{}}
}

// New makes a swarm without nodes, as its first manager does.
func New(config Config, spec swarm.Spec) *Cluster {
	c := newCluster(config)
	c.object.ID = c.newID()
	c.object.Meta = c.meta()
	c.object.Spec = withDefaults(spec)
	c.object.SubnetSize, c.object.DataPathPort = subnetSize, dataPathPort
	c.object.DefaultAddrPool = addressPool()
	c.makeAuthority()
	c.object.JoinTokens = swarm.JoinTokens{Worker: c.newToken(), Manager: c.newToken()}
	c.touch(KindObject, c.object.ID)
	c.makeIngress()
	return c
}

func withDefaults(spec swarm.Spec) swarm.Spec {
	spec.Name = cmp.Or(spec.Name, "default")
	if spec.Labels == nil {
		spec.Labels = map[string]string{}
	}
	if spec.Orchestration.TaskHistoryRetentionLimit == nil {
		spec.Orchestration.TaskHistoryRetentionLimit = pointer(int64(taskHistory))
	}
	spec.Raft.SnapshotInterval = cmp.Or(spec.Raft.SnapshotInterval, 10000)
	if spec.Raft.KeepOldSnapshots == nil {
		spec.Raft.KeepOldSnapshots = pointer(uint64(0))
	}
	spec.Raft.LogEntriesForSlowFollowers = cmp.Or(spec.Raft.LogEntriesForSlowFollowers, 500)
	spec.Raft.ElectionTick = cmp.Or(spec.Raft.ElectionTick, 10)
	spec.Raft.HeartbeatTick = cmp.Or(spec.Raft.HeartbeatTick, 1)
	spec.Dispatcher.HeartbeatPeriod = cmp.Or(spec.Dispatcher.HeartbeatPeriod, heartbeat)
	spec.CAConfig.NodeCertExpiry = cmp.Or(spec.CAConfig.NodeCertExpiry, 90*24*time.Hour)
	return spec
}

func pointer[T any](v T) *T { return &v }

func (c *Cluster) now() time.Time { return c.config.Clock.Now() }

func (c *Cluster) between(low, high time.Duration) time.Duration {
	return c.config.IDs.Between(low, high)
}

// newID makes an id as swarms have them.
func (c *Cluster) newID() string { return c.config.IDs.Base36(25) }

// meta is that of a new object.
func (c *Cluster) meta() swarm.Meta {
	c.object.Index++
	now := c.now()
	return swarm.Meta{Version: swarm.Version{Index: c.object.Index}, CreatedAt: now, UpdatedAt: now}
}

// bump gives an object that changed its next version.
func (c *Cluster) bump(m *swarm.Meta) {
	c.object.Index++
	m.Version.Index, m.UpdatedAt = c.object.Index, c.now()
}

// touch notes that an object has to be kept again.
func (c *Cluster) touch(kind, id string) {
	if c.config.Touched != nil {
		c.config.Touched(kind, id)
	}
}

// at notes what is due later, in place of what was noted for the key.
func (c *Cluster) at(key string, due time.Time, do func()) { c.config.At(key, due, do) }

// ID is the swarm's.
func (c *Cluster) ID() string { return c.object.ID }

// Inspect returns the swarm with its tokens.
func (c *Cluster) Inspect() swarm.Swarm { return c.object.Swarm }

// Update changes the settings, and rotates tokens.
func (c *Cluster) Update(version uint64, spec swarm.Spec, rotateWorker, rotateManager bool) error {
	if spec.Name == "" {
		spec.Name = "default"
	} else if spec.Name != "default" {
		return Errorf(400, `swarm spec must be named "default"`)
	}
	if version != c.object.Version.Index {
		return errOutOfSequence
	}
	c.object.Spec = withDefaults(spec)
	if rotateWorker {
		c.object.JoinTokens.Worker = c.newToken()
	}
	if rotateManager {
		c.object.JoinTokens.Manager = c.newToken()
	}
	c.bump(&c.object.Meta)
	c.touch(KindObject, c.object.ID)
	return nil
}

// sortedKeys are the ids of objects in the order in which managers list them.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
