package decide

import (
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"

	"portolan/shared/contract"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
)

// kubernetesStack decides the stacks of a new cluster in Amazon EKS: the cluster
// itself, one for each node pool, and the add-ons that need nodes.
func kubernetesStack(c *model.Cluster, name string, outputs map[string]string, d Deployment) (Stack, error) {
	if name == ClusterStackName(c.Name()) {
		return eksStack(c, name, outputs, d), nil
	}
	for _, pool := range c.Spec.NodePools {
		if name == poolStack(c.Name(), pool.Name) {
			return nodesStack(c, name, pool, outputs), nil
		}
	}
	if name != ClusterStackName(c.Name())+"-addons" {
		return Stack{}, fmt.Errorf("stack %s is of no node pool of cluster %s", name, c.Name())
	}
	return Stack{Name: name, Template: "kubernetes-addons", Parameters: map[string]string{
		"ClusterName": c.Name(), "EksClusterName": outputs["EksClusterName"],
	}}, nil
}

func eksStack(c *model.Cluster, name string, outputs map[string]string, d Deployment) Stack {
	k := c.Spec.Kubernetes
	parameters := map[string]string{
		"ClusterName": c.Name(), "KubernetesVersion": k.Version,
		"EndpointPrivateAccess": strconv.FormatBool(k.EndpointAccess != contract.EndpointPublic),
		"EndpointPublicAccess":  strconv.FormatBool(!PrivateOnly(k)),
		"ServiceRoleArn":        d.ServiceRole, "NodeRoleArn": d.NodeRole, "SurveyRoleArn": d.SurveyRole,
		"UpgradeRoleArn": d.UpgradeRole,
		"Connector":      yesOrNo(usesConnector(k)), "ConnectorLayerArn": d.ConnectorLayer,
		"VpcId": outputs["VpcId"], "SubnetIds": outputs["PrivateSubnetIds"],
	}
	if vpc := c.Spec.Network.VpcId; vpc != "" {
		parameters["VpcId"], parameters["SubnetIds"] = vpc, strings.Join(c.Spec.Network.SubnetIds, ",")
	}
	if !PrivateOnly(k) {
		parameters["PublicAccessCidrs"] = "0.0.0.0/0"
		if len(k.PublicAccessCidrs) > 0 {
			parameters["PublicAccessCidrs"] = strings.Join(k.PublicAccessCidrs, ",")
		}
	}
	return Stack{Name: name, Template: "kubernetes", Parameters: parameters}
}

// usesConnector says whether a new cluster's API server is called from its VPC: it is,
// unless everybody on the internet reaches it anyway.
func usesConnector(k contract.KubernetesCluster) bool {
	if PrivateOnly(k) {
		return true
	}
	for _, cidr := range k.PublicAccessCidrs {
		if cidr == "0.0.0.0/0" {
			return false
		}
	}
	return len(k.PublicAccessCidrs) > 0
}

func yesOrNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

func nodesStack(c *model.Cluster, name string, pool contract.NodePoolSpec, outputs map[string]string) Stack {
	capacity := "ON_DEMAND"
	if pool.Spot {
		capacity = "SPOT"
	}
	parameters := map[string]string{
		"ClusterName": c.Name(), "TeamName": c.Spec.Team, "PoolName": pool.Name,
		"EksClusterName": outputs["EksClusterName"], "InstanceRoleArn": outputs["InstanceRoleArn"],
		"SubnetIds": outputs["SubnetIds"], "InstanceType": pool.InstanceType, "AmiType": imageType(pool.InstanceType),
		"CapacityType": capacity, "KeyName": pool.KeyPair,
		"NodesMin":     "0", // in only through replace-node, which needs the room
		"NodesDesired": strconv.Itoa(pool.Size), "NodesMax": strconv.Itoa(c.Pool(pool.Name).SizeMax),
	}
	if pool.RootVolumeGiB > 0 {
		parameters["RootVolumeSizeGiB"] = strconv.Itoa(pool.RootVolumeGiB)
	}
	return Stack{Name: name, Template: "kubernetes-nodes", Parameters: parameters}
}

// What the names of instance families tell: a g behind the generation is Graviton's,
// and these prefixes are those of accelerators.
// https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html
var (
	arm    = regexp.MustCompile(`^(a1|[a-z]+[0-9]+[a-z]*g[a-z]*)[.-]`)
	nvidia = regexp.MustCompile(`^(p|g|gr)[0-9]`)
	neuron = regexp.MustCompile(`^(trn|inf)[0-9]`)
)

// imageType is the kind of image of EKS that an instance type boots.
func imageType(instanceType string) string {
	switch graviton, accelerated := arm.MatchString(instanceType), nvidia.MatchString(instanceType); {
	case graviton && accelerated:
		return "AL2023_ARM_64_NVIDIA"
	case graviton:
		return "AL2023_ARM_64_STANDARD"
	case accelerated:
		return "AL2023_x86_64_NVIDIA"
	case neuron.MatchString(instanceType):
		return "AL2023_x86_64_NEURON"
	}
	return "AL2023_x86_64_STANDARD"
}

// connectorStack decides the only stack of an adopted cluster. The managers of a swarm
// are where its description says, all at one port.
func connectorStack(c *model.Cluster, name, apiHost string, d Deployment) (Stack, error) {
	hosts := []string{apiHost}
	if c.Spec.Orchestrator == contract.Swarm {
		hosts = c.Spec.Swarm.Addresses
	}
	if len(hosts) == 0 || hosts[0] == "" {
		return Stack{}, fmt.Errorf("nobody said where the API of cluster %s is", c.Name())
	}
	port := "443"
	if _, said, err := net.SplitHostPort(hosts[0]); err == nil {
		port = said
	}
	return Stack{Name: name, Template: "connector", Parameters: map[string]string{
		"ClusterName": c.Name(), "VpcId": c.Spec.Network.VpcId, "SubnetIds": strings.Join(c.Spec.Network.SubnetIds, ","),
		"AllowedHosts": strings.Join(hosts, ","), "ApiPort": port, "ConnectorLayerArn": d.ConnectorLayer,
	}}, nil
}

func kubernetesFacts(c *model.Cluster, outputs map[string]string) orchestrator.Facts {
	return orchestrator.Facts{Kubernetes: &orchestrator.KubernetesFacts{
		EKSCluster: outputs["EksClusterName"], Endpoint: outputs["Endpoint"],
		CertificateAuthority: outputs["CertificateAuthority"], Connector: outputs["ConnectorArn"],
		Namespace: c.Spec.Kubernetes.Namespace, VPC: outputs["VpcId"], Subnets: strings.Split(outputs["SubnetIds"], ","),
	}}
}
