package swarm

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/api/types/system"

	"portolan/local/swarm/cluster"
)

// What the engines tell of their machines.
const (
	versionDefault  = "20.10.24"
	operatingSystem = "Amazon Linux 2023"
	kernelVersion   = "6.1.109-118.189.amzn2023.x86_64"
	goVersion       = "go1.19.8"
)

func ping(c *call) {
	c.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	c.w.Header().Set("Cache-Control", "no-cache, no-store, must-revalidate")
	c.w.Header().Set("Pragma", "no-cache")
	c.w.Header().Set("Builder-Version", "1")
	c.w.WriteHeader(http.StatusOK)
	if c.Method == http.MethodGet {
		_, _ = c.w.Write([]byte("OK"))
	}
}

func version(c *call) (answer, error) {
	n := c.engine
	details := map[string]string{"ApiVersion": apiVersion, "Arch": "amd64", "Experimental": "false", "GoVersion": goVersion,
		"KernelVersion": kernelVersion, "MinAPIVersion": apiVersionMin, "Os": "linux"}
	return ok(map[string]any{
		"Platform": map[string]string{"Name": ""}, "Version": n.Version, "ApiVersion": apiVersion, "MinAPIVersion": apiVersionMin,
		"GitCommit": "297e128", "GoVersion": goVersion, "Os": "linux", "Arch": "amd64", "KernelVersion": kernelVersion,
		"Components": []map[string]any{{"Name": "Engine", "Version": n.Version, "Details": details}},
	})
}

func info(c *call) (answer, error) {
	n := c.engine
	running := 0
	var images int
	if of := n.cluster(); of != nil {
		running, images = len(of.Containers(n.NodeID)), len(of.Pulled(n.NodeID))
	} else {
		images = len(n.Images)
	}
	return ok(system.Info{
		ID: n.DaemonID, Containers: running, ContainersRunning: running, Images: images, Driver: "overlay2",
		DriverStatus: [][2]string{{"Backing Filesystem", "xfs"}, {"Supports d_type", "true"}},
		Plugins: system.PluginsInfo{Volume: []string{"local"}, Network: []string{"bridge", "host", "ipvlan", "macvlan", "null", "overlay"},
			Log: []string{"awslogs", "fluentd", "gcplogs", "gelf", "journald", "json-file", "local", "logentries", "splunk", "syslog"}},
		MemoryLimit: true, SwapLimit: true, CPUCfsPeriod: true, CPUCfsQuota: true, CPUShares: true, CPUSet: true, PidsLimit: true,
		IPv4Forwarding: true, OomKillDisable: true, SystemTime: n.now().Format(time.RFC3339Nano), LoggingDriver: "json-file",
		CgroupDriver: "systemd", CgroupVersion: "2", KernelVersion: kernelVersion, OperatingSystem: operatingSystem, OSType: "linux",
		Architecture: "x86_64", IndexServerAddress: "https://index.docker.io/v1/", NCPU: n.CPUs, MemTotal: int64(n.MemoryMiB) << 20,
		DockerRootDir: "/var/lib/docker", Name: n.Name, Labels: labelList(n.Labels), ServerVersion: n.Version,
		DefaultRuntime: "runc", Swarm: n.swarmInfo(), InitBinary: "docker-init",
	})
}

func (n *engine) now() time.Time { return n.engines.config.Clock.Now() }

func labelList(labels map[string]string) []string {
	list := []string{}
	for _, key := range sortedKeys(labels) {
		list = append(list, key+"="+labels[key])
	}
	return list
}

// swarmInfo is what the engine tells of its swarm.
func (n *engine) swarmInfo() swarm.Info {
	out := swarm.Info{LocalNodeState: swarm.LocalNodeStateInactive}
	of := n.cluster()
	if of == nil {
		if n.Joining != nil {
			out.LocalNodeState = swarm.LocalNodeStatePending
		}
		return out
	}
	out.NodeID, out.NodeAddr, out.LocalNodeState = n.NodeID, n.Address, swarm.LocalNodeStateActive
	out.RemoteManagers = of.Managers()
	if !of.IsMember(n.NodeID) {
		return out
	}
	out.ControlAvailable = true
	if !of.Led() {
		out.Error = cluster.ErrNoLeader.Error()
		out.Cluster = &swarm.ClusterInfo{}
		return out
	}
	cluster := of.Inspect().ClusterInfo
	out.Cluster = &cluster
	nodes, err := of.Nodes(nil)
	if err != nil {
		out.Error = err.Error()
	}
	out.Nodes = len(nodes)
	out.Managers = len(of.Managers())
	if out.Managers == 2 {
		out.Warnings = append(out.Warnings, "WARNING: Running Swarm in a two-manager configuration. This configuration provides\n"+
			"         no fault tolerance, and poses a high risk to lose control over the cluster.\n"+
			"         Refer to https://docs.docker.com/engine/swarm/admin_guide/ to configure the\n"+
			"         Swarm for fault-tolerance.")
	}
	return out
}

// description is what a node tells of itself.
func (n *engine) description() swarm.NodeDescription {
	d := swarm.NodeDescription{Hostname: n.Name, Platform: swarm.Platform{Architecture: "x86_64", OS: "linux"},
		Resources: swarm.Resources{NanoCPUs: int64(n.CPUs) * 1e9, MemoryBytes: int64(n.MemoryMiB) << 20},
		Engine:    swarm.EngineDescription{EngineVersion: n.Version, Labels: n.Labels}}
	for _, name := range []string{"awslogs", "fluentd", "gelf", "journald", "json-file", "local", "splunk", "syslog"} {
		d.Engine.Plugins = append(d.Engine.Plugins, swarm.PluginDescription{Type: "Log", Name: name})
	}
	for _, name := range []string{"bridge", "host", "ipvlan", "macvlan", "null", "overlay"} {
		d.Engine.Plugins = append(d.Engine.Plugins, swarm.PluginDescription{Type: "Network", Name: name})
	}
	d.Engine.Plugins = append(d.Engine.Plugins, swarm.PluginDescription{Type: "Volume", Name: "local"})
	return d
}

// listImages answers with what was pulled.
func listImages(c *call) (answer, error) {
	n := c.engine
	names := sortedKeys(n.Images)
	if of := n.cluster(); of != nil {
		names = of.Pulled(n.NodeID)
	}
	out := []map[string]any{}
	for _, name := range names {
		digest := digestOf(n.engines.config.Images, name)
		one := map[string]any{"Id": digest, "ParentId": "", "RepoTags": []string{}, "RepoDigests": []string{}, "Created": 0,
			"Size": 10 << 20, "SharedSize": -1, "VirtualSize": 10 << 20, "Labels": map[string]string{}, "Containers": -1}
		repository, _, pinned := strings.Cut(name, "@")
		if !pinned {
			one["RepoTags"] = []string{name}
		}
		one["RepoDigests"] = []string{repository + "@" + digest}
		out = append(out, one)
	}
	return ok(out)
}

// digestOf is the digest of an image that can be pulled.
func digestOf(images cluster.Images, name string) string {
	if _, digest, ok := strings.Cut(name, "@"); ok {
		return digest
	}
	if images != nil {
		if digest, _, ok := images.LookUpImage(name); ok {
			return digest
		}
	}
	return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(name)))
}

// pull answers POST /images/create, which takes a while.
func pull(c *call) {
	name := c.URL.Query().Get("fromImage")
	if tag := c.URL.Query().Get("tag"); strings.HasPrefix(tag, "sha256:") {
		name += "@" + tag
	} else if tag != "" {
		name += ":" + tag
	}
	e := c.engine.engines
	switch {
	case c.URL.Query().Get("fromImage") == "":
		writeError(c.w, cluster.Errorf(http.StatusNotImplemented, "POST /images/create is simulated for images of a registry only"))
		return
	case !cluster.Pullable(e.config.Images, name):
		writeError(c.w, cluster.Errorf(http.StatusNotFound, "manifest for %s not found: manifest unknown: manifest unknown", name))
		return
	}
	if err := e.config.Clock.Sleep(c.Context(), e.config.IDs.Between(pullLow, pullHigh)); err != nil {
		writeError(c.w, err)
		return
	}
	e.change(func() {
		if of := c.engine.cluster(); of != nil {
			of.MarkPulled(c.engine.NodeID, name)
		} else {
			c.engine.Images[name] = true
			c.engine.touch()
		}
	})
	c.reply(http.StatusOK, append(encode(map[string]string{"status": "Digest: " + digestOf(e.config.Images, name)}),
		encode(map[string]string{"status": "Status: Downloaded newer image for " + name})...))
}

const pullLow, pullHigh = 2 * time.Second, 9 * time.Second

// listContainers answers with the containers of tasks that run here.
func listContainers(c *call) (answer, error) {
	out := []map[string]any{}
	of := c.engine.cluster()
	if of == nil {
		return ok(out)
	}
	for _, one := range of.Containers(c.engine.NodeID) {
		labels := map[string]string{"com.docker.swarm.node.id": c.engine.NodeID, "com.docker.swarm.service.name": one.Service,
			"com.docker.swarm.task.id": one.Task}
		out = append(out, map[string]any{"Id": one.ID, "Names": []string{"/" + one.Service + "." + one.Task}, "Image": one.Image,
			"ImageID": digestOf(c.engine.engines.config.Images, one.Image), "Command": "", "Created": one.Since.Unix(),
			"State": "running", "Status": "Up " + c.engine.now().Sub(one.Since).Truncate(time.Second).String(), "Labels": labels,
			"Ports": []any{}, "Mounts": []any{}})
	}
	return ok(out)
}
