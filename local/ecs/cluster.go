package ecs

import (
	"regexp"
	"slices"

	"portolan/local/wire"
)

type tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

type setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type strategyItem struct {
	CapacityProvider string `json:"capacityProvider"`
	Weight           int    `json:"weight"`
	Base             int    `json:"base"`
}

type cluster struct {
	Name          string         `json:"name"`
	ARN           string         `json:"arn"`
	Status        string         `json:"status"`
	Tags          []tag          `json:"tags"`
	Settings      []setting      `json:"settings"`
	Configuration any            `json:"configuration"`
	Connect       any            `json:"connect"`
	Providers     []string       `json:"providers"`
	Strategy      []strategyItem `json:"strategy"`
}

type clusterView struct {
	ClusterArn                        string         `json:"clusterArn"`
	ClusterName                       string         `json:"clusterName"`
	Status                            string         `json:"status"`
	RegisteredContainerInstancesCount int            `json:"registeredContainerInstancesCount"`
	RunningTasksCount                 int            `json:"runningTasksCount"`
	PendingTasksCount                 int            `json:"pendingTasksCount"`
	ActiveServicesCount               int            `json:"activeServicesCount"`
	Statistics                        []setting      `json:"statistics"`
	Tags                              []tag          `json:"tags"`
	Settings                          []setting      `json:"settings"`
	Configuration                     any            `json:"configuration,omitempty"`
	CapacityProviders                 []string       `json:"capacityProviders"`
	DefaultCapacityProviderStrategy   []strategyItem `json:"defaultCapacityProviderStrategy"`
	ServiceConnectDefaults            any            `json:"serviceConnectDefaults,omitempty"`
}

// view leaves out what include does not ask for, as DescribeClusters does. A nil
// include asks for all.
func (s *Server) clusterView(c *cluster, include []string) clusterView {
	asked := func(what string) bool { return include == nil || slices.Contains(include, what) }
	v := clusterView{ClusterArn: c.ARN, ClusterName: c.Name, Status: c.Status, Statistics: []setting{},
		Tags: []tag{}, Settings: []setting{}, CapacityProviders: orEmpty(c.Providers),
		DefaultCapacityProviderStrategy: orEmpty(c.Strategy), ServiceConnectDefaults: c.Connect}
	if asked("TAGS") {
		v.Tags = orEmpty(c.Tags)
	}
	if asked("SETTINGS") {
		v.Settings = orEmpty(c.Settings)
	}
	if asked("CONFIGURATIONS") {
		v.Configuration = c.Configuration
	}
	for _, i := range s.instances {
		if i.Cluster == c.Name && i.View.Status != "INACTIVE" {
			v.RegisteredContainerInstancesCount++
		}
	}
	for _, t := range s.tasks {
		if t.Cluster != c.Name {
			continue
		}
		switch t.View.LastStatus {
		case "RUNNING":
			v.RunningTasksCount++
		case "PROVISIONING", "PENDING", "ACTIVATING":
			v.PendingTasksCount++
		}
	}
	for _, svc := range s.services {
		if svc.Cluster == c.Name && svc.Status == "ACTIVE" {
			v.ActiveServicesCount++
		}
	}
	return v
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// findCluster takes a name, an ARN, or nothing for default.
func (s *Server) findCluster(ref string) (*cluster, error) {
	if ref == "" {
		ref = "default"
	}
	c, ok := s.clusters[lastOf(ref)]
	if !ok {
		return nil, errNoCluster
	}
	if c.Status == "INACTIVE" {
		return nil, errInactive
	}
	return c, nil
}

type createClusterInput struct {
	ClusterName                     string         `json:"clusterName"`
	Cluster                         string         `json:"cluster"`
	Tags                            []tag          `json:"tags"`
	Settings                        []setting      `json:"settings"`
	Configuration                   any            `json:"configuration"`
	CapacityProviders               []string       `json:"capacityProviders"`
	DefaultCapacityProviderStrategy []strategyItem `json:"defaultCapacityProviderStrategy"`
	ServiceConnectDefaults          any            `json:"serviceConnectDefaults"`
}

type clusterOutput struct {
	Cluster clusterView `json:"cluster"`
}

var name255 = regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`)

func (s *Server) createCluster(in *createClusterInput) (*clusterOutput, error) {
	name := in.ClusterName
	if name == "" {
		name = "default"
	}
	if !name255.MatchString(name) {
		return nil, invalid("Cluster name must be 1 to 255 letters, numbers, hyphens and underscores.")
	}
	if old, ok := s.clusters[name]; ok && old.Status == "ACTIVE" {
		return &clusterOutput{s.clusterView(old, nil)}, nil
	}
	if err := s.checkProviders(in.CapacityProviders, in.DefaultCapacityProviderStrategy); err != nil {
		return nil, err
	}
	c := &cluster{Name: name, ARN: s.arn("cluster", name), Status: "ACTIVE", Tags: in.Tags, Settings: in.Settings,
		Configuration: in.Configuration, Connect: in.ServiceConnectDefaults,
		Providers: in.CapacityProviders, Strategy: in.DefaultCapacityProviderStrategy}
	if len(c.Settings) == 0 {
		c.Settings = []setting{{"containerInsights", "disabled"}}
	}
	s.clusters[name] = c
	s.keep(clusterBucket, name, c)
	return &clusterOutput{s.clusterView(c, nil)}, nil
}

type describeClustersInput struct {
	Clusters []string `json:"clusters"`
	Include  []string `json:"include"`
}

type describeClustersOutput struct {
	Clusters []clusterView `json:"clusters"`
	Failures []failure     `json:"failures"`
}

func (s *Server) describeClusters(in *describeClustersInput) (*describeClustersOutput, error) {
	if len(in.Clusters) > 100 {
		return nil, invalid("Clusters cannot be more than 100.")
	}
	if len(in.Clusters) == 0 {
		in.Clusters = []string{"default"}
	}
	include := append([]string{}, in.Include...)
	out := &describeClustersOutput{Clusters: []clusterView{}, Failures: []failure{}}
	for _, ref := range in.Clusters {
		c, ok := s.clusters[lastOf(ref)]
		if !ok {
			out.Failures = append(out.Failures, failure{Arn: s.arn("cluster", lastOf(ref)), Reason: "MISSING"})
			continue
		}
		out.Clusters = append(out.Clusters, s.clusterView(c, include))
	}
	return out, nil
}

type listClustersOutput struct {
	ClusterArns []string `json:"clusterArns"`
	NextToken   string   `json:"nextToken,omitempty"`
}

func (s *Server) listClusters(in *paging) (*listClustersOutput, error) {
	var arns []string
	for _, name := range sortedKeys(s.clusters) {
		if s.clusters[name].Status == "ACTIVE" {
			arns = append(arns, s.clusters[name].ARN)
		}
	}
	page, next, err := in.cut(arns, 100)
	return &listClustersOutput{ClusterArns: page, NextToken: next}, err
}

func (s *Server) updateCluster(in *createClusterInput) (*clusterOutput, error) {
	c, err := s.findCluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	if in.Settings != nil {
		c.Settings = in.Settings
	}
	if in.Configuration != nil {
		c.Configuration = in.Configuration
	}
	if in.ServiceConnectDefaults != nil {
		c.Connect = in.ServiceConnectDefaults
	}
	s.keep(clusterBucket, c.Name, c)
	return &clusterOutput{s.clusterView(c, nil)}, nil
}

type deleteClusterInput struct {
	Cluster string `json:"cluster"`
}

func (s *Server) deleteCluster(in *deleteClusterInput) (*clusterOutput, error) {
	if in.Cluster == "" {
		return nil, invalid("Cluster can not be blank.")
	}
	c, ok := s.clusters[lastOf(in.Cluster)]
	if !ok {
		return nil, errNoCluster
	}
	for _, svc := range s.services {
		if svc.Cluster == c.Name && svc.Status != "INACTIVE" {
			return nil, wire.Errorf("ClusterContainsServicesException",
				"The Cluster cannot be deleted while Services are active.")
		}
	}
	for _, i := range s.instances {
		if i.Cluster == c.Name && i.View.Status != "INACTIVE" {
			return nil, wire.Errorf("ClusterContainsContainerInstancesException",
				"The Cluster cannot be deleted while Container Instances are active or draining.")
		}
	}
	for _, t := range s.tasks {
		if t.Cluster == c.Name && t.View.LastStatus != "STOPPED" {
			return nil, wire.Errorf("ClusterContainsTasksException",
				"The Cluster cannot be deleted while Tasks are active.")
		}
	}
	c.Status, c.Providers, c.Strategy = "INACTIVE", nil, nil
	s.keep(clusterBucket, c.Name, c)
	return &clusterOutput{s.clusterView(c, nil)}, nil
}
