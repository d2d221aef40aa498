package cluster

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/swarm"
)

// A task is one copy of a service.
type task struct {
	swarm.Task

	// SpecVersion is the service's that the task was made of, with its endpoint.
	SpecVersion uint64
	Endpoint    *swarm.EndpointSpec
	ServiceName string
	Job         bool

	// A task that replaces another waits until StartAt, and until the task StartAfter
	// has ended, but not longer than StartBy.
	Held       bool
	StartAt    time.Time
	StartAfter string
	StartBy    time.Time

	// Step is the state or the end that the node works on; it is done at Due.
	Step string
	Due  time.Time

	// Succeeded tells that the container was healthy for a while.
	Born uint64
}

// order is how far a task's state is from its beginning; it never goes back.
var order = map[swarm.TaskState]int{
	swarm.TaskStateNew: 0, swarm.TaskStatePending: 1, swarm.TaskStateAssigned: 2, swarm.TaskStateAccepted: 3,
	swarm.TaskStatePreparing: 4, swarm.TaskStateReady: 5, swarm.TaskStateStarting: 6, swarm.TaskStateRunning: 7,
	swarm.TaskStateComplete: 8, swarm.TaskStateShutdown: 9, swarm.TaskStateFailed: 10, swarm.TaskStateRejected: 11,
	swarm.TaskStateRemove: 12, swarm.TaskStateOrphaned: 13,
}

func ended(s swarm.TaskState) bool { return order[s] > order[swarm.TaskStateRunning] }

// wanted says whether a task is there to run, or to run to its end.
func (t *task) wanted() bool { return order[t.DesiredState] <= order[swarm.TaskStateComplete] }

// active says whether a task uses what its node has.
func (t *task) active() bool {
	s := order[t.Status.State]
	return t.NodeID != "" && s >= order[swarm.TaskStateAssigned] && s <= order[swarm.TaskStateRunning]
}

// newTask makes a copy of a service, for a slot or for a node.
func (c *Cluster) newTask(s *service, slot int, nodeID string, desired swarm.TaskState) *task {
	t := &task{SpecVersion: s.SpecVersion, Endpoint: s.Spec.EndpointSpec, ServiceName: s.Spec.Name, Job: s.job()}
	t.ID, t.Meta = c.newID(), c.meta()
	t.Born = t.Version.Index
	t.Labels = map[string]string{}
	t.Spec, t.ServiceID, t.Slot, t.NodeID = s.Spec.TaskTemplate, s.ID, slot, nodeID
	t.DesiredState = desired
	t.Status = swarm.TaskStatus{Timestamp: c.now(), State: swarm.TaskStatePending, Message: "pending task scheduling"}
	if s.job() {
		t.JobIteration = pointer(s.JobStatus.JobIteration)
	}
	c.tasks[t.ID] = t
	c.touch(KindTask, t.ID)
	c.wake(s.ID)
	return t
}

func (c *Cluster) setDesired(t *task, desired swarm.TaskState) {
	if order[t.DesiredState] >= order[desired] {
		return
	}
	t.DesiredState = desired
	c.bump(&t.Meta)
	c.touch(KindTask, t.ID)
	c.wake(t.ServiceID)
	c.arm(t)
}

// setStatus takes a task to a state.
func (c *Cluster) setStatus(t *task, state swarm.TaskState, message, err string) {
	if order[state] < order[t.Status.State] {
		return
	}
	was := t.Status.State
	t.Status.State, t.Status.Message, t.Status.Err, t.Status.Timestamp = state, message, err, c.now()
	c.bump(&t.Meta)
	c.touch(KindTask, t.ID)
	c.wake(t.ServiceID)
	if ended(state) && !ended(was) {
		c.taskEnded(t)
	}
}

// tasksOf are a service's tasks, the oldest first.
func (c *Cluster) tasksOf(serviceID string) []*task {
	var out []*task
	for _, t := range c.tasks {
		if t.ServiceID == serviceID {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, older)
	return out
}

func older(a, b *task) int { return int(int64(a.Born) - int64(b.Born)) }

func (c *Cluster) deleteTask(t *task) {
	delete(c.tasks, t.ID)
	c.touch(KindTask, t.ID)
}

// Task returns one task.
func (c *Cluster) Task(input string) (swarm.Task, error) {
	t, ok := c.tasks[input]
	if !ok {
		var err error
		if t, err = find("task", input, c.tasks, func(*task) string { return "" }); err != nil {
			return swarm.Task{}, err
		}
	}
	return c.viewTask(t), nil
}

func (c *Cluster) viewTask(t *task) swarm.Task {
	view := t.Task
	for _, attached := range t.Spec.Networks {
		if n, ok := c.networks[attached.Target]; ok {
			view.NetworksAttachments = append(view.NetworksAttachments, swarm.NetworkAttachment{Network: *n})
		}
	}
	return view
}

// Tasks returns those that match.
func (c *Cluster) Tasks(f Filters) ([]swarm.Task, error) {
	out := []swarm.Task{}
	if err := f.check("name", "id", "label", "service", "node", "desired-state", "_up-to-date", "runtime"); err != nil {
		return nil, err
	}
	services, nodes, err := c.references(f)
	if err != nil {
		return nil, err
	}
	for _, state := range f["desired-state"] {
		if _, ok := order[swarm.TaskState(strings.ToLower(state))]; !ok && state != "" {
			return nil, Errorf(http.StatusInternalServerError, "Invalid desired-state filter: '%s'", state)
		}
	}
	for _, id := range sortedKeys(c.tasks) {
		t := c.tasks[id]
		if f.prefix("id", id) && f.prefix("name", t.name()) && (len(services) == 0 || slices.Contains(services, t.ServiceID)) &&
			(len(nodes) == 0 || slices.Contains(nodes, t.NodeID)) && f.any("desired-state", string(t.DesiredState)) &&
			f.labels("label", t.Labels) && f.upToDate(c, t) {
			out = append(out, c.viewTask(t))
		}
	}
	return out, nil
}

// references turns the services and nodes of filters into ids, as engines do before
// they ask a manager.
func (c *Cluster) references(f Filters) (services, nodes []string, err error) {
	for _, input := range f["service"] {
		s, err := c.findService(input)
		if err != nil {
			return nil, nil, err
		}
		services = append(services, s.ID)
	}
	for _, input := range f["node"] {
		n, err := c.findNode(input)
		if err != nil {
			return nil, nil, err
		}
		nodes = append(nodes, n.ID)
	}
	return services, nodes, nil
}

func (f Filters) upToDate(c *Cluster, t *task) bool {
	s, ok := c.services[t.ServiceID]
	return len(f["_up-to-date"]) == 0 || ok && s.SpecVersion == t.SpecVersion
}

func (t *task) name() string { return t.ServiceName }

// A Container is what a task is on its node.
type Container struct {
	ID, Image, Task, Service string
	State                    swarm.TaskState
	Since                    time.Time
	Ports                    []swarm.PortConfig
}

// Containers are those that run on a node.
func (c *Cluster) Containers(nodeID string) (out []Container) {
	for _, t := range slices.SortedFunc(maps.Values(c.tasks), older) {
		if t.NodeID != nodeID || t.Status.ContainerStatus == nil || ended(t.Status.State) {
			continue
		}
		out = append(out, Container{ID: t.Status.ContainerStatus.ContainerID, Image: t.Spec.ContainerSpec.Image, Task: t.ID,
			Service: t.ServiceName, State: t.Status.State, Since: t.Status.Timestamp, Ports: t.Status.PortStatus.Ports})
	}
	return out
}

// Pulled are the images that were pulled to a node.
func (c *Cluster) Pulled(nodeID string) []string {
	if n, ok := c.nodes[nodeID]; ok {
		return sortedKeys(n.Images)
	}
	return nil
}

// MarkPulled notes that a node has an image.
func (c *Cluster) MarkPulled(nodeID, image string) {
	if n, ok := c.nodes[nodeID]; ok {
		n.Images[image] = true
		c.touch(KindNode, nodeID)
	}
}

const tcp = network.IPProtocol("tcp")
