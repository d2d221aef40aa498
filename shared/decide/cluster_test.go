package decide

import (
	"reflect"
	"slices"
	"testing"

	"portolan/shared/contract"
	"portolan/shared/fault"
	"portolan/shared/model"
)

// onEC2 is a description with which nothing is wrong.
func onEC2() contract.ClusterSpec {
	return contract.ClusterSpec{
		Name: "demo", Team: "shop", Orchestrator: contract.Ecs,
		NodePools: []contract.NodePoolSpec{{Name: "main", InstanceType: "m6i.large", Size: 2}},
		Ecs: contract.EcsCluster{Capacity: contract.EC2, AllowedIngress: []contract.Ingress{
			{Cidr: "0.0.0.0/0", Port: contract.N80}, {Cidr: "203.0.113.0/24", Port: contract.N22},
		}},
	}
}

func TestNewCluster(t *testing.T) {
	c := NewCluster(onEC2(), atNoon)
	want := model.Cluster{
		Spec: onEC2(), Status: contract.ClusterProvisioning, Generation: 1, CreatedAt: atNoon,
		NodePools: []model.NodePool{{Name: "main", Size: 2, SizeMax: 10}},
		Stacks:    []string{"portolan-demo-network", "portolan-demo"},
	}
	want.Spec.Drift = contract.Repair
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}

	spec := onEC2()
	spec.Drift, spec.Network.VpcId, spec.NodePools[0].Size = contract.Report, "vpc-0a1b2c3d", 12
	c = NewCluster(spec, atNoon)
	if !slices.Equal(c.Stacks, []string{"portolan-demo"}) || c.Spec.Drift != contract.Report || c.NodePools[0].SizeMax != 12 {
		t.Errorf("in an existing VPC the cluster is %+v", c)
	}
}

func TestCheckCluster(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*contract.ClusterSpec)
		want   []string // pointers
	}{
		"right":             {func(*contract.ClusterSpec) {}, nil},
		"a name in use":     {func(s *contract.ClusterSpec) { s.Name = "x-network" }, []string{"/name"}},
		"a name like it":    {func(s *contract.ClusterSpec) { s.Name = "network" }, nil},
		"an existing VPC":   {func(s *contract.ClusterSpec) { s.Network = existing("") }, nil},
		"and a range":       {func(s *contract.ClusterSpec) { s.Network = existing("10.0.0.0/16") }, []string{"/network/cidr"}},
		"a VPC alone":       {func(s *contract.ClusterSpec) { s.Network.VpcId = "vpc-1" }, []string{"/network/subnetIds"}},
		"subnets alone":     {func(s *contract.ClusterSpec) { s.Network.SubnetIds = []string{"a", "b"} }, []string{"/network/vpcId"}},
		"a new range":       {func(s *contract.ClusterSpec) { s.Network.Cidr = "10.1.0.0/16" }, nil},
		"not a range":       {func(s *contract.ClusterSpec) { s.Network.Cidr = "10.256.0.0/16" }, []string{"/network/cidr"}},
		"a host's range":    {func(s *contract.ClusterSpec) { s.Network.Cidr = "10.1.2.0/16" }, []string{"/network/cidr"}},
		"as many as may be": {func(s *contract.ClusterSpec) { s.NodePools[0].SizeMax = 2 }, nil},
		"one too many":      {func(s *contract.ClusterSpec) { s.NodePools[0].SizeMax = 1 }, []string{"/nodePools/0/size"}},
		"no nodes":          {func(s *contract.ClusterSpec) { s.NodePools = nil }, []string{"/nodePools"}},
		"no word of ecs":    {func(s *contract.ClusterSpec) { s.Ecs = contract.EcsCluster{} }, []string{"/ecs"}},
		"FARGATE": {func(s *contract.ClusterSpec) { s.Ecs.Capacity = contract.FARGATE },
			[]string{"/nodePools", "/ecs/allowedIngress/1/port"}},
		"SSH for the world":    {func(s *contract.ClusterSpec) { s.Ecs.AllowedIngress[1].Cidr = "0.0.0.0/0" }, []string{"/ecs/allowedIngress/1/openToTheInternet"}},
		"SSH for all the same": {func(s *contract.ClusterSpec) { s.Ecs.AllowedIngress[1].Cidr = "1.0.0.0/0" }, []string{"/ecs/allowedIngress/1/cidr", "/ecs/allowedIngress/1/openToTheInternet"}},
		"and that is meant": {func(s *contract.ClusterSpec) {
			s.Ecs.AllowedIngress[1] = contract.Ingress{Cidr: "0.0.0.0/0", Port: contract.N22, OpenToTheInternet: true}
		}, nil},
		"a port twice": {func(s *contract.ClusterSpec) { s.Ecs.AllowedIngress[1].Port = contract.N80 }, []string{"/ecs/allowedIngress/1"}},
	} {
		t.Run(name, func(t *testing.T) {
			spec := onEC2()
			test.change(&spec)
			if got := pointers(CheckCluster(spec)); !slices.Equal(got, test.want) {
				t.Errorf("%q is blamed, not %q", got, test.want)
			}
		})
	}
}

func existing(cidr string) contract.Network {
	return contract.Network{VpcId: "vpc-1", SubnetIds: []string{"a", "b"}, Cidr: cidr}
}

func pointers(fields []fault.Field) []string {
	var out []string
	for _, f := range fields {
		out = append(out, f.Pointer)
	}
	return out
}

func TestScaleNodePool(t *testing.T) {
	c := NewCluster(onEC2(), atNoon)
	c.NodePools[0].SizeObserved = 2
	for size, generation := range map[int]int64{0: 2, 2: 1, 10: 2} {
		got, wrong := ScaleNodePool(c, "main", size, false)
		if len(wrong) > 0 || got.NodePools[0].Size != size || got.Generation != generation {
			t.Errorf("with %d nodes the cluster is %+v, %v", size, got, wrong)
		}
	}
	if _, wrong := ScaleNodePool(c, "main", 11, false); !slices.Equal(pointers(wrong), []string{"/size"}) {
		t.Errorf("11 nodes: %v", wrong)
	}
	if c.NodePools[0].Size != 2 {
		t.Error("what was handed in was changed")
	}
}

// The same size can be asked for again when nobody brings the pool to it.
func TestScaleNodePoolThatIsNotAsWanted(t *testing.T) {
	c := NewCluster(onEC2(), atNoon)
	c.NodePools[0].SizeObserved = 1
	for busy, generation := range map[bool]int64{false: 2, true: 1} {
		got, wrong := ScaleNodePool(c, "main", 2, busy)
		if len(wrong) > 0 || got.NodePools[0].Size != 2 || got.Generation != generation {
			t.Errorf("busy is %t, and the cluster is %+v, %v", busy, got, wrong)
		}
	}
}

func TestRetireCluster(t *testing.T) {
	got := RetireCluster(model.Cluster{Status: contract.ClusterFailed, Reason: "no capacity", Generation: 1})
	if got.Status != contract.ClusterRetiring || got.Reason != "" || got.Generation != 2 {
		t.Errorf("the cluster is %+v", got)
	}
}
