package decide

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"portolan/shared/contract"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
)

// The engines that new nodes get, by channel. Docker keeps no name for the newest.
const (
	engineStable = "28.5.1"
	engineEdge   = "29.0.0"
)

// swarmManagersMax is the most managers that a swarm is given.
const swarmManagersMax = 7

// swarmPools are the node pools of a new swarm, the managers' first, as its stacks are.
func swarmPools(spec contract.ClusterSpec) []contract.NodePoolSpec {
	m := spec.Swarm.Managers
	managers := contract.NodePoolSpec{
		Name: orchestrator.SwarmManagersPool, InstanceType: m.InstanceType, Size: m.Count, SizeMax: swarmManagersMax,
		KeyPair: m.KeyPair, RootVolumeGiB: m.RootVolumeGiB, RootVolumeType: m.RootVolumeType, EbsOptimized: m.EbsOptimized,
	}
	return append([]contract.NodePoolSpec{managers}, spec.NodePools...)
}

// pools are the node pools that a description leads to.
func pools(spec contract.ClusterSpec) []contract.NodePoolSpec {
	if spec.Orchestrator == contract.Swarm && !Adopted(spec) {
		return swarmPools(spec)
	}
	return spec.NodePools
}

// SwarmGroup is the name of the Auto Scaling group of a swarm's node pool. Cluster and
// pool have no dots in their names.
func SwarmGroup(cluster, pool string) string { return "portolan." + cluster + "." + pool }

// PoolOfSwarmGroup is the inverse of SwarmGroup.
func PoolOfSwarmGroup(group string) (cluster, pool string, ok bool) {
	parts := strings.Split(group, ".")
	if len(parts) != 3 || parts[0] != "portolan" || parts[1] == "" || parts[2] == "" {
		return "", "", false
	}
	return parts[1], parts[2], true
}

// JoinedDigest stands for the instances of a swarm's groups when all of them were nodes
// of it. Where it is another one now, somebody has to be let in or forgotten.
func JoinedDigest(instances []string) string {
	sorted := slices.Sorted(slices.Values(instances))
	sum := sha256.Sum256([]byte(strings.Join(sorted, " ")))
	return hex.EncodeToString(sum[:8])
}

// AnswerLaunch decides what is done about an instance of a swarm's group that was
// launched. To let it in is no repair of a drift, which a team may have wished only to be
// told of.
func AnswerLaunch(c *model.Cluster, instance string, busy bool) DriftAnswer {
	out := DriftAnswer{Drift: "instance " + instance + " is in no swarm yet"}
	switch {
	case busy:
		out.Reason = "an operation is at work, which lets in whom it finds"
	case c.Status != contract.ClusterReady:
		out.Reason = fmt.Sprintf("the cluster is %s", c.Status)
	default:
		out.Repair, out.Reason = true, "instance "+instance+" is let into the swarm"
	}
	return out
}

// ManagersCapacityMax is the most that the managers' group may have: one more than
// wanted, so that a new manager can join before an old one leaves, and never two.
func ManagersCapacityMax(managers int) int { return managers + 1 }

// NewSwarmFacts are what is known of a new swarm before it is made: the groups that its
// nodes will be in, and the name in its engines' certificates.
func NewSwarmFacts(spec contract.ClusterSpec) *orchestrator.SwarmFacts {
	groups := map[string]string{}
	for _, pool := range swarmPools(spec) {
		groups[pool.Name] = SwarmGroup(spec.Name, pool.Name)
	}
	return &orchestrator.SwarmFacts{ServerName: spec.Name + ".swarm.portolan.internal", AutoScalingGroups: groups}
}

// swarmStack decides the stacks of a new swarm: what all nodes have in common, and one
// for each pool.
func swarmStack(c *model.Cluster, name string, outputs map[string]string, d Deployment) (Stack, error) {
	if c.Facts.Swarm == nil || c.Facts.Swarm.EngineSecret == "" {
		return Stack{}, fmt.Errorf("cluster %s has no certificates for its engines yet", c.Name())
	}
	if name == ClusterStackName(c.Name()) {
		return swarmCommonStack(c, name, outputs, d)
	}
	for _, pool := range swarmPools(c.Spec) {
		if name == poolStack(c.Name(), pool.Name) {
			return swarmNodesStack(c, name, pool, outputs), nil
		}
	}
	return Stack{}, fmt.Errorf("stack %s is of no node pool of cluster %s", name, c.Name())
}

func swarmCommonStack(c *model.Cluster, name string, outputs map[string]string, d Deployment) (Stack, error) {
	s := c.Spec.Swarm
	subnets, public := outputs["PrivateSubnetIds"], outputs["PublicSubnetIds"]
	parameters := map[string]string{
		"ClusterName": c.Name(), "EngineSecretArn": c.Facts.Swarm.EngineSecret, "ConnectorLayerArn": d.ConnectorLayer,
		"CloudWatchLogs": yesOrNo(s.CloudWatchLogs == nil || *s.CloudWatchLogs), "SharedStorage": yesOrNo(s.SharedStorage),
		"EncryptSharedStorage": strconv.FormatBool(s.EncryptSharedStorage), "VpcId": outputs["VpcId"],
	}
	if vpc := c.Spec.Network.VpcId; vpc != "" {
		subnets = strings.Join(c.Spec.Network.SubnetIds, ",")
		parameters["VpcId"], public = vpc, subnets
	}
	each := strings.Split(subnets, ",")
	if len(each) < 2 {
		return Stack{}, fmt.Errorf("cluster %s has fewer than two subnets", c.Name())
	}
	parameters["SubnetIds"], parameters["LoadBalancerSubnetIds"] = subnets, public
	parameters["StorageSubnetA"], parameters["StorageSubnetB"] = each[0], each[1]
	for _, ingress := range s.AllowedIngress {
		switch {
		case ingress.Port == contract.N22:
			parameters["AdminCidr"] = ingress.Cidr
			if ingress.OpenToTheInternet {
				parameters["OpenAdminPortToTheWorld"] = "yes"
			}
		default:
			parameters["IngressCidr"] = ingress.Cidr
		}
	}
	return Stack{Name: name, Template: "swarm", Parameters: parameters}, nil
}

func swarmNodesStack(c *model.Cluster, name string, pool contract.NodePoolSpec, outputs map[string]string) Stack {
	size, most := c.Pool(pool.Name).Size, c.Pool(pool.Name).SizeMax
	if pool.Name == orchestrator.SwarmManagersPool {
		most = ManagersCapacityMax(size)
	}
	parameters := map[string]string{
		"ClusterName": c.Name(), "TeamName": c.Spec.Team, "PoolName": pool.Name,
		"NodesDesired": strconv.Itoa(size), "NodesMax": strconv.Itoa(most), "SubnetIds": outputs["SubnetIds"],
		"EngineChannel": string(Channel(c.Spec)), "EngineVersion": EngineVersion(c.Spec),
		"EngineSecretArn": c.Facts.Swarm.EngineSecret, "LogGroupName": outputs["LogGroupName"],
		"FileSystemId": outputs["FileSystemId"], "SystemPrune": yesOrNo(c.Spec.Swarm.SystemPrune),
		"InstanceType": pool.InstanceType, "InstanceProfileArn": outputs["InstanceProfileArn"],
		"SecurityGroupId": outputs["SecurityGroupId"], "KeyName": pool.KeyPair,
		"EbsOptimized": strconv.FormatBool(pool.EbsOptimized), "ImageId": swarmImage(pool.InstanceType),
	}
	if pool.Spot {
		parameters["CapacityType"] = "SPOT"
	}
	if pool.RootVolumeGiB > 0 {
		parameters["RootVolumeSizeGiB"] = strconv.Itoa(pool.RootVolumeGiB)
	}
	if pool.RootVolumeType != "" {
		parameters["RootVolumeType"] = string(pool.RootVolumeType)
	}
	return Stack{Name: name, Template: "swarm-nodes", Parameters: parameters}
}

// Channel is where a swarm's engines come from.
func Channel(spec contract.ClusterSpec) contract.SwarmChannel {
	if spec.Swarm.Channel == "" {
		return contract.ChannelStable
	}
	return spec.Swarm.Channel
}

// EngineVersion is the version of the engines that a swarm's new nodes get.
func EngineVersion(spec contract.ClusterSpec) string {
	switch {
	case spec.Swarm.EngineVersion != "":
		return spec.Swarm.EngineVersion
	case Channel(spec) == contract.ChannelEdge:
		return engineEdge
	}
	return engineStable
}

// swarmImage is the SSM parameter with the image for an instance type.
func swarmImage(instanceType string) string {
	architecture := "x86_64"
	if arm.MatchString(instanceType) {
		architecture = "arm64"
	}
	return "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-" + architecture
}

// swarmFacts adds to what is known of a new swarm what its stacks say.
func swarmFacts(c *model.Cluster, outputs map[string]string) orchestrator.Facts {
	facts := NewSwarmFacts(c.Spec)
	if known := c.Facts.Swarm; known != nil {
		copied := *known
		facts = &copied
	}
	facts.Connector, facts.LoadBalancerARN, facts.ListenerARN = outputs["ConnectorArn"], outputs["LoadBalancerArn"], outputs["ListenerArn"]
	facts.VPC, facts.Subnets = outputs["VpcId"], strings.Split(outputs["SubnetIds"], ",")
	facts.SecurityGroup, facts.LogGroup, facts.FileSystem = outputs["SecurityGroupId"], outputs["LogGroupName"], outputs["FileSystemId"]
	return orchestrator.Facts{Swarm: facts}
}
