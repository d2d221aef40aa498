package stacks_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"portolan/stacks"
)

// maxTemplateBody is CloudFormation's limit in bytes for a TemplateBody.
const maxTemplateBody = 51_200

type document struct {
	Parameters map[string]yaml.Node `yaml:"Parameters"`
	Resources  map[string]struct {
		Type       string    `yaml:"Type"`
		Properties yaml.Node `yaml:"Properties"`
	} `yaml:"Resources"`
	Outputs map[string]struct {
		Description string    `yaml:"Description"`
		Value       yaml.Node `yaml:"Value"`
	} `yaml:"Outputs"`
}

func load(t *testing.T, name string) document {
	t.Helper()
	text, err := stacks.Template(name)
	if err != nil {
		t.Fatal(err)
	}
	var doc document
	if err := yaml.Load([]byte(text), &doc); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return doc
}

func TestEveryTemplateFitsATemplateBody(t *testing.T) {
	for _, name := range stacks.Names() {
		text, err := stacks.Template(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) >= maxTemplateBody {
			t.Errorf("%s has %d bytes; CloudFormation takes fewer than %d", name, len(text), maxTemplateBody)
		}
		if doc := load(t, name); len(doc.Resources) == 0 {
			t.Errorf("%s has no resources", name)
		}
	}
}

func TestTemplatesHaveTheOutputsThatMachinesRead(t *testing.T) {
	tests := map[string][]string{
		"network": {"VpcId", "PublicSubnetIds", "PrivateSubnetIds"},
		"ecs": {
			"ClusterName", "ClusterArn", "AutoScalingGroupName", "ListenerArn", "LoadBalancerDnsName",
			"TaskExecutionRoleArn", "LogGroupName", "VpcId", "SubnetIds", "SecurityGroupId",
		},
		"kubernetes": {
			"EksClusterName", "Endpoint", "CertificateAuthority", "ConnectorArn", "InstanceRoleArn", "VpcId", "SubnetIds",
		},
		"connector": {"ConnectorArn"},
	}
	for name, outputs := range tests {
		doc := load(t, name)
		for _, output := range outputs {
			if _, ok := doc.Outputs[output]; !ok {
				t.Errorf("%s has no output %s", name, output)
			}
		}
	}
}

// untaggable are the types whose CloudFormation schema has no tags.
var untaggable = []string{
	"AWS::EC2::VPCGatewayAttachment", "AWS::EC2::Route", "AWS::EC2::SubnetRouteTableAssociation",
	"AWS::EC2::SecurityGroupIngress", "AWS::ElasticLoadBalancingV2::Listener",
	"AWS::IAM::InstanceProfile", "AWS::ECS::ClusterCapacityProviderAssociations", "AWS::EFS::MountTarget",
}

func TestWhatCanBeTaggedCarriesTheClustersTag(t *testing.T) {
	for _, name := range stacks.Names() {
		for logical, resource := range load(t, name).Resources {
			text, err := yaml.Dump(&resource.Properties)
			if err != nil {
				t.Fatal(err)
			}
			tagged := strings.Contains(string(text), "portolan:cluster")
			if exempt := slices.Contains(untaggable, resource.Type); tagged == exempt {
				t.Errorf("%s: %s (%s): tagged is %t", name, logical, resource.Type, tagged)
			}
		}
	}
}

func TestUnknownTemplateIsNamed(t *testing.T) {
	_, err := stacks.Template("mesos")
	if err == nil || !strings.Contains(err.Error(), "mesos") || !strings.Contains(err.Error(), "ecs") {
		t.Errorf("error is %v, want one that names the template and the known ones", err)
	}
}

// Nobody enters a new cluster of EKS who has no access entry, its creator included, and no
// version outlives its standard support at six times the price.
func TestKubernetesIsEnteredByAccessEntriesOnly(t *testing.T) {
	doc := load(t, "kubernetes")
	var cluster struct {
		AccessConfig struct {
			AuthenticationMode                      string `yaml:"AuthenticationMode"`
			BootstrapClusterCreatorAdminPermissions *bool  `yaml:"BootstrapClusterCreatorAdminPermissions"`
		} `yaml:"AccessConfig"`
		UpgradePolicy map[string]string `yaml:"UpgradePolicy"`
	}
	properties := doc.Resources["Cluster"].Properties
	if err := properties.Decode(&cluster); err != nil {
		t.Fatal(err)
	}
	access := cluster.AccessConfig
	if access.AuthenticationMode != "API" || access.BootstrapClusterCreatorAdminPermissions == nil ||
		*access.BootstrapClusterCreatorAdminPermissions {
		t.Errorf("the cluster is entered by %+v", access)
	}
	if cluster.UpgradePolicy["SupportType"] != "STANDARD" {
		t.Errorf("the cluster is supported as %v", cluster.UpgradePolicy)
	}
	entries := map[string]string{}
	for id, resource := range doc.Resources {
		var entry struct {
			PrincipalArn string `yaml:"PrincipalArn"`
			Policies     []struct {
				Arn string `yaml:"PolicyArn"`
			} `yaml:"AccessPolicies"`
		}
		if resource.Type != "AWS::EKS::AccessEntry" {
			continue
		}
		if err := resource.Properties.Decode(&entry); err != nil || len(entry.Policies) != 1 {
			t.Fatalf("%s: %+v, %v", id, entry, err)
		}
		_, entries[entry.PrincipalArn], _ = strings.Cut(entry.Policies[0].Arn, "cluster-access-policy/")
	}
	want := map[string]string{"ServiceRoleArn": "AmazonEKSClusterAdminPolicy", "NodeRoleArn": "AmazonEKSClusterAdminPolicy",
		"SurveyRoleArn": "AmazonEKSAdminViewPolicy", "UpgradeRoleArn": "AmazonEKSAdminViewPolicy"}
	if !maps.Equal(entries, want) {
		t.Errorf("the cluster is entered by %v, want %v", entries, want)
	}
}

// A connector runs the code of the layer, and calls only what its environment names.
func TestConnectorsAreBound(t *testing.T) {
	for name, id := range map[string]string{"kubernetes": "ConnectorFunction", "connector": "Function"} {
		var function struct {
			Layers      []string  `yaml:"Layers"`
			VpcConfig   yaml.Node `yaml:"VpcConfig"`
			Environment struct {
				Variables map[string]yaml.Node `yaml:"Variables"`
			} `yaml:"Environment"`
		}
		properties := load(t, name).Resources[id].Properties
		if err := properties.Decode(&function); err != nil {
			t.Fatal(err)
		}
		_, bound := function.Environment.Variables["ALLOWED_HOSTS"]
		wrapper := function.Environment.Variables["AWS_LAMBDA_EXEC_WRAPPER"]
		if !bound || wrapper.Value != "/opt/bootstrap" || !slices.Equal(function.Layers, []string{"ConnectorLayerArn"}) ||
			function.VpcConfig.IsZero() {
			t.Errorf("%s: the connector is %+v", name, function)
		}
	}
}
