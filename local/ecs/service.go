package ecs

import (
	"strings"
	"time"

	"portolan/local/wire"
)

// service is a service and its deployments, the primary one first.
type service struct {
	Cluster     string         `json:"cluster"`
	Name        string         `json:"name"`
	ARN         string         `json:"arn"`
	Status      string         `json:"status"`
	Desired     int            `json:"desired"`
	Scheduling  string         `json:"scheduling"`
	Settings    serviceInput   `json:"settings"` // as created and updated
	Strategy    []strategyItem `json:"strategy"`
	LaunchType  string         `json:"launchType"`
	Deployments []*deployment  `json:"deployments"`
	Events      []serviceEvent `json:"events"` // the newest first
	CreatedAt   wire.Time      `json:"createdAt"`
	CreatedBy   string         `json:"createdBy"`
	Token       string         `json:"token"`
	Tags        []tag          `json:"tags"`
	Steady      bool           `json:"steady"`   // the last event about it said so
	Impaired    time.Time      `json:"impaired"` // when placing last failed and was told
	Completed   string         `json:"completed"`
	Gone        time.Time      `json:"gone"` // when it became INACTIVE
}

type deployment struct {
	View  deploymentView `json:"view"`
	Retry time.Time      `json:"retry"` // no task is started before that, after a failure
	Run   int            `json:"run"`   // failures in a row
	// Rollback names the deployment that this one takes back.
	Rollback string `json:"rollback"`
}

type deploymentView struct {
	ID                       string         `json:"id"`
	Status                   string         `json:"status"`
	TaskDefinition           string         `json:"taskDefinition"`
	DesiredCount             int            `json:"desiredCount"`
	PendingCount             int            `json:"pendingCount"`
	RunningCount             int            `json:"runningCount"`
	FailedTasks              int            `json:"failedTasks"`
	CreatedAt                wire.Time      `json:"createdAt"`
	UpdatedAt                wire.Time      `json:"updatedAt"`
	CapacityProviderStrategy []strategyItem `json:"capacityProviderStrategy,omitempty"`
	LaunchType               string         `json:"launchType,omitempty"`
	PlatformVersion          string         `json:"platformVersion,omitempty"`
	PlatformFamily           string         `json:"platformFamily,omitempty"`
	NetworkConfiguration     any            `json:"networkConfiguration,omitempty"`
	RolloutState             string         `json:"rolloutState,omitempty"`
	RolloutStateReason       string         `json:"rolloutStateReason,omitempty"`
}

type serviceEvent struct {
	ID        string    `json:"id"`
	CreatedAt wire.Time `json:"createdAt"`
	Message   string    `json:"message"`
}

type loadBalancer struct {
	TargetGroupArn   string `json:"targetGroupArn,omitempty"`
	LoadBalancerName string `json:"loadBalancerName,omitempty"`
	ContainerName    string `json:"containerName,omitempty"`
	ContainerPort    int    `json:"containerPort,omitempty"`
}

type circuitBreaker struct {
	Enable   bool `json:"enable"`
	Rollback bool `json:"rollback"`
}

type deploymentConfiguration struct {
	DeploymentCircuitBreaker *circuitBreaker `json:"deploymentCircuitBreaker,omitempty"`
	MaximumPercent           *int            `json:"maximumPercent,omitempty"`
	MinimumHealthyPercent    *int            `json:"minimumHealthyPercent,omitempty"`
	Alarms                   any             `json:"alarms,omitempty"`
	Strategy                 string          `json:"strategy,omitempty"`
	BakeTimeInMinutes        *int            `json:"bakeTimeInMinutes,omitempty"`
}

type typed struct {
	Type       string `json:"type"`
	Field      string `json:"field,omitempty"`
	Expression string `json:"expression,omitempty"`
}

// serviceInput is what CreateService and UpdateService take.
type serviceInput struct {
	Cluster                       string                   `json:"cluster,omitempty"`
	ServiceName                   string                   `json:"serviceName,omitempty"`
	Service                       string                   `json:"service,omitempty"`
	TaskDefinition                string                   `json:"taskDefinition,omitempty"`
	LoadBalancers                 []loadBalancer           `json:"loadBalancers,omitempty"`
	ServiceRegistries             []any                    `json:"serviceRegistries,omitempty"`
	DesiredCount                  *int                     `json:"desiredCount,omitempty"`
	ClientToken                   string                   `json:"clientToken,omitempty"`
	LaunchType                    string                   `json:"launchType,omitempty"`
	CapacityProviderStrategy      []strategyItem           `json:"capacityProviderStrategy,omitempty"`
	PlatformVersion               string                   `json:"platformVersion,omitempty"`
	Role                          string                   `json:"role,omitempty"`
	DeploymentConfiguration       *deploymentConfiguration `json:"deploymentConfiguration,omitempty"`
	DeploymentController          *typed                   `json:"deploymentController,omitempty"`
	PlacementConstraints          []typed                  `json:"placementConstraints,omitempty"`
	PlacementStrategy             []typed                  `json:"placementStrategy,omitempty"`
	NetworkConfiguration          any                      `json:"networkConfiguration,omitempty"`
	HealthCheckGracePeriodSeconds *int                     `json:"healthCheckGracePeriodSeconds,omitempty"`
	SchedulingStrategy            string                   `json:"schedulingStrategy,omitempty"`
	Tags                          []tag                    `json:"tags,omitempty"`
	EnableECSManagedTags          *bool                    `json:"enableECSManagedTags,omitempty"`
	PropagateTags                 string                   `json:"propagateTags,omitempty"`
	EnableExecuteCommand          *bool                    `json:"enableExecuteCommand,omitempty"`
	ForceNewDeployment            bool                     `json:"forceNewDeployment,omitempty"`
	AvailabilityZoneRebalancing   string                   `json:"availabilityZoneRebalancing,omitempty"`
}

type serviceView struct {
	ServiceArn                    string                  `json:"serviceArn"`
	ServiceName                   string                  `json:"serviceName"`
	ClusterArn                    string                  `json:"clusterArn"`
	LoadBalancers                 []loadBalancer          `json:"loadBalancers"`
	ServiceRegistries             []any                   `json:"serviceRegistries"`
	Status                        string                  `json:"status"`
	DesiredCount                  int                     `json:"desiredCount"`
	RunningCount                  int                     `json:"runningCount"`
	PendingCount                  int                     `json:"pendingCount"`
	LaunchType                    string                  `json:"launchType,omitempty"`
	CapacityProviderStrategy      []strategyItem          `json:"capacityProviderStrategy,omitempty"`
	PlatformVersion               string                  `json:"platformVersion,omitempty"`
	PlatformFamily                string                  `json:"platformFamily,omitempty"`
	TaskDefinition                string                  `json:"taskDefinition"`
	DeploymentConfiguration       deploymentConfiguration `json:"deploymentConfiguration"`
	Deployments                   []deploymentView        `json:"deployments"`
	RoleArn                       string                  `json:"roleArn,omitempty"`
	Events                        []serviceEvent          `json:"events"`
	CreatedAt                     wire.Time               `json:"createdAt"`
	PlacementConstraints          []typed                 `json:"placementConstraints"`
	PlacementStrategy             []typed                 `json:"placementStrategy"`
	NetworkConfiguration          any                     `json:"networkConfiguration,omitempty"`
	HealthCheckGracePeriodSeconds *int                    `json:"healthCheckGracePeriodSeconds,omitempty"`
	SchedulingStrategy            string                  `json:"schedulingStrategy"`
	DeploymentController          *typed                  `json:"deploymentController,omitempty"`
	Tags                          []tag                   `json:"tags,omitempty"`
	CreatedBy                     string                  `json:"createdBy,omitempty"`
	EnableECSManagedTags          bool                    `json:"enableECSManagedTags"`
	PropagateTags                 string                  `json:"propagateTags"`
	EnableExecuteCommand          bool                    `json:"enableExecuteCommand"`
	AvailabilityZoneRebalancing   string                  `json:"availabilityZoneRebalancing,omitempty"`
}

func (v *service) key() string { return v.Cluster + "/" + v.Name }

func (v *service) primary() *deployment { return v.Deployments[0] }

// percents are the bounds of a rollout in percent of the desired count, with
// ECS's defaults.
func (v *service) percents() (minimum, maximum int) {
	minimum, maximum = 100, 200
	if v.Scheduling == "DAEMON" {
		minimum, maximum = 0, 100
	}
	if c := v.Settings.DeploymentConfiguration; c != nil {
		if c.MinimumHealthyPercent != nil {
			minimum = *c.MinimumHealthyPercent
		}
		if c.MaximumPercent != nil {
			maximum = *c.MaximumPercent
		}
	}
	return minimum, maximum
}

func (v *service) breaker() circuitBreaker {
	if c := v.Settings.DeploymentConfiguration; c != nil && c.DeploymentCircuitBreaker != nil {
		return *c.DeploymentCircuitBreaker
	}
	return circuitBreaker{}
}

func (s *Server) serviceView(v *service, withTags bool) serviceView {
	in := v.Settings
	minimum, maximum := v.percents()
	breaker := v.breaker()
	view := serviceView{
		ServiceArn: v.ARN, ServiceName: v.Name, ClusterArn: s.arn("cluster", v.Cluster), Status: v.Status,
		LoadBalancers: orEmpty(in.LoadBalancers), ServiceRegistries: orEmpty(in.ServiceRegistries),
		DesiredCount: v.Desired, LaunchType: v.LaunchType, CapacityProviderStrategy: v.Strategy,
		DeploymentConfiguration: deploymentConfiguration{MinimumHealthyPercent: &minimum, MaximumPercent: &maximum,
			DeploymentCircuitBreaker: &breaker, Strategy: "ROLLING", BakeTimeInMinutes: pointer(0)},
		Deployments: []deploymentView{}, RoleArn: in.Role, Events: orEmpty(v.Events), CreatedAt: v.CreatedAt,
		PlacementConstraints: orEmpty(in.PlacementConstraints), PlacementStrategy: orEmpty(in.PlacementStrategy),
		NetworkConfiguration: in.NetworkConfiguration, HealthCheckGracePeriodSeconds: in.HealthCheckGracePeriodSeconds,
		SchedulingStrategy: v.Scheduling, DeploymentController: in.DeploymentController, CreatedBy: v.CreatedBy,
		EnableECSManagedTags: in.EnableECSManagedTags != nil && *in.EnableECSManagedTags,
		PropagateTags:        in.PropagateTags, EnableExecuteCommand: in.EnableExecuteCommand != nil && *in.EnableExecuteCommand,
		AvailabilityZoneRebalancing: in.AvailabilityZoneRebalancing,
	}
	if view.PropagateTags == "" {
		view.PropagateTags = "NONE"
	}
	if len(v.Deployments) > 0 {
		view.TaskDefinition = v.primary().View.TaskDefinition
		view.PlatformVersion, view.PlatformFamily = v.primary().View.PlatformVersion, v.primary().View.PlatformFamily
	}
	for _, p := range v.Deployments {
		d := p.View
		d.RunningCount, d.PendingCount = s.counts(v, d.ID)
		view.RunningCount += d.RunningCount
		view.PendingCount += d.PendingCount
		view.Deployments = append(view.Deployments, d)
	}
	if v.Status == "INACTIVE" {
		view.Deployments, view.Events = []deploymentView{}, []serviceEvent{}
	}
	if withTags {
		view.Tags = orEmpty(v.Tags)
	}
	return view
}

// counts are the running and the pending tasks of a deployment.
func (s *Server) counts(v *service, deploymentID string) (running, pending int) {
	for _, t := range s.tasks {
		if t.Service != v.key() || t.View.StartedBy != deploymentID {
			continue
		}
		switch t.View.LastStatus {
		case "RUNNING":
			running++
		case "PROVISIONING", "PENDING", "ACTIVATING":
			if t.View.DesiredStatus == "RUNNING" {
				pending++
			}
		}
	}
	return running, pending
}

// maxEvents is how many events a service keeps.
const maxEvents = 100

func (s *Server) say(v *service, message string) {
	e := serviceEvent{ID: s.config.IDs.UUID(), CreatedAt: s.now(), Message: "(service " + v.Name + ") " + message}
	v.Events = append([]serviceEvent{e}, v.Events[:min(len(v.Events), maxEvents-1)]...)
	s.keep(serviceBucket, v.key(), v)
}

// act emits an ECS Service Action.
func (s *Server) act(v *service, eventType, eventName string, more map[string]any) {
	detail := map[string]any{"eventType": eventType, "eventName": eventName,
		"clusterArn": s.arn("cluster", v.Cluster), "createdAt": iso(s.config.Clock.Now())}
	for name, value := range more {
		detail[name] = value
	}
	s.emit("ECS Service Action", []string{v.ARN}, detail)
}

// findService takes a name or an ARN. What was deleted is found for a while.
func (s *Server) findService(c *cluster, ref string) (*service, bool) {
	if strings.HasPrefix(ref, "arn:") {
		parts := strings.Split(ref, "/")
		if len(parts) == 3 && parts[1] != c.Name {
			return nil, false
		}
	}
	v, ok := s.services[c.Name+"/"+lastOf(ref)]
	return v, ok
}
