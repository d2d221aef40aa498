package swarmspec

import (
	"fmt"
	"slices"
	"strings"

	"portolan/shared/contract"
)

func (c *checker) mode() {
	if c.spec.Mode != contract.Global {
		return
	}
	if highest := c.spec.Rollout.HealthyPercentMax; highest > 100 {
		c.refuse("/rollout/healthyPercentMax", "a node runs one task of a global service, so it is at most 100, not %d", highest)
	}
	if lowest := c.spec.Rollout.HealthyPercentMin; lowest != nil && *lowest == 100 {
		c.refuse("/rollout/healthyPercentMin", "a task of a global service stops before the next one starts, so it is below 100")
	}
	if c.spec.Swarm.UpdateOrder == contract.StartFirst {
		c.refuse("/swarm/updateOrder", "a task of a global service stops before the next one starts")
	}
	if len(c.spec.Placement.Spread)+len(c.spec.Swarm.Preferences) > 0 {
		c.refuse("/placement/spread", "a global service is on every node")
	}
	if c.spec.Swarm.ReplicasPerNodeMax > 0 {
		c.refuse("/swarm/replicasPerNodeMax", "a global service has one task on each node")
	}
}

// rollout refuses what leaves no room to replace a task.
func (c *checker) rollout() {
	rollout := c.spec.Rollout
	never := rollout.HealthyPercentMin == nil || *rollout.HealthyPercentMin == 100
	if c.spec.Mode != contract.Global && never && rollout.HealthyPercentMax == 100 {
		c.refuse("/rollout/healthyPercentMax", "with healthyPercentMin 100 no task can be replaced, unless it is above 100")
	}
	if never && c.spec.Mode != contract.Global && c.spec.Swarm.UpdateOrder == contract.StopFirst {
		c.refuse("/swarm/updateOrder", "with healthyPercentMin 100 no task may stop first")
	}
	if c.spec.Swarm.UpdateOrder == contract.StartFirst && rollout.HealthyPercentMax == 100 {
		c.refuse("/swarm/updateOrder", "with healthyPercentMax 100 no task may start first")
	}
}

// attributes are those of Portolan's own that nodes have as labels.
var attributes = map[string]string{
	"zone": "node.labels.portolan.zone", "nodePool": "node.labels.portolan.pool", "instance": "node.labels.portolan.instance",
	"instanceType": "node.labels.portolan.instanceType",
}

// known are the swarm's own attributes of nodes.
var known = []string{"node.id", "node.hostname", "node.role", "node.platform.os", "node.platform.arch"}

// Attribute says an attribute of nodes in the swarm's words: one of its own, or the
// node's label of that name.
func Attribute(name string) string {
	if said, ok := attributes[name]; ok {
		return said
	}
	if slices.Contains(known, name) || labelled(name) {
		return name
	}
	return "node.labels." + name
}

func labelled(name string) bool {
	return strings.HasPrefix(name, "node.labels.") || strings.HasPrefix(name, "engine.labels.")
}

func (c *checker) placement() {
	zone, node := slices.Index(c.spec.Placement.Spread, contract.Zone), slices.Index(c.spec.Placement.Spread, contract.Node)
	if zone > node && node >= 0 {
		c.refuse("/placement/spread", "a swarm spreads over nodes last of all, so zone comes before node")
	}
	for i, constraint := range c.spec.Placement.Constraints {
		pointer := fmt.Sprintf("/placement/constraints/%d", i)
		if constraint.Operator == contract.In && len(constraint.Values) > 1 {
			c.refuse(pointer+"/values", "a constraint has one value, and no choice among %d; give the nodes a label in common",
				len(constraint.Values))
		}
		name := constraint.Attribute
		own := strings.HasPrefix(name, "node.") || strings.HasPrefix(name, "engine.")
		if own && !slices.Contains(known, name) && !labelled(name) {
			c.refuse(pointer+"/attribute", "%q is none of %s, node.labels.… and engine.labels.…", name, strings.Join(known, ", "))
		}
	}
}

// volumes are file systems of EFS, which every node can mount.
func (c *checker) volumes() {
	names, paths := map[string]bool{}, map[string]bool{}
	for i, volume := range c.spec.Volumes {
		pointer := fmt.Sprintf("/volumes/%d", i)
		if names[volume.Name] {
			c.refuse(pointer+"/name", "%q is taken twice", volume.Name)
		}
		names[volume.Name] = true
		if paths[volume.ContainerPath] {
			c.refuse(pointer+"/containerPath", "%q is taken twice", volume.ContainerPath)
		}
		paths[volume.ContainerPath] = true
		if volume.FileSystemId == "" {
			c.refuse(pointer+"/fileSystemId", "is missing: a volume is an EFS file system, and those of the nodes themselves are in /swarm/mounts")
		}
		if volume.SizeGiB != 0 || volume.StorageClass != "" {
			c.refuse(pointer, "sizeGiB and storageClass are for kubernetes: a swarm makes no EBS volumes that follow a task to another node")
		}
	}
	for i, mount := range c.spec.Swarm.Mounts {
		pointer := fmt.Sprintf("/swarm/mounts/%d", i)
		if paths[mount.ContainerPath] {
			c.refuse(pointer+"/containerPath", "%q is taken twice", mount.ContainerPath)
		}
		paths[mount.ContainerPath] = true
		if mount.Volume == "" && mount.Driver != "" {
			c.refuse(pointer+"/driver", "is of a volume, and the mount names none: it is memory")
		}
		if mount.Volume != "" && mount.SizeMiB != 0 {
			c.refuse(pointer+"/sizeMiB", "is of memory, and the mount names a volume")
		}
	}
}

// files are secrets and configs, of which no two can have one path.
func (c *checker) files() {
	paths := map[string]bool{}
	for _, list := range []struct {
		pointer, below string
		files          []contract.SwarmFile
	}{
		{"/swarm/secretFiles", "/run/secrets/", c.spec.Swarm.SecretFiles}, {"/swarm/configs", "/", c.spec.Swarm.Configs},
	} {
		for i, file := range list.files {
			path := file.Path
			if path == "" {
				path = file.Name
			}
			if !strings.HasPrefix(path, "/") {
				path = list.below + path
			}
			if paths[path] {
				c.refuse(fmt.Sprintf("%s/%d", list.pointer, i), "two files are to be at %s", path)
			}
			paths[path] = true
		}
	}
	networks := map[string]bool{}
	for i, name := range c.spec.Swarm.Networks {
		if networks[name] {
			c.refuse(fmt.Sprintf("/swarm/networks/%d", i), "%q is listed twice", name)
		}
		networks[name] = true
	}
}
