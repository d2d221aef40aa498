package eks

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"time"

	"portolan/local/wire"
)

// The pace of node groups.
const (
	groupLook     = 15 * time.Second
	groupPatience = 20 * time.Minute // until instances that have not joined are a failure
)

// nodeGroup is a managed node group.
type nodeGroup struct {
	Cluster        string            `json:"clusterName"`
	Name           string            `json:"nodegroupName"`
	ARN            string            `json:"nodegroupArn"`
	Version        string            `json:"version"`
	ReleaseVersion string            `json:"releaseVersion"`
	CreatedAt      wire.Time         `json:"createdAt"`
	Status         string            `json:"status"`
	CapacityType   string            `json:"capacityType"`
	Scaling        scaling           `json:"scalingConfig"`
	InstanceTypes  []string          `json:"instanceTypes,omitempty"`
	Subnets        []string          `json:"subnets"`
	AMIType        string            `json:"amiType"`
	NodeRole       string            `json:"nodeRole"`
	Labels         map[string]string `json:"labels"`
	Resources      resources         `json:"resources"`
	Health         health            `json:"health"`
	UpdateConfig   updateConfig      `json:"updateConfig"`
	LaunchTemplate launchTemplate    `json:"launchTemplate"`
	Tags           map[string]string `json:"tags"`
	Token          string            `json:"clientRequestToken,omitempty"`

	// Launched is whether the group's Auto Scaling group is made, and Next the version
	// of nodes that start from now on.
	Launched bool      `json:"launched,omitempty"`
	Next     string    `json:"next,omitempty"`
	Due      time.Time `json:"due,omitzero"`
	Deadline time.Time `json:"deadline,omitzero"`
}

type scaling struct {
	Min     int `json:"minSize"`
	Max     int `json:"maxSize"`
	Desired int `json:"desiredSize"`
}

type resources struct {
	Groups []autoScalingGroup `json:"autoScalingGroups"`
}

type autoScalingGroup struct {
	Name string `json:"name"`
}

type health struct {
	Issues []issue `json:"issues"`
}

type issue struct {
	Code        string   `json:"code"`
	Message     string   `json:"message"`
	ResourceIDs []string `json:"resourceIds"`
}

type updateConfig struct {
	MaxUnavailable int `json:"maxUnavailable"`
}

type launchTemplate struct {
	ID      string `json:"id,omitempty"`
	Name    string `json:"name,omitempty"`
	Version string `json:"version,omitempty"`
}

func (g nodeGroup) id() string { return g.Cluster + "/" + g.Name }

func (g nodeGroup) view() nodeGroup {
	g.Token, g.Launched, g.Next, g.Due, g.Deadline = "", false, "", time.Time{}, time.Time{}
	return g
}

// group is the name of the group's Auto Scaling group.
func (g nodeGroup) group() string { return g.Resources.Groups[0].Name }

// tags are what EKS tags the Auto Scaling group with, and its instances.
func (g nodeGroup) tags() map[string]string {
	return map[string]string{"eks:cluster-name": g.Cluster, "eks:nodegroup-name": g.Name, "kubernetes.io/cluster/" + g.Cluster: "owned",
		"k8s.io/cluster-autoscaler/enabled": "true", "k8s.io/cluster-autoscaler/" + g.Cluster: "owned"}
}

type nodeGroupOutput struct {
	Nodegroup nodeGroup `json:"nodegroup"`
}

func (s *Server) createNodeGroup(_ context.Context, in *nodeGroup) (*nodeGroupOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, _, err := s.findActive(in.Cluster)
	if err != nil {
		return nil, err
	}
	g := *in
	if old, ok := s.groups.Get(g.id()); ok {
		if g.Token != "" && g.Token == old.Token {
			return &nodeGroupOutput{old.view()}, nil
		}
		return nil, inUse("NodeGroup already exists with name %s and cluster name %s", g.Name, g.Cluster)
	}
	if g.Scaling.Max < 1 || g.Scaling.Min > g.Scaling.Desired || g.Scaling.Desired > g.Scaling.Max {
		return nil, invalid("Minimum capacity %d, desired capacity %d and maximum capacity %d do not fit together",
			g.Scaling.Min, g.Scaling.Desired, g.Scaling.Max)
	}
	for _, id := range g.Subnets {
		if _, _, ok := s.config.Network.Subnet(id); !ok {
			return nil, invalid("The subnet ID '%s' does not exist", id)
		}
	}
	id := s.config.IDs.UUID()
	g.ARN = s.arn("nodegroup/" + g.Cluster + "/" + g.Name + "/" + id)
	g.Resources.Groups = []autoScalingGroup{{"eks-" + g.Name + "-" + id}}
	g.Version = cmp.Or(g.Version, c.Version)
	g.Next, g.ReleaseVersion = g.Version, g.Version+".2-20261105"
	g.Status, g.CreatedAt, g.Health.Issues = creating, wire.At(s.now()), []issue{}
	g.CapacityType, g.UpdateConfig.MaxUnavailable = cmp.Or(g.CapacityType, "ON_DEMAND"), max(g.UpdateConfig.MaxUnavailable, 1)
	g.Due, g.Deadline = s.after(10*time.Second, 20*time.Second), s.now().Add(groupPatience)
	return &nodeGroupOutput{g.view()}, s.keepGroup(g)
}

// keepGroup keeps a node group and when it is looked at next. The caller has the lock.
func (s *Server) keepGroup(g nodeGroup) error {
	s.note("group "+g.id(), g.Due, func() { s.stepGroup(g.id()) })
	return s.groups.Put(g)
}

// stepGroup looks after a node group that comes or goes.
func (s *Server) stepGroup(id string) {
	s.mu.Lock()
	g, ok := s.groups.Get(id)
	s.mu.Unlock()
	if !ok {
		return
	}
	changed := g
	switch g.Status {
	case creating:
		changed = s.launch(g)
	case deleting:
		gone, err := s.config.Groups.DeleteGroup(s.ctx, g.group())
		if err == nil && gone {
			s.mu.Lock()
			defer s.mu.Unlock()
			_ = s.groups.Remove(id)
			return
		}
		changed.Due = s.now().Add(groupLook)
	default:
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	// It may have been told to go meanwhile.
	if now, ok := s.groups.Get(id); ok && now.Status == g.Status {
		_ = s.keepGroup(changed)
	}
}

// launch makes the Auto Scaling group, and then waits until all its nodes are ready.
func (s *Server) launch(g nodeGroup) nodeGroup {
	g.Due = s.now().Add(groupLook)
	if !g.Launched {
		err := s.config.Groups.CreateGroup(s.ctx, Group{Name: g.group(), Min: g.Scaling.Min, Desired: g.Scaling.Desired, Max: g.Scaling.Max,
			Subnets: g.Subnets, LaunchTemplateID: g.LaunchTemplate.ID, LaunchTemplateName: g.LaunchTemplate.Name,
			Ver: g.LaunchTemplate.Version, Spot: g.CapacityType == "SPOT", Tags: g.tags()})
		if err != nil {
			g.Status, g.Due = failed, time.Time{}
			g.Health.Issues = []issue{{"AutoScalingGroupInvalidConfiguration", err.Error(), []string{g.group()}}}
		}
		g.Launched = err == nil
		return g
	}
	ready := 0
	for _, n := range s.nodes(g) {
		if n.ready() {
			ready++
		}
	}
	switch {
	case ready >= g.Scaling.Desired:
		g.Status, g.Due = active, time.Time{}
	case !s.now().Before(g.Deadline):
		instances, _ := s.config.Groups.Instances(s.ctx, g.group())
		g.Status, g.Due = failed, time.Time{}
		g.Health.Issues = []issue{{"NodeCreationFailure", "Instances failed to join the kubernetes cluster", instances}}
	}
	return g
}

func (s *Server) findGroup(in *nodeGroupInput) (nodeGroup, error) {
	if _, err := s.find(in.Cluster); err != nil {
		return nodeGroup{}, err
	}
	g, ok := s.groups.Get(in.Cluster + "/" + in.Name)
	if !ok {
		return g, notFound(in.Cluster, "No node group found for name: %s.", in.Name)
	}
	return g, nil
}

type nodeGroupInput struct {
	Cluster string `json:"clusterName"`
	Name    string `json:"nodegroupName"`
}

func (s *Server) describeNodeGroup(_ context.Context, in *nodeGroupInput) (*nodeGroupOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.findGroup(in)
	return &nodeGroupOutput{g.view()}, err
}

type listNodeGroupsOutput struct {
	Nodegroups []string `json:"nodegroups"`
}

func (s *Server) listNodeGroups(_ context.Context, in *nodeGroupInput) (*listNodeGroupsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &listNodeGroupsOutput{Nodegroups: []string{}}
	for _, g := range s.groups.Find(func(g nodeGroup) bool { return g.Cluster == in.Cluster }) {
		out.Nodegroups = append(out.Nodegroups, g.Name)
	}
	_, err := s.find(in.Cluster)
	return out, err
}

func (s *Server) deleteNodeGroup(_ context.Context, in *nodeGroupInput) (*nodeGroupOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.findGroup(in)
	if err != nil {
		return nil, err
	}
	if g.Status == updating {
		return nil, inUse("Nodegroup has status %s", g.Status)
	}
	if g.Status != deleting {
		g.Status, g.Due = deleting, s.now().Add(groupLook)
		err = s.keepGroup(g)
	}
	return &nodeGroupOutput{g.view()}, err
}

// BreakNodes keeps the instances of a node group from joining, as a bad image or a
// closed network does; an empty reason mends it.
func (s *Server) BreakNodes(cluster, group, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken[cluster+"/"+group] = reason
}

// A Kubelet is what an instance tells when it starts.
type Kubelet struct {
	Cluster, NodeGroup, Instance, InstanceType, Zone, Address string
	CPU, MemoryMiB                                            int
}

// JoinNode lets an instance of a node group join its cluster as a node.
func (s *Server) JoinNode(ctx context.Context, k Kubelet) error {
	s.mu.Lock()
	g, ok := s.groups.Get(k.Cluster + "/" + k.NodeGroup)
	server, reason := s.running[k.Cluster], s.broken[g.id()]
	s.mu.Unlock()
	switch {
	case !ok || server == nil:
		return fmt.Errorf("cluster %s has no node group %s", k.Cluster, k.NodeGroup)
	case reason != "":
		return fmt.Errorf("the node cannot join: %s", reason)
	}
	return server.JoinNode(ctx, g.registration(k, s.config.Region))
}

// NodeGone tells the cluster of an instance that it is no more.
func (s *Server) NodeGone(ctx context.Context, cluster, instance string) {
	if server := s.Cluster(cluster); server != nil {
		_ = server.LoseNode(ctx, instance)
	}
}

// wantedLabels are the labels of the group's nodes.
func (g nodeGroup) wantedLabels() map[string]string {
	labels := maps.Clone(g.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels["eks.amazonaws.com/nodegroup"] = g.Name
	labels["eks.amazonaws.com/capacityType"] = g.CapacityType
	return labels
}
