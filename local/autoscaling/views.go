package autoscaling

import (
	"cmp"
	"slices"
	"strconv"

	"portolan/local/wire"
)

type paging struct {
	MaxRecords *int   `json:"MaxRecords"`
	NextToken  string `json:"NextToken"`
}

// cut returns the bounds of a page of n, and the next page's token.
func (p paging) cut(n, most int) (from, to int, next string, err error) {
	if p.NextToken != "" {
		if from, err = strconv.Atoi(p.NextToken); err != nil || from < 0 {
			return 0, 0, "", wire.Errorf("InvalidNextToken", "The token '%s' is invalid.", p.NextToken)
		}
	}
	size := 50
	if p.MaxRecords != nil {
		size = *p.MaxRecords
	}
	if size < 1 || size > most {
		return 0, 0, "", validation("MaxRecords must be between 1 and %d.", most)
	}
	from = min(from, n)
	to = min(from+size, n)
	if to < n {
		next = strconv.Itoa(to)
	}
	return from, to, next, nil
}

type groupView struct {
	Name                             string             `json:"AutoScalingGroupName"`
	ARN                              string             `json:"AutoScalingGroupARN"`
	LaunchTemplate                   *templateRef       `json:"LaunchTemplate,omitempty"`
	MixedInstancesPolicy             *mixed             `json:"MixedInstancesPolicy,omitempty"`
	LaunchConfigurationName          string             `json:"LaunchConfigurationName,omitempty"`
	MinSize                          int                `json:"MinSize"`
	MaxSize                          int                `json:"MaxSize"`
	DesiredCapacity                  int                `json:"DesiredCapacity"`
	DefaultCooldown                  int                `json:"DefaultCooldown"`
	AvailabilityZones                []string           `json:"AvailabilityZones"`
	LoadBalancerNames                []string           `json:"LoadBalancerNames"`
	TargetGroupARNs                  []string           `json:"TargetGroupARNs"`
	HealthCheckType                  string             `json:"HealthCheckType"`
	HealthCheckGracePeriod           int                `json:"HealthCheckGracePeriod"`
	Instances                        []instanceView     `json:"Instances"`
	CreatedTime                      wire.Time          `json:"CreatedTime"`
	SuspendedProcesses               []suspendedProcess `json:"SuspendedProcesses"`
	VPCZoneIdentifier                string             `json:"VPCZoneIdentifier"`
	EnabledMetrics                   []string           `json:"EnabledMetrics"`
	Status                           string             `json:"Status,omitempty"`
	Tags                             []groupTag         `json:"Tags"`
	TerminationPolicies              []string           `json:"TerminationPolicies"`
	NewInstancesProtectedFromScaleIn bool               `json:"NewInstancesProtectedFromScaleIn"`
	ServiceLinkedRoleARN             string             `json:"ServiceLinkedRoleARN"`
}

type suspendedProcess struct {
	ProcessName      string `json:"ProcessName"`
	SuspensionReason string `json:"SuspensionReason"`
}

type instanceView struct {
	InstanceID           string       `json:"InstanceId"`
	AutoScalingGroupName string       `json:"AutoScalingGroupName,omitempty"`
	InstanceType         string       `json:"InstanceType"`
	AvailabilityZone     string       `json:"AvailabilityZone"`
	LifecycleState       string       `json:"LifecycleState"`
	HealthStatus         string       `json:"HealthStatus"`
	LaunchTemplate       *templateRef `json:"LaunchTemplate,omitempty"`
	ProtectedFromScaleIn bool         `json:"ProtectedFromScaleIn"`
}

type activityView struct {
	ActivityID           string     `json:"ActivityId"`
	AutoScalingGroupName string     `json:"AutoScalingGroupName"`
	Description          string     `json:"Description"`
	Cause                string     `json:"Cause"`
	StartTime            wire.Time  `json:"StartTime"`
	EndTime              *wire.Time `json:"EndTime,omitempty"`
	StatusCode           string     `json:"StatusCode"`
	StatusMessage        string     `json:"StatusMessage,omitempty"`
	Progress             int        `json:"Progress"`
	Details              string     `json:"Details"`
	AutoScalingGroupARN  string     `json:"AutoScalingGroupARN"`
}

func (a activity) view(g *group) activityView {
	return activityView{ActivityID: a.ID, AutoScalingGroupName: g.Name, Description: a.Description, Cause: a.Cause,
		StartTime: wire.At(a.Start), EndTime: wire.AtPtr(a.End), StatusCode: a.Status, StatusMessage: a.Message,
		Progress: a.Progress, Details: a.Details, AutoScalingGroupARN: g.ARN}
}

// view of an instance; its group's name is told only where instances of several
// groups are listed.
func (i *instance) view(g *group, withGroup bool) instanceView {
	v := instanceView{InstanceID: i.ID, InstanceType: i.Type, AvailabilityZone: i.Zone, LifecycleState: i.State,
		HealthStatus: "Healthy", ProtectedFromScaleIn: i.Protected}
	if i.Health == "Unhealthy" {
		v.HealthStatus = "Unhealthy"
	}
	if withGroup {
		v.AutoScalingGroupName = g.Name
		if v.HealthStatus == "Healthy" {
			v.HealthStatus = "HEALTHY"
		} else {
			v.HealthStatus = "UNHEALTHY"
		}
	}
	if ref := cmp.Or(i.Template, g.templateRef()); ref != (templateRef{}) {
		v.LaunchTemplate = &ref
	}
	return v
}

func (g *group) view(region string) groupView {
	v := groupView{Name: g.Name, ARN: g.ARN, LaunchConfigurationName: g.Config, MinSize: g.Min, MaxSize: g.Max,
		DesiredCapacity: g.Desired, DefaultCooldown: g.Cooldown, AvailabilityZones: slices.Clone(g.Zones),
		TargetGroupARNs: g.TargetARNs, HealthCheckType: g.HealthType, HealthCheckGracePeriod: g.Grace,
		CreatedTime: wire.At(g.CreatedAt), VPCZoneIdentifier: g.Subnets, Tags: g.Tags, TerminationPolicies: g.Policies,
		NewInstancesProtectedFromScaleIn: g.Protected, ServiceLinkedRoleARN: g.RoleARN, MixedInstancesPolicy: g.Mixed}
	if g.Template != (templateRef{}) && g.Mixed == nil {
		v.LaunchTemplate = &g.Template
	}
	if g.Deleting {
		v.Status = "Delete in progress"
	}
	if len(v.AvailabilityZones) == 0 {
		v.AvailabilityZones = []string{region + "a", region + "b", region + "c"}
	}
	for _, i := range g.Instances {
		v.Instances = append(v.Instances, i.view(g, false))
	}
	for _, p := range g.Suspended {
		v.SuspendedProcesses = append(v.SuspendedProcesses, suspendedProcess{p, "User suspended at user request"})
	}
	return v
}

type describeInput struct {
	Names   []string `json:"AutoScalingGroupNames"`
	Filters []filter `json:"Filters"`
	paging
}

type describeOutput struct {
	Groups    []groupView `json:"AutoScalingGroups"`
	NextToken string      `json:"NextToken,omitempty"`
}

func (s *Server) describe(in *describeInput) (*describeOutput, error) {
	var found []*group
	for _, name := range sortedKeys(s.groups) {
		g := s.groups[name]
		if len(in.Names) > 0 && !slices.Contains(in.Names, name) {
			continue
		}
		if selects(in.Filters, g.filtered) {
			found = append(found, g)
		}
	}
	from, to, next, err := in.cut(len(found), 100)
	if err != nil {
		return nil, err
	}
	out := &describeOutput{Groups: []groupView{}, NextToken: next}
	for _, g := range found[from:to] {
		out.Groups = append(out.Groups, g.view(s.config.Region))
	}
	return out, nil
}

// filtered are the values of the group that a filter looks at.
func (g *group) filtered(name string) []string {
	var values []string
	key, byKey := ofTag(name)
	for _, t := range g.Tags {
		switch {
		case name == "tag-key":
			values = append(values, t.Key)
		case name == "tag-value", byKey && t.Key == key:
			values = append(values, t.Value)
		}
	}
	return values
}

type instancesInput struct {
	InstanceIDs []string `json:"InstanceIds"`
	paging
}

type instancesOutput struct {
	Instances []instanceView `json:"AutoScalingInstances"`
	NextToken string         `json:"NextToken,omitempty"`
}

func (s *Server) describeInstances(in *instancesInput) (*instancesOutput, error) {
	var found []instanceView
	for _, name := range sortedKeys(s.groups) {
		g := s.groups[name]
		for _, i := range g.Instances {
			if len(in.InstanceIDs) == 0 || slices.Contains(in.InstanceIDs, i.ID) {
				found = append(found, i.view(g, true))
			}
		}
	}
	from, to, next, err := in.cut(len(found), 50)
	if err != nil {
		return nil, err
	}
	return &instancesOutput{Instances: found[from:to], NextToken: next}, nil
}

type activitiesInput struct {
	Name        string   `json:"AutoScalingGroupName"`
	ActivityIDs []string `json:"ActivityIds"`
	paging
}

type activitiesOutput struct {
	Activities []activityView `json:"Activities"`
	NextToken  string         `json:"NextToken,omitempty"`
}

func (s *Server) describeActivities(in *activitiesInput) (*activitiesOutput, error) {
	if in.Name != "" {
		if _, err := s.find(in.Name); err != nil {
			return nil, err
		}
	}
	var found []activityView
	for _, name := range sortedKeys(s.groups) {
		g := s.groups[name]
		for _, a := range g.Activities {
			if (in.Name == "" || in.Name == name) && (len(in.ActivityIDs) == 0 || slices.Contains(in.ActivityIDs, a.ID)) {
				found = append(found, a.view(g))
			}
		}
	}
	from, to, next, err := in.cut(len(found), 100)
	if err != nil {
		return nil, err
	}
	return &activitiesOutput{Activities: found[from:to], NextToken: next}, nil
}
