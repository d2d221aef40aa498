package ecs

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"portolan/local/wire"
)

// digestOf is the digest of an image that is named by a tag. Of one that nobody
// pushed here it is made up, always the same one.
func (s *Server) digestOf(image string) string {
	if s.config.Images != nil {
		if digest, _, ok := s.config.Images.LookUpImage(image); ok {
			return digest
		}
	}
	sum := sha256.Sum256([]byte(image))
	return "sha256:" + hex.EncodeToString(sum[:])
}

type runTaskInput struct {
	serviceInput
	Count     *int      `json:"count"`
	Group     string    `json:"group"`
	StartedBy string    `json:"startedBy"`
	Overrides overrides `json:"overrides"`
}

type tasksOutput struct {
	Tasks    []taskView `json:"tasks"`
	Failures []failure  `json:"failures"`
}

func (s *Server) runTask(in *runTaskInput) (*tasksOutput, error) {
	c, err := s.findCluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	d, err := s.runnable(in.TaskDefinition)
	if err != nil {
		return nil, err
	}
	count := 1
	if in.Count != nil {
		count = *in.Count
	}
	if count < 1 || count > 10 {
		return nil, invalid("Count must be between 1 and 10.")
	}
	if d.NetworkMode == "awsvpc" && in.NetworkConfiguration == nil {
		return nil, invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
	}
	if err := s.checkStrategy(c, in.CapacityProviderStrategy); err != nil {
		return nil, err
	}
	p := placement{cluster: c.Name, definition: d, constraints: in.PlacementConstraints, strategy: in.PlacementStrategy}
	launchType, strategy := launchOf(c, &in.serviceInput)
	if p.launchType = launchType; len(strategy) > 0 {
		p.provider = strategy[0].CapacityProvider
	}
	if p.launchType == "EC2" && len(s.instancesOf(c.Name)) == 0 {
		return nil, invalid("No Container Instances were found in your cluster.")
	}
	return s.runMany(c, in, p, count), nil
}

func (s *Server) runMany(c *cluster, in *runTaskInput, p placement, count int) *tasksOutput {
	group := in.Group
	if group == "" {
		group = "family:" + p.definition.Family
	}
	out := &tasksOutput{Tasks: []taskView{}, Failures: []failure{}}
	if in.ClientToken != "" && s.repeat(c, in.ClientToken, out) {
		return out
	}
	for range count {
		spot, refusal := s.place(p)
		if refusal != "" {
			out.Failures = append(out.Failures, failure{Reason: refusalCode(refusal)})
			continue
		}
		tags := slices.Clone(in.Tags)
		if in.PropagateTags == "TASK_DEFINITION" {
			tags = append(tags, p.definition.Tags...)
		}
		t := s.start(taskOrder{cluster: c.Name, definition: p.definition, spot: spot, group: group,
			startedBy: in.StartedBy, network: in.NetworkConfiguration, tags: tags, overrides: in.Overrides,
			execute: in.EnableExecuteCommand != nil && *in.EnableExecuteCommand})
		t.Token = in.ClientToken
		out.Tasks = append(out.Tasks, t.View.snapshot())
	}
	return out
}

// repeat finds the tasks that a call with the same client token started.
func (s *Server) repeat(c *cluster, token string, out *tasksOutput) bool {
	for _, id := range sortedKeys(s.tasks) {
		if t := s.tasks[id]; t.Cluster == c.Name && t.Token == token {
			out.Tasks = append(out.Tasks, t.View.snapshot())
		}
	}
	return len(out.Tasks) > 0
}

type taskInput struct {
	Cluster string   `json:"cluster"`
	Task    string   `json:"task"`
	Tasks   []string `json:"tasks"`
	Reason  string   `json:"reason"`
	Include []string `json:"include"`
}

type taskOutput struct {
	Task taskView `json:"task"`
}

func (s *Server) stopTask(in *taskInput) (*taskOutput, error) {
	c, err := s.findCluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	t, ok := s.tasks[lastOf(in.Task)]
	if !ok || t.Cluster != c.Name {
		return nil, errNoTask
	}
	reason := in.Reason
	if reason == "" {
		reason = "Task stopped by user"
	}
	s.stop(t, "UserInitiated", reason)
	if v, ok := s.services[t.Service]; ok {
		v.Steady = false
		s.wake(v, reaction)
	}
	return &taskOutput{t.View.snapshot()}, nil
}

func (s *Server) describeTasks(in *taskInput) (*tasksOutput, error) {
	c, err := s.findCluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	if len(in.Tasks) == 0 {
		return nil, invalid("Tasks cannot be empty.")
	}
	if len(in.Tasks) > 100 {
		return nil, invalid("Tasks cannot be more than 100.")
	}
	out := &tasksOutput{Tasks: []taskView{}, Failures: []failure{}}
	for _, ref := range in.Tasks {
		t, ok := s.tasks[lastOf(ref)]
		if !ok || t.Cluster != c.Name {
			out.Failures = append(out.Failures, failure{Arn: s.arn("task", c.Name, lastOf(ref)), Reason: "MISSING"})
			continue
		}
		v := t.View.snapshot()
		if !slices.Contains(in.Include, "TAGS") {
			v.Tags = []tag{}
		}
		out.Tasks = append(out.Tasks, v)
	}
	return out, nil
}

type listTasksInput struct {
	paging
	Cluster           string `json:"cluster"`
	ContainerInstance string `json:"containerInstance"`
	Family            string `json:"family"`
	StartedBy         string `json:"startedBy"`
	ServiceName       string `json:"serviceName"`
	DesiredStatus     string `json:"desiredStatus"`
	LaunchType        string `json:"launchType"`
}

type listTasksOutput struct {
	TaskArns  []string `json:"taskArns"`
	NextToken string   `json:"nextToken,omitempty"`
}

func (s *Server) listTasks(in *listTasksInput) (*listTasksOutput, error) {
	c, err := s.findCluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	if in.ServiceName != "" {
		if _, ok := s.findService(c, in.ServiceName); !ok {
			return nil, errNoService
		}
	}
	if in.DesiredStatus == "" {
		in.DesiredStatus = "RUNNING"
	}
	var arns []string
	for _, id := range sortedKeys(s.tasks) {
		if t := s.tasks[id]; t.Cluster == c.Name && in.selects(t) {
			arns = append(arns, t.View.TaskArn)
		}
	}
	page, next, err := in.cut(arns, 100)
	return &listTasksOutput{TaskArns: page, NextToken: next}, err
}

func (in *listTasksInput) selects(t *task) bool {
	family, _, _ := cutLast(lastOf(t.View.TaskDefinitionArn), ":")
	return t.View.DesiredStatus == in.DesiredStatus &&
		(in.ContainerInstance == "" || lastOf(in.ContainerInstance) == lastOf(t.View.ContainerInstanceArn)) &&
		(in.Family == "" || in.Family == family) &&
		(in.StartedBy == "" || in.StartedBy == t.View.StartedBy) &&
		(in.ServiceName == "" || "service:"+lastOf(in.ServiceName) == t.View.Group) &&
		(in.LaunchType == "" || in.LaunchType == t.View.LaunchType)
}

func cutLast(s, sep string) (before, after string, found bool) {
	for i := len(s) - len(sep); i >= 0; i-- {
		if s[i:i+len(sep)] == sep {
			return s[:i], s[i+len(sep):], true
		}
	}
	return s, "", false
}

// tagsInput names a resource of any kind by its ARN.
type tagsInput struct {
	ResourceArn string   `json:"resourceArn"`
	Tags        []tag    `json:"tags"`
	TagKeys     []string `json:"tagKeys"`
}

type tagsOutput struct {
	Tags []tag `json:"tags"`
}

type nothing struct{}

// tagged finds the tags of whatever the ARN names, and how to keep them.
func (s *Server) tagged(arn string) (tags *[]tag, keep func(), err error) {
	for _, c := range s.clusters {
		if c.ARN == arn && c.Status == "ACTIVE" {
			return &c.Tags, func() { s.keep(clusterBucket, c.Name, c) }, nil
		}
	}
	for _, v := range s.services {
		if v.ARN == arn && v.Status != "INACTIVE" {
			return &v.Tags, func() { s.keep(serviceBucket, v.key(), v) }, nil
		}
	}
	for _, family := range s.families {
		for _, d := range family {
			if d.Arn == arn {
				return &d.Tags, func() { s.keep(definitionBucket, d.name(), d) }, nil
			}
		}
	}
	if p, ok := s.providers[lastOf(arn)]; ok && p.Arn == arn {
		return &p.Tags, func() { s.keep(providerBucket, p.Name, p) }, nil
	}
	if t, ok := s.tasks[lastOf(arn)]; ok && t.View.TaskArn == arn {
		return &t.View.Tags, func() { s.keep(taskBucket, t.id(), t) }, nil
	}
	if i, ok := s.instances[lastOf(arn)]; ok && i.View.ContainerInstanceArn == arn {
		return &i.View.Tags, func() { s.keep(instanceBucket, lastOf(arn), i) }, nil
	}
	return nil, nil, wire.Errorf("InvalidParameterException", "The specified resource '%s' was not found.", arn)
}

func (s *Server) tagResource(in *tagsInput) (*nothing, error) {
	tags, keep, err := s.tagged(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	for _, t := range in.Tags {
		*tags = append(slices.DeleteFunc(*tags, func(old tag) bool { return old.Key == t.Key }), t)
	}
	keep()
	return &nothing{}, nil
}

func (s *Server) untagResource(in *tagsInput) (*nothing, error) {
	tags, keep, err := s.tagged(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	*tags = slices.DeleteFunc(*tags, func(old tag) bool { return slices.Contains(in.TagKeys, old.Key) })
	keep()
	return &nothing{}, nil
}

func (s *Server) listTagsForResource(in *tagsInput) (*tagsOutput, error) {
	tags, _, err := s.tagged(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return &tagsOutput{Tags: append([]tag{}, *tags...)}, nil
}
