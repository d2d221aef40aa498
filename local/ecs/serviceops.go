package ecs

import (
	"reflect"
	"slices"
	"time"
)

type serviceOutput struct {
	Service serviceView `json:"service"`
}

func (s *Server) createService(in *serviceInput) (*serviceOutput, error) {
	c, err := s.findCluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	if !name255.MatchString(in.ServiceName) {
		return nil, invalid("Service name must be 1 to 255 letters, numbers, hyphens and underscores.")
	}
	d, err := s.checkService(c, in)
	if err != nil {
		return nil, err
	}
	if old, ok := s.findService(c, in.ServiceName); ok && old.Status != "INACTIVE" {
		return s.createAgain(old, in)
	}
	v := &service{Cluster: c.Name, Name: in.ServiceName, ARN: s.arn("service", c.Name, in.ServiceName), Status: "ACTIVE",
		Scheduling: in.SchedulingStrategy, Settings: *in, CreatedAt: s.now(), Token: in.ClientToken,
		Tags: in.Tags}
	if v.Scheduling == "" {
		v.Scheduling = "REPLICA"
	}
	if in.DesiredCount != nil {
		v.Desired = *in.DesiredCount
	}
	v.LaunchType, v.Strategy = launchOf(c, in)
	s.services[v.key()] = v
	s.deploy(v, d, "")
	return &serviceOutput{s.serviceView(v, true)}, nil
}

// createAgain answers a repeat of the call that made the service, and refuses
// any other for its name.
func (s *Server) createAgain(old *service, in *serviceInput) (*serviceOutput, error) {
	if old.Status == "DRAINING" {
		return nil, invalid("Unable to Start a service that is still Draining.")
	}
	same := in.ClientToken != "" && in.ClientToken == old.Token
	if !same {
		settings := old.Settings
		settings.ClientToken = in.ClientToken
		same = reflect.DeepEqual(settings, *in)
	}
	if !same {
		return nil, invalid("Creation of service was not idempotent.")
	}
	return &serviceOutput{s.serviceView(old, true)}, nil
}

func (s *Server) checkService(c *cluster, in *serviceInput) (*definition, error) {
	if in.DesiredCount != nil && *in.DesiredCount < 0 {
		return nil, invalid("Desired count must be a non-negative number.")
	}
	if in.SchedulingStrategy == "DAEMON" {
		if in.DesiredCount != nil {
			return nil, invalid("The daemon scheduling strategy does not support a desired count for services. Remove the desired count value and try again")
		}
	} else if in.DesiredCount == nil {
		return nil, invalid("Desired count can not be null.")
	}
	if in.LaunchType != "" && len(in.CapacityProviderStrategy) > 0 {
		return nil, invalid("Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.")
	}
	if err := s.checkStrategy(c, in.CapacityProviderStrategy); err != nil {
		return nil, err
	}
	d, err := s.runnable(in.TaskDefinition)
	if err != nil {
		return nil, err
	}
	if d.NetworkMode == "awsvpc" && in.NetworkConfiguration == nil {
		return nil, invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
	}
	launchType, _ := launchOf(c, in)
	if launchType == "FARGATE" && !slices.Contains(d.Compatibilities, "FARGATE") {
		return nil, invalid("Task definition does not support launch_type FARGATE.")
	}
	return d, checkBalancers(d, in.LoadBalancers)
}

func (s *Server) checkStrategy(c *cluster, strategy []strategyItem) error {
	for _, item := range strategy {
		if !slices.Contains(c.Providers, item.CapacityProvider) {
			return invalid("The specified capacity provider '%s' is not associated with the cluster.", item.CapacityProvider)
		}
	}
	return nil
}

func checkBalancers(d *definition, balancers []loadBalancer) error {
	for _, lb := range balancers {
		containers := d.containers()
		at := slices.IndexFunc(containers, func(c container) bool { return c.Name == lb.ContainerName })
		if at < 0 {
			return invalid("The container %s does not exist in the task definition.", lb.ContainerName)
		}
		if !slices.ContainsFunc(containers[at].Ports, func(p port) bool { return p.ContainerPort == lb.ContainerPort }) {
			return invalid("The container %s did not have a container port %d defined.", lb.ContainerName, lb.ContainerPort)
		}
	}
	return nil
}

// launchOf is where the service's tasks run: by launch type, or by a strategy,
// the cluster's own where nothing is given.
func launchOf(c *cluster, in *serviceInput) (string, []strategyItem) {
	strategy := in.CapacityProviderStrategy
	if in.LaunchType == "" && len(strategy) == 0 {
		strategy = c.Strategy
	}
	if len(strategy) > 0 {
		return "", strategy
	}
	if in.LaunchType == "" {
		return "EC2", nil
	}
	return in.LaunchType, nil
}

type describeServicesInput struct {
	Cluster  string   `json:"cluster"`
	Services []string `json:"services"`
	Include  []string `json:"include"`
}

type describeServicesOutput struct {
	Services []serviceView `json:"services"`
	Failures []failure     `json:"failures"`
}

func (s *Server) describeServices(in *describeServicesInput) (*describeServicesOutput, error) {
	c, err := s.findCluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	if len(in.Services) == 0 {
		return nil, invalid("Services cannot be empty.")
	}
	if len(in.Services) > 10 {
		return nil, invalid("Services cannot be more than 10.")
	}
	out := &describeServicesOutput{Services: []serviceView{}, Failures: []failure{}}
	for _, ref := range in.Services {
		v, ok := s.findService(c, ref)
		if !ok {
			out.Failures = append(out.Failures, failure{Arn: s.arn("service", c.Name, lastOf(ref)), Reason: "MISSING"})
			continue
		}
		out.Services = append(out.Services, s.serviceView(v, slices.Contains(in.Include, "TAGS")))
	}
	return out, nil
}

type listServicesInput struct {
	paging
	Cluster            string `json:"cluster"`
	LaunchType         string `json:"launchType"`
	SchedulingStrategy string `json:"schedulingStrategy"`
}

type listServicesOutput struct {
	ServiceArns []string `json:"serviceArns"`
	NextToken   string   `json:"nextToken,omitempty"`
}

func (s *Server) listServices(in *listServicesInput) (*listServicesOutput, error) {
	c, err := s.findCluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	var arns []string
	for _, key := range sortedKeys(s.services) {
		v := s.services[key]
		if v.Cluster == c.Name && v.Status != "INACTIVE" && (in.LaunchType == "" || v.LaunchType == in.LaunchType) &&
			(in.SchedulingStrategy == "" || v.Scheduling == in.SchedulingStrategy) {
			arns = append(arns, v.ARN)
		}
	}
	if in.MaxResults == nil {
		in.MaxResults = pointer(10)
	}
	page, next, err := in.cut(arns, 100)
	return &listServicesOutput{ServiceArns: page, NextToken: next}, err
}

func (s *Server) updateService(in *serviceInput) (*serviceOutput, error) {
	c, err := s.findCluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	v, ok := s.findService(c, in.Service)
	if !ok {
		return nil, errNoService
	}
	if v.Status != "ACTIVE" {
		return nil, errNotActive
	}
	if in.DesiredCount != nil && (*in.DesiredCount < 0 || v.Scheduling == "DAEMON") {
		return nil, invalid("Desired count must be a non-negative number.")
	}
	if err := s.checkStrategy(c, in.CapacityProviderStrategy); err != nil {
		return nil, err
	}
	d, err := s.findDefinition(v.primary().View.TaskDefinition)
	if in.TaskDefinition != "" {
		d, err = s.runnable(in.TaskDefinition)
	}
	if err != nil {
		return nil, err
	}
	balancers := v.Settings.LoadBalancers
	if in.LoadBalancers != nil {
		balancers = in.LoadBalancers
	}
	if err := checkBalancers(d, balancers); err != nil {
		return nil, err
	}
	anew := in.ForceNewDeployment || d.Arn != v.primary().View.TaskDefinition || in.NetworkConfiguration != nil ||
		in.CapacityProviderStrategy != nil || in.PlatformVersion != "" || in.LoadBalancers != nil
	v.Settings.merge(in)
	if in.CapacityProviderStrategy != nil {
		v.LaunchType, v.Strategy = launchOf(c, &v.Settings)
	}
	if in.DesiredCount != nil {
		s.scale(v, *in.DesiredCount)
	}
	if anew {
		s.deploy(v, d, "")
	}
	s.keep(serviceBucket, v.key(), v)
	s.wake(v, reaction)
	return &serviceOutput{s.serviceView(v, true)}, nil
}

// merge takes over what an update gives.
func (in *serviceInput) merge(update *serviceInput) {
	to, from := reflect.ValueOf(in).Elem(), reflect.ValueOf(update).Elem()
	for _, name := range []string{"TaskDefinition", "LoadBalancers", "ServiceRegistries", "DesiredCount",
		"CapacityProviderStrategy", "PlatformVersion", "DeploymentConfiguration", "PlacementConstraints",
		"PlacementStrategy", "NetworkConfiguration", "HealthCheckGracePeriodSeconds", "EnableECSManagedTags",
		"PropagateTags", "EnableExecuteCommand", "AvailabilityZoneRebalancing"} {
		if value := from.FieldByName(name); !value.IsZero() {
			to.FieldByName(name).Set(value)
		}
	}
	if update.CapacityProviderStrategy != nil {
		in.LaunchType = ""
	}
}

func (s *Server) scale(v *service, desired int) {
	if v.Desired != desired {
		v.Steady = false
	}
	v.Desired = desired
	v.primary().View.DesiredCount = desired
	v.primary().View.UpdatedAt = s.now()
}

type deleteServiceInput struct {
	Cluster string `json:"cluster"`
	Service string `json:"service"`
	Force   bool   `json:"force"`
}

func (s *Server) deleteService(in *deleteServiceInput) (*serviceOutput, error) {
	c, err := s.findCluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	v, ok := s.findService(c, in.Service)
	if !ok || v.Status == "INACTIVE" {
		return nil, errNoService
	}
	if v.Desired > 0 && !in.Force && v.Scheduling != "DAEMON" {
		return nil, invalid("The service cannot be stopped while it is scaled above 0.")
	}
	v.Status, v.Desired = "DRAINING", 0
	for _, p := range v.Deployments {
		p.View.DesiredCount = 0
	}
	s.keep(serviceBucket, v.key(), v)
	s.wake(v, reaction)
	return &serviceOutput{s.serviceView(v, true)}, nil
}

// retention is how long a deleted service or a stopped task is still described.
const retention = time.Hour

// inactivate ends a service whose last task is gone.
func (s *Server) inactivate(v *service) {
	v.Status, v.Gone = "INACTIVE", s.config.Clock.Now()
	s.keep(serviceBucket, v.key(), v)
	s.forgetLater(v)
}

func (s *Server) forgetLater(v *service) {
	s.at("service "+v.key(), v.Gone.Add(retention), func() {
		if s.services[v.key()] == v {
			delete(s.services, v.key())
			s.keep(serviceBucket, v.key(), nil)
		}
	})
}
