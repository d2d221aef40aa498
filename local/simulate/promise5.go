package simulate

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"portolan/shared/contract"
)

// drained: no node leaves before it was cordoned and drained.
var drained = promise{number: 5, call: leavesEmpty, end: poolsAsWanted}

func leavesEmpty(o *oracle, c *call) {
	cordonedThere(o, c)
	keepsQuorum(o, c)
	if c.service == "ecs" && c.operation == "DeregisterContainerInstance" {
		var in struct{ ContainerInstance string }
		_ = json.Unmarshal(c.body, &in) // what it cannot read names nothing
		o.empty(in.ContainerInstance)
		return
	}
	if c.service != "autoscaling" || !c.changesWorld() {
		return
	}
	form, _ := url.ParseQuery(string(c.body)) // what it cannot read names nothing
	switch c.operation {
	case "TerminateInstanceInAutoScalingGroup":
		o.empty(form.Get("InstanceId"))
	case "SetDesiredCapacity":
		for _, name := range o.clusterNames() {
			pool := o.poolBehind(name, form.Get("AutoScalingGroupName"))
			if pool == "" {
				continue
			}
			var wanted int
			for _, digit := range form.Get("DesiredCapacity") {
				wanted = 10*wanted + int(digit-'0')
			}
			if _, instances, ok := o.poolOf(name, pool); ok && wanted < len(instances) {
				o.broken(5, "the capacity of %s is set to %d below its %d nodes, past the gate", name, wanted, len(instances))
			}
		}
	}
}

// poolBehind is the node pool of a cluster whose Auto Scaling group is of that name; empty
// when it is of another one.
func (o *oracle) poolBehind(cluster, group string) string {
	for _, pool := range []string{nodesPool, managersPool} {
		if found, err := o.groupOf(cluster, pool); err == nil && found == group {
			return pool
		}
	}
	return ""
}

// empty checks that a node that is about to go takes no new tasks and has none.
// instance is its id, or the end of its ARN in ECS.
func (o *oracle) empty(instance string) {
	instance = instance[strings.LastIndex(instance, "/")+1:]
	in := o.w.ECS.ClusterOf(instance)
	for _, name := range o.clusterNames() {
		if c := o.w.kubernetes(name); c != nil {
			o.emptyThere(c, instance)
			continue
		}
		if o.w.ofSwarm(name) {
			o.emptyInSwarm(name, instance)
			continue
		}
		if ecsCluster(name) != in {
			continue
		}
		all := o.containerInstances(name)
		at := slices.IndexFunc(all, func(i types.ContainerInstance) bool {
			return aws.ToString(i.Ec2InstanceId) == instance || lastPart(i.ContainerInstanceArn) == instance
		})
		if at < 0 {
			continue
		}
		i := all[at]
		switch retiring := o.retiring(name); {
		case !i.AgentConnected:
		case aws.ToString(i.Status) != "DRAINING":
			o.broken(5, "node %s of %s is terminated while it is %s", instance, name, aws.ToString(i.Status))
		case i.RunningTasksCount > 0 && !retiring:
			o.broken(5, "node %s of %s is terminated with %d tasks", instance, name, i.RunningTasksCount)
		}
	}
}

// containerInstances are the nodes of a cluster in ECS, in order.
func (o *oracle) containerInstances(name string) []types.ContainerInstance {
	client := ecs.NewFromConfig(o.w.UserConfig())
	listed, err := client.ListContainerInstances(o.ctx(), &ecs.ListContainerInstancesInput{Cluster: aws.String(ecsCluster(name)), Status: ""})
	if err != nil || len(listed.ContainerInstanceArns) == 0 {
		return nil
	}
	out, err := client.DescribeContainerInstances(o.ctx(), &ecs.DescribeContainerInstancesInput{
		Cluster: aws.String(ecsCluster(name)), ContainerInstances: listed.ContainerInstanceArns})
	if err != nil {
		return nil
	}
	slices.SortFunc(out.ContainerInstances, func(a, b types.ContainerInstance) int {
		return strings.Compare(aws.ToString(a.ContainerInstanceArn), aws.ToString(b.ContainerInstanceArn))
	})
	return out.ContainerInstances
}

func lastPart(arn *string) string {
	return aws.ToString(arn)[strings.LastIndex(aws.ToString(arn), "/")+1:]
}

// retiring says whether a cluster goes, and its nodes may go with tasks left.
func (o *oracle) retiring(name string) bool {
	c, err := o.w.mirror.cluster(name)
	return err == nil && c.Status != contract.ClusterReady
}

func poolsAsWanted(o *oracle) {
	for _, name := range o.clusterNames() {
		c, err := o.w.mirror.cluster(name)
		if err != nil || c.Status != contract.ClusterReady {
			continue
		}
		if o.withoutMajority(name) {
			o.broken(5, "swarm %s has no majority of its managers", name)
		}
		o.nodesAsWanted(name)
		o.versionAsWanted(c)
		if len(c.NodePools) == 0 {
			continue
		}
		if last, ok := o.newest("cluster/" + name); ok && last.Status != contract.OperationSucceeded {
			if o.again[last.ID] {
				o.broken(5, "cluster %s was asked for again without a fault, and %s ended %s: %s", name, last.ID, last.Status, last.Reason)
			}
			continue // its end says what is left
		}
		for _, pool := range c.NodePools {
			capacity, instances, ok := o.poolOf(name, pool.Name)
			if wanted := pool.Size; !ok || capacity != wanted || len(instances) != wanted {
				o.broken(5, "the pool of %s is to have %d nodes, has a capacity of %d and %d instances", name, wanted, capacity, len(instances))
			}
		}
		o.swarmIsWhole(c)
	}
}
