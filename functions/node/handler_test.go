package node

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/fault"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
	"portolan/shared/orchestrator/simulated"
	"portolan/shared/step"
	"portolan/shared/step/steptest"
	"portolan/shared/store"
	"portolan/shared/store/storetest"
)

// A scene is the handler on the real store, with a simulated cluster and an Auto
// Scaling group, in virtual time.
type scene struct {
	*testing.T
	*Handler
	store   *store.Store
	cluster *simulated.Orchestrator
	group   *types.AutoScalingGroup // nil when it is gone
	call    step.Call
}

// DescribeAutoScalingGroups implements Groups.
func (s *scene) DescribeAutoScalingGroups(_ context.Context, in *autoscaling.DescribeAutoScalingGroupsInput,
	_ ...func(*autoscaling.Options)) (*autoscaling.DescribeAutoScalingGroupsOutput, error) {
	out := &autoscaling.DescribeAutoScalingGroupsOutput{}
	if s.group != nil && slices.Contains(in.AutoScalingGroupNames, *s.group.AutoScalingGroupName) {
		out.AutoScalingGroups = append(out.AutoScalingGroups, *s.group)
	}
	return out, nil
}

// play runs a test on a cluster whose group has all the nodes.
func play(t *testing.T, config simulated.Config, act func(*scene)) {
	synctest.Test(t, func(t *testing.T) {
		s := &scene{T: t, store: storetest.Open(t), cluster: simulated.New(config)}
		s.Handler = &Handler{
			Store: s.store, Now: time.Now, Log: steptest.Log(), Groups: func(string) Groups { return s },
			Orchestrator: func(*model.Cluster, string) orchestrator.Orchestrator { return s.cluster },
		}
		steptest.Commit(t, s.store, store.CreateCluster(steptest.Cluster()))
		s.call = steptest.Begin(t, s.store, "operation", contract.KindScale, contract.Target{Cluster: "shop"})
		s.group = &types.AutoScalingGroup{AutoScalingGroupName: aws.String(steptest.Group), DesiredCapacity: aws.Int32(0)}
		for _, node := range s.nodes() {
			s.launch(node.Instance)
		}
		act(s)
	})
}

func (s *scene) nodes() []orchestrator.Node {
	var all []orchestrator.Node
	query := orchestrator.NodeQuery{}
	for {
		page, err := s.cluster.ListNodes(s.Context(), query)
		if err != nil {
			s.Fatal(err)
		}
		all = append(all, page.Nodes...)
		if query.Next = page.Next; query.Next == "" {
			return all
		}
	}
}

func (s *scene) launch(instance string) {
	s.group.Instances = append(s.group.Instances, types.Instance{InstanceId: &instance, LifecycleState: types.LifecycleStateInService})
	*s.group.DesiredCapacity++
}

// resize changes how many nodes are wanted.
func (s *scene) resize(size int) {
	c, err := s.store.Cluster(s.Context(), "shop")
	if err != nil {
		s.Fatal(err)
	}
	c.NodePools[0].Size = size
	steptest.Commit(s.T, s.store, store.UpdateCluster(*c))
}

func (s *scene) do(in In) State {
	s.Helper()
	step := in.Step
	in.Call = s.call
	in.Step = step
	out, err := s.Handle(s.Context(), in)
	if err != nil {
		s.Fatalf("%s: %v", step, err)
	}
	return out
}

func called(name string) step.Call { return step.Call{Step: name} }

// run puts tasks on the nodes.
func (s *scene) run(tasks int) {
	s.Helper()
	err := s.cluster.Apply(s.Context(), orchestrator.Release{Service: orchestrator.ServiceRef{Name: "web"}, Number: 1,
		Image: "web:1", Replicas: tasks, Operation: "operation"})
	if err != nil {
		s.Fatal(err)
	}
	time.Sleep(time.Minute)
}

func TestPlanGrowsAndRecordsTheSize(t *testing.T) {
	play(t, simulated.Config{}, func(s *scene) {
		s.resize(3)
		plan := In{Call: called("PlanNodes"), NodePool: "default"}
		out := s.do(plan)
		if out.Action != decide.PoolResize || out.Desired != 3 || out.Group != steptest.Group || out.Looks != 1 {
			t.Fatalf("got %+v", out)
		}
		s.launch("i-new")
		plan.State = out
		if out = s.do(plan); out.Action != decide.PoolWait || out.Looks != 2 {
			t.Fatalf("before it joined: %+v", out)
		}
		s.cluster.AddNode()
		nodes := s.nodes()
		s.group.Instances[2].InstanceId = &nodes[2].Instance
		if out = s.do(plan); out.Action != decide.PoolDone {
			t.Fatalf("once it joined: %+v", out)
		}
		c, err := s.store.Cluster(s.Context(), "shop")
		if err != nil || c.NodePools[0].SizeObserved != 3 {
			t.Errorf("the pool is %+v, %v", c.NodePools, err)
		}
	})
}

func TestPlanShrinksByTheNodesThatHurtLeast(t *testing.T) {
	play(t, simulated.Config{Nodes: 3}, func(s *scene) {
		s.run(2) // one node stays empty
		s.launch("i-never-joined")
		nodes := s.nodes()
		out := s.do(In{Call: called("PlanNodes")})
		want := []decide.NodeID{{Instance: "i-never-joined"}, {ID: nodes[2].ID, Instance: nodes[2].Instance}}
		if out.Action != decide.PoolShrink || !slices.Equal(out.Remove, want) {
			t.Errorf("got %+v, want %v", out, want)
		}
		s.group.Instances[2].LifecycleState = types.LifecycleStateTerminatingWait
		if out = s.do(In{Call: called("PlanNodes")}); !slices.Equal(out.Remove, want[:1]) {
			t.Errorf("with one on its way out: %+v", out)
		}
	})
}

func TestPlanEmptiesThePool(t *testing.T) {
	play(t, simulated.Config{}, func(s *scene) {
		if out := s.do(In{Call: called("PlanNodes"), Empty: true}); out.Action != decide.PoolShrink || len(out.Remove) != 2 {
			t.Fatalf("got %+v", out)
		}
		s.group = nil
		if out := s.do(In{Call: called("PlanNodes"), Empty: true}); out.Action != decide.PoolDone {
			t.Errorf("without a group: %+v", out)
		}
	})
}

func TestObserveNodesWaitsForAll(t *testing.T) {
	play(t, simulated.Config{}, func(s *scene) {
		s.resize(3)
		out := s.do(In{Call: called("ObserveNodes"), State: State{Looks: 4}})
		if out.Verdict != string(decide.Progressing) || out.Looks != 5 || out.Reason != "2 of 3 nodes have joined" {
			t.Errorf("got %+v", out)
		}
		s.cluster.AddNode()
		if out = s.do(In{Call: called("ObserveNodes"), State: out}); out.Verdict != string(decide.Healthy) {
			t.Errorf("got %+v", out)
		}
	})
}

func TestNothingToPlan(t *testing.T) {
	play(t, simulated.Config{}, func(s *scene) {
		if out := s.do(In{Call: called("PlanNodes"), NodePool: "none"}); out.Action != decide.PoolDone {
			t.Errorf("a pool that does not exist: %+v", out)
		}
	})
}

// pass takes a node through the gate to just before its instance ends.
func (s *scene) pass(node decide.NodeID, force bool) State {
	s.Helper()
	in := In{Node: node, Group: steptest.Group, Force: force}
	for _, name := range []string{"CordonNode", "DrainNode"} {
		in.Call = called(name)
		in.State = s.do(in)
	}
	in.Call = called("ObserveDrain")
	for range 500 {
		time.Sleep(20 * time.Second)
		before := in.State.Looks
		in.State = s.do(in)
		if in.State.Looks != before+1 {
			s.Fatalf("the looks are not counted: %+v", in.State)
		}
		if in.State.Verdict != draining {
			return in.State
		}
	}
	s.Fatal("the node drains for ever")
	return State{}
}

func TestGateDrainsBeforeTheNodeLeaves(t *testing.T) {
	play(t, simulated.Config{}, func(s *scene) {
		s.run(4)
		first := s.nodes()[0]
		id := decide.NodeID{ID: first.ID, Instance: first.Instance}
		if out := s.pass(id, false); out.Verdict != drained {
			t.Fatalf("got %+v", out)
		}
		seen, err := s.cluster.Observe(s.Context(), orchestrator.ServiceRef{Name: "web"})
		if err != nil || seen.Running != 4 {
			t.Errorf("%d tasks run, %v", seen.Running, err)
		}
		s.do(In{Call: called("LeaveCluster"), Node: id})
		s.do(In{Call: called("LeaveCluster"), Node: id}) // once more changes nothing
		if len(s.nodes()) != 1 {
			t.Errorf("there are %d nodes", len(s.nodes()))
		}
		left := In{Call: called("ObserveLeave"), Node: id, Group: steptest.Group}
		if out := s.do(left); out.Verdict != leaving || out.Looks != 1 {
			t.Errorf("got %+v", out)
		}
		s.group.Instances[0].LifecycleState = types.LifecycleStateTerminating
		if out := s.do(left); out.Verdict != gone {
			t.Errorf("got %+v", out)
		}
	})
}

// With nowhere to go, tasks stay: the gate holds until its deadline, and then lets
// the node through only by force.
func TestGateHoldsUntilItsDeadline(t *testing.T) {
	for force, want := range map[bool]string{false: failed, true: drained} {
		play(t, simulated.Config{Nodes: 1, Stop: 2 * time.Hour}, func(s *scene) {
			s.run(2)
			node := s.nodes()[0]
			id := decide.NodeID{ID: node.ID, Instance: node.Instance}
			begun := time.Now()
			out := s.pass(id, force)
			if out.Verdict != want || !strings.Contains(out.Reason, "2 tasks are left") {
				t.Fatalf("force %v: %+v", force, out)
			}
			if took := time.Since(begun); took < drainDeadline || took > drainDeadline+time.Minute {
				t.Errorf("it took %s", took)
			}
			s.do(In{Call: called("UncordonNode"), Node: id})
			if state := s.nodes()[0].State; state != orchestrator.NodeReady {
				t.Errorf("the node is %s", state)
			}
		})
	}
}

func TestNodeThatNeverJoinedPasses(t *testing.T) {
	play(t, simulated.Config{}, func(s *scene) {
		id := decide.NodeID{Instance: "i-lost"}
		if out := s.pass(id, false); out.Verdict != drained {
			t.Errorf("got %+v", out)
		}
		s.do(In{Call: called("LeaveCluster"), Node: id})
		s.do(In{Call: called("UncordonNode"), Node: id})
	})
}

// A node that joins after the look at its drain has tasks by then: it is drained first.
func TestNodeThatJoinsLateIsDrainedBeforeItLeaves(t *testing.T) {
	play(t, simulated.Config{}, func(s *scene) {
		late := decide.NodeID{Instance: s.nodes()[0].Instance}
		s.run(4)
		in := In{Call: s.call, Node: late}
		in.Step = "LeaveCluster"
		if _, err := s.Handle(s.Context(), in); !fault.IsConflict(err) {
			t.Fatalf("with tasks on it: %v", err)
		}
		if node := s.nodes()[0]; node.State != orchestrator.NodeDraining {
			t.Errorf("the node is %s", node.State)
		}
		time.Sleep(time.Minute)
		if _, err := s.Handle(s.Context(), in); err != nil || len(s.nodes()) != 1 {
			t.Errorf("once it is empty: %v; there are %d nodes", err, len(s.nodes()))
		}
	})
}

func TestNodeThatIsGonePasses(t *testing.T) {
	play(t, simulated.Config{}, func(s *scene) {
		if out := s.pass(decide.NodeID{ID: "node-gone", Instance: "i-gone"}, false); out.Verdict != drained {
			t.Errorf("got %+v", out)
		}
	})
}

// No node leaves that the quorum needs, by force neither.
func TestQuorumHolds(t *testing.T) {
	for _, force := range []bool{false, true} {
		play(t, simulated.Config{Nodes: 3, Managers: 3}, func(s *scene) {
			nodes := s.nodes()
			s.cluster.KillNode(nodes[1].ID)
			s.cluster.KillNode(nodes[2].ID)
			in := In{Call: s.call, Node: decide.NodeID{ID: nodes[0].ID, Instance: nodes[0].Instance}, Force: force}
			in.Step = "LeaveCluster"
			if _, err := s.Handle(s.Context(), in); !fault.IsConflict(err) {
				t.Errorf("force %v: %v", force, err)
			}
			if left := s.nodes(); len(left) != 3 || !left[0].Manager {
				t.Errorf("the last manager was demoted: %+v", left)
			}
		})
	}
}

// A manager that is only drained serves on as one: it is demoted as it leaves.
func TestManagerIsDemotedAsItLeaves(t *testing.T) {
	play(t, simulated.Config{Nodes: 3, Managers: 3}, func(s *scene) {
		node := s.nodes()[0]
		id := decide.NodeID{ID: node.ID, Instance: node.Instance}
		if out := s.pass(id, false); out.Verdict != drained || !s.nodes()[0].Manager {
			t.Errorf("drained: %+v of %+v", out, s.nodes())
		}
		s.do(In{Call: called("UncordonNode"), Node: id})
		if taken := s.nodes()[0]; !taken.Manager || taken.State != orchestrator.NodeReady {
			t.Errorf("taken back: %+v", taken)
		}
		s.pass(id, false)
		if s.do(In{Call: called("LeaveCluster"), Node: id}); len(s.nodes()) != 2 {
			t.Errorf("left are %+v", s.nodes())
		}
	})
}

func TestStepsStandBehindTheFence(t *testing.T) {
	for _, name := range []string{"PlanNodes", "ObserveNodes", "CordonNode", "DrainNode", "ObserveDrain", "LeaveCluster",
		"ObserveLeave", "UncordonNode"} {
		play(t, simulated.Config{}, func(s *scene) {
			steptest.Lose(s.T, s.store, s.call)
			s.call.Step = name
			in := In{Call: s.call, Node: decide.NodeID{ID: s.nodes()[0].ID}}
			if _, err := s.Handle(s.Context(), in); !fault.IsHalted(err) {
				t.Errorf("%s without the lease: %v", name, err)
			}
			if state := s.nodes()[0].State; state != orchestrator.NodeReady {
				t.Errorf("after %s the node is %s", name, state)
			}
		})
	}
}

func TestNodesComeInPages(t *testing.T) {
	play(t, simulated.Config{Nodes: 250}, func(s *scene) {
		s.resize(250)
		out := s.do(In{Call: called("PlanNodes")})
		if out.Action != decide.PoolDone || out.Reason != "250 nodes have joined" {
			t.Errorf("got %+v", out)
		}
	})
}

func TestANodeThatIsNotThereCannotBeDrained(t *testing.T) {
	play(t, simulated.Config{}, func(s *scene) {
		in := In{Call: s.call, Node: decide.NodeID{ID: "none"}}
		in.Step = "FindNode"
		if _, err := s.Handle(s.Context(), in); !fault.IsNotFound(err) {
			t.Errorf("got %v", err)
		}
		in.Node.ID = s.nodes()[0].ID
		if _, err := s.Handle(s.Context(), in); err != nil {
			t.Error(err)
		}
	})
}

func TestEachPoolHasItsGroup(t *testing.T) {
	w := &work{cluster: &model.Cluster{
		NodePools: []model.NodePool{{Name: "main"}, {Name: "cheap"}},
		Facts: orchestrator.Facts{Kubernetes: &orchestrator.KubernetesFacts{
			AutoScalingGroups: map[string]string{"main": "group-1", "cheap": "group-2"}}},
	}}
	for pool, want := range map[string]string{"": "group-1", "main": "group-1", "cheap": "group-2", "none": ""} {
		if w.NodePool = pool; w.groupName() != want {
			t.Errorf("pool %q has the group %q", pool, w.groupName())
		}
	}
	if w.Empty = true; w.groupName() != "" {
		t.Error("EKS drains the nodes of a node group that is deleted, and so does Portolan")
	}
}
