package cluster

import (
	"encoding/json"
	"fmt"

	"github.com/moby/moby/api/types/swarm"
)

// Kinds are all kinds of objects, in the order in which they are read.
var Kinds = []string{KindObject, KindNode, KindService, KindTask, KindSecret, KindConfig, KindNetwork}

// Kept is an object as it is kept; nil once it is gone.
func (c *Cluster) Kept(kind, id string) any {
	switch kind {
	case KindObject:
		return c.object
	case KindNode:
		return entry(c.nodes, id)
	case KindService:
		return entry(c.services, id)
	case KindTask:
		return entry(c.tasks, id)
	case KindSecret:
		return entry(c.secrets, id)
	case KindConfig:
		return entry(c.configs, id)
	}
	return entry(c.networks, id)
}

func entry[V any](all map[string]*V, id string) any {
	if v, ok := all[id]; ok {
		return v
	}
	return nil
}

// Load returns the swarm whose objects read reads, where it was.
func Load(config Config, read func(kind string, fn func(id string, raw []byte) error) error) (*Cluster, error) {
	c := newCluster(config)
	for _, kind := range Kinds {
		err := read(kind, func(id string, raw []byte) error {
			if err := c.load(kind, id, raw); err != nil {
				return fmt.Errorf("reading the %s %s of a swarm: %w", kind, id, err)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	c.resume()
	return c, nil
}

func (c *Cluster) load(kind, id string, raw []byte) error {
	switch kind {
	case KindObject:
		return json.Unmarshal(raw, &c.object)
	case KindNode:
		return loadInto(c.nodes, id, raw)
	case KindService:
		return loadInto(c.services, id, raw)
	case KindTask:
		return loadInto(c.tasks, id, raw)
	case KindSecret:
		return loadInto(c.secrets, id, raw)
	case KindConfig:
		return loadInto(c.configs, id, raw)
	}
	return loadInto(c.networks, id, raw)
}

func loadInto[V any](all map[string]*V, id string, raw []byte) error {
	v := new(V)
	all[id] = v
	return json.Unmarshal(raw, v)
}

// resume goes on with what was under way.
func (c *Cluster) resume() {
	for _, id := range sortedKeys(c.nodes) {
		n := c.nodes[id]
		if n.Role != n.Spec.Role {
			c.reconcileRole(id, c.between(roleLow, roleHigh))
		}
		switch {
		case n.Silent && n.Node.Status.State != swarm.NodeStateDown:
			c.expect(n, "heartbeat failure")
		case !n.Silent && n.Node.Status.State != swarm.NodeStateReady:
			c.at("register "+id, c.now().Add(reaction), func() { c.register(id) })
		}
	}
	if !c.Led() {
		c.considerLeader()
	}
	for _, id := range sortedKeys(c.tasks) {
		c.arm(c.tasks[id])
	}
	c.wakeAll()
}

// Copy returns the same swarm once more, as a manager has it that goes its own way.
func (c *Cluster) Copy(config Config) (*Cluster, error) {
	return Load(config, func(kind string, fn func(id string, raw []byte) error) error {
		for _, id := range c.ids(kind) {
			raw, err := json.Marshal(c.Kept(kind, id))
			if err != nil {
				return err
			}
			if err := fn(id, raw); err != nil {
				return err
			}
		}
		return nil
	})
}

// All calls fn for each object that is kept.
func (c *Cluster) All(fn func(kind, id string)) {
	for _, kind := range Kinds {
		for _, id := range c.ids(kind) {
			fn(kind, id)
		}
	}
}

func (c *Cluster) ids(kind string) []string {
	switch kind {
	case KindObject:
		return []string{c.object.ID}
	case KindNode:
		return sortedKeys(c.nodes)
	case KindService:
		return sortedKeys(c.services)
	case KindTask:
		return sortedKeys(c.tasks)
	case KindSecret:
		return sortedKeys(c.secrets)
	case KindConfig:
		return sortedKeys(c.configs)
	}
	return sortedKeys(c.networks)
}
