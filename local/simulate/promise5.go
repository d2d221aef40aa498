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
	if c.service == "ecs" && c.operation == "DeregisterContainerInstance" {
		var in struct{ ContainerInstance string }
		_ = json.Unmarshal(c.body, &in) // what it cannot read names nothing
		o.empty(in.ContainerInstance)
		return
	}
	if c.service != "autoscaling" {
		return
	}
	form, _ := url.ParseQuery(string(c.body)) // what it cannot read names nothing
	switch c.operation {
	case "TerminateInstanceInAutoScalingGroup":
		o.empty(form.Get("InstanceId"))
	case "SetDesiredCapacity":
		for _, name := range o.clusterNames() {
			cluster, err := o.w.store.Cluster(o.ctx(), name)
			if err != nil || cluster.Facts.ECS == nil || cluster.Facts.ECS.AutoScalingGroup != form.Get("AutoScalingGroupName") {
				continue
			}
			var wanted int
			for _, digit := range form.Get("DesiredCapacity") {
				wanted = 10*wanted + int(digit-'0')
			}
			if _, instances, ok := o.pool(name); ok && wanted < len(instances) {
				o.broken(5, "the capacity of %s is set to %d below its %d nodes, past the gate", name, wanted, len(instances))
			}
		}
	}
}

// empty checks that a node that is about to go takes no new tasks and has none.
// instance is its id, or the end of its ARN in ECS.
func (o *oracle) empty(instance string) {
	instance = instance[strings.LastIndex(instance, "/")+1:]
	client := ecs.NewFromConfig(o.w.UserConfig())
	for _, name := range o.clusterNames() {
		listed, err := client.ListContainerInstances(o.ctx(), &ecs.ListContainerInstancesInput{Cluster: aws.String(ecsCluster(name)),
			Status: ""})
		if err != nil || len(listed.ContainerInstanceArns) == 0 {
			continue
		}
		out, err := client.DescribeContainerInstances(o.ctx(), &ecs.DescribeContainerInstancesInput{
			Cluster: aws.String(ecsCluster(name)), ContainerInstances: listed.ContainerInstanceArns})
		if err != nil {
			continue
		}
		at := slices.IndexFunc(out.ContainerInstances, func(i types.ContainerInstance) bool {
			return aws.ToString(i.Ec2InstanceId) == instance ||
				strings.HasSuffix(aws.ToString(i.ContainerInstanceArn), "/"+instance)
		})
		if at < 0 {
			continue
		}
		i := out.ContainerInstances[at]
		switch retiring := o.retiring(name); {
		case !i.AgentConnected:
		case aws.ToString(i.Status) != "DRAINING":
			o.broken(5, "node %s of %s is terminated while it is %s", instance, name, aws.ToString(i.Status))
		case i.RunningTasksCount > 0 && !retiring:
			o.broken(5, "node %s of %s is terminated with %d tasks", instance, name, i.RunningTasksCount)
		}
	}
}

// retiring says whether a cluster goes, and its nodes may go with tasks left.
func (o *oracle) retiring(name string) bool {
	c, err := o.w.store.Cluster(o.ctx(), name)
	return err == nil && c.Status != contract.ClusterReady
}

func poolsAsWanted(o *oracle) {
	for _, name := range o.clusterNames() {
		c, err := o.w.store.Cluster(o.ctx(), name)
		if err != nil || c.Status != contract.ClusterReady || len(c.NodePools) == 0 {
			continue
		}
		if last, ok := o.newest("cluster/" + name); ok && last.Status != contract.OperationSucceeded {
			if o.again[last.ID] {
				o.broken(5, "cluster %s was asked for again without a fault, and %s ended %s: %s", name, last.ID, last.Status, last.Reason)
			}
			continue // its end says what is left
		}
		capacity, instances, ok := o.pool(name)
		if wanted := c.NodePools[0].Size; !ok || capacity != wanted || len(instances) != wanted {
			o.broken(5, "the pool of %s is to have %d nodes, has a capacity of %d and %d instances", name, wanted, capacity, len(instances))
		}
	}
}
