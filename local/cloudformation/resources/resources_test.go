package resources_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	scalingsdk "github.com/aws/aws-sdk-go-v2/service/autoscaling"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	ec2sdk "github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	ecssdk "github.com/aws/aws-sdk-go-v2/service/ecs"

	"portolan/local/autoscaling"
	"portolan/local/clock"
	"portolan/local/cloudformation"
	"portolan/local/cloudformation/resources"
	"portolan/local/ec2"
	"portolan/local/ecs"
	"portolan/local/elbv2"
	"portolan/local/iam"
	"portolan/local/unique"
	"portolan/local/wire"
	"portolan/stacks"
)

const (
	account = "111122223333"
	region  = "eu-west-1"
)

// world is all services that a stack of Portolan's needs, together.
type world struct {
	*testing.T
	stacks *cloudformation.Service
	config aws.Config
	cfn    *sdk.Client
	ec2    *ec2sdk.Client
	fleet  *ec2.Fleet
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// A computer is EC2 as Auto Scaling wants it.
type computer struct {
	ec2   *ec2.Service
	fleet *ec2.Fleet
}

func (c *computer) LaunchTemplate(_ context.Context, id, version string) (autoscaling.Template, bool) {
	v, err := c.ec2.LaunchTemplateVersion(id, "", version)
	return autoscaling.Template{
		ID: v.TemplateID, Name: v.TemplateName, InstanceType: v.Data.InstanceType, ImageID: v.Data.ImageID,
		UserData: v.Data.UserData,
	}, err == nil
}

func (c *computer) InstanceLaunched(ctx context.Context, i autoscaling.Instance) {
	c.fleet.Launched(ctx, ec2.Launch{
		ID: i.ID, InstanceType: i.InstanceType, ImageID: i.ImageID, SubnetID: i.SubnetID,
		LaunchTemplateID: i.LaunchTemplate, Tags: i.Tags,
	})
}

func (c *computer) InstanceTerminated(ctx context.Context, id string) { c.fleet.Terminated(ctx, id) }

// faces are the network interfaces of load balancers, as EC2 shows them.
type faces struct{ elb *elbv2.Service }

func (f faces) NetworkInterfaces() []ec2.NetworkInterface {
	var all []ec2.NetworkInterface
	for _, i := range f.elb.Interfaces() {
		v := ec2.NetworkInterface{ID: i.ID, SubnetID: i.SubnetID, Description: i.Description}
		for _, id := range i.SecurityGroups {
			v.Groups = append(v.Groups, ec2.GroupIdentifier{GroupID: id})
		}
		if i.PublicIP != "" {
			v.Association = &ec2.InterfaceAssociation{PublicIP: i.PublicIP}
		}
		all = append(all, v)
	}
	return all
}

// A provider is all that a kind of resource may be asked.
type provider interface {
	cloudformation.Provider
	cloudformation.Stabilizer
	cloudformation.Reader
}

// askedTwice makes and removes everything twice, as a service does that was killed before it
// had noted the first answer.
type askedTwice struct{ provider }

func (p askedTwice) Create(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	first, err := p.provider.Create(ctx, r)
	if err != nil {
		return first, err
	}
	r.Again = true
	second, err := p.provider.Create(ctx, r)
	if err == nil && second.PhysicalID != first.PhysicalID {
		err = fmt.Errorf("%s was made as %s, and again as %s", r.LogicalID, first.PhysicalID, second.PhysicalID)
	}
	return second, err
}

func (p askedTwice) Delete(ctx context.Context, r cloudformation.Request) error {
	if err := p.provider.Delete(ctx, r); err != nil {
		return err
	}
	return p.provider.Delete(ctx, r)
}

func newWorld(t *testing.T) *world { return newWorldOf(t, func(p provider) provider { return p }) }

// newWorldOf is a world whose resources are made by what wrap makes of their providers.
func newWorldOf(t *testing.T, wrap func(provider) provider) *world {
	t.Helper()
	w := &world{T: t}
	c, ids := clock.New(1), unique.New(1)
	router := wire.NewRouter(wire.ResolverFunc(func(context.Context, string) (wire.Identity, error) {
		return wire.Identity{Account: account}, nil
	}))
	w.config = aws.Config{
		Region: region, Credentials: credentials.NewStaticCredentialsProvider("AKIA", "secret", ""),
		HTTPClient: router.Client(), BaseEndpoint: aws.String("http://aws.local"),
	}
	network, err := ec2.New(ec2.Config{Account: account, Region: region, Clock: c, IDs: ids})
	w.must(err)
	balancers, err := elbv2.New(elbv2.Config{
		Account: account, Region: region, Clock: c, IDs: ids,
		Subnet: func(id string) (string, string, bool) {
			subnet, ok := network.Subnet(id)
			return subnet.VpcID, subnet.AvailabilityZone, ok
		},
	})
	w.must(err)
	network.UseInterfaces(faces{balancers})
	roles, err := iam.New(iam.Config{Account: account, Clock: c, IDs: ids})
	w.must(err)
	containers, err := ecs.New(ecs.Config{Account: account, Region: region, Clock: c, IDs: ids})
	w.must(err)
	t.Cleanup(containers.Close)
	computers := &computer{ec2: network}
	groups, err := autoscaling.New(autoscaling.Config{
		Account: account, Region: region, Clock: c, IDs: ids, Templates: computers, Instances: computers, Agents: containers,
	})
	w.must(err)
	t.Cleanup(groups.Close)
	computers.fleet, err = ec2.NewFleet(network, groups.KillInstance)
	w.must(err)
	kinds := resources.New(w.config, nil)
	for name, kind := range kinds {
		kind.Provider = wrap(kind.Provider.(provider))
		kinds[name] = kind
	}
	w.stacks, err = cloudformation.New(cloudformation.Config{
		Account: account, Region: region, Clock: c, IDs: ids, Kinds: kinds,
		Source: cloudformation.Source{SSMParameter: func(context.Context, string) (string, error) { return "ami-12345678", nil }},
	})
	w.must(err)
	t.Cleanup(w.stacks.Close)
	router.Register("ec2", network.Handler())
	router.Register("elasticloadbalancing", balancers.Handler())
	router.Register("iam", roles.Handler())
	router.Register("ecs", containers)
	router.Register("autoscaling", groups)
	router.Register("cloudformation", w.stacks.Handler())
	w.cfn, w.ec2, w.fleet = sdk.NewFromConfig(w.config), ec2sdk.NewFromConfig(w.config), computers.fleet
	return w
}

// deploy creates a stack from a template of ours, and waits for its end.
func (w *world) deploy(name, template string, parameters map[string]string) (outputs map[string]string, took time.Duration) {
	w.Helper()
	body, err := stacks.Template(template)
	w.must(err)
	in := &sdk.CreateStackInput{
		StackName: &name, TemplateBody: &body, Capabilities: []types.Capability{types.CapabilityCapabilityIam},
	}
	for key, value := range parameters {
		in.Parameters = append(in.Parameters, types.Parameter{ParameterKey: &key, ParameterValue: &value})
	}
	start := time.Now()
	_, err = w.cfn.CreateStack(w.Context(), in)
	w.must(err)
	st := w.wait(name)
	if st.StackStatus != types.StackStatusCreateComplete {
		w.Fatalf("%s is %s: %v", name, st.StackStatus, w.failures(name))
	}
	outputs = map[string]string{}
	for _, output := range st.Outputs {
		outputs[*output.OutputKey] = *output.OutputValue
	}
	return outputs, time.Since(start)
}

func (w *world) wait(name string) types.Stack {
	w.Helper()
	for {
		time.Sleep(5 * time.Second)
		out, err := w.cfn.DescribeStacks(w.Context(), &sdk.DescribeStacksInput{StackName: &name})
		w.must(err)
		if !strings.HasSuffix(string(out.Stacks[0].StackStatus), "_IN_PROGRESS") {
			return out.Stacks[0]
		}
	}
}

func (w *world) failures(name string) (reasons []string) {
	w.Helper()
	out, err := w.cfn.DescribeStackEvents(w.Context(), &sdk.DescribeStackEventsInput{StackName: &name})
	w.must(err)
	for _, e := range out.StackEvents {
		if strings.HasSuffix(string(e.ResourceStatus), "_FAILED") {
			reasons = append(reasons, *e.LogicalResourceId+": "+aws.ToString(e.ResourceStatusReason))
		}
	}
	return reasons
}

func (w *world) remove(name string) (types.Stack, time.Duration) {
	w.Helper()
	out, err := w.cfn.DescribeStacks(w.Context(), &sdk.DescribeStacksInput{StackName: &name})
	w.must(err)
	start := time.Now()
	_, err = w.cfn.DeleteStack(w.Context(), &sdk.DeleteStackInput{StackName: &name})
	w.must(err)
	return w.wait(*out.Stacks[0].StackId), time.Since(start)
}

func between(t *testing.T, what string, got, low, high time.Duration) {
	t.Helper()
	if got < low || got > high {
		t.Errorf("%s took %s, want %s to %s", what, got, low, high)
	}
}

func TestClusterOnInstancesFromNothingToNothing(t *testing.T) {
	for name, wrap := range map[string]func(provider) provider{
		"asked once":  func(p provider) provider { return p },
		"asked twice": func(p provider) provider { return askedTwice{p} },
	} {
		t.Run(name, func(t *testing.T) { fromNothingToNothing(t, wrap) })
	}
}

func fromNothingToNothing(t *testing.T, wrap func(provider) provider) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorldOf(t, wrap)
		network, took := w.deploy("web-network", "network", map[string]string{"ClusterName": "web", "AvailabilityZones": "3"})
		between(t, "the network", took, 2*time.Minute, 4*time.Minute)
		subnets := strings.Split(network["PrivateSubnetIds"], ",")
		if len(subnets) != 3 {
			t.Errorf("private subnets are %v", subnets)
		}
		cluster, took := w.deploy("web", "ecs", map[string]string{
			"ClusterName": "web", "VpcId": network["VpcId"], "SubnetIds": network["PrivateSubnetIds"],
			"LoadBalancerSubnetIds": network["PublicSubnetIds"], "AdminCidr": "10.0.0.0/8",
		})
		between(t, "the cluster", took, 4*time.Minute, 6*time.Minute)
		w.wantCluster(cluster)

		// Protected instances keep CloudFormation waiting, until it gives up.
		st, took := w.remove("web")
		between(t, "deleting a cluster with nodes", took, time.Hour, 70*time.Minute)
		if st.StackStatus != types.StackStatusDeleteFailed || !strings.Contains(strings.Join(w.failures("web"), "\n"),
			"AutoScalingGroup: Group did not stabilize. {current/minimum/maximum group size: 2/0/0}.") {
			t.Errorf("with its nodes the stack is %s: %v", st.StackStatus, w.failures("web"))
		}
		w.retireNodes(cluster["AutoScalingGroupName"])
		if st, _ := w.remove("web"); st.StackStatus != types.StackStatusDeleteComplete {
			t.Fatalf("without nodes the stack is %s: %v", st.StackStatus, w.failures(*st.StackId))
		}
		st, took = w.remove("web-network")
		between(t, "deleting the network", took, 30*time.Second, 3*time.Minute)
		if st.StackStatus != types.StackStatusDeleteComplete {
			t.Fatalf("the network is %s: %v", st.StackStatus, w.failures(*st.StackId))
		}
		w.wantNothingTagged()
	})
}

// wantCluster checks what a person sees of the cluster.
func (w *world) wantCluster(outputs map[string]string) {
	w.Helper()
	for _, name := range []string{
		"ClusterName", "ClusterArn", "AutoScalingGroupName", "ListenerArn", "LoadBalancerDnsName", "TaskExecutionRoleArn",
		"LogGroupName", "VpcId", "SubnetIds", "SecurityGroupId",
	} {
		if outputs[name] == "" {
			w.Errorf("output %s is missing", name)
		}
	}
	nodes, err := ecssdk.NewFromConfig(w.config).ListContainerInstances(w.Context(), &ecssdk.ListContainerInstancesInput{
		Cluster: aws.String("web"),
	})
	w.must(err)
	if len(nodes.ContainerInstanceArns) != 2 {
		w.Errorf("the cluster has %d nodes, want 2", len(nodes.ContainerInstanceArns))
	}
	instances, err := w.ec2.DescribeInstances(w.Context(), &ec2sdk.DescribeInstancesInput{Filters: []ec2types.Filter{
		{Name: aws.String("tag:portolan:cluster"), Values: []string{"web"}},
		{Name: aws.String("instance.group-id"), Values: []string{outputs["SecurityGroupId"]}},
	}})
	w.must(err)
	if len(instances.Reservations) != 2 {
		w.Fatalf("EC2 has %d instances of the cluster, want 2", len(instances.Reservations))
	}
	got := instances.Reservations[0].Instances[0]
	if got.InstanceType != ec2types.InstanceTypeT3Medium || aws.ToString(got.ImageId) != "ami-12345678" ||
		!slices.Contains(strings.Split(outputs["SubnetIds"], ","), *got.SubnetId) || got.IamInstanceProfile == nil {
		w.Errorf("an instance is %+v", got)
	}
}

func (w *world) retireNodes(group string) {
	w.Helper()
	client := scalingsdk.NewFromConfig(w.config)
	out, err := client.DescribeAutoScalingGroups(w.Context(), &scalingsdk.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{group}})
	w.must(err)
	var ids []string
	for _, instance := range out.AutoScalingGroups[0].Instances {
		ids = append(ids, *instance.InstanceId)
	}
	_, err = client.SetInstanceProtection(w.Context(), &scalingsdk.SetInstanceProtectionInput{
		AutoScalingGroupName: &group, InstanceIds: ids, ProtectedFromScaleIn: aws.Bool(false),
	})
	w.must(err)
}

func (w *world) wantNothingTagged() {
	w.Helper()
	time.Sleep(2 * time.Hour) // EC2 shows what is gone for a while.
	tags, err := w.ec2.DescribeTags(w.Context(), &ec2sdk.DescribeTagsInput{})
	w.must(err)
	for _, tag := range tags.Tags {
		if !strings.HasPrefix(*tag.ResourceId, "nat-") {
			w.Errorf("left over: %s %s=%s", *tag.ResourceId, *tag.Key, *tag.Value)
		}
	}
}

func TestClusterOnFargateInTheDefaultVpc(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		found, err := w.ec2.DescribeSubnets(t.Context(), &ec2sdk.DescribeSubnetsInput{})
		w.must(err)
		var ids []string
		for _, subnet := range found.Subnets {
			ids = append(ids, *subnet.SubnetId)
		}
		outputs, took := w.deploy("web", "ecs", map[string]string{
			"ClusterName": "web", "CapacityType": "FARGATE", "VpcId": *found.Subnets[0].VpcId,
			"SubnetIds": strings.Join(ids, ","), "LoadBalancerSubnetIds": strings.Join(ids, ","),
		})
		between(t, "a cluster on Fargate", took, 2*time.Minute, 4*time.Minute)
		if _, ok := outputs["AutoScalingGroupName"]; ok || outputs["CapacityProviderName"] != "FARGATE" {
			t.Errorf("outputs are %v", outputs)
		}
		// A second cluster of that name is refused, and nothing is left of it.
		body, _ := stacks.Template("ecs")
		_, err = w.cfn.CreateStack(t.Context(), &sdk.CreateStackInput{
			StackName: aws.String("again"), TemplateBody: &body, Capabilities: []types.Capability{types.CapabilityCapabilityIam},
			Parameters: []types.Parameter{
				{ParameterKey: aws.String("ClusterName"), ParameterValue: aws.String("web")},
				{ParameterKey: aws.String("CapacityType"), ParameterValue: aws.String("FARGATE")},
				{ParameterKey: aws.String("VpcId"), ParameterValue: found.Subnets[0].VpcId},
				{ParameterKey: aws.String("SubnetIds"), ParameterValue: &ids[0]},
				{ParameterKey: aws.String("LoadBalancerSubnetIds"), ParameterValue: aws.String(strings.Join(ids, ","))},
			},
		})
		w.must(err)
		if st := w.wait("again"); st.StackStatus != types.StackStatusRollbackComplete ||
			!strings.Contains(strings.Join(w.failures("again"), "\n"), "web already exists in stack or account") {
			t.Errorf("the second stack is %s: %v", st.StackStatus, w.failures("again"))
		}
		if st, _ := w.remove("web"); st.StackStatus != types.StackStatusDeleteComplete {
			t.Errorf("the stack is %s: %v", st.StackStatus, w.failures(*st.StackId))
		}
	})
}

func TestEveryTypeOfOurTemplatesHasAKind(t *testing.T) {
	kinds := resources.New(aws.Config{Region: region}, nil)
	for _, name := range stacks.Names() {
		body, _ := stacks.Template(name)
		template, err := cloudformation.Parse([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range template.LogicalIDs() {
			if kind := template.Resources[id].Type; kinds[kind].Provider == nil {
				t.Errorf("%s: %s is a %s, which nothing makes", name, id, kind)
			}
		}
	}
}

func TestSameSeedTellsTheSameStory(t *testing.T) {
	var stories [2]string
	for i := range stories {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.deploy("web-network", "network", map[string]string{"ClusterName": "web"})
			start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // when each bubble begins
			pages := sdk.NewDescribeStackEventsPaginator(w.cfn, &sdk.DescribeStackEventsInput{StackName: aws.String("web-network")})
			for pages.HasMorePages() {
				out, err := pages.NextPage(t.Context())
				w.must(err)
				for _, e := range out.StackEvents {
					stories[i] += e.Timestamp.Sub(start).String() + " " + *e.LogicalResourceId + " " +
						aws.ToString(e.PhysicalResourceId) + " " + string(e.ResourceStatus) + "\n"
				}
			}
		})
	}
	if stories[0] != stories[1] || stories[0] == "" {
		t.Errorf("the same seed told:\n%s\nand:\n%s", stories[0], stories[1])
	}
}
