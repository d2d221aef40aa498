package eks_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"portolan/local/clock"
	"portolan/local/disk"
	"portolan/local/eks"
	"portolan/local/identity"
	"portolan/local/unique"
	"portolan/local/wire"
)

// groups are Auto Scaling groups whose instances join a minute after they were asked for.
type groups struct {
	server *eks.Server
	made   map[string][]string
	asked  []eks.Group
	count  int
}

func (g *groups) CreateGroup(_ context.Context, group eks.Group) error {
	g.asked = append(g.asked, group)
	g.made[group.Name] = []string{}
	return g.ResizeGroup(context.Background(), group.Name, group.Min, group.Desired, group.Max)
}

func (g *groups) ResizeGroup(_ context.Context, name string, _, desired, _ int) error {
	for len(g.made[name]) < desired {
		g.launch(name)
	}
	return nil
}

func (g *groups) launch(name string) {
	g.count++
	id := "i-" + strings.Repeat("0", 16) + string(rune('a'+g.count))
	g.made[name] = append(g.made[name], id)
	k := eks.Kubelet{Cluster: "demo", NodeGroup: g.asked[0].Tags["eks:nodegroup-name"], Instance: id, InstanceType: "m6i.large",
		Zone: "eu-west-1a", Address: "10.0.0." + string(rune('0'+g.count)), CPU: 2048, MemoryMiB: 8192}
	time.AfterFunc(time.Minute, func() { _ = g.server.JoinNode(context.Background(), k) })
}

func (g *groups) DeleteGroup(ctx context.Context, name string) (bool, error) {
	for _, id := range g.made[name] {
		g.server.NodeGone(ctx, "demo", id)
	}
	delete(g.made, name)
	return true, nil
}

func (g *groups) Terminate(ctx context.Context, instance string, smaller bool) error {
	for name, ids := range g.made {
		if slices.Contains(ids, instance) {
			g.made[name] = slices.DeleteFunc(ids, func(id string) bool { return id == instance })
			g.server.NodeGone(ctx, "demo", instance)
			if !smaller {
				g.launch(name)
			}
		}
	}
	return nil
}

func (g *groups) Instances(_ context.Context, name string) ([]string, error) {
	return slices.Clone(g.made[name]), nil
}

// network is a VPC with two subnets.
type network struct{ groups map[string]bool }

func (n *network) Subnet(id string) (vpc, zone string, ok bool) {
	zones := map[string]string{"subnet-a": "eu-west-1a", "subnet-b": "eu-west-1b", "subnet-a2": "eu-west-1a"}
	return "vpc-1", zones[id], zones[id] != ""
}

func (n *network) CreateSecurityGroup(context.Context, string, string, string, map[string]string) (string, error) {
	n.groups["sg-1"] = true
	return "sg-1", nil
}

func (n *network) DeleteSecurityGroup(_ context.Context, id string) error {
	delete(n.groups, id)
	return nil
}

type bench struct {
	*testing.T
	*sdk.Client
	server  *eks.Server
	groups  *groups
	network *network
	keys    *identity.Server
}

type inProcess struct{ http.Handler }

func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w.Result(), nil
}

// inEKS runs a test in a bubble with an EKS.
func inEKS(t *testing.T, d *disk.Disk, fn func(*bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c, ids := clock.New(1).Ordered(), unique.New(1)
		accounts, err := identity.New(identity.Config{Clock: c, IDs: ids.Fork(), Account: "111122223333", Region: "eu-west-1"})
		if err != nil || accounts.AddUser("AKIATEST", "secret", "ada") != nil {
			t.Fatal(err)
		}
		b := &bench{T: t, groups: &groups{made: map[string][]string{}}, network: &network{map[string]bool{}}, keys: accounts}
		b.server, err = eks.New(eks.Config{Clock: c, Disk: d, IDs: ids.Fork(), Account: "111122223333", Region: "eu-west-1",
			Groups: b.groups, Network: b.network, Key: accounts.Key})
		if err != nil {
			t.Fatal(err)
		}
		defer b.server.Close()
		b.groups.server = b.server
		router := wire.NewRouter(accounts)
		router.Register("eks", b.server)
		b.Client = sdk.New(sdk.Options{Region: "eu-west-1", BaseEndpoint: aws.String("http://aws.local"), RetryMaxAttempts: 1,
			HTTPClient:  &http.Client{Transport: inProcess{router}},
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return ada, nil })})
		fn(b)
	})
}

var ada = aws.Credentials{AccessKeyID: "AKIATEST", SecretAccessKey: "secret"}

func wish() *sdk.CreateClusterInput {
	return &sdk.CreateClusterInput{Name: aws.String("demo"), RoleArn: aws.String("arn:aws:iam::111122223333:role/eks"), Version: aws.String("1.34"),
		ClientRequestToken: aws.String("token"), Tags: map[string]string{"team": "shop"},
		ResourcesVpcConfig: &types.VpcConfigRequest{SubnetIds: []string{"subnet-a", "subnet-b"}, EndpointPrivateAccess: aws.Bool(true),
			EndpointPublicAccess: aws.Bool(false)}}
}

// cluster makes a cluster and waits until it is active.
func (b *bench) cluster() *types.Cluster {
	b.Helper()
	if _, err := b.CreateCluster(b.Context(), wish()); err != nil {
		b.Fatal(err)
	}
	time.Sleep(15 * time.Minute)
	out, err := b.DescribeCluster(b.Context(), &sdk.DescribeClusterInput{Name: aws.String("demo")})
	if err != nil || out.Cluster.Status != types.ClusterStatusActive {
		b.Fatalf("got %+v, %v", out, err)
	}
	return out.Cluster
}

// pool makes a node group of two nodes.
func (b *bench) pool() {
	b.Helper()
	_, err := b.CreateNodegroup(b.Context(), &sdk.CreateNodegroupInput{ClusterName: aws.String("demo"), NodegroupName: aws.String("web"),
		NodeRole: aws.String("arn:aws:iam::111122223333:role/node"), Subnets: []string{"subnet-a", "subnet-b"}, CapacityType: types.CapacityTypesSpot,
		ScalingConfig:  &types.NodegroupScalingConfig{MinSize: aws.Int32(0), DesiredSize: aws.Int32(2), MaxSize: aws.Int32(3)},
		LaunchTemplate: &types.LaunchTemplateSpecification{Id: aws.String("lt-1"), Version: aws.String("1")}, Labels: map[string]string{"pool": "web"}})
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) group() *types.Nodegroup {
	b.Helper()
	out, err := b.DescribeNodegroup(b.Context(), &sdk.DescribeNodegroupInput{ClusterName: aws.String("demo"), NodegroupName: aws.String("web")})
	if err != nil {
		b.Fatal(err)
	}
	return out.Nodegroup
}

func TestClustersComeAndGo(t *testing.T) {
	inEKS(t, nil, func(b *bench) {
		made, err := b.CreateCluster(b.Context(), wish())
		if err != nil || made.Cluster.Status != types.ClusterStatusCreating || made.Cluster.Endpoint != nil {
			b.Fatalf("got %+v, %v", made, err)
		}
		if again, err := b.CreateCluster(b.Context(), wish()); err != nil || *again.Cluster.Arn != *made.Cluster.Arn {
			b.Errorf("the same token again: %+v, %v", again, err)
		}
		other := wish()
		other.ClientRequestToken = aws.String("other")
		var taken *types.ResourceInUseException
		if _, err := b.CreateCluster(b.Context(), other); !errors.As(err, &taken) {
			b.Errorf("the name again: %v", err)
		}
		time.Sleep(15 * time.Minute)
		out, err := b.DescribeCluster(b.Context(), &sdk.DescribeClusterInput{Name: aws.String("demo")})
		if err != nil || out.Cluster.Status != types.ClusterStatusActive || !strings.HasPrefix(*out.Cluster.Endpoint, "https://") ||
			*out.Cluster.CertificateAuthority.Data == "" || *out.Cluster.ResourcesVpcConfig.ClusterSecurityGroupId != "sg-1" ||
			out.Cluster.UpgradePolicy.SupportType != types.SupportTypeExtended {
			b.Fatalf("got %+v, %v", out.Cluster, err)
		}
		if _, err := b.DeleteCluster(b.Context(), &sdk.DeleteClusterInput{Name: aws.String("demo")}); err != nil {
			b.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		var missing *types.ResourceNotFoundException
		if _, err := b.DescribeCluster(b.Context(), &sdk.DescribeClusterInput{Name: aws.String("demo")}); !errors.As(err, &missing) {
			b.Errorf("after its end: %v", err)
		}
		if len(b.network.groups) > 0 || b.server.Cluster("demo") != nil {
			b.Errorf("left are %v, %v", b.network.groups, b.server.Cluster("demo"))
		}
	})
}

func TestClustersThatAreRefused(t *testing.T) {
	inEKS(t, nil, func(b *bench) {
		for name, change := range map[string]func(*sdk.CreateClusterInput){
			"a version of tomorrow": func(in *sdk.CreateClusterInput) { in.Version = aws.String("1.99") },
			"one zone":              func(in *sdk.CreateClusterInput) { in.ResourcesVpcConfig.SubnetIds = []string{"subnet-a", "subnet-a2"} },
			"a subnet of nowhere":   func(in *sdk.CreateClusterInput) { in.ResourcesVpcConfig.SubnetIds[1] = "subnet-x" },
			"no endpoint":           func(in *sdk.CreateClusterInput) { in.ResourcesVpcConfig.EndpointPrivateAccess = aws.Bool(false) },
			"a name":                func(in *sdk.CreateClusterInput) { in.Name = aws.String("-") },
		} {
			in := wish()
			change(in)
			var invalid *types.InvalidParameterException
			if _, err := b.CreateCluster(b.Context(), in); !errors.As(err, &invalid) {
				b.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestNodeGroupsAreActiveOnceTheirNodesAreReady(t *testing.T) {
	inEKS(t, nil, func(b *bench) {
		b.cluster()
		b.pool()
		if status := b.group().Status; status != types.NodegroupStatusCreating {
			b.Errorf("a new one is %s", status)
		}
		time.Sleep(4 * time.Minute)
		if g := b.group(); g.Status != types.NodegroupStatusActive || *g.Version != "1.34" || *g.Resources.AutoScalingGroups[0].Name != b.groups.asked[0].Name {
			b.Errorf("got %+v", g)
		}
		if asked := b.groups.asked[0]; !asked.Spot || asked.LaunchTemplateID != "lt-1" || asked.Tags["eks:cluster-name"] != "demo" {
			b.Errorf("asked for %+v", asked)
		}
		var busy *types.ResourceInUseException
		if _, err := b.DeleteCluster(b.Context(), &sdk.DeleteClusterInput{Name: aws.String("demo")}); !errors.As(err, &busy) {
			b.Errorf("a cluster with node groups is deleted: %v", err)
		}
		_, err := b.DeleteNodegroup(b.Context(), &sdk.DeleteNodegroupInput{ClusterName: aws.String("demo"), NodegroupName: aws.String("web")})
		if err != nil {
			b.Fatal(err)
		}
		time.Sleep(time.Minute)
		var missing *types.ResourceNotFoundException
		_, err = b.DescribeNodegroup(b.Context(), &sdk.DescribeNodegroupInput{ClusterName: aws.String("demo"), NodegroupName: aws.String("web")})
		if !errors.As(err, &missing) {
			b.Errorf("after its end: %v", err)
		}
	})
}

func TestNodesThatDoNotJoinFailTheGroup(t *testing.T) {
	inEKS(t, nil, func(b *bench) {
		b.cluster()
		b.server.BreakNodes("demo", "web", "the image does not boot")
		b.pool()
		time.Sleep(30 * time.Minute)
		g := b.group()
		if g.Status != types.NodegroupStatusCreateFailed || len(g.Health.Issues) != 1 || g.Health.Issues[0].Code != types.NodegroupIssueCodeNodeCreationFailure {
			b.Errorf("got %s, %+v", g.Status, g.Health)
		}
	})
}

func TestAddonsRun(t *testing.T) {
	inEKS(t, nil, func(b *bench) {
		b.cluster()
		add := func(name string) {
			if _, err := b.CreateAddon(b.Context(), &sdk.CreateAddonInput{ClusterName: aws.String("demo"), AddonName: &name}); err != nil {
				b.Fatal(err)
			}
		}
		status := func(name string) types.AddonStatus {
			out, err := b.DescribeAddon(b.Context(), &sdk.DescribeAddonInput{ClusterName: aws.String("demo"), AddonName: &name})
			if err != nil {
				b.Fatal(err)
			}
			return out.Addon.Status
		}
		add("vpc-cni")
		add("coredns")
		time.Sleep(2 * time.Minute)
		if status("vpc-cni") != types.AddonStatusActive || status("coredns") != types.AddonStatusCreating {
			b.Errorf("without nodes: vpc-cni is %s, coredns %s", status("vpc-cni"), status("coredns"))
		}
		b.pool()
		time.Sleep(5 * time.Minute)
		if status("coredns") != types.AddonStatusActive {
			b.Errorf("with nodes, coredns is %s", status("coredns"))
		}
		var invalid *types.InvalidParameterException
		_, err := b.CreateAddon(b.Context(), &sdk.CreateAddonInput{ClusterName: aws.String("demo"), AddonName: aws.String("istio")})
		if !errors.As(err, &invalid) {
			b.Errorf("an add-on that is none: %v", err)
		}
	})
}
