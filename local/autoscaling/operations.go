package autoscaling

import (
	"cmp"
	"fmt"
	"slices"

	"portolan/local/wire"
)

func (s *Server) operations() map[string]wire.Operation {
	return map[string]wire.Operation{
		"CreateAutoScalingGroup":              operation(s, s.create),
		"DescribeAutoScalingGroups":           operation(s, s.describe),
		"UpdateAutoScalingGroup":              operation(s, s.update),
		"DeleteAutoScalingGroup":              operation(s, s.remove),
		"SetDesiredCapacity":                  operation(s, s.setDesired),
		"TerminateInstanceInAutoScalingGroup": operation(s, s.terminateInstance),
		"DescribeAutoScalingInstances":        operation(s, s.describeInstances),
		"DescribeScalingActivities":           operation(s, s.describeActivities),
		"SuspendProcesses":                    operation(s, s.suspendProcesses),
		"ResumeProcesses":                     operation(s, s.resumeProcesses),
		"SetInstanceProtection":               operation(s, s.protect),
		"SetInstanceHealth":                   operation(s, s.setHealth),
		"CreateOrUpdateTags":                  operation(s, s.tag),
		"DeleteTags":                          operation(s, s.untag),
		"DescribeTags":                        operation(s, s.describeTags),
	}
}

type nothing struct{}

func validation(format string, args ...any) error {
	return wire.Errorf("ValidationError", format, args...)
}

func (s *Server) find(name string) (*group, error) {
	g, ok := s.groups[name]
	if !ok {
		return nil, validation("AutoScalingGroup name not found - null")
	}
	return g, nil
}

type groupInput struct {
	Name                             string       `json:"AutoScalingGroupName"`
	MinSize                          *int         `json:"MinSize"`
	MaxSize                          *int         `json:"MaxSize"`
	DesiredCapacity                  *int         `json:"DesiredCapacity"`
	DefaultCooldown                  *int         `json:"DefaultCooldown"`
	AvailabilityZones                []string     `json:"AvailabilityZones"`
	VPCZoneIdentifier                string       `json:"VPCZoneIdentifier"`
	LaunchTemplate                   *templateRef `json:"LaunchTemplate"`
	MixedInstancesPolicy             *mixed       `json:"MixedInstancesPolicy"`
	LaunchConfigurationName          string       `json:"LaunchConfigurationName"`
	HealthCheckType                  string       `json:"HealthCheckType"`
	HealthCheckGracePeriod           *int         `json:"HealthCheckGracePeriod"`
	TerminationPolicies              []string     `json:"TerminationPolicies"`
	NewInstancesProtectedFromScaleIn *bool        `json:"NewInstancesProtectedFromScaleIn"`
	TargetGroupARNs                  []string     `json:"TargetGroupARNs"`
	Tags                             []groupTag   `json:"Tags"`
	ServiceLinkedRoleARN             string       `json:"ServiceLinkedRoleARN"`
}

// apply takes over what is given.
func (g *group) apply(in *groupInput) {
	set := func(to *int, from *int) {
		if from != nil {
			*to = *from
		}
	}
	set(&g.Min, in.MinSize)
	set(&g.Max, in.MaxSize)
	set(&g.Cooldown, in.DefaultCooldown)
	set(&g.Grace, in.HealthCheckGracePeriod)
	if in.AvailabilityZones != nil {
		g.Zones = in.AvailabilityZones
	}
	if in.LaunchTemplate != nil {
		g.Template, g.Mixed = *in.LaunchTemplate, nil
	}
	if in.MixedInstancesPolicy != nil {
		g.Mixed = in.MixedInstancesPolicy
	}
	if in.NewInstancesProtectedFromScaleIn != nil {
		g.Protected = *in.NewInstancesProtectedFromScaleIn
	}
	if in.TerminationPolicies != nil {
		g.Policies = in.TerminationPolicies
	}
	if in.TargetGroupARNs != nil {
		g.TargetARNs = in.TargetGroupARNs
	}
	g.Subnets = cmp.Or(in.VPCZoneIdentifier, g.Subnets)
	g.Config = cmp.Or(in.LaunchConfigurationName, g.Config)
	g.HealthType = cmp.Or(in.HealthCheckType, g.HealthType, "EC2")
	// Desired follows the bounds where it is not given.
	g.Desired = min(max(g.Desired, g.Min), g.Max)
	set(&g.Desired, in.DesiredCapacity)
}

func (g *group) check() error {
	switch {
	case g.Min < 0 || g.Max < 0:
		return validation("Group sizes must not be negative.")
	case g.Min > g.Max:
		return validation("Max bound, %d, must be greater than or equal to min bound, %d", g.Max, g.Min)
	case g.Desired < g.Min:
		return validation("Desired capacity:%d must be between the specified min size:%d and max size:%d", g.Desired, g.Min, g.Max)
	case g.Desired > g.Max:
		return validation("Desired capacity:%d must be between the specified min size:%d and max size:%d", g.Desired, g.Min, g.Max)
	case len(g.Zones) == 0 && g.Subnets == "":
		return validation("At least one Availability Zone or VPC Subnet is required.")
	case g.Config == "" && g.templateRef() == templateRef{}:
		return validation("Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or " +
			"MixedInstancesPolicy parameter.")
	}
	return nil
}

func (s *Server) create(in *groupInput) (*nothing, error) {
	if in.Name == "" || len(in.Name) > 255 {
		return nil, validation("1 validation error detected: Value '%s' at 'autoScalingGroupName' failed to satisfy constraint: "+
			"Member must have length greater than or equal to 1", in.Name)
	}
	if in.MinSize == nil || in.MaxSize == nil {
		return nil, validation("MinSize and MaxSize are required.")
	}
	if _, ok := s.groups[in.Name]; ok {
		return nil, wire.Errorf("AlreadyExists", "AutoScalingGroup by this name already exists - A group with the name %s "+
			"already exists", in.Name)
	}
	g := &group{Name: in.Name, Cooldown: 300, CreatedAt: s.config.Clock.Now(), Policies: []string{"Default"}}
	g.ARN = fmt.Sprintf("arn:aws:autoscaling:%s:%s:autoScalingGroup:%s:autoScalingGroupName/%s",
		s.config.Region, s.config.Account, s.config.IDs.UUID(), in.Name)
	g.RoleARN = cmp.Or(in.ServiceLinkedRoleARN, "arn:aws:iam::"+s.config.Account+
		":role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling")
	g.apply(in)
	if err := g.check(); err != nil {
		return nil, err
	}
	for _, t := range in.Tags {
		g.setTag(t)
	}
	s.groups[g.Name] = g
	s.dirty[g.Name] = true
	s.look(g, notice)
	return &nothing{}, nil
}

func (g *group) setTag(t groupTag) {
	t.ResourceID, t.ResourceType = g.Name, "auto-scaling-group"
	g.Tags = slices.DeleteFunc(g.Tags, func(old groupTag) bool { return old.Key == t.Key })
	g.Tags = append(g.Tags, t)
}

func (s *Server) update(in *groupInput) (*nothing, error) {
	g, err := s.find(in.Name)
	if err != nil {
		return nil, err
	}
	changed := *g
	changed.apply(in)
	if err := changed.check(); err != nil {
		return nil, err
	}
	g.apply(in)
	s.dirty[g.Name] = true
	s.look(g, notice)
	return &nothing{}, nil
}

type deleteInput struct {
	Name  string `json:"AutoScalingGroupName"`
	Force bool   `json:"ForceDelete"`
}

func (s *Server) remove(in *deleteInput) (*nothing, error) {
	g, err := s.find(in.Name)
	if err != nil {
		return nil, err
	}
	if len(g.Instances) > 0 && !in.Force {
		return nil, wire.Errorf("ResourceInUse", "You cannot delete an AutoScalingGroup while there are instances or pending "+
			"Spot instance request(s) still in the group.")
	}
	g.Deleting, g.Min, g.Desired, g.Suspended = true, 0, 0, nil
	for _, i := range g.Instances {
		if !i.ending() {
			s.terminate(g, i, fmt.Sprintf("At %s a user request deleted the AutoScalingGroup, forcing its instances.", s.stamp()))
		}
	}
	s.dirty[g.Name] = true
	s.look(g, notice)
	return &nothing{}, nil
}

type desiredInput struct {
	Name            string `json:"AutoScalingGroupName"`
	DesiredCapacity int    `json:"DesiredCapacity"`
	HonorCooldown   bool   `json:"HonorCooldown"`
}

func (s *Server) setDesired(in *desiredInput) (*nothing, error) {
	g, err := s.find(in.Name)
	if err != nil {
		return nil, err
	}
	if in.DesiredCapacity > g.Max {
		return nil, validation("New SetDesiredCapacity value %d is above max value %d for the AutoScalingGroup.", in.DesiredCapacity, g.Max)
	}
	if in.DesiredCapacity < g.Min {
		return nil, validation("New SetDesiredCapacity value %d is below min value %d for the AutoScalingGroup.", in.DesiredCapacity, g.Min)
	}
	g.Desired = in.DesiredCapacity
	s.dirty[g.Name] = true
	s.look(g, notice)
	return &nothing{}, nil
}

// locate finds an instance and its group.
func (s *Server) locate(id string) (*group, *instance) {
	for _, g := range s.groups {
		for _, i := range g.Instances {
			if i.ID == id {
				return g, i
			}
		}
	}
	return nil, nil
}

type terminateInput struct {
	InstanceID string `json:"InstanceId"`
	Decrement  *bool  `json:"ShouldDecrementDesiredCapacity"`
}

type activityOutput struct {
	Activity activityView `json:"Activity"`
}

func (s *Server) terminateInstance(in *terminateInput) (*activityOutput, error) {
	g, i := s.locate(in.InstanceID)
	if i == nil || i.ending() {
		return nil, validation("Instance Id not found - No managed instance found for instance ID: %s", in.InstanceID)
	}
	if in.Decrement == nil {
		return nil, validation("1 validation error detected: Value at 'shouldDecrementDesiredCapacity' failed to satisfy " +
			"constraint: Member must not be null")
	}
	cause := fmt.Sprintf("At %s instance %s was taken out of service in response to a user request.", s.stamp(), i.ID)
	if *in.Decrement {
		if g.Desired <= g.Min {
			return nil, validation("Currently, desiredSize equals minSize (%d). Terminating instance without replacement will "+
				"violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's "+
				"min size.", g.Min)
		}
		g.Desired--
		cause = fmt.Sprintf("At %s instance %s was taken out of service in response to a user request, shrinking the capacity "+
			"from %d to %d.", s.stamp(), i.ID, g.Desired+1, g.Desired)
	}
	a := s.terminate(g, i, cause)
	s.look(g, notice)
	return &activityOutput{a.view(g)}, nil
}

type processesInput struct {
	Name      string   `json:"AutoScalingGroupName"`
	Processes []string `json:"ScalingProcesses"`
}

var processes = []string{"AddToLoadBalancer", "AlarmNotification", "AZRebalance", "HealthCheck", "InstanceRefresh", "Launch",
	"ReplaceUnhealthy", "ScheduledActions", "Terminate"}

func (s *Server) suspendProcesses(in *processesInput) (*nothing, error) {
	return s.setProcesses(in, true)
}

func (s *Server) resumeProcesses(in *processesInput) (*nothing, error) {
	return s.setProcesses(in, false)
}

func (s *Server) setProcesses(in *processesInput, suspended bool) (*nothing, error) {
	g, err := s.find(in.Name)
	if err != nil {
		return nil, err
	}
	named := in.Processes
	if len(named) == 0 {
		named = processes
	}
	for _, p := range named {
		if !slices.Contains(processes, p) {
			return nil, validation("%s is not a valid process type", p)
		}
	}
	g.Suspended = slices.DeleteFunc(g.Suspended, func(p string) bool { return slices.Contains(named, p) })
	if suspended {
		g.Suspended = append(g.Suspended, named...)
		slices.Sort(g.Suspended)
	}
	s.dirty[g.Name] = true
	s.look(g, notice)
	return &nothing{}, nil
}

type protectInput struct {
	Name        string   `json:"AutoScalingGroupName"`
	InstanceIDs []string `json:"InstanceIds"`
	Protected   bool     `json:"ProtectedFromScaleIn"`
}

func (s *Server) protect(in *protectInput) (*nothing, error) {
	g, err := s.find(in.Name)
	if err != nil {
		return nil, err
	}
	for _, id := range in.InstanceIDs {
		at := slices.IndexFunc(g.Instances, func(i *instance) bool { return i.ID == id })
		if at < 0 {
			return nil, validation("The instance %s is not part of Auto Scaling group %s.", id, in.Name)
		}
		g.Instances[at].Protected = in.Protected
	}
	s.dirty[g.Name] = true
	// What was protected until now may be what the group waited to terminate.
	s.look(g, 0)
	return &nothing{}, nil
}

type healthInput struct {
	InstanceID string `json:"InstanceId"`
	Status     string `json:"HealthStatus"`
}

func (s *Server) setHealth(in *healthInput) (*nothing, error) {
	g, i := s.locate(in.InstanceID)
	if i == nil {
		return nil, validation("Instance Id not found - No managed instance found for instance ID %s", in.InstanceID)
	}
	if in.Status != "Healthy" && in.Status != "Unhealthy" {
		return nil, validation("Health status must be Healthy or Unhealthy.")
	}
	i.Health = in.Status
	s.dirty[g.Name] = true
	s.look(g, notice)
	return &nothing{}, nil
}
