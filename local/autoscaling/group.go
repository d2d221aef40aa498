package autoscaling

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// group is an Auto Scaling group. Its instances are in the order of launch.
type group struct {
	Name       string      `json:"name"`
	ARN        string      `json:"arn"`
	Min        int         `json:"min"`
	Max        int         `json:"max"`
	Desired    int         `json:"desired"`
	Cooldown   int         `json:"cooldown"`
	Zones      []string    `json:"zones"`
	Subnets    string      `json:"subnets"`
	Template   templateRef `json:"template"`
	Mixed      *mixed      `json:"mixed"`
	Config     string      `json:"config"`
	HealthType string      `json:"healthType"`
	Grace      int         `json:"grace"`
	Policies   []string    `json:"policies"`
	Protected  bool        `json:"protected"`
	Suspended  []string    `json:"suspended"`
	TargetARNs []string    `json:"targetArns"`
	Tags       []groupTag  `json:"tags"`
	CreatedAt  time.Time   `json:"createdAt"`
	Instances  []*instance `json:"instances"`
	Activities []activity  `json:"activities"` // the newest first
	Deleting   bool        `json:"deleting"`
	RoleARN    string      `json:"roleArn"`
}

type templateRef struct {
	ID      string `json:"LaunchTemplateId,omitempty"`
	Name    string `json:"LaunchTemplateName,omitempty"`
	Version string `json:"Version,omitempty"`
}

type mixed struct {
	LaunchTemplate struct {
		Specification templateRef `json:"LaunchTemplateSpecification"`
	} `json:"LaunchTemplate"`
	Distribution *distribution `json:"InstancesDistribution,omitempty"`
}

// distribution says which instances are Spot's.
type distribution struct {
	OnDemandBase  *int   `json:"OnDemandBaseCapacity,omitempty"`
	OnDemandAbove *int   `json:"OnDemandPercentageAboveBaseCapacity,omitempty"`
	SpotStrategy  string `json:"SpotAllocationStrategy,omitempty"`
}

// spot tells whether all of the group's instances are Spot's.
func (g *group) spot() bool {
	if g.Mixed == nil || g.Mixed.Distribution == nil {
		return false
	}
	base, above := g.Mixed.Distribution.OnDemandBase, g.Mixed.Distribution.OnDemandAbove
	return (base == nil || *base == 0) && above != nil && *above == 0
}

type groupTag struct {
	Key               string `json:"Key"`
	Value             string `json:"Value"`
	ResourceID        string `json:"ResourceId,omitempty"`
	ResourceType      string `json:"ResourceType,omitempty"`
	PropagateAtLaunch bool   `json:"PropagateAtLaunch"`
}

type instance struct {
	ID        string    `json:"id"`
	Type      string    `json:"type"`
	Zone      string    `json:"zone"`
	Subnet    string    `json:"subnet"`
	State     string    `json:"state"` // LifecycleState
	Health    string    `json:"health"`
	Protected bool      `json:"protected"`
	Cluster   string    `json:"cluster"`             // the ECS cluster that its user data names
	NodeGroup string    `json:"nodeGroup,omitempty"` // cluster/node group of EKS
	ImageID   string    `json:"imageId"`
	Due       time.Time `json:"due"` // of the next step
	Activity  string    `json:"activity"`
	Launched  time.Time `json:"launched"`

	// Template is what it was launched by; the group's may have changed since.
	Template templateRef `json:"template,omitzero"`
}

type activity struct {
	ID          string    `json:"id"`
	Description string    `json:"description"`
	Cause       string    `json:"cause"`
	Status      string    `json:"status"`
	Message     string    `json:"message"`
	Start       time.Time `json:"start"`
	End         time.Time `json:"end"`
	Progress    int       `json:"progress"`
	Details     string    `json:"details"`
}

// The pace of groups and instances.
const (
	notice                    = time.Second // from a change of a group to the look at it
	launchLow, launchHigh     = 25 * time.Second, 45 * time.Second
	agentLow, agentHigh       = 15 * time.Second, 35 * time.Second // until the ECS agent registers
	terminateLow              = 20 * time.Second
	terminateHigh             = 60 * time.Second
	detectLow, detectHigh     = 30 * time.Second, 90 * time.Second // until a dead instance is found out
	agentAgain                = 30 * time.Second
	maxActivities, maxPerPage = 100, 100
)

// look compares the group with what it should be, after a while.
func (s *Server) look(g *group, after time.Duration) {
	s.at("group "+g.Name, s.config.Clock.Now().Add(after), func() {
		if s.groups[g.Name] == g {
			s.reconcile(g)
		}
	})
}

// reconcile replaces what is unhealthy, and launches or terminates towards the
// desired capacity. Suspended processes are left out.
func (s *Server) reconcile(g *group) {
	for _, i := range g.Instances {
		if i.Health == "Unhealthy" && !i.ending() && !g.suspended("ReplaceUnhealthy") {
			s.terminate(g, i, fmt.Sprintf("At %s an instance was taken out of service in response to an EC2 health check "+
				"indicating it has been terminated or stopped.", s.stamp()))
		}
	}
	if g.Deleting && len(g.Instances) == 0 {
		delete(s.groups, g.Name)
		s.dirty[g.Name] = true
		return
	}
	var staying []*instance
	for _, i := range g.Instances {
		if !i.ending() {
			staying = append(staying, i)
		}
	}
	for n := len(staying); n < g.Desired && !g.suspended("Launch"); n++ {
		s.launch(g, fmt.Sprintf("At %s an instance was started in response to a difference between desired and actual "+
			"capacity, increasing the capacity from %d to %d.", s.stamp(), n, n+1))
	}
	for n := len(staying); n > g.Desired && !g.suspended("Terminate"); n-- {
		victim := g.victim()
		if victim == nil {
			break
		}
		s.terminate(g, victim, fmt.Sprintf("At %s an instance was taken out of service in response to a difference between "+
			"desired and actual capacity, shrinking the capacity from %d to %d.", s.stamp(), n, n-1))
	}
}

func (s *Server) stamp() string { return s.config.Clock.Now().Format("2006-01-02T15:04:05Z") }

func (g *group) suspended(process string) bool { return slices.Contains(g.Suspended, process) }

func (i *instance) ending() bool { return strings.HasPrefix(i.State, "Terminat") }

// victim is the instance that a scale-in takes: in the zone with the most
// instances the oldest, unless the policy says the newest. What is protected
// stays.
func (g *group) victim() *instance {
	inZone := map[string]int{}
	var open []*instance
	for _, i := range g.Instances {
		if i.ending() {
			continue
		}
		inZone[i.Zone]++
		if !i.Protected {
			open = append(open, i)
		}
	}
	if len(open) == 0 {
		return nil
	}
	newest := slices.Contains(g.Policies, "NewestInstance")
	return slices.MinFunc(open, func(a, b *instance) int {
		byAge := a.Launched.Compare(b.Launched)
		if newest {
			byAge = -byAge
		}
		return cmp.Or(cmp.Compare(inZone[b.Zone], inZone[a.Zone]), byAge, cmp.Compare(a.ID, b.ID))
	})
}

// launch starts one instance in the zone that has the fewest.
func (s *Server) launch(g *group, cause string) {
	ctx := context.Background()
	ref := g.templateRef()
	template := Template{InstanceType: "t3.medium"}
	if s.config.Templates != nil {
		name := cmp.Or(ref.ID, ref.Name)
		found, ok := s.config.Templates.LaunchTemplate(ctx, name, ref.Version)
		if !ok && name != "" {
			s.record(g, activity{Description: "Launching a new EC2 instance.", Cause: cause, Status: "Failed", Progress: 100,
				Message: "The specified launch template, with template ID " + name + ", does not exist. Launching EC2 instance failed.",
				End:     s.config.Clock.Now()})
			s.look(g, time.Minute)
			return
		}
		if ok {
			template = found
		}
	}
	zone, subnet := g.nextPlace(s.config.Region)
	i := &instance{ID: "i-0" + s.config.IDs.Hex(16), Type: cmp.Or(template.InstanceType, "t3.medium"), Zone: zone, Subnet: subnet,
		State: "Pending", Health: "Healthy", Protected: g.Protected, ImageID: template.ImageID,
		Cluster: clusterIn(template.UserData), Launched: s.config.Clock.Now(), Template: ref}
	if i.Cluster == "" {
		i.Cluster = g.tag("ecs-cluster")
	}
	if name := g.tag("eks:nodegroup-name"); name != "" {
		i.NodeGroup = g.tag("eks:cluster-name") + "/" + name
	}
	i.Activity = s.record(g, activity{Description: "Launching a new EC2 instance: " + i.ID, Cause: cause, Status: "InProgress",
		Progress: 30, Details: fmt.Sprintf(`{"Subnet ID":%q,"Availability Zone":%q}`, subnet, zone)})
	i.Due = s.config.Clock.Now().Add(s.config.IDs.Between(launchLow, launchHigh))
	g.Instances = append(g.Instances, i)
	s.touch(g, i)
	s.tell(g, i)
}

func (g *group) templateRef() templateRef {
	if g.Mixed != nil {
		return g.Mixed.LaunchTemplate.Specification
	}
	return g.Template
}

func (g *group) tag(key string) string {
	for _, t := range g.Tags {
		if t.Key == key {
			return t.Value
		}
	}
	return ""
}

func (g *group) propagated() map[string]string {
	tags := map[string]string{"aws:autoscaling:groupName": g.Name}
	for _, t := range g.Tags {
		if t.PropagateAtLaunch {
			tags[t.Key] = t.Value
		}
	}
	return tags
}

// nextPlace spreads instances over the group's subnets, or over its zones.
func (g *group) nextPlace(region string) (zone, subnet string) {
	subnets := strings.FieldsFunc(g.Subnets, func(r rune) bool { return r == ',' || r == ' ' })
	zones := g.Zones
	n := max(len(subnets), len(zones), 1)
	count := make([]int, n)
	for _, i := range g.Instances {
		for at := range n {
			if !i.ending() && (at < len(subnets) && i.Subnet == subnets[at] || len(subnets) == 0 && at < len(zones) && i.Zone == zones[at]) {
				count[at]++
			}
		}
	}
	best := 0
	for at := range n {
		if count[at] < count[best] {
			best = at
		}
	}
	zone = region + string(rune('a'+best%3))
	if best < len(zones) {
		zone = zones[best]
	}
	if best < len(subnets) {
		subnet = subnets[best]
	}
	return zone, subnet
}

var clusterLine = regexp.MustCompile(`(?m)ECS_CLUSTER\s*=\s*["']?([A-Za-z0-9_-]+)`)

// clusterIn reads ECS_CLUSTER=name out of user data, a script in base64.
func clusterIn(userData string) string {
	script, err := base64.StdEncoding.DecodeString(userData)
	if err != nil {
		script = []byte(userData)
	}
	if found := clusterLine.FindSubmatch(script); found != nil {
		return string(found[1])
	}
	return ""
}
