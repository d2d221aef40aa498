package sweeper_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"

	"portolan/functions/sweeper"
	"portolan/shared/contract"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
)

// A group is the Auto Scaling group of a cluster's nodes; nil where there is none.
type group struct {
	capacity *int32
	broken   bool
}

func (g *group) DescribeAutoScalingGroups(_ context.Context, in *autoscaling.DescribeAutoScalingGroupsInput,
	_ ...func(*autoscaling.Options)) (*autoscaling.DescribeAutoScalingGroupsOutput, error) {
	if g.broken {
		return nil, errors.New("out of order")
	}
	out := &autoscaling.DescribeAutoScalingGroupsOutput{}
	if g.capacity != nil {
		out.AutoScalingGroups = []types.AutoScalingGroup{{AutoScalingGroupName: &in.AutoScalingGroupNames[0], DesiredCapacity: g.capacity}}
	}
	return out, nil
}

// nodeGroups are those of a cluster in EKS: how large their Auto Scaling groups are, and
// in which state they are, by name.
type nodeGroups struct {
	sizes  map[string]int32
	states map[string]ekstypes.NodegroupStatus
}

func (g nodeGroups) DescribeAutoScalingGroups(_ context.Context, in *autoscaling.DescribeAutoScalingGroupsInput,
	_ ...func(*autoscaling.Options)) (*autoscaling.DescribeAutoScalingGroupsOutput, error) {
	out := &autoscaling.DescribeAutoScalingGroupsOutput{}
	for _, name := range in.AutoScalingGroupNames {
		size := g.sizes[strings.TrimPrefix(name, "eks-")]
		out.AutoScalingGroups = append(out.AutoScalingGroups, types.AutoScalingGroup{AutoScalingGroupName: &name, DesiredCapacity: &size})
	}
	return out, nil
}

func (g nodeGroups) DescribeNodegroup(_ context.Context, in *eks.DescribeNodegroupInput, _ ...func(*eks.Options)) (*eks.DescribeNodegroupOutput, error) {
	state, found := g.states[*in.NodegroupName]
	if !found || *in.ClusterName != "portolan-shop" {
		return nil, &ekstypes.ResourceNotFoundException{Message: new("No node group found.")}
	}
	return &eks.DescribeNodegroupOutput{Nodegroup: &ekstypes.Nodegroup{Status: state}}, nil
}

// Groups are asked for by fifties, whichever clusters they are of, and again only where
// one drifts.
func TestGroupsOfManyClustersAreAskedForTogether(t *testing.T) {
	r := newRound(t)
	sizes := map[string]int32{}
	for i := range 60 {
		name := fmt.Sprintf("c%02d", i)
		r.cluster(name, func(c *model.Cluster) {
			c.NodePools = []model.NodePool{{Name: "web", Size: 2, SizeObserved: 2}}
			c.Facts.ECS = &orchestrator.ECSFacts{AutoScalingGroup: "eks-" + name}
		})
		sizes[name] = 2
	}
	sizes["c55"] = 3
	g := &counting{nodeGroups: nodeGroups{sizes: sizes}}
	r.Handler.Groups = g
	found := r.sweep(sweeper.In{Time: noon})
	if len(found) != 1 || found[0].What != "cluster/c55" {
		t.Errorf("found %v", found)
	}
	if want := []int{50, 10, 1}; !slices.Equal(g.asked, want) {
		t.Errorf("asked for %v groups, want %v", g.asked, want)
	}
}

// counting keeps how many groups were asked for in each call.
type counting struct {
	nodeGroups
	asked []int
}

func (c *counting) DescribeAutoScalingGroups(ctx context.Context, in *autoscaling.DescribeAutoScalingGroupsInput,
	more ...func(*autoscaling.Options)) (*autoscaling.DescribeAutoScalingGroupsOutput, error) {
	c.asked = append(c.asked, len(in.AutoScalingGroupNames))
	return c.nodeGroups.DescribeAutoScalingGroups(ctx, in, more...)
}

// Of several pools the one that was resized is put right, and not while EKS itself
// replaces its nodes.
func TestAPoolInEKSThatWasResizedByHandIsRepaired(t *testing.T) {
	for state, repaired := range map[ekstypes.NodegroupStatus]bool{
		ekstypes.NodegroupStatusActive: true, ekstypes.NodegroupStatusDegraded: true, ekstypes.NodegroupStatusUpdating: false,
		ekstypes.NodegroupStatusDeleting: false, "": false,
	} {
		r := newRound(t)
		r.cluster("shop", func(c *model.Cluster) {
			c.NodePools = []model.NodePool{{Name: "web", Size: 2, SizeObserved: 2}, {Name: "batch", Size: 3, SizeObserved: 3}}
			c.Facts.Kubernetes = &orchestrator.KubernetesFacts{EKSCluster: "portolan-shop",
				AutoScalingGroups: map[string]string{"web": "eks-web", "batch": "eks-batch"}}
		})
		g := nodeGroups{map[string]int32{"web": 2, "batch": 3}, map[string]ekstypes.NodegroupStatus{"batch": state}}
		if state == "" {
			delete(g.states, "batch")
		}
		r.Handler.Groups, r.Handler.NodeGroups = g, g
		if found := r.sweep(sweeper.In{Time: noon}); len(found) > 0 {
			t.Fatalf("found %v", found)
		}
		g.sizes["batch"] = 1
		r.later()
		if found := r.sweep(sweeper.In{Time: noon}); (len(found) == 1) != repaired {
			t.Fatalf("%s: found %v", state, found)
		}
		if !repaired {
			continue
		}
		const why = "node pool batch has a desired capacity of 1, and 3 is wanted"
		if o := r.read("new1"); o.Kind != contract.KindRepair || o.NodePool != "batch" || o.Cause.Why != why {
			t.Errorf("it is %+v", o)
		}
	}
}

// pool is a cluster whose three nodes are as many as the group has.
func (r *round) pool(change func(*model.Cluster)) *group {
	r.cluster("shop", func(c *model.Cluster) {
		c.NodePools = []model.NodePool{{Name: "nodes", Size: 3, SizeObserved: 3}}
		c.Facts.ECS = &orchestrator.ECSFacts{AutoScalingGroup: "shop-nodes"}
		if change != nil {
			change(c)
		}
	})
	g := &group{capacity: new(int32(3))}
	r.Handler.Groups = g
	return g
}

func TestAPoolThatWasResizedByHandIsRepaired(t *testing.T) {
	r := newRound(t)
	g := r.pool(nil)
	if found := r.sweep(sweeper.In{Time: noon}); len(found) > 0 {
		t.Fatalf("found %v", found)
	}
	*g.capacity = 5
	r.later()
	const why = "node pool nodes has a desired capacity of 5, and 3 is wanted"
	if found := r.sweep(sweeper.In{Time: noon}); len(found) != 1 || found[0].Did != "operation new1 asked for" {
		t.Fatalf("found %v", found)
	}
	o := r.read("new1")
	if o.Kind != contract.KindRepair || o.NodePool != "nodes" || o.Cause.Source != "sweeper" || o.Cause.Why != why {
		t.Errorf("it is %+v", o)
	}
	r.later()
	if r.sweep(sweeper.In{Time: noon}); len(r.queue("cluster/shop")) != 1 {
		t.Errorf("while it is at work, queued are %v", r.queue("cluster/shop"))
	}
	// What ended dirty is its team's to decide.
	r.end("new1", contract.OperationFailedDirty)
	r.later()
	if r.sweep(sweeper.In{Time: noon}); len(r.queue("cluster/shop")) != 0 {
		t.Errorf("after it ended dirty, queued are %v", r.queue("cluster/shop"))
	}
}

// Of several pools that were resized each is put right, and asked for once.
func TestAllPoolsInEKSThatWereResizedAreRepaired(t *testing.T) {
	r := newRound(t)
	r.cluster("shop", func(c *model.Cluster) {
		c.NodePools = []model.NodePool{{Name: "web", Size: 2}, {Name: "batch", Size: 3}, {Name: "big", Size: 1}}
		c.Facts.Kubernetes = &orchestrator.KubernetesFacts{EKSCluster: "portolan-shop",
			AutoScalingGroups: map[string]string{"web": "eks-web", "batch": "eks-batch", "big": "eks-big"}}
	})
	g := nodeGroups{map[string]int32{"web": 5, "batch": 1, "big": 1},
		map[string]ekstypes.NodegroupStatus{"web": ekstypes.NodegroupStatusActive, "batch": ekstypes.NodegroupStatusActive}}
	r.Handler.Groups, r.Handler.NodeGroups = g, g
	if found := r.sweep(sweeper.In{Time: noon}); len(found) != 2 {
		t.Fatalf("found %v", found)
	}
	for id, pool := range map[string]string{"new1": "web", "new2": "batch"} {
		if o := r.read(id); o.Kind != contract.KindRepair || o.NodePool != pool {
			t.Errorf("%s is %+v", id, o)
		}
	}
	r.later()
	if r.sweep(sweeper.In{Time: noon}); len(r.queue("cluster/shop")) != 2 {
		t.Errorf("while they are at work, queued are %v", r.queue("cluster/shop"))
	}
}

func TestAPoolThatIsNobodysToRepairIsLeftAlone(t *testing.T) {
	for name, change := range map[string]func(*model.Cluster, *group){
		"reported only": func(c *model.Cluster, _ *group) { c.Spec.Drift = contract.Report },
		"being retired": func(c *model.Cluster, _ *group) { c.Status = contract.ClusterRetiring },
		"no group":      func(_ *model.Cluster, g *group) { g.capacity = nil },
	} {
		r := newRound(t)
		g := &group{capacity: new(int32(5))}
		r.pool(func(c *model.Cluster) { change(c, g) })
		r.Handler.Groups = g
		if found := r.sweep(sweeper.In{Time: noon}); len(found) > 0 || len(r.queue("cluster/shop")) > 0 {
			t.Errorf("%s: found %v", name, found)
		}
	}
}

func TestAGroupThatCannotBeLookedAtIsNoReasonToStop(t *testing.T) {
	r := newRound(t)
	g := r.pool(nil)
	*g.capacity, g.broken = 5, true
	if _, err := r.Handle(t.Context(), sweeper.In{Time: noon}); err == nil {
		t.Error("no error tells of it")
	}
	g.broken = false
	r.later()
	if found := r.sweep(sweeper.In{Time: noon}); len(found) != 1 {
		t.Errorf("found %v", found)
	}
}
