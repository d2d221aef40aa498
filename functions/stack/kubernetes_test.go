package stack

import (
	"context"
	"maps"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/fault"
	"portolan/shared/model"
	"portolan/shared/step/steptest"
	"portolan/shared/store"
)

// nodeGroups are EKS's, by name, with their Auto Scaling groups.
type nodeGroups map[string]string

// DescribeNodegroup implements EKS.
func (g nodeGroups) DescribeNodegroup(_ context.Context, in *eks.DescribeNodegroupInput, _ ...func(*eks.Options)) (*eks.DescribeNodegroupOutput, error) {
	group, ok := g[*in.NodegroupName]
	if !ok || *in.ClusterName != "portolan-shop" {
		return nil, &ekstypes.ResourceNotFoundException{Message: aws.String("No node group found for name: " + *in.NodegroupName + ".")}
	}
	if group == "" {
		return nil, &ekstypes.ServerException{Message: aws.String("later")}
	}
	return &eks.DescribeNodegroupOutput{Nodegroup: &ekstypes.Nodegroup{Resources: &ekstypes.NodegroupResources{
		AutoScalingGroups: []ekstypes.AutoScalingGroup{{Name: &group}}}}}, nil
}

// secrets are values by id.
type secrets map[string]string

// GetSecretValue implements Secrets.
func (s secrets) GetSecretValue(_ context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	value, ok := s[*in.SecretId]
	if !ok {
		return nil, &smithy.GenericAPIError{Code: "ResourceNotFoundException", Message: "Secrets Manager can't find the specified secret."}
	}
	return &secretsmanager.GetSecretValueOutput{SecretString: &value}, nil
}

// kubernetesScene is a scene whose cluster has the description.
func kubernetesScene(t *testing.T, change func(*contract.ClusterSpec)) *scene {
	t.Helper()
	s := newScene(t)
	c, err := s.store.Cluster(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	c.Spec.Orchestrator, c.Spec.Ecs = contract.Kubernetes, contract.EcsCluster{}
	c.Spec.NodePools = []contract.NodePoolSpec{{Name: "web", InstanceType: "m6i.large", Size: 1}, {Name: "batch", InstanceType: "m6i.large"}}
	c.NodePools = []model.NodePool{{Name: "web", Size: 1, SizeMax: 10}, {Name: "batch", SizeMax: 10}}
	change(&c.Spec)
	c.Stacks = decide.StackNames(c.Spec)
	steptest.Commit(t, s.store, store.UpdateCluster(*c))
	s.Deployment = decide.Deployment{ServiceRole: "service", NodeRole: "node", SurveyRole: "survey", ConnectorLayer: "layer"}
	s.EKS = func(string) EKS { return nodeGroups{"web": "eks-web-1"} }
	return s
}

func output(key, value string) types.Output {
	return types.Output{OutputKey: &key, OutputValue: &value}
}

func TestKubernetesFactsHaveTheGroupsOfPools(t *testing.T) {
	s := kubernetesScene(t, func(*contract.ClusterSpec) {})
	s.stacks["portolan-shop"] = &types.Stack{Outputs: []types.Output{output("EksClusterName", "portolan-shop"),
		output("Endpoint", "https://x"), output("ConnectorArn", "connector"), output("SubnetIds", "a,b")}}
	s.do("RecordFacts", In{})
	c, err := s.store.Cluster(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	// The pool batch was not made: an execution died before.
	facts := c.Facts.Kubernetes
	if facts == nil || facts.EKSCluster != "portolan-shop" || facts.Endpoint != "https://x" || facts.Connector != "connector" ||
		!maps.Equal(facts.AutoScalingGroups, map[string]string{"web": "eks-web-1"}) {
		t.Errorf("kept %+v", facts)
	}
	s.EKS = func(string) EKS { return nodeGroups{"web": ""} }
	if _, err := s.try("RecordFacts", In{}); !fault.IsUnavailable(err) {
		t.Errorf("while EKS is not there: %v", err)
	}
}

func TestPoolsGetWhatTheClustersStackSays(t *testing.T) {
	s := kubernetesScene(t, func(*contract.ClusterSpec) {})
	s.stacks["portolan-shop-network"] = &types.Stack{Outputs: []types.Output{output("PrivateSubnetIds", "a,b")}}
	s.stacks["portolan-shop"] = &types.Stack{Outputs: []types.Output{output("EksClusterName", "portolan-shop"),
		output("SubnetIds", "a,b"), output("InstanceRoleArn", "nodes")}}
	s.do("CreateStack", In{Stack: "portolan-shop-pool-web"})
	got := map[string]string{}
	for _, p := range s.asked[0].Parameters {
		got[*p.ParameterKey] = *p.ParameterValue
	}
	if got["EksClusterName"] != "portolan-shop" || got["SubnetIds"] != "a,b" || got["InstanceRoleArn"] != "nodes" ||
		!strings.Contains(*s.asked[0].TemplateBody, "AWS::EKS::Nodegroup") {
		t.Errorf("asked for %v", got)
	}
}

const config = `
current-context: prod
contexts:
- {name: prod, context: {cluster: main, user: admin}}
- {name: test, context: {cluster: other, user: admin}}
clusters:
- {name: main, cluster: {server: "https://10.0.0.1:6443/", certificate-authority-data: c2VjcmV0}}
- {name: other, cluster: {server: "http://10.0.0.2"}}
users:
- {name: admin, user: {token: top-secret}}
`

func TestAConnectorCallsTheHostOfTheKubeconfig(t *testing.T) {
	s := kubernetesScene(t, func(spec *contract.ClusterSpec) {
		spec.NodePools, spec.Adopted.Credentials = nil, "kubeconfig"
		spec.Network = contract.Network{VpcId: "vpc-1", SubnetIds: []string{"a", "b"}}
	})
	s.Secrets = func(string) Secrets { return secrets{"kubeconfig": config} }
	s.outputs = map[string]string{"ConnectorArn": "connector"}
	s.do("CreateStack", In{Stack: "portolan-shop"})
	got := map[string]string{}
	for _, p := range s.asked[0].Parameters {
		got[*p.ParameterKey] = *p.ParameterValue
	}
	if got["AllowedHosts"] != "10.0.0.1:6443" || got["ApiPort"] != "6443" || got["SubnetIds"] != "a,b" {
		t.Errorf("asked for %v", got)
	}
	s.do("RecordFacts", In{})
	c, err := s.store.Cluster(t.Context(), "shop")
	if err != nil || c.Facts.Kubernetes == nil || c.Facts.Kubernetes.Connector != "connector" || c.Facts.Kubernetes.Credentials != "kubeconfig" {
		t.Errorf("kept %+v, %v", c.Facts.Kubernetes, err)
	}
}

func TestAdoptedFactsNeedNoStack(t *testing.T) {
	s := kubernetesScene(t, func(spec *contract.ClusterSpec) { spec.NodePools, spec.Adopted.Credentials = nil, "kubeconfig" })
	s.do("RecordFacts", In{})
	c, err := s.store.Cluster(t.Context(), "shop")
	if err != nil || c.Facts.Kubernetes == nil || c.Facts.Kubernetes.Credentials != "kubeconfig" {
		t.Errorf("kept %+v, %v", c.Facts.Kubernetes, err)
	}
}

// What cannot be used is refused without a word of what is in it.
func TestKubeconfigsWithoutAHost(t *testing.T) {
	for name, text := range map[string]string{
		"none": "", "no YAML": "top-secret: [", "no context": strings.Replace(config, "current-context: prod", "", 1),
		"an unknown context": strings.Replace(config, "current-context: prod", "current-context: nope", 1),
		"no https":           strings.Replace(config, "current-context: prod", "current-context: test", 1),
	} {
		s := kubernetesScene(t, func(spec *contract.ClusterSpec) {
			spec.NodePools, spec.Adopted.Credentials, spec.Network.VpcId = nil, "kubeconfig", "vpc-1"
		})
		s.Secrets = func(string) Secrets { return secrets{"kubeconfig": text} }
		_, err := s.try("CreateStack", In{Stack: "portolan-shop"})
		if !fault.IsInvalid(err) || strings.Contains(err.Error(), "top-secret") {
			t.Errorf("%s: %v", name, err)
		}
		s.Secrets = func(string) Secrets { return secrets{} }
		if _, err = s.try("CreateStack", In{Stack: "portolan-shop"}); !fault.IsNotFound(err) {
			t.Errorf("without the secret: %v", err)
		}
	}
}
