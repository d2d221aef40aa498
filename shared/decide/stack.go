package decide

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"portolan/shared/contract"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
)

// A Stack is one CloudFormation stack to be created.
type Stack struct {
	Name       string
	Template   string // name of the template in stacks/
	Parameters map[string]string
}

// StackNames are the names of all stacks that a cluster is made of, in the order
// of their creation. An adopted cluster has none of ours but its connector's, where
// one is asked for.
func StackNames(spec contract.ClusterSpec) []string {
	if spec.Network.VpcId != "" {
		return []string{"portolan-" + spec.Name}
	}
	if Adopted(spec) {
		return nil
	}
	return []string{"portolan-" + spec.Name + "-network", "portolan-" + spec.Name}
}

// ClusterStack decides the template and parameters of one of a cluster's stacks.
// outputs are those of the stacks before it.
func ClusterStack(c *model.Cluster, name string, outputs map[string]string) (Stack, error) {
	if !slices.Contains(c.Stacks, name) {
		return Stack{}, fmt.Errorf("stack %s is not intended for cluster %s", name, c.Name())
	}
	if name == "portolan-"+c.Name()+"-network" {
		return networkStack(c, name), nil
	}
	return ecsStack(c, name, outputs), nil
}

func networkStack(c *model.Cluster, name string) Stack {
	cidr := c.Spec.Network.Cidr
	if cidr == "" {
		cidr = "10.0.0.0/16"
	}
	return Stack{Name: name, Template: "network", Parameters: map[string]string{
		"ClusterName": c.Name(), "VpcCidr": cidr,
	}}
}

func ecsStack(c *model.Cluster, name string, outputs map[string]string) Stack {
	parameters := map[string]string{
		"ClusterName":  c.Name(),
		"CapacityType": string(c.Spec.Ecs.Capacity),
	}
	if vpc := c.Spec.Network.VpcId; vpc != "" {
		parameters["VpcId"] = vpc
		parameters["SubnetIds"] = strings.Join(c.Spec.Network.SubnetIds, ",")
		parameters["LoadBalancerSubnetIds"] = strings.Join(c.Spec.Network.SubnetIds, ",")
	} else {
		parameters["VpcId"] = outputs["VpcId"]
		parameters["SubnetIds"] = outputs["PrivateSubnetIds"]
		parameters["LoadBalancerSubnetIds"] = outputs["PublicSubnetIds"]
	}
	for _, ingress := range c.Spec.Ecs.AllowedIngress {
		switch {
		case ingress.Port == 22:
			parameters["AdminCidr"] = ingress.Cidr
			if ingress.OpenToTheInternet {
				parameters["OpenAdminPortToTheWorld"] = "yes"
			}
		default:
			parameters["IngressCidr"] = ingress.Cidr
		}
	}
	for _, pool := range c.Spec.NodePools {
		parameters["InstanceType"] = pool.InstanceType
		parameters["NodesMin"] = "0" // in only through replace-node, which needs the room
		parameters["NodesDesired"] = strconv.Itoa(pool.Size)
		parameters["NodesMax"] = strconv.Itoa(c.Pool(pool.Name).SizeMax)
		parameters["KeyName"] = pool.KeyPair
		parameters["InstanceRoleName"] = c.Spec.Ecs.InstanceRole
		if pool.RootVolumeGiB > 0 {
			parameters["RootVolumeSizeGiB"] = strconv.Itoa(pool.RootVolumeGiB)
		}
	}
	return Stack{Name: name, Template: "ecs", Parameters: parameters}
}

// Facts reads what a cluster's stack says about it from the stack's outputs.
func Facts(c *model.Cluster, outputs map[string]string) (facts orchestrator.Facts, endpoint string) {
	return orchestrator.Facts{ECS: &orchestrator.ECSFacts{
		ClusterARN:           outputs["ClusterArn"],
		Capacity:             c.Spec.Ecs.Capacity,
		CapacityProvider:     outputs["CapacityProviderName"],
		ListenerARN:          outputs["ListenerArn"],
		VPC:                  outputs["VpcId"],
		Subnets:              strings.Split(outputs["SubnetIds"], ","),
		SecurityGroup:        outputs["SecurityGroupId"],
		AssignPublicIP:       c.Spec.Network.VpcId != "",
		TaskExecutionRoleARN: outputs["TaskExecutionRoleArn"],
		LogGroup:             outputs["LogGroupName"],
		AutoScalingGroup:     outputs["AutoScalingGroupName"],
	}}, outputs["LoadBalancerDnsName"]
}
