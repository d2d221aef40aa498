package ecs

import (
	"context"
	"slices"

	"portolan/local/wire"
)

// instance is a container instance: an EC2 instance whose agent registered.
type instance struct {
	View    instanceView `json:"view"`
	Cluster string       `json:"cluster"`
	Group   string       `json:"group"` // its Auto Scaling group
	CPU     int          `json:"cpu"`
	Memory  int          `json:"memory"`
}

type instanceView struct {
	ContainerInstanceArn string            `json:"containerInstanceArn"`
	Ec2InstanceID        string            `json:"ec2InstanceId"`
	CapacityProviderName string            `json:"capacityProviderName,omitempty"`
	Version              int               `json:"version"`
	VersionInfo          map[string]string `json:"versionInfo"`
	RemainingResources   []resource        `json:"remainingResources"`
	RegisteredResources  []resource        `json:"registeredResources"`
	Status               string            `json:"status"`
	AgentConnected       bool              `json:"agentConnected"`
	RunningTasksCount    int               `json:"runningTasksCount"`
	PendingTasksCount    int               `json:"pendingTasksCount"`
	Attributes           []attribute       `json:"attributes"`
	RegisteredAt         wire.Time         `json:"registeredAt"`
	Attachments          []any             `json:"attachments"`
	Tags                 []tag             `json:"tags"`
}

type resource struct {
	Name           string   `json:"name"`
	Type           string   `json:"type"`
	DoubleValue    float64  `json:"doubleValue"`
	LongValue      int      `json:"longValue"`
	IntegerValue   int      `json:"integerValue"`
	StringSetValue []string `json:"stringSetValue,omitempty"`
}

func resources(cpu, memory int, ports []int) []resource {
	return []resource{
		{Name: "CPU", Type: "INTEGER", IntegerValue: cpu},
		{Name: "MEMORY", Type: "INTEGER", IntegerValue: memory},
		{Name: "PORTS", Type: "STRINGSET", StringSetValue: portsText(ports)},
		{Name: "PORTS_UDP", Type: "STRINGSET", StringSetValue: []string{}},
	}
}

func (i *instance) attribute(name string) string {
	for _, a := range i.View.Attributes {
		if a.Name == name {
			return a.Value
		}
	}
	return ""
}

// A Registration is what an instance's agent tells when it starts.
type Registration struct {
	Cluster          string // name
	EC2InstanceID    string
	InstanceType     string
	AvailabilityZone string
	CPU              int // units, 1024 for each core
	Memory           int // MiB that are left for tasks
	AutoScalingGroup string
}

// RegisterInstance adds a container instance, as the agent of a new EC2 instance
// does. Registering one again changes nothing. A cluster that does not exist is
// a ClusterNotFoundException, after which an agent tries again.
func (s *Server) RegisterInstance(_ context.Context, r Registration) (arn string, err error) {
	changeErr := s.change(func() {
		var c *cluster
		if c, err = s.findCluster(r.Cluster); err != nil {
			return
		}
		if old := s.byEC2ID(r.EC2InstanceID); old != nil {
			arn = old.View.ContainerInstanceArn
			return
		}
		arn = s.addInstance(c, r).View.ContainerInstanceArn
	})
	if err == nil {
		err = changeErr
	}
	return arn, err
}

func (s *Server) byEC2ID(id string) *instance {
	for _, i := range s.instances {
		if i.View.Ec2InstanceID == id && i.View.Status != "INACTIVE" {
			return i
		}
	}
	return nil
}

// ClusterOf is the name of the cluster in which an instance is registered, by its id in EC2 or
// that of the container instance; empty where it is in none.
func (s *Server) ClusterOf(instance string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.instances[instance]
	if i == nil {
		i = s.byEC2ID(instance)
	}
	if i == nil {
		return ""
	}
	return i.Cluster
}

func (s *Server) addInstance(c *cluster, r Registration) *instance {
	id := s.config.IDs.Hex(32)
	i := &instance{Cluster: c.Name, Group: r.AutoScalingGroup, CPU: r.CPU, Memory: r.Memory}
	i.View = instanceView{
		ContainerInstanceArn: s.arn("container-instance", c.Name, id), Ec2InstanceID: r.EC2InstanceID, Version: 1,
		VersionInfo: map[string]string{"agentVersion": "1.102.0", "dockerVersion": "DockerVersion: 25.0.13"},
		Status:      "ACTIVE", AgentConnected: true, RegisteredAt: s.now(), Attachments: []any{}, Tags: []tag{},
		RegisteredResources: resources(r.CPU, r.Memory, agentPorts),
		Attributes: []attribute{
			{"ecs.ami-id", "ami-0abcdef1234567890"}, {"ecs.availability-zone", r.AvailabilityZone},
			{"ecs.cpu-architecture", "x86_64"}, {"ecs.instance-type", r.InstanceType}, {"ecs.os-family", "LINUX"},
			{"ecs.os-type", "linux"},
		},
	}
	for _, name := range c.Providers {
		if p, ok := s.providers[name]; ok && r.AutoScalingGroup != "" && p.group() == r.AutoScalingGroup {
			i.View.CapacityProviderName = name
		}
	}
	s.instances[id] = i
	s.instanceChanged(i)
	s.roomMade(c.Name)
	s.wakeDaemons(c.Name)
	return i
}

func (s *Server) wakeDaemons(cluster string) {
	for _, key := range sortedKeys(s.services) {
		if v := s.services[key]; v.Cluster == cluster && v.Scheduling == "DAEMON" && v.Status == "ACTIVE" {
			s.wake(v, reaction)
		}
	}
}

// InstanceGone tells that an EC2 instance was terminated or died: its tasks stop
// at once, and its container instance is deregistered.
func (s *Server) InstanceGone(_ context.Context, ec2InstanceID string) {
	_ = s.change(func() {
		if i := s.byEC2ID(ec2InstanceID); i != nil {
			s.remove(i, "TerminationNotice", "Host EC2 (instance "+ec2InstanceID+") terminated.")
		}
	})
}

// remove ends the instance's tasks where they stand.
func (s *Server) remove(i *instance, code, reason string) {
	for _, t := range s.tasksOn(i) {
		if t.View.DesiredStatus == "RUNNING" {
			t.View.StopCode, t.View.StoppedReason = code, reason
			t.View.DesiredStatus, t.View.StoppingAt = "STOPPED", pointer(s.now())
		}
		t.Settled = false
		for n := range t.Balanced {
			s.deregister(&t.Balanced[n])
		}
		s.stopped(t)
	}
	i.View.Status, i.View.AgentConnected = "INACTIVE", false
	s.instanceChanged(i)
	delete(s.instances, lastOf(i.View.ContainerInstanceArn))
	s.keep(instanceBucket, lastOf(i.View.ContainerInstanceArn), nil)
	s.wakeDaemons(i.Cluster)
}

// tasksOn are the tasks that have not stopped, in the order of their ids.
func (s *Server) tasksOn(i *instance) []*task {
	var tasks []*task
	for _, id := range sortedKeys(s.tasks) {
		t := s.tasks[id]
		if t.View.ContainerInstanceArn == i.View.ContainerInstanceArn && t.View.LastStatus != "STOPPED" {
			tasks = append(tasks, t)
		}
	}
	return tasks
}

func (s *Server) instancesOf(cluster string) []*instance {
	var list []*instance
	for _, id := range sortedKeys(s.instances) {
		if s.instances[id].Cluster == cluster {
			list = append(list, s.instances[id])
		}
	}
	return list
}

func (s *Server) instanceChanged(i *instance) {
	i.View.Version++
	s.keep(instanceBucket, lastOf(i.View.ContainerInstanceArn), i)
	detail := isoTimes(s.instanceView(i))
	detail["clusterArn"] = s.arn("cluster", i.Cluster)
	detail["updatedAt"] = iso(s.config.Clock.Now())
	s.emit("ECS Container Instance State Change", []string{i.View.ContainerInstanceArn}, detail)
}

func (s *Server) instanceView(i *instance) instanceView {
	v := i.View
	cpu, memory, ports := s.free(i)
	slices.Sort(ports)
	v.RemainingResources = resources(cpu, memory, ports)
	for _, t := range s.tasksOn(i) {
		switch t.View.LastStatus {
		case "RUNNING":
			v.RunningTasksCount++
		case "PROVISIONING", "PENDING", "ACTIVATING":
			v.PendingTasksCount++
		}
	}
	return v
}

type instancesInput struct {
	Cluster            string   `json:"cluster"`
	ContainerInstances []string `json:"containerInstances"`
	ContainerInstance  string   `json:"containerInstance"`
	Status             string   `json:"status"`
	Force              bool     `json:"force"`
	Include            []string `json:"include"`
	Filter             string   `json:"filter"`
	paging
}

type listInstancesOutput struct {
	ContainerInstanceArns []string `json:"containerInstanceArns"`
	NextToken             string   `json:"nextToken,omitempty"`
}

func (s *Server) listContainerInstances(in *instancesInput) (*listInstancesOutput, error) {
	c, err := s.findCluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	var arns []string
	for _, i := range s.instancesOf(c.Name) {
		fits := in.Status == "" || i.View.Status == in.Status
		if fits && (in.Filter == "" || i.member(in.Filter)) {
			arns = append(arns, i.View.ContainerInstanceArn)
		}
	}
	page, next, err := in.cut(arns, 100)
	return &listInstancesOutput{ContainerInstanceArns: page, NextToken: next}, err
}

type instancesOutput struct {
	ContainerInstances []instanceView `json:"containerInstances"`
	Failures           []failure      `json:"failures"`
}

// eachInstance calls fn for the instances that the input names.
func (s *Server) eachInstance(in *instancesInput, most int, fn func(*instance)) (*instancesOutput, error) {
	c, err := s.findCluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	if len(in.ContainerInstances) == 0 {
		return nil, invalid("Container Instances cannot be empty.")
	}
	if len(in.ContainerInstances) > most {
		return nil, invalid("instanceIds cannot have more than %d elements.", most)
	}
	out := &instancesOutput{ContainerInstances: []instanceView{}, Failures: []failure{}}
	for _, ref := range in.ContainerInstances {
		i, ok := s.instances[lastOf(ref)]
		if !ok || i.Cluster != c.Name {
			out.Failures = append(out.Failures, failure{Arn: s.arn("container-instance", c.Name, lastOf(ref)), Reason: "MISSING"})
			continue
		}
		fn(i)
		out.ContainerInstances = append(out.ContainerInstances, s.instanceView(i))
	}
	return out, nil
}

func (s *Server) describeContainerInstances(in *instancesInput) (*instancesOutput, error) {
	return s.eachInstance(in, 100, func(*instance) {})
}

func (s *Server) updateContainerInstancesState(in *instancesInput) (*instancesOutput, error) {
	if in.Status != "ACTIVE" && in.Status != "DRAINING" {
		return nil, invalid("Container instance status should be one of [ACTIVE, DRAINING]")
	}
	out, err := s.eachInstance(in, 10, func(i *instance) {
		if i.View.Status != in.Status {
			i.View.Status = in.Status
			s.instanceChanged(i)
		}
	})
	if err != nil {
		return nil, err
	}
	for _, key := range sortedKeys(s.services) {
		if v := s.services[key]; v.Status == "ACTIVE" && v.Cluster == s.clusterOf(in.Cluster) {
			s.wake(v, reaction)
		}
	}
	return out, nil
}

func (s *Server) clusterOf(ref string) string {
	c, err := s.findCluster(ref)
	if err != nil {
		return ""
	}
	return c.Name
}

type instanceOutput struct {
	ContainerInstance instanceView `json:"containerInstance"`
}

func (s *Server) deregisterContainerInstance(in *instancesInput) (*instanceOutput, error) {
	c, err := s.findCluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	i, ok := s.instances[lastOf(in.ContainerInstance)]
	if !ok || i.Cluster != c.Name {
		return nil, errNoInstance
	}
	if len(s.tasksOn(i)) > 0 && !in.Force {
		return nil, invalid("Found running tasks on the instance.")
	}
	s.remove(i, "ServiceSchedulerInitiated", "Container instance was deregistered forcibly by user.")
	return &instanceOutput{s.instanceView(i)}, nil
}
