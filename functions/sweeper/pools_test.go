package sweeper_test

import (
	"context"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

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

func (g *group) DescribeAutoScalingGroups(context.Context, *autoscaling.DescribeAutoScalingGroupsInput,
	...func(*autoscaling.Options)) (*autoscaling.DescribeAutoScalingGroupsOutput, error) {
	if g.broken {
		return nil, errors.New("out of order")
	}
	out := &autoscaling.DescribeAutoScalingGroupsOutput{}
	if g.capacity != nil {
		out.AutoScalingGroups = []types.AutoScalingGroup{{DesiredCapacity: g.capacity}}
	}
	return out, nil
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
