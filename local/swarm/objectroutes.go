package swarm

import (
	"net/http"
	"strconv"

	"github.com/moby/moby/api/types/swarm"

	"portolan/local/swarm/cluster"
)

// list answers with what matches the filters of a call.
func list[T any](c *call, fn func(cluster.Filters) ([]T, error)) (answer, error) {
	f, err := c.filters()
	if err != nil {
		return answer{}, err
	}
	all, err := fn(f)
	return answer{http.StatusOK, all}, err
}

// inspect answers with one object.
func inspect[T any](c *call, fn func(string) (T, error)) (answer, error) {
	one, err := fn(c.path[1])
	return answer{http.StatusOK, one}, err
}

// create answers with the id of what is made of the body.
func create[T any](c *call, fn func(T) (string, error)) (answer, error) {
	var spec T
	if err := c.decode(&spec); err != nil {
		return answer{}, err
	}
	id, err := fn(spec)
	return answer{http.StatusCreated, map[string]string{"ID": id}}, err
}

// change changes what the path names, of the version that the query names.
func change[T any](c *call, kind string, fn func(string, uint64, T) error) (answer, error) {
	var spec T
	if err := c.decode(&spec); err != nil {
		return answer{}, err
	}
	version, err := c.version(kind)
	if err != nil {
		return answer{}, err
	}
	return done(fn(c.path[1], version, spec))
}

func listNodes(c *call, of *cluster.Cluster) (answer, error)   { return list(c, of.Nodes) }
func inspectNode(c *call, of *cluster.Cluster) (answer, error) { return inspect(c, of.Node) }
func updateNode(c *call, of *cluster.Cluster) (answer, error) {
	return change(c, "node", of.UpdateNode)
}

func removeNode(c *call, of *cluster.Cluster) (answer, error) {
	return done(of.RemoveNode(c.path[1], c.flag("force")))
}

func listServices(c *call, of *cluster.Cluster) (answer, error) {
	status := false
	if value := c.URL.Query().Get("status"); value != "" {
		var err error
		if status, err = strconv.ParseBool(value); err != nil {
			return answer{}, invalid("invalid value for status: %s: %s", value, err)
		}
	}
	return list(c, func(f cluster.Filters) ([]swarm.Service, error) { return of.Services(f, status) })
}

func inspectService(c *call, of *cluster.Cluster) (answer, error) {
	defaults := false
	if value := c.URL.Query().Get("insertDefaults"); value != "" {
		var err error
		if defaults, err = strconv.ParseBool(value); err != nil {
			return answer{}, invalid("invalid value for insertDefaults: %s: %s", value, err)
		}
	}
	return inspect(c, func(id string) (swarm.Service, error) { return of.Service(id, defaults) })
}

func createService(c *call, of *cluster.Cluster) (answer, error) { return create(c, of.CreateService) }

func updateService(c *call, of *cluster.Cluster) (answer, error) {
	a, err := change(c, "service", func(id string, version uint64, spec swarm.ServiceSpec) error {
		return of.UpdateService(id, version, spec, c.URL.Query().Get("rollback"))
	})
	a.value = swarm.ServiceUpdateResponse{}
	return a, err
}

func removeService(c *call, of *cluster.Cluster) (answer, error) {
	return done(of.RemoveService(c.path[1]))
}

func listTasks(c *call, of *cluster.Cluster) (answer, error) {
	return list(c, func(f cluster.Filters) ([]swarm.Task, error) {
		for i, id := range f["node"] {
			if id == "self" {
				f["node"][i] = c.engine.NodeID
			}
		}
		return of.Tasks(f)
	})
}

func inspectTask(c *call, of *cluster.Cluster) (answer, error) { return inspect(c, of.Task) }

func listSecrets(c *call, of *cluster.Cluster) (answer, error)   { return list(c, of.Secrets) }
func createSecret(c *call, of *cluster.Cluster) (answer, error)  { return create(c, of.CreateSecret) }
func inspectSecret(c *call, of *cluster.Cluster) (answer, error) { return inspect(c, of.Secret) }
func updateSecret(c *call, of *cluster.Cluster) (answer, error) {
	return change(c, "secret", of.UpdateSecret)
}

func removeSecret(c *call, of *cluster.Cluster) (answer, error) {
	return answer{http.StatusNoContent, nil}, of.RemoveSecret(c.path[1])
}

func listConfigs(c *call, of *cluster.Cluster) (answer, error)   { return list(c, of.Configs) }
func createConfig(c *call, of *cluster.Cluster) (answer, error)  { return create(c, of.CreateConfig) }
func inspectConfig(c *call, of *cluster.Cluster) (answer, error) { return inspect(c, of.Config) }
func updateConfig(c *call, of *cluster.Cluster) (answer, error) {
	return change(c, "config", of.UpdateConfig)
}

func removeConfig(c *call, of *cluster.Cluster) (answer, error) {
	return answer{http.StatusNoContent, nil}, of.RemoveConfig(c.path[1])
}
