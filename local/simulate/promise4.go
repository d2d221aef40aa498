package simulate

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi/types"

	"portolan/shared/contract"
	"portolan/shared/model"
)

// intended: nothing is created that the table does not know, and nothing survives
// its cluster without being named.
var intended = promise{number: 4, call: knownBefore, end: nothingLeft}

func knownBefore(o *oracle, c *call) {
	intendedThere(o, c)
	intendedInSwarm(o, c)
	runsOnce(o, c)
	switch {
	case c.service == "cloudformation" && c.operation == "CreateStack":
		form, _ := url.ParseQuery(string(c.body)) // what it cannot read has no name
		name := form.Get("StackName")
		if !o.intends(name) {
			o.broken(4, "stack %s is created, which the table does not know as intended", name)
		}
	case c.service == "ecs" && c.operation == "CreateService":
		var in struct{ Cluster, ServiceName string }
		_ = json.Unmarshal(c.body, &in)
		name := in.Cluster[strings.LastIndex(in.Cluster, "/")+1:]
		v, err := o.w.mirror.service(name, in.ServiceName)
		if err != nil || v.Status == contract.ServiceRetired {
			o.broken(4, "service %s is created on %s, which the table does not know as intended", in.ServiceName, name)
		}
	}
}

// intends says whether the table has the stack for a cluster that is not retired.
func (o *oracle) intends(stack string) bool {
	for _, name := range o.clusterNames() {
		c, err := o.w.mirror.cluster(name)
		if err == nil && c.Status != contract.ClusterRetired && slices.Contains(c.Stacks, stack) {
			return true
		}
	}
	return false
}

func nothingLeft(o *oracle) {
	for _, s := range o.stacks() {
		if name := aws.ToString(s.StackName); s.DeletionTime == nil && !o.intends(name) {
			o.broken(4, "stack %s is left, and no cluster in the table has it", name)
		}
	}
	for _, name := range o.clusterNames() {
		c, err := o.w.mirror.cluster(name)
		if err != nil || c.Status != contract.ClusterRetired {
			continue
		}
		left := o.tagged(name)
		if c := o.w.adopted[name]; c != nil {
			left = append(left, o.leftThere(&c.apiServer)...)
		}
		if len(left) > 0 {
			o.broken(4, "cluster %s is retired and left %v", name, left)
		}
	}
	o.strangers()
}

// strangers looks for services that orchestrators have and the table does not want.
func (o *oracle) strangers() {
	for _, name := range o.clusterNames() {
		for _, service := range services {
			v, err := o.w.mirror.service(name, service)
			if err == nil && v.Status != contract.ServiceRetired || !o.running(name, service).found {
				continue
			}
			target := model.TargetKey(contract.Target{Cluster: name, Service: service})
			if last, ok := o.newest(target); ok && last.Status == contract.OperationFailedDirty {
				continue
			}
			o.broken(4, "service %s of cluster %s runs, and the table has it as retired", service, name)
		}
	}
}

// tagged is what carries a cluster's tag, but for what AWS goes on showing after
// its end.
func (o *oracle) tagged(name string) []string {
	out, err := resourcegroupstaggingapi.NewFromConfig(o.w.UserConfig()).GetResources(o.ctx(),
		&resourcegroupstaggingapi.GetResourcesInput{
			TagFilters: []types.TagFilter{{Key: aws.String("portolan:cluster"), Values: []string{name}}},
			ResourceTypeFilters: []string{"cloudformation:stack", "ecs:cluster", "ecs:service", "eks", "lambda", "elasticloadbalancing",
				"ec2:vpc", "ec2:subnet", "ec2:security-group", "ec2:launch-template"},
		})
	if err != nil {
		o.broken(0, "resources cannot be found by their tags: %v", err)
		return nil
	}
	var arns []string
	for _, r := range out.ResourceTagMappingList {
		arns = append(arns, aws.ToString(r.ResourceARN))
	}
	return arns
}
