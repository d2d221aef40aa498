package kubernetesspec

import (
	"fmt"

	"portolan/shared/contract"
)

// Exclusive says whether a service has a volume that only one task at a time can use.
func Exclusive(spec contract.ServiceSpec) bool {
	for _, volume := range spec.Volumes {
		if volume.SizeGiB > 0 {
			return true
		}
	}
	return false
}

func (c *checker) volumes() {
	names, paths := map[string]bool{}, map[string]bool{}
	for i, volume := range c.spec.Volumes {
		pointer := fmt.Sprintf("/volumes/%d", i)
		if names[volume.Name] {
			c.refuse(pointer+"/name", "%q is taken twice", volume.Name)
		}
		if paths[volume.ContainerPath] {
			c.refuse(pointer+"/containerPath", "%q is taken twice", volume.ContainerPath)
		}
		names[volume.Name], paths[volume.ContainerPath] = true, true
		switch shared := volume.FileSystemId != ""; {
		case shared == (volume.SizeGiB > 0):
			c.refuse(pointer, "either fileSystemId is given, or sizeGiB for a volume of the service's own")
		case shared && volume.StorageClass != "":
			c.refuse(pointer+"/storageClass", "must be left out beside fileSystemId: nothing is made")
		case shared && !c.cluster.EKS:
			c.refuse(pointer+"/fileSystemId", "EFS is mounted by the driver that nodes in Amazon EKS have, and the cluster has "+
				"no name there; an adopted one that is in EKS says so with kubernetes.eksCluster")
		}
	}
	if !Exclusive(c.spec) {
		return
	}
	if c.spec.Mode == contract.Global {
		c.refuse("/mode", "a volume with sizeGiB is used by one task at a time, and a global service has one on each node")
	}
	if replicas := c.spec.Replicas; replicas != nil && *replicas > 1 {
		c.refuse("/replicas", "a volume with sizeGiB is used by one task at a time, so it is at most 1, not %d", *replicas)
	}
	if lowest := c.spec.Rollout.HealthyPercentMin; lowest != nil && *lowest > 0 {
		c.refuse("/rollout/healthyPercentMin", "a volume with sizeGiB is used by one task at a time, so the task stops before "+
			"the next one starts, and it is 0 or left out")
	}
}

func (c *checker) mode() {
	if c.spec.Mode != contract.Global {
		return
	}
	if len(c.spec.Placement.Spread) > 0 {
		c.refuse("/placement/spread", "a global service is on every node")
	}
	lowest := c.spec.Rollout.HealthyPercentMin
	if lowest == nil || *lowest < 100 {
		return
	}
	for i, port := range c.spec.Ports {
		if port.HostPort != 0 {
			c.refuse(fmt.Sprintf("/ports/%d/hostPort", i), "a node's port is free only when the task before has stopped, so "+
				"healthyPercentMin of a global service is below 100")
		}
	}
}

// rollout refuses percentages that leave no room to replace a task.
func (c *checker) rollout() {
	rollout := c.spec.Rollout
	never := rollout.HealthyPercentMin != nil && *rollout.HealthyPercentMin == 100
	if c.spec.Mode != contract.Global && !Exclusive(c.spec) {
		never = never || rollout.HealthyPercentMin == nil
	}
	if never && rollout.HealthyPercentMax == 100 {
		c.refuse("/rollout/healthyPercentMax", "with healthyPercentMin 100 no task can be replaced, unless it is above 100")
	}
}

func (c *checker) placement() {
	for i, constraint := range c.spec.Placement.Constraints {
		pointer := fmt.Sprintf("/placement/constraints/%d", i)
		if !isValue(constraint.Attribute) {
			c.refuse(pointer+"/attribute", "it is a label's key, which has at most 63 characters and ends with a letter or "+
				"digit, and is no %q", constraint.Attribute)
		}
		for j, value := range constraint.Values {
			if !isValue(value) {
				c.refuse(fmt.Sprintf("%s/values/%d", pointer, j), "a label's value has at most 63 characters, and begins and "+
					"ends with a letter or digit, and is no %q", value)
			}
		}
	}
	seen := map[contract.PlacementSpread]bool{}
	for i, over := range c.spec.Placement.Spread {
		if seen[over] {
			c.refuse(fmt.Sprintf("/placement/spread/%d", i), "%s is listed twice", over)
		}
		seen[over] = true
	}
	for i, toleration := range c.spec.Kubernetes.Tolerations {
		pointer := fmt.Sprintf("/kubernetes/tolerations/%d", i)
		if !isKey(toleration.Key) {
			c.refuse(pointer+"/key", "a taint's key is a name of at most 63 characters, with a domain and a slash before it "+
				"or without, and is no %q", toleration.Key)
		}
		if toleration.Value != "" && !isValue(toleration.Value) {
			c.refuse(pointer+"/value", "a taint's value begins and ends with a letter or digit, and is no %q", toleration.Value)
		}
	}
}
