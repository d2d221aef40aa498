package autoscaling

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"portolan/local/ecs"
	"portolan/local/events"
)

func (s *Server) note(g *group, i *instance) {
	key := "instance " + i.ID
	if i.Due.IsZero() {
		s.agenda.Cancel(key)
		return
	}
	s.at(key, i.Due, func() {
		if s.groups[g.Name] == g && slices.Contains(g.Instances, i) {
			s.step(g, i)
		}
	})
}

// resume goes on with an instance after a restart. What other services were to
// be told may have been lost with the process, and is told again: they take it
// twice.
func (s *Server) resume(g *group, i *instance) {
	switch {
	case i.ending() || i.Health == "Dead":
		s.lose(i)
	default:
		s.tell(g, i)
		if i.State == "InService" && i.joins() && i.Due.IsZero() {
			i.Due = s.config.Clock.Now().Add(s.config.IDs.Between(agentLow, agentHigh))
		}
	}
	s.note(g, i)
}

func (s *Server) touch(g *group, i *instance) {
	s.dirty[g.Name] = true
	s.note(g, i)
}

// step takes the instance to its next state.
func (s *Server) step(g *group, i *instance) {
	now := s.config.Clock.Now()
	i.Due = time.Time{}
	switch {
	case i.State == "Pending":
		i.State = "InService"
		s.finish(g, i.Activity)
		s.emit("EC2 Instance Launch Successful", g, i, s.detail(g, i))
		if i.joins() {
			i.Due = now.Add(s.config.IDs.Between(agentLow, agentHigh))
		}
	case i.Health == "Dead":
		i.Health = "Unhealthy"
		s.look(g, notice)
	case i.State == "InService":
		s.join(g, i)
	case i.State == "Terminating":
		s.finish(g, i.Activity)
		s.emit("EC2 Instance Terminate Successful", g, i, s.detail(g, i))
		g.Instances = slices.DeleteFunc(g.Instances, func(other *instance) bool { return other == i })
		s.look(g, notice)
	}
	s.touch(g, i)
}

// joins tells whether something on the instance joins a cluster.
func (i *instance) joins() bool { return i.Cluster != "" || i.NodeGroup != "" }

// join does as the ECS agent or the kubelet of the instance: it registers, and tries
// again while the cluster does not exist.
func (s *Server) join(g *group, i *instance) {
	register := s.registerAgent(g, i)
	if i.NodeGroup != "" {
		register = s.registerKubelet(i)
	}
	if register == nil {
		return
	}
	s.after = append(s.after, func() {
		if register(context.Background()) == nil {
			return
		}
		_ = s.change(func() {
			if i.State == "InService" && i.Health == "Healthy" {
				i.Due = s.config.Clock.Now().Add(agentAgain)
				s.touch(g, i)
			}
		})
	})
}

func (s *Server) registerAgent(g *group, i *instance) func(context.Context) error {
	if s.config.Agents == nil {
		return nil
	}
	size := sizeOf(i.Type)
	r := ecs.Registration{Cluster: i.Cluster, EC2InstanceID: i.ID, InstanceType: i.Type, AvailabilityZone: i.Zone,
		CPU: size.cpu, Memory: size.memory, AutoScalingGroup: g.Name}
	return func(ctx context.Context) error {
		_, err := s.config.Agents.RegisterInstance(ctx, r)
		return err
	}
}

func (s *Server) registerKubelet(i *instance) func(context.Context) error {
	if s.config.Kubelets == nil {
		return nil
	}
	size := sizeOf(i.Type)
	cluster, nodeGroup, _ := strings.Cut(i.NodeGroup, "/")
	k := Kubelet{Cluster: cluster, NodeGroup: nodeGroup, EC2InstanceID: i.ID, InstanceType: i.Type, AvailabilityZone: i.Zone,
		CPU: size.cpu, Memory: size.memory}
	return func(ctx context.Context) error { return s.config.Kubelets.JoinNode(ctx, k) }
}

// terminate begins to end an instance.
func (s *Server) terminate(g *group, i *instance, cause string) activity {
	i.State = "Terminating"
	i.Activity = s.record(g, activity{Description: "Terminating EC2 instance: " + i.ID, Cause: cause, Status: "InProgress",
		Details: fmt.Sprintf(`{"Subnet ID":%q,"Availability Zone":%q}`, i.Subnet, i.Zone)})
	i.Due = s.config.Clock.Now().Add(s.config.IDs.Between(terminateLow, terminateHigh))
	s.touch(g, i)
	s.lose(i)
	return g.Activities[0]
}

// tell lets EC2 know that the instance is there.
func (s *Server) tell(g *group, i *instance) {
	if s.config.Instances == nil {
		return
	}
	told := Instance{ID: i.ID, InstanceType: i.Type, ImageID: i.ImageID, AvailabilityZone: i.Zone, SubnetID: i.Subnet,
		AutoScalingGroup: g.Name, LaunchTemplate: cmp.Or(i.Template.ID, i.Template.Name), Spot: g.spot(), Tags: g.propagated()}
	s.after = append(s.after, func() { s.config.Instances.InstanceLaunched(context.Background(), told) })
}

// lose tells EC2, ECS and EKS that the instance is no more.
func (s *Server) lose(i *instance) {
	ctx := context.Background()
	if s.config.Agents != nil && i.Cluster != "" {
		s.after = append(s.after, func() { s.config.Agents.InstanceGone(ctx, i.ID) })
	}
	if cluster, _, ok := strings.Cut(i.NodeGroup, "/"); ok && s.config.Kubelets != nil {
		s.after = append(s.after, func() { s.config.Kubelets.NodeGone(ctx, cluster, i.ID) })
	}
	if s.config.Instances != nil {
		s.after = append(s.after, func() { s.config.Instances.InstanceTerminated(ctx, i.ID) })
	}
}

func (s *Server) record(g *group, a activity) (id string) {
	a.ID, a.Start = s.config.IDs.UUID(), s.config.Clock.Now()
	g.Activities = append([]activity{a}, g.Activities[:min(len(g.Activities), maxActivities-1)]...)
	s.dirty[g.Name] = true
	return a.ID
}

func (s *Server) finish(g *group, activityID string) {
	for n := range g.Activities {
		if a := &g.Activities[n]; a.ID == activityID {
			a.Status, a.Progress, a.End = "Successful", 100, s.config.Clock.Now()
		}
	}
}

func (s *Server) detail(g *group, i *instance) map[string]any {
	return map[string]any{"StatusCode": "InProgress", "AutoScalingGroupName": g.Name, "ActivityId": i.Activity,
		"RequestId": i.Activity, "EC2InstanceId": i.ID, "StatusMessage": "", "Details": map[string]any{
			"Subnet ID": i.Subnet, "Availability Zone": i.Zone}}
}

// KillInstance makes an instance die, as hardware does: nobody asked for it, its
// containers are gone at once, and the group finds out only after a while. It
// reports whether the instance was known and alive.
func (s *Server) KillInstance(id string) bool {
	killed := false
	_ = s.change(func() { killed = s.kill(id) })
	return killed
}

func (s *Server) kill(id string) (killed bool) {
	s.alive(id, func(g *group, i *instance) {
		killed = true
		i.State, i.Health = "InService", "Dead"
		i.Due = s.config.Clock.Now().Add(s.config.IDs.Between(detectLow, detectHigh))
		s.touch(g, i)
		s.lose(i)
	})
	return killed
}

// alive does something with the instance of that id, if it is known and alive.
func (s *Server) alive(id string, do func(*group, *instance)) {
	for _, name := range sortedKeys(s.groups) {
		g := s.groups[name]
		for _, i := range g.Instances {
			if i.ID == id && !i.ending() && i.Health == "Healthy" {
				do(g, i)
			}
		}
	}
}

// InterruptSpot takes an instance back, as EC2 does with Spot's: it tells so, and two
// minutes later the instance dies. It reports whether the instance was known and alive. A
// restart within the two minutes leaves it alone.
func (s *Server) InterruptSpot(id string) bool {
	told := false
	_ = s.change(func() {
		s.alive(id, func(_ *group, i *instance) {
			told = true
			s.send(events.Event{Source: "aws.ec2", DetailType: "EC2 Spot Instance Interruption Warning", Time: s.config.Clock.Now(),
				Resources: []string{s.instanceARN(i)}, Detail: map[string]any{"instance-id": id, "instance-action": "terminate"}})
			s.at("interruption "+id, s.config.Clock.Now().Add(interruptionNotice), func() { s.kill(id) })
		})
	})
	return told
}

// interruptionNotice is how long before it takes a Spot instance back EC2 tells so.
const interruptionNotice = 2 * time.Minute
