package ecs

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"portolan/local/wire"
)

// task is a task and what is going to become of it.
type task struct {
	View      taskView  `json:"view"`
	Cluster   string    `json:"cluster"`
	Service   string    `json:"service"` // its key, empty for a task of its own
	CPU       int       `json:"cpu"`
	Memory    int       `json:"memory"`
	HostPorts []int     `json:"hostPorts"`
	Balanced  []target  `json:"balanced"`
	Token     string    `json:"token"` // the client token of RunTask
	Fate      string    `json:"fate"`
	Checks    bool      `json:"checks"`  // has a container health check
	Settled   bool      `json:"settled"` // ran long enough, and healthy, to count
	Due       time.Time `json:"due"`     // of the next step
}

// target is where a load balancer finds the task.
type target struct {
	Group string `json:"group"`
	ID    string `json:"id"`
	Port  int    `json:"port"`
	Known bool   `json:"known"` // registered
}

type taskView struct {
	Attachments          []attachment    `json:"attachments"`
	Attributes           []attribute     `json:"attributes"`
	AvailabilityZone     string          `json:"availabilityZone,omitempty"`
	CapacityProviderName string          `json:"capacityProviderName,omitempty"`
	ClusterArn           string          `json:"clusterArn"`
	Connectivity         string          `json:"connectivity,omitempty"`
	ConnectivityAt       *wire.Time      `json:"connectivityAt,omitempty"`
	ContainerInstanceArn string          `json:"containerInstanceArn,omitempty"`
	Containers           []containerView `json:"containers"`
	CPU                  string          `json:"cpu"`
	CreatedAt            wire.Time       `json:"createdAt"`
	DesiredStatus        string          `json:"desiredStatus"`
	EnableExecuteCommand bool            `json:"enableExecuteCommand"`
	ExecutionStoppedAt   *wire.Time      `json:"executionStoppedAt,omitempty"`
	Group                string          `json:"group"`
	HealthStatus         string          `json:"healthStatus"`
	LastStatus           string          `json:"lastStatus"`
	LaunchType           string          `json:"launchType"`
	Memory               string          `json:"memory"`
	Overrides            overrides       `json:"overrides"`
	PlatformVersion      string          `json:"platformVersion,omitempty"`
	PlatformFamily       string          `json:"platformFamily,omitempty"`
	PullStartedAt        *wire.Time      `json:"pullStartedAt,omitempty"`
	PullStoppedAt        *wire.Time      `json:"pullStoppedAt,omitempty"`
	StartedAt            *wire.Time      `json:"startedAt,omitempty"`
	StartedBy            string          `json:"startedBy,omitempty"`
	StopCode             string          `json:"stopCode,omitempty"`
	StoppedAt            *wire.Time      `json:"stoppedAt,omitempty"`
	StoppedReason        string          `json:"stoppedReason,omitempty"`
	StoppingAt           *wire.Time      `json:"stoppingAt,omitempty"`
	Tags                 []tag           `json:"tags"`
	TaskArn              string          `json:"taskArn"`
	TaskDefinitionArn    string          `json:"taskDefinitionArn"`
	Version              int             `json:"version"`
}

// snapshot is the view as it is now, which no later change of the task reaches: it
// is encoded after the lock was given back.
func (v taskView) snapshot() taskView {
	v.Attachments = slices.Clone(v.Attachments)
	for i := range v.Attachments {
		v.Attachments[i].Details = slices.Clone(v.Attachments[i].Details)
	}
	v.Containers = slices.Clone(v.Containers)
	for i := range v.Containers {
		v.Containers[i].NetworkBindings = slices.Clone(v.Containers[i].NetworkBindings)
		v.Containers[i].NetworkInterfaces = slices.Clone(v.Containers[i].NetworkInterfaces)
	}
	return v
}

type attachment struct {
	ID      string    `json:"id"`
	Type    string    `json:"type"`
	Status  string    `json:"status"`
	Details []setting `json:"details"`
}

type attribute struct {
	Name  string `json:"name"`
	Value string `json:"value,omitempty"`
}

type containerView struct {
	ContainerArn      string             `json:"containerArn"`
	TaskArn           string             `json:"taskArn"`
	Name              string             `json:"name"`
	Image             string             `json:"image"`
	ImageDigest       string             `json:"imageDigest,omitempty"`
	RuntimeID         string             `json:"runtimeId,omitempty"`
	LastStatus        string             `json:"lastStatus"`
	ExitCode          *int               `json:"exitCode,omitempty"`
	Reason            string             `json:"reason,omitempty"`
	NetworkBindings   []binding          `json:"networkBindings"`
	NetworkInterfaces []networkInterface `json:"networkInterfaces"`
	HealthStatus      string             `json:"healthStatus"`
	CPU               string             `json:"cpu"`
	Memory            string             `json:"memory,omitempty"`
	MemoryReservation string             `json:"memoryReservation,omitempty"`
}

type binding struct {
	BindIP        string `json:"bindIP"`
	ContainerPort int    `json:"containerPort"`
	HostPort      int    `json:"hostPort"`
	Protocol      string `json:"protocol"`
}

type networkInterface struct {
	AttachmentID       string `json:"attachmentId"`
	PrivateIpv4Address string `json:"privateIpv4Address"`
}

type overrides struct {
	ContainerOverrides []map[string]any `json:"containerOverrides"`
	TaskRoleArn        string           `json:"taskRoleArn,omitempty"`
	ExecutionRoleArn   string           `json:"executionRoleArn,omitempty"`
	CPU                string           `json:"cpu,omitempty"`
	Memory             string           `json:"memory,omitempty"`
}

func (t *task) id() string { return lastOf(t.View.TaskArn) }

// moving tells whether the task must leave its instance.
func (t *task) moving(s *Server) bool {
	i, ok := s.instances[lastOf(t.View.ContainerInstanceArn)]
	return ok && i.View.Status == "DRAINING"
}

// progress orders tasks by how much would be lost with them.
func (t *task) progress() int {
	switch {
	case t.Settled:
		return 3
	case t.View.LastStatus == "RUNNING":
		return 2
	case t.View.LastStatus == "PENDING", t.View.LastStatus == "ACTIVATING":
		return 1
	}
	return 0
}

// taskOrder is what a task is started with.
type taskOrder struct {
	cluster    string
	definition *definition
	spot       spot
	group      string
	startedBy  string
	service    *service
	network    any
	tags       []tag
	overrides  overrides
	execute    bool
}

// start makes a task on its spot and sets it going.
func (s *Server) start(o taskOrder) *task {
	d, id := o.definition, s.config.IDs.Hex(32)
	cpu, memory, _ := d.needs()
	t := &task{Cluster: o.cluster, CPU: cpu, Memory: memory, Fate: s.fateOf(d), Checks: d.checksHealth()}
	t.View = taskView{
		Attachments: []attachment{}, Attributes: []attribute{{"ecs.cpu-architecture", "x86_64"}},
		CapacityProviderName: o.spot.provider, ClusterArn: s.arn("cluster", o.cluster), Containers: []containerView{},
		CPU: strconv.Itoa(cpu), CreatedAt: s.now(), DesiredStatus: "RUNNING", EnableExecuteCommand: o.execute,
		Group: o.group, HealthStatus: "UNKNOWN", LastStatus: "PROVISIONING", LaunchType: o.spot.launchType,
		Memory: strconv.Itoa(memory), Overrides: o.overrides, StartedBy: o.startedBy, Tags: orEmpty(o.tags),
		TaskArn: s.arn("task", o.cluster, id), TaskDefinitionArn: d.Arn, Version: 1,
	}
	t.View.Overrides.ContainerOverrides = orEmpty(o.overrides.ContainerOverrides)
	var taken []int
	if i := o.spot.instance; i != nil {
		t.View.ContainerInstanceArn = i.View.ContainerInstanceArn
		t.View.AvailabilityZone = i.attribute("ecs.availability-zone")
		_, _, taken = s.free(i)
	} else {
		t.View.PlatformVersion, t.View.PlatformFamily = "1.4.0", "Linux"
		t.View.AvailabilityZone = s.config.Region + "a"
	}
	s.addContainers(t, d, taken)
	if o.service != nil {
		t.Service = o.service.key()
		s.balance(t, o)
	}
	if d.NetworkMode == "awsvpc" {
		s.attach(t, o)
	}
	s.tasks[id] = t
	t.Due = s.config.Clock.Now().Add(s.config.IDs.Between(provisionLow, provisionHigh))
	s.changed(t)
	return t
}

func (s *Server) addContainers(t *task, d *definition, taken []int) {
	for _, c := range d.containers() {
		v := containerView{
			ContainerArn: s.arn("container", t.Cluster, t.id(), s.config.IDs.UUID()), TaskArn: t.View.TaskArn,
			Name: c.Name, Image: c.Image, LastStatus: "PENDING", NetworkBindings: []binding{},
			NetworkInterfaces: []networkInterface{}, HealthStatus: "UNKNOWN", CPU: strconv.Itoa(c.CPU),
		}
		if c.Memory != nil {
			v.Memory = strconv.Itoa(*c.Memory)
		}
		if c.MemoryReservation != nil {
			v.MemoryReservation = strconv.Itoa(*c.MemoryReservation)
		}
		if _, digest, ok := strings.Cut(c.Image, "@"); ok {
			v.ImageDigest = digest
		}
		for _, p := range c.Ports {
			if d.NetworkMode == "awsvpc" {
				break
			}
			host := p.HostPort
			if host == 0 {
				host = dynamicPort(taken)
			}
			taken = append(taken, host)
			t.HostPorts = append(t.HostPorts, host)
			v.NetworkBindings = append(v.NetworkBindings, binding{"0.0.0.0", p.ContainerPort, host, p.Protocol})
		}
		t.View.Containers = append(t.View.Containers, v)
	}
}

// balance notes where the service's load balancers will find the task.
func (s *Server) balance(t *task, o taskOrder) {
	for _, lb := range o.service.Settings.LoadBalancers {
		place := target{Group: lb.TargetGroupArn, Port: lb.ContainerPort}
		if i := o.spot.instance; i != nil {
			place.ID = i.View.Ec2InstanceID
		}
		for _, c := range t.View.Containers {
			for _, b := range c.NetworkBindings {
				if c.Name == lb.ContainerName && b.ContainerPort == lb.ContainerPort {
					place.Port = b.HostPort
				}
			}
		}
		t.Balanced = append(t.Balanced, place)
	}
}

// attach gives the task a network interface with an address of its own.
func (s *Server) attach(t *task, o taskOrder) {
	ids := s.config.IDs
	address := "10.0." + strconv.Itoa(int(ids.Between(0, 63*time.Millisecond)/time.Millisecond)) + "." +
		strconv.Itoa(4+int(ids.Between(0, 250*time.Millisecond)/time.Millisecond))
	a := attachment{ID: ids.UUID(), Type: "ElasticNetworkInterface", Status: "PRECREATED", Details: []setting{
		{"subnetId", firstSubnet(o.network)}, {"networkInterfaceId", "eni-" + ids.Hex(17)},
		{"macAddress", "0a:" + ids.Hex(2) + ":" + ids.Hex(2) + ":" + ids.Hex(2) + ":" + ids.Hex(2) + ":" + ids.Hex(2)},
		{"privateIPv4Address", address}}}
	t.View.Attachments = append(t.View.Attachments, a)
	for i := range t.View.Containers {
		t.View.Containers[i].NetworkInterfaces = []networkInterface{{a.ID, address}}
	}
	for i := range t.Balanced {
		t.Balanced[i].ID = address
	}
}

func firstSubnet(network any) string {
	members, _ := network.(map[string]any)
	vpc, _ := members["awsvpcConfiguration"].(map[string]any)
	subnets, _ := vpc["subnets"].([]any)
	if len(subnets) == 0 {
		return "subnet-00000000000000000"
	}
	subnet, _ := subnets[0].(string)
	return subnet
}

// changed keeps the task, tells of its new state, and notes its next step.
func (s *Server) changed(t *task) {
	s.keep(taskBucket, t.id(), t)
	detail := isoTimes(t.View)
	detail["updatedAt"] = iso(s.config.Clock.Now())
	s.emit("ECS Task State Change", []string{t.View.TaskArn}, detail)
	s.note(t)
}

func (s *Server) note(t *task) {
	if t.Due.IsZero() {
		s.agenda.Cancel("task " + t.id())
		return
	}
	s.at("task "+t.id(), t.Due, func() {
		if s.tasks[t.id()] == t {
			s.step(t)
		}
	})
}

// recordRoles tells of the roles that ECS assumes for the task, in sessions that
// are named by the task's id.
func (s *Server) recordRoles(t *task) {
	d, err := s.findDefinition(t.View.TaskDefinitionArn)
	if err != nil || s.config.Roles == nil {
		return
	}
	for _, roles := range [][2]string{
		{t.View.Overrides.ExecutionRoleArn, d.ExecutionRoleArn}, {t.View.Overrides.TaskRoleArn, d.TaskRoleArn},
	} {
		role := roles[0]
		if role == "" {
			role = roles[1]
		}
		if role != "" {
			id := t.id()
			s.after = append(s.after, func() {
				s.config.Roles.RecordAssumeRole(context.Background(), "ecs-tasks.amazonaws.com", role, id)
			})
		}
	}
}
