package swarm

import (
	"context"
	"maps"
	"net"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	scaling "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"portolan/shared/decide"
	"portolan/shared/fault"
	"portolan/shared/orchestrator"
	"portolan/shared/swarm"
)

const (
	// enginePort is where engines listen for those who have a certificate.
	enginePort = "2376"

	// silentMost is at how many looks in a row no manager may answer until the majority
	// is taken for lost: managers choose a new leader within seconds.
	silentMost = 30

	// enginesMost bounds how many engines that are no nodes yet one look asks.
	enginesMost = 40

	// atOnce is how many engines are asked at a time.
	atOnce = 8

	// nodesMost bounds how many nodes are looked at.
	nodesMost = 2000

	// describeMost is how many values a filter of EC2 takes.
	describeMost = 200
)

// look decides what to do next, and keeps where the managers are.
func (h *Handler) look(ctx context.Context, w *work) (State, error) {
	out := State{Looks: w.State.Looks + 1, Group: w.cluster.Facts.Swarm.AutoScalingGroups[orchestrator.SwarmManagersPool]}
	view, err := h.view(ctx, w)
	if fault.IsUnavailable(err) && w.cluster.Facts.Swarm.SwarmID != "" {
		out.Action, out.Silent, out.Down, out.Reason = decide.SwarmWait, w.State.Silent+1, w.State.Down, err.Error()
		if out.Silent < silentMost {
			return out, nil
		}
		view, err = decide.SwarmView{Made: true, NoMajority: true}, nil
	}
	if err != nil {
		return State{}, err
	}
	plan := decide.PlanSwarm(view)
	out.Down = decide.KeepDown(plan, w.State.Down, h.Now())
	plan = decide.ReplaceDown(plan, view.Nodes, out.Down, h.Now())
	out.Action, out.Reason = plan.Action, plan.Reason
	if plan.Action == decide.SwarmReplace {
		node := plan.Nodes[0]
		out.Node, out.Replaced = decide.NodeID{ID: node.ID, Instance: node.Instance}, w.groupOf(view, node.Instance)
	}
	return out, h.record(ctx, w, view, plan.Action == decide.SwarmDone)
}

// groupOf is the Auto Scaling group of an instance.
func (w *work) groupOf(view decide.SwarmView, instance string) string {
	at := slices.IndexFunc(view.Engines, func(e decide.Engine) bool { return e.Instance == instance })
	return w.cluster.Facts.Swarm.AutoScalingGroups[view.Engines[at].Pool]
}

// view gathers what is known of the swarm and its machines.
func (h *Handler) view(ctx context.Context, w *work) (decide.SwarmView, error) {
	facts := w.cluster.Facts.Swarm
	view := decide.SwarmView{Made: facts.SwarmID != "", Initiator: facts.Initiator}
	var err error
	if view.Made {
		if view.Nodes, err = w.nodes(ctx); err != nil {
			return view, err
		}
	}
	if view.Engines, view.Coming, err = h.engines(ctx, w); err != nil {
		return view, err
	}
	known := map[string]bool{}
	for _, node := range view.Nodes {
		known[node.Instance] = true
	}
	asked := 0
	var unknown []*decide.Engine
	for i := range view.Engines {
		if e := &view.Engines[i]; !known[e.Instance] && e.Address != "" && asked < enginesMost {
			unknown = append(unknown, e)
			asked++
		}
	}
	return view, eachAtOnce(unknown, func(e *decide.Engine) error { return w.ask(ctx, e) })
}

// nodes are all nodes of the swarm.
func (w *work) nodes(ctx context.Context) ([]orchestrator.Node, error) {
	var all []orchestrator.Node
	query := orchestrator.NodeQuery{Cluster: w.cluster.Ref()}
	for len(all) < nodesMost {
		page, err := w.driver.ListNodes(ctx, query)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Nodes...)
		if page.Next == "" {
			return all, nil
		}
		query.Next = page.Next
	}
	return nil, fault.New(fault.Invalid, "cluster %s has more than %d nodes", w.cluster.Name(), nodesMost)
}

// ask looks at an engine. One that does not answer yet is no error.
func (w *work) ask(ctx context.Context, e *decide.Engine) error {
	info, err := w.info(ctx, e.Address)
	if fault.IsUnavailable(err) {
		return nil
	}
	e.Answers, e.Node, e.Leads = err == nil, info.Node, info.Manager
	return err
}

func (w *work) info(ctx context.Context, address string) (swarm.EngineInfo, error) {
	engine, err := w.driver.Engine(ctx, w.cluster.Ref(), address)
	if err != nil {
		return swarm.EngineInfo{}, err
	}
	return engine.Info(ctx)
}

// engines are the instances of the cluster's groups, in the order of pools and ids, and
// coming is how many managers their group has still to launch.
func (h *Handler) engines(ctx context.Context, w *work) (engines []decide.Engine, coming int, err error) {
	pools := map[string]string{}
	for pool, group := range w.cluster.Facts.Swarm.AutoScalingGroups {
		pools[group] = pool
	}
	groups, err := h.groups(ctx, w)
	if err != nil {
		return nil, 0, err
	}
	for _, group := range groups {
		pool, before := pools[aws.ToString(group.AutoScalingGroupName)], len(engines)
		for _, instance := range group.Instances {
			if leaving(instance) {
				continue
			}
			engines = append(engines, decide.Engine{Instance: aws.ToString(instance.InstanceId), Pool: pool,
				Zone: aws.ToString(instance.AvailabilityZone)})
		}
		if launched := len(engines) - before; pool == orchestrator.SwarmManagersPool {
			coming = max(0, int(aws.ToInt32(group.DesiredCapacity))-launched)
		}
	}
	return engines, coming, h.addresses(ctx, w, engines)
}

// groups are the cluster's Auto Scaling groups that are there.
func (h *Handler) groups(ctx context.Context, w *work) ([]scaling.AutoScalingGroup, error) {
	out, err := h.Groups(w.operation.ID).DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{
		AutoScalingGroupNames: slices.Sorted(maps.Values(w.cluster.Facts.Swarm.AutoScalingGroups)),
	})
	if err != nil {
		return nil, fault.FromAWS(err, "looking at the Auto Scaling groups of cluster "+w.cluster.Name())
	}
	return out.AutoScalingGroups, nil
}

func leaving(i scaling.Instance) bool {
	switch i.LifecycleState {
	case scaling.LifecycleStateTerminating, scaling.LifecycleStateTerminatingWait,
		scaling.LifecycleStateTerminatingProceed, scaling.LifecycleStateTerminated:
		return true
	}
	return false
}

// addresses finds where the engines are. An instance that has just been launched may not
// be known to EC2 yet, and has none.
func (h *Handler) addresses(ctx context.Context, w *work, engines []decide.Engine) error {
	client := h.Compute(w.operation.ID)
	for batch := range slices.Chunk(engines, describeMost) {
		byID := map[string]*decide.Engine{}
		for i := range batch {
			byID[batch[i].Instance] = &batch[i]
		}
		out, err := client.DescribeInstances(ctx, &ec2.DescribeInstancesInput{Filters: []types.Filter{
			{Name: aws.String("instance-id"), Values: slices.Sorted(maps.Keys(byID))},
		}})
		if err != nil {
			return fault.FromAWS(err, "looking at the instances of cluster "+w.cluster.Name())
		}
		for _, reservation := range out.Reservations {
			for _, instance := range reservation.Instances {
				if e := byID[aws.ToString(instance.InstanceId)]; e != nil && instance.PrivateIpAddress != nil {
					e.Address = net.JoinHostPort(*instance.PrivateIpAddress, enginePort)
				}
			}
		}
	}
	return nil
}

// record keeps where the managers of now are, for those of before may be gone, and
// which instances there are once all are nodes.
func (h *Handler) record(ctx context.Context, w *work, view decide.SwarmView, whole bool) error {
	managers := map[string]bool{}
	for _, node := range view.Nodes {
		managers[node.Instance] = node.Manager && node.State != orchestrator.NodeDown
	}
	var now []string
	for _, e := range view.Engines {
		if managers[e.Instance] && e.Address != "" {
			now = append(now, e.Address)
		}
	}
	slices.Sort(now)
	facts := *w.cluster.Facts.Swarm
	if len(now) > 0 {
		facts.Managers = now
	}
	if whole {
		instances := make([]string, 0, len(view.Engines))
		for _, e := range view.Engines {
			instances = append(instances, e.Instance)
		}
		facts.Joined = decide.JoinedDigest(instances)
	}
	if before := w.cluster.Facts.Swarm; slices.Equal(facts.Managers, before.Managers) && facts.Joined == before.Joined {
		return nil
	}
	w.cluster.Facts.Swarm = &facts
	return h.keep(ctx, w)
}

// eachAtOnce does something with each, a few at a time, and returns the first error.
func eachAtOnce[T any](all []T, do func(T) error) error {
	var (
		wait  sync.WaitGroup
		slots = make(chan struct{}, atOnce)
		errs  = make([]error, len(all))
	)
	for i, one := range all {
		slots <- struct{}{}
		wait.Go(func() {
			errs[i] = do(one)
			<-slots
		})
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
