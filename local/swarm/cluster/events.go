package cluster

import "time"

// An Event tells engines of what became of an object of the swarm.
type Event struct {
	Type, Action string // such as service, and create, update or remove
	ID           string
	Attributes   map[string]string
	Time         time.Time
}

// emit tells of an object.
func (c *Cluster) emit(kind, action, id, name string, more ...string) {
	if c.config.Publish == nil {
		return
	}
	attributes := map[string]string{"name": name}
	for i := 0; i+1 < len(more); i += 2 {
		if more[i+1] != "" {
			attributes[more[i]] = more[i+1]
		}
	}
	c.config.Publish(Event{Type: kind, Action: action, ID: id, Attributes: attributes, Time: c.now()})
}
