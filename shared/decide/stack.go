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

// A Deployment is what the stacks of clusters have to know of the control plane.
type Deployment struct {
	// ServiceRole, NodeRole, SurveyRole and UpgradeRole are the ARNs of the operations'
	// roles.
	ServiceRole, NodeRole, SurveyRole, UpgradeRole string

	// ConnectorLayer is the ARN of the layer with the connector's code.
	ConnectorLayer string
}

// Outputs are what the stacks before one said, all together, and APIHost is the host,
// with its port unless that is 443, of an adopted cluster's API.
type Outputs struct {
	Values  map[string]string
	APIHost string
}

// ClusterStackName is the stack whose outputs say what a cluster is.
func ClusterStackName(name string) string { return "portolan-" + name }

// StackNames are the names of all stacks that a cluster is made of, in the order
// of their creation. An adopted cluster has none of ours but its connector's, where
// one is asked for.
func StackNames(spec contract.ClusterSpec) []string {
	own := ClusterStackName(spec.Name)
	if Adopted(spec) {
		if spec.Network.VpcId == "" {
			return nil
		}
		return []string{own}
	}
	var names []string
	if spec.Network.VpcId == "" {
		names = append(names, own+"-network")
	}
	names = append(names, own)
	if spec.Orchestrator == contract.Ecs {
		return names
	}
	for _, pool := range pools(spec) {
		names = append(names, poolStack(spec.Name, pool.Name))
	}
	if spec.Orchestrator == contract.Kubernetes {
		names = append(names, own+"-addons")
	}
	return names
}

func poolStack(cluster, pool string) string { return ClusterStackName(cluster) + "-pool-" + pool }

// ClusterStack decides the template and parameters of one of a cluster's stacks.
// before is what the stacks before it said.
func ClusterStack(c *model.Cluster, name string, before Outputs, d Deployment) (Stack, error) {
	if !slices.Contains(c.Stacks, name) {
		return Stack{}, fmt.Errorf("stack %s is not intended for cluster %s", name, c.Name())
	}
	switch {
	case name == ClusterStackName(c.Name())+"-network":
		return networkStack(c, name), nil
	case Adopted(c.Spec):
		return connectorStack(c, name, before.APIHost, d)
	case c.Spec.Orchestrator == contract.Kubernetes:
		return kubernetesStack(c, name, before.Values, d)
	case c.Spec.Orchestrator == contract.Swarm:
		return swarmStack(c, name, before.Values, d)
	}
	return ecsStack(c, name, before.Values), nil
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

// Facts reads what a cluster's stack says about it from the stack's outputs. Of
// Kubernetes the Auto Scaling groups are missing: no output has them.
func Facts(c *model.Cluster, outputs map[string]string) (facts orchestrator.Facts, endpoint string) {
	switch {
	case Adopted(c.Spec):
		facts = AdoptedFacts(c.Spec)
		if facts.Swarm != nil {
			facts.Swarm.Connector = outputs["ConnectorArn"]
			return facts, ""
		}
		facts.Kubernetes.Connector = outputs["ConnectorArn"]
		return facts, ""
	case c.Spec.Orchestrator == contract.Kubernetes:
		return kubernetesFacts(c, outputs), ""
	case c.Spec.Orchestrator == contract.Swarm:
		return swarmFacts(c, outputs), outputs["LoadBalancerDnsName"]
	}
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
