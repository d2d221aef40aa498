package swarm

import (
	"context"
	"net/http"
	"time"

	"github.com/moby/moby/api/types/swarm"

	"portolan/local/swarm/cluster"
)

// leaderPatience is how long a manager waits for the others to choose a leader, and
// leaderAgain how often it looks.
const (
	leaderPatience = 20 * time.Second
	leaderAgain    = 500 * time.Millisecond
)

// route finds who answers a call; nil is nobody.
func (c *call) route() func(*call) {
	kind, id, verb := c.path[0], "", ""
	if len(c.path) > 1 {
		id = c.path[1]
	}
	if len(c.path) > 2 {
		verb = c.path[2]
	}
	if len(c.path) > 3 {
		return nil
	}
	key := c.Method + " " + kind
	switch {
	case verb != "":
		key += "/*/" + verb
	case id != "" && named[kind+"/"+id]:
		key += "/" + id
	case id != "":
		key += "/*"
	}
	return routes[key]
}

// named are the second parts of paths that are no ids.
var named = map[string]bool{"swarm/init": true, "swarm/join": true, "swarm/leave": true, "swarm/update": true,
	"swarm/unlockkey": true, "swarm/unlock": true, "services/create": true, "secrets/create": true, "configs/create": true,
	"networks/create": true, "networks/prune": true, "images/json": true, "images/create": true, "containers/json": true}

var routes map[string]func(*call)

func init() {
	routes = map[string]func(*call){
		"GET _ping": ping, "HEAD _ping": ping, "GET version": locally(version), "GET info": locally(info), "GET events": eventStream,
		"GET images/json": locally(listImages), "POST images/create": pull, "GET containers/json": locally(listContainers),

		"GET swarm": asManager(inspectSwarm), "POST swarm/init": initSwarm, "POST swarm/join": joinSwarm,
		"POST swarm/leave": locally(leaveSwarm), "POST swarm/update": asManager(updateSwarm),
		"GET swarm/unlockkey": asManager(unlockKey), "POST swarm/unlock": locally(unlock),

		"GET nodes": asManager(listNodes), "GET nodes/*": asManager(inspectNode), "POST nodes/*/update": asManager(updateNode),
		"DELETE nodes/*": asManager(removeNode),

		"GET services": asManager(listServices), "POST services/create": asManager(createService),
		"GET services/*": asManager(inspectService), "POST services/*/update": asManager(updateService),
		"DELETE services/*": asManager(removeService),

		"GET tasks": asManager(listTasks), "GET tasks/*": asManager(inspectTask),

		"GET secrets": asManager(listSecrets), "POST secrets/create": asManager(createSecret),
		"GET secrets/*": asManager(inspectSecret), "POST secrets/*/update": asManager(updateSecret),
		"DELETE secrets/*": asManager(removeSecret),

		"GET configs": asManager(listConfigs), "POST configs/create": asManager(createConfig),
		"GET configs/*": asManager(inspectConfig), "POST configs/*/update": asManager(updateConfig),
		"DELETE configs/*": asManager(removeConfig),

		"GET networks": locally(listNetworks), "POST networks/create": locally(createNetwork),
		"GET networks/*": locally(inspectNetwork), "DELETE networks/*": locally(removeNetwork),
	}
}

// locally answers from what the engine knows itself.
func locally(fn func(*call) (answer, error)) func(*call) {
	return func(c *call) {
		var code int
		var raw []byte
		err := c.engine.engines.locked(func() error {
			a, err := fn(c)
			if err == nil {
				code, raw = a.code, encode(a.value)
			}
			return err
		})
		if err != nil {
			writeError(c.w, err)
			return
		}
		c.reply(code, raw)
	}
}

// asManager answers from what the managers know. While they choose a leader, it waits.
func asManager(fn func(*call, *cluster.Cluster) (answer, error)) func(*call) {
	inner := locally(func(c *call) (answer, error) {
		of, err := c.engine.manager()
		if err != nil {
			return answer{}, err
		}
		return fn(c, of)
	})
	return func(c *call) {
		c.engine.awaitLeader(c.Context())
		inner(c)
	}
}

// awaitLeader waits while there is no leader and the managers are about to choose one.
func (n *engine) awaitLeader(ctx context.Context) {
	clock := n.engines.config.Clock
	for end := clock.Now().Add(leaderPatience); clock.Now().Before(end); {
		choosing := false
		n.engines.change(func() {
			of := n.cluster()
			choosing = of != nil && of.IsMember(n.NodeID) && of.Choosing()
		})
		if !choosing || clock.Sleep(ctx, leaderAgain) != nil {
			return
		}
	}
}

func inspectSwarm(_ *call, of *cluster.Cluster) (answer, error) { return ok(of.Inspect()) }

func initSwarm(c *call) {
	var request swarm.InitRequest
	err := c.decode(&request)
	id := ""
	if err == nil {
		id, err = c.engine.initialize(c.Context(), request)
	}
	if err != nil {
		writeError(c.w, err)
		return
	}
	c.reply(http.StatusOK, encode(id))
}

func joinSwarm(c *call) {
	var request swarm.JoinRequest
	err := c.decode(&request)
	if err == nil {
		err = c.engine.join(c.Context(), request)
	}
	if err != nil {
		writeError(c.w, err)
		return
	}
	c.reply(http.StatusOK, nil)
}

func leaveSwarm(c *call) (answer, error) { return done(c.engine.leave(c.flag("force"))) }

func updateSwarm(c *call, of *cluster.Cluster) (answer, error) {
	var spec swarm.Spec
	if err := c.decode(&spec); err != nil {
		return answer{}, err
	}
	version, err := c.version("swarm")
	if err != nil {
		return answer{}, err
	}
	var rotate [2]bool
	for i, name := range []string{"rotateWorkerToken", "rotateManagerToken"} {
		switch value := c.URL.Query().Get(name); value {
		case "", "0", "f", "F", "false", "FALSE", "False":
		case "1", "t", "T", "true", "TRUE", "True":
			rotate[i] = true
		default:
			return answer{}, invalid("invalid value for %s: %s", name, value)
		}
	}
	return done(of.Update(version, spec, rotate[0], rotate[1]))
}

func unlockKey(*call, *cluster.Cluster) (answer, error) {
	return ok(swarm.UnlockKeyResponse{})
}

func unlock(c *call) (answer, error) {
	if _, err := c.engine.manager(); err != nil {
		return answer{}, err
	}
	return answer{}, cluster.Errorf(http.StatusConflict, "swarm is not locked")
}
