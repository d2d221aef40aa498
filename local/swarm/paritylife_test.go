//go:build testbed

package swarm_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"
)

var exitCodes = regexp.MustCompile(`\b\d+\b`)

// awaitTask waits for a task of a service in a state, and tells of it.
func (p *play) awaitTask(what, service string, state swarm.TaskState) {
	p.Helper()
	p.await(what, func() bool {
		for _, t := range p.tasks(service) {
			if t.Status.State == state {
				code := -1
				if t.Status.ContainerStatus != nil {
					code = t.Status.ContainerStatus.ExitCode
				}
				// With which code a container ends that is told to is its own matter.
				told := fmt.Sprintf("%s, %q, error %q, exit code %d", t.Status.State, t.Status.Message, t.Status.Err, code)
				if strings.Contains(told, "unhealthy container") {
					told = exitCodes.ReplaceAllString(told, "CODE")
				}
				p.say(what, told)
				return true
			}
		}
		return false
	})
}

func (p *play) mustCreate(s swarm.ServiceSpec) string {
	p.Helper()
	id, err := p.create(s)
	if err != nil {
		p.Fatal(err)
	}
	return id
}

// awaitUpdate waits until a service's update is in a state, and tells of it.
func (p *play) awaitUpdate(what, id string, state swarm.UpdateState) {
	p.Helper()
	p.await(what, func() bool {
		found, err := p.clients[0].ServiceInspect(p.ctx(), id, client.ServiceInspectOptions{})
		if u := found.Service.UpdateStatus; err == nil && u != nil && u.State == state {
			p.say(what, fmt.Sprintf("%s, %q, begun %v, completed %v, a version before %v", u.State, u.Message, u.StartedAt != nil,
				u.CompletedAt != nil, found.Service.PreviousSpec != nil))
			return true
		}
		return false
	})
}

func (p *play) change(id string, change func(*swarm.ServiceSpec)) {
	p.Helper()
	found, err := p.clients[0].ServiceInspect(p.ctx(), id, client.ServiceInspectOptions{})
	if err != nil {
		p.Fatal(err)
	}
	change(&found.Service.Spec)
	if _, err := p.clients[0].ServiceUpdate(p.ctx(), id, client.ServiceUpdateOptions{Version: found.Service.Version,
		Spec: found.Service.Spec}); err != nil {
		p.Fatal(err)
	}
}

// settle checks that what was started of an image runs, and no more.
func (p *play) settle(what, id, image string, count int) {
	p.Helper()
	p.await(what, func() bool {
		running := 0
		for _, t := range p.tasks(id) {
			if t.Status.State == swarm.TaskStateRunning && t.DesiredState == swarm.TaskStateRunning {
				if t.Spec.ContainerSpec.Image != image {
					return false
				}
				running++
			}
		}
		return running == count
	})
}

// often is a health check that tells soon.
func often() *container.HealthConfig {
	return &container.HealthConfig{Interval: time.Second, Timeout: time.Second, Retries: 2}
}

func TestParityOfTasks(t *testing.T) {
	parity(t, func(p *play) {
		p.try("init", p.initialize(0, client.SwarmInitOptions{ListenAddr: "0.0.0.0:2377"}))
		for _, c := range []struct {
			name  string
			state swarm.TaskState
		}{
			{"web", swarm.TaskStateRunning}, {"crash", swarm.TaskStateFailed}, {"pull-fail", swarm.TaskStateRejected},
			{"unhealthy", swarm.TaskStateFailed},
		} {
			s := spec(c.name, p.image(c.name), 1)
			s.TaskTemplate.ContainerSpec.Healthcheck = &container.HealthConfig{Test: []string{"NONE"}}
			if c.name == "unhealthy" {
				s.TaskTemplate.ContainerSpec.Healthcheck = often()
			}
			s.TaskTemplate.RestartPolicy = &swarm.RestartPolicy{Condition: swarm.RestartPolicyConditionNone}
			p.mustCreate(s)
			p.awaitTask(c.name, c.name, c.state)
		}
		nowhere := spec("nowhere", p.image("web"), 1)
		nowhere.TaskTemplate.Placement = &swarm.Placement{Constraints: []string{"node.labels.pool == fast"}}
		p.mustCreate(nowhere)
		big := spec("big", p.image("web"), 1)
		big.TaskTemplate.Resources = &swarm.ResourceRequirements{Reservations: &swarm.Resources{MemoryBytes: 1 << 42}}
		p.mustCreate(big)
		for _, name := range []string{"nowhere", "big"} {
			p.await(name, func() bool { ts := p.tasks(name); return len(ts) == 1 && ts[0].Status.Err != "" })
			s := p.tasks(name)[0].Status
			p.say(name, fmt.Sprintf("%s, %q, error %q", s.State, s.Message, s.Err))
		}
		if _, err := p.clients[0].ServiceRemove(p.ctx(), "web", client.ServiceRemoveOptions{}); err != nil {
			p.Fatal(err)
		}
		if err := p.setNode(0, 0, drain); err != nil {
			p.Fatal(err)
		}
		s := spec("late", p.image("web"), 1)
		p.mustCreate(s)
		p.await("late", func() bool { ts := p.tasks("late"); return len(ts) == 1 && ts[0].Status.Err != "" })
		p.say("late", p.tasks("late")[0].Status.Err)
	})
}

func TestParityOfUpdates(t *testing.T) {
	parity(t, func(p *play) {
		p.try("init", p.initialize(0, client.SwarmInitOptions{ListenAddr: "0.0.0.0:2377"}))
		s := spec("web", p.image("web"), 2)
		s.TaskTemplate.ContainerSpec.Healthcheck = &container.HealthConfig{Test: []string{"NONE"}}
		s.UpdateConfig = &swarm.UpdateConfig{Parallelism: 1, Order: swarm.UpdateOrderStartFirst,
			Delay: 2 * time.Second, Monitor: 3 * time.Second}
		id := p.mustCreate(s)
		p.settle("created", id, p.image("web"), 2)
		found, err := p.clients[0].ServiceInspect(p.ctx(), id, client.ServiceInspectOptions{})
		p.try("inspect", err)
		p.say("an update of a new service", fmt.Sprint(found.Service.UpdateStatus == nil))
		p.change(id, func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.Image = p.image("shop") })
		p.awaitUpdate("updating", id, swarm.UpdateStateUpdating)
		p.awaitUpdate("updated", id, swarm.UpdateStateCompleted)
		p.settle("updated", id, p.image("shop"), 2)
		p.change(id, func(s *swarm.ServiceSpec) { s.Mode.Replicated.Replicas = new(uint64(3)) })
		p.settle("scaled", id, p.image("shop"), 3)
		p.change(id, func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.Image = p.image("crash") })
		p.awaitUpdate("paused", id, swarm.UpdateStatePaused)
		p.change(id, func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.Image = p.image("web") })
		p.awaitUpdate("right again", id, swarm.UpdateStateCompleted)
		p.change(id, func(s *swarm.ServiceSpec) {
			s.UpdateConfig.FailureAction = swarm.UpdateFailureActionRollback
			s.TaskTemplate.ContainerSpec.Image = p.image("pull-fail")
		})
		p.awaitUpdate("rolled back", id, swarm.UpdateStateRollbackCompleted)
		p.settle("rolled back", id, p.image("web"), 3)
		p.jobs()
	})
}

// jobs is what is said of jobs.
func (p *play) jobs() {
	p.Helper()
	s := spec("report", p.image("job"), 1)
	s.Mode = swarm.ServiceMode{ReplicatedJob: &swarm.ReplicatedJob{TotalCompletions: new(uint64(2))}}
	s.TaskTemplate.RestartPolicy = &swarm.RestartPolicy{Condition: swarm.RestartPolicyConditionOnFailure}
	id := p.mustCreate(s)
	p.await("complete", func() bool {
		listed, err := p.clients[0].ServiceList(p.ctx(), client.ServiceListOptions{Status: true, Filters: client.Filters{}.Add("id", id)})
		return err == nil && listed.Items[0].ServiceStatus.CompletedTasks == 2
	})
	for _, t := range slices.SortedFunc(slices.Values(p.tasks(id)), func(a, b swarm.Task) int { return a.Slot - b.Slot }) {
		p.say("a task of a job", fmt.Sprintf("slot %d, %s, to be %s, %q", t.Slot, t.Status.State, t.DesiredState, t.Status.Message))
	}
}
