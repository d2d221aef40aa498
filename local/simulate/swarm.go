package simulate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/types/swarm"

	"portolan/shared/connector"
	"portolan/shared/contract"
)

// managersPool is the pool of a swarm's managers, which has no other name.
const managersPool = "managers"

// swarmWish is what a swarm is to be, with one manager or three.
func swarmWish(s Step) contract.SwarmCluster {
	managers := contract.SwarmManagers{Count: 3, InstanceType: "m6i.large"}
	if s.Text == onOneManager {
		managers.Count = 1
	}
	return contract.SwarmCluster{Managers: managers, AllowedIngress: []contract.Ingress{{Cidr: "0.0.0.0/0", Port: 80}}}
}

// ofSwarm says whether a cluster of the plan is a Docker swarm.
func (w *World) ofSwarm(name string) bool {
	return slices.ContainsFunc(w.Plan.Steps, func(s Step) bool {
		return s.Cluster == name && s.Do == CreateCluster && (s.Text == onSwarm || s.Text == onOneManager)
	})
}

// connectorService is the service of calls of engines: those of Lambda with what a
// connector is to send.
const connectorService = "lambda"

// forEngine looks into a call that a connector is to make of an engine.
func (w *World) forEngine(c *call, r *http.Request) {
	if c.service != connectorService || c.operation != "Invoke" {
		return
	}
	var request connector.Request
	if json.Unmarshal(c.body, &request) != nil || request.URL == "" {
		return
	}
	c.engine = &request
	for _, name := range w.watch.clusterNames() {
		found, err := w.mirror.cluster(name)
		if err == nil && found.Facts.Swarm != nil && found.Facts.Swarm.Connector != "" &&
			strings.Contains(r.URL.Path, found.Facts.Swarm.Connector) {
			c.cluster = name
		}
	}
}

// A dockerSwarm is a swarm for who sits at one of its managers.
type dockerSwarm struct{ socket http.Handler }

// dockerSwarm looks for a manager of a cluster that can tell of all nodes; there is none
// before the swarm is made, and where it has lost its majority.
func (w *World) dockerSwarm(cluster string) dockerSwarm {
	_, instances, _ := w.watch.poolOf(cluster, managersPool)
	for _, id := range instances {
		found := dockerSwarm{w.Engines.Socket(id)}
		if found.socket != nil && found.ask(http.MethodGet, "/swarm", nil, nil) == nil {
			return found
		}
	}
	return dockerSwarm{}
}

var errNoSwarm = errors.New("no manager answers for a swarm")

// ask is a person with docker on a manager. It never waits.
func (s dockerSwarm) ask(method, path string, body, answer any) error {
	if s.socket == nil {
		return errNoSwarm
	}
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return err
		}
	}
	now, cancel := context.WithCancel(context.Background())
	cancel()
	request := httptest.NewRequestWithContext(now, method, "http://docker"+path, bytes.NewReader(text))
	request.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	s.socket.ServeHTTP(recorder, request)
	if recorder.Code >= http.StatusMultipleChoices {
		return fmt.Errorf("%s %s: %d %s", method, path, recorder.Code, recorder.Body)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(recorder.Body.Bytes(), answer)
}

func (s dockerSwarm) nodes() (all []swarm.Node) {
	_ = s.ask(http.MethodGet, "/nodes", nil, &all) // a swarm that is not there has none
	slices.SortFunc(all, func(a, b swarm.Node) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// tasksOn are the tasks on a node that have not ended.
func (s dockerSwarm) tasksOn(node string) (ids []string) {
	var all []swarm.Task
	_ = s.ask(http.MethodGet, "/tasks", nil, &all) // a swarm that is not there has none
	for _, task := range all {
		if task.NodeID == node && !slices.Contains(taskEnds, task.Status.State) {
			ids = append(ids, task.ID)
		}
	}
	return ids
}

var taskEnds = []swarm.TaskState{swarm.TaskStateComplete, swarm.TaskStateShutdown, swarm.TaskStateFailed,
	swarm.TaskStateRejected, swarm.TaskStateRemove, swarm.TaskStateOrphaned}

// service is one of the swarm's services by its name.
func (s dockerSwarm) service(name string) (found swarm.Service, err error) {
	return found, s.ask(http.MethodGet, "/services/"+name, nil, &found)
}

// changeInSwarm is a person who changes a service past the control plane.
func (w *World) changeInSwarm(cluster, name string, change func(*swarm.ServiceSpec)) error {
	s := w.dockerSwarm(cluster)
	found, err := s.service(name)
	if err != nil {
		return err
	}
	change(&found.Spec)
	return s.ask(http.MethodPost, fmt.Sprintf("/services/%s/update?version=%d", found.ID, found.Version.Index), found.Spec, nil)
}

// scaleManagers asks for one, three or five managers.
func (w *World) scaleManagers(s Step) error {
	return w.api(http.MethodPut, cluster(s)+"/node-pools/"+managersPool, contract.NodePoolScale{Size: 1 + 2*(s.Count%3)})
}

// managersAtEase are the instances of the managers while none of them is away and their
// number is not being changed: fate strikes no swarm twice.
func (w *World) managersAtEase(s Step) ([]string, error) {
	managers := membersOf(w.dockerSwarm(s.Cluster).nodes())
	_, instances, _ := w.watch.poolOf(s.Cluster, managersPool)
	if managers.count < 3 || managers.reachable < managers.count || len(instances) < managers.count {
		return nil, fmt.Errorf("cluster %s has no manager to spare: %+v", s.Cluster, managers)
	}
	for _, o := range w.atWork(s) {
		if o.NodePool == managersPool {
			return nil, fmt.Errorf("cluster %s is about to have another number of managers", s.Cluster)
		}
	}
	return instances, nil
}

// loseManager lets a manager's machine die, without which the others keep their majority.
func (w *World) loseManager(s Step) error {
	all, err := w.managersAtEase(s)
	if err != nil {
		return err
	}
	id := all[s.Count%len(all)]
	w.tell("step", "instance %s, a manager, dies", id)
	w.AutoScaling.KillInstance(id)
	return nil
}

// loseQuorum lets so many managers' machines die at once that those which are left have no
// majority.
func (w *World) loseQuorum(s Step) error {
	all, err := w.managersAtEase(s)
	if err != nil {
		return err
	}
	for i := range len(all)/2 + 1 {
		id := all[(s.Count+i)%len(all)]
		w.tell("step", "instance %s, a manager of %d, dies", id, len(all))
		w.AutoScaling.KillInstance(id)
	}
	return nil
}

// recoverSwarm is a team that says that its swarm may go on with what is left of it.
func (w *World) recoverSwarm(s Step) error {
	return w.api(http.MethodPost, cluster(s)+"/recovery", nil)
}

// recoverAll is a team that finds that its swarm has lost its majority, once the faults have
// stopped. It says whether it asked for anything.
func (w *World) recoverAll() (asked bool, err error) {
	for _, name := range w.watch.clusterNames() {
		if !w.watch.withoutMajority(name) {
			continue
		}
		asked = true
		path := cluster(Step{Cluster: name}) + "/recovery"
		if err := w.insist(contract.Target{Cluster: name}, http.MethodPost, path, nil); err != nil {
			return asked, err
		}
	}
	return asked, nil
}

// stopEngine ends the engine of a manager, or of a worker, which is started again soon.
func (w *World) stopEngine(s Step) error {
	ids, err := w.managersAtEase(s)
	if s.Count%2 == 0 {
		if ids, err = w.watch.instances(s.Cluster), nil; len(ids) == 0 {
			return fmt.Errorf("cluster %s has no workers", s.Cluster)
		}
	}
	if err != nil {
		return err
	}
	id := ids[s.Count%len(ids)]
	pause := time.Duration(s.Count) * 2 * time.Minute
	w.tell("step", "the engine of instance %s ends, for %v", id, pause)
	w.Engines.Stop(id)
	w.late.Go(func() {
		if w.Clock.Sleep(w.ctx, pause) != nil {
			return
		}
		w.turn.pass(func() string { return "revive " + id })
		w.Engines.Revive(id)
	})
	return nil
}

// enginePath is the path of a call of an engine, behind the API's version.
func (c *call) enginePath() []string {
	at, err := url.Parse(c.engine.URL)
	if err != nil {
		return nil
	}
	parts := strings.Split(strings.Trim(at.Path, "/"), "/")
	if strings.HasPrefix(parts[0], "v1.") {
		parts = parts[1:]
	}
	return parts
}
