package ecs

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"portolan/local/wire"
)

// definition is a task definition. Containers are kept as they came, so that
// what the embedded AWS has no use for is answered again all the same.
type definition struct {
	Arn                     string           `json:"taskDefinitionArn"`
	ContainerDefinitions    []map[string]any `json:"containerDefinitions"`
	Family                  string           `json:"family"`
	TaskRoleArn             string           `json:"taskRoleArn,omitempty"`
	ExecutionRoleArn        string           `json:"executionRoleArn,omitempty"`
	NetworkMode             string           `json:"networkMode,omitempty"`
	Revision                int              `json:"revision"`
	Volumes                 []any            `json:"volumes"`
	Status                  string           `json:"status"`
	RequiresAttributes      []any            `json:"requiresAttributes,omitempty"`
	PlacementConstraints    []any            `json:"placementConstraints"`
	Compatibilities         []string         `json:"compatibilities"`
	RequiresCompatibilities []string         `json:"requiresCompatibilities,omitempty"`
	CPU                     string           `json:"cpu,omitempty"`
	Memory                  string           `json:"memory,omitempty"`
	RuntimePlatform         any              `json:"runtimePlatform,omitempty"`
	EphemeralStorage        any              `json:"ephemeralStorage,omitempty"`
	PidMode                 string           `json:"pidMode,omitempty"`
	IpcMode                 string           `json:"ipcMode,omitempty"`
	ProxyConfiguration      any              `json:"proxyConfiguration,omitempty"`
	RegisteredAt            *wire.Time       `json:"registeredAt,omitempty"`
	RegisteredBy            string           `json:"registeredBy,omitempty"`
	DeregisteredAt          *wire.Time       `json:"deregisteredAt,omitempty"`
	Tags                    []tag            `json:"storedTags,omitempty"`
}

// container is what of a container definition decides where and how it runs.
type container struct {
	Name              string   `json:"name"`
	Image             string   `json:"image"`
	CPU               int      `json:"cpu"`
	Memory            *int     `json:"memory"`
	MemoryReservation *int     `json:"memoryReservation"`
	Essential         *bool    `json:"essential"`
	Ports             []port   `json:"portMappings"`
	HealthCheck       *command `json:"healthCheck"`
}

type port struct {
	ContainerPort int    `json:"containerPort"`
	HostPort      int    `json:"hostPort"`
	Protocol      string `json:"protocol"`
}

type command struct {
	Command []string `json:"command"`
}

func (d *definition) containers() []container {
	raw, _ := json.Marshal(d.ContainerDefinitions)
	var list []container
	_ = json.Unmarshal(raw, &list) // It was checked when it was registered.
	return list
}

// needs is what one task takes of an instance: CPU units, MiB, and host ports.
func (d *definition) needs() (cpu, memory int, ports []int) {
	for _, c := range d.containers() {
		cpu += c.CPU
		switch {
		case c.MemoryReservation != nil:
			memory += *c.MemoryReservation
		case c.Memory != nil:
			memory += *c.Memory
		}
		for _, p := range c.Ports {
			if p.HostPort != 0 && d.NetworkMode != "awsvpc" {
				ports = append(ports, p.HostPort)
			}
		}
	}
	if n, err := strconv.Atoi(d.CPU); err == nil && n > 0 {
		cpu = n
	}
	if n, err := strconv.Atoi(d.Memory); err == nil && n > 0 {
		memory = n
	}
	return cpu, memory, ports
}

// fateOf is what the images' names and tags say of how the task fares.
func (s *Server) fateOf(d *definition) string {
	names := ""
	for _, c := range d.containers() {
		names += " " + c.Image
		if s.config.Images != nil {
			_, tags, _ := s.config.Images.LookUpImage(c.Image)
			names += " " + strings.Join(tags, " ")
		}
	}
	for _, word := range []string{"pull-fail", "crash", "unhealthy", exitsWell, exitsBadly} {
		if strings.Contains(names, word) {
			return word
		}
	}
	return ""
}

// checksHealth tells whether the task has a health state of its own.
func (d *definition) checksHealth() bool {
	return slices.ContainsFunc(d.containers(), func(c container) bool { return c.HealthCheck != nil })
}

func (d *definition) name() string { return d.Family + ":" + strconv.Itoa(d.Revision) }

type registerInput struct {
	definition
	Tags []tag `json:"tags"`
}

type definitionOutput struct {
	TaskDefinition definition `json:"taskDefinition"`
	Tags           []tag      `json:"tags,omitempty"`
}

func (d *definition) output(tags bool) *definitionOutput {
	out := &definitionOutput{TaskDefinition: *d}
	out.TaskDefinition.Tags = nil
	if tags {
		out.Tags = orEmpty(d.Tags)
	}
	return out
}

func (s *Server) registerTaskDefinition(in *registerInput) (*definitionOutput, error) {
	d := in.definition
	if !name255.MatchString(d.Family) {
		return nil, client("Family contains invalid characters.")
	}
	if err := d.check(); err != nil {
		return nil, err
	}
	revisions := s.families[d.Family]
	d.Revision = 1
	if n := len(revisions); n > 0 {
		d.Revision = revisions[n-1].Revision + 1
	}
	d.Arn = s.arn("task-definition", d.name())
	d.Status, d.RegisteredAt, d.DeregisteredAt = "ACTIVE", pointer(s.now()), nil
	d.Volumes, d.PlacementConstraints = orEmpty(d.Volumes), orEmpty(d.PlacementConstraints)
	d.Tags = in.Tags
	d.complete()
	s.families[d.Family] = append(revisions, &d)
	s.keep(definitionBucket, d.name(), &d)
	return d.output(len(in.Tags) > 0), nil
}

// complete fills in what ECS answers though nobody asked for it.
func (d *definition) complete() {
	d.Compatibilities = []string{"EC2"}
	if d.NetworkMode == "awsvpc" && d.CPU != "" && d.Memory != "" {
		d.Compatibilities = append(d.Compatibilities, "FARGATE")
	}
	for _, c := range d.ContainerDefinitions {
		for name, value := range map[string]any{"cpu": 0, "essential": true, "portMappings": []any{},
			"environment": []any{}, "mountPoints": []any{}, "volumesFrom": []any{}, "systemControls": []any{}} {
			if _, ok := c[name]; !ok {
				c[name] = value
			}
		}
		ports, _ := c["portMappings"].([]any)
		for _, p := range ports {
			d.completePort(p)
		}
	}
}

func (d *definition) completePort(p any) {
	members, ok := p.(map[string]any)
	if !ok {
		return
	}
	if _, ok := members["protocol"]; !ok {
		members["protocol"] = "tcp"
	}
	if _, ok := members["hostPort"]; !ok {
		members["hostPort"] = 0
		if d.NetworkMode == "awsvpc" || d.NetworkMode == "host" {
			members["hostPort"] = members["containerPort"]
		}
	}
}

func (d *definition) check() error {
	raw, err := json.Marshal(d.ContainerDefinitions)
	if err != nil {
		return client("%v", err)
	}
	var containers []container
	if err := json.Unmarshal(raw, &containers); err != nil {
		return wire.Errorf("SerializationException", "%v", err)
	}
	if len(containers) == 0 {
		return client("Container list cannot be empty.")
	}
	if !slices.Contains([]string{"", "bridge", "host", "awsvpc", "none"}, d.NetworkMode) {
		return client("Invalid network mode: %s", d.NetworkMode)
	}
	essential := false
	seen := map[string]bool{}
	for _, c := range containers {
		if err := d.checkContainer(c); err != nil {
			return err
		}
		if seen[c.Name] {
			return client("Container definitions contain duplicate names: %s", c.Name)
		}
		seen[c.Name] = true
		essential = essential || c.Essential == nil || *c.Essential
	}
	if !essential {
		return client("At least one container must be essential.")
	}
	return d.checkFargate()
}

var containerName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`)

func (d *definition) checkContainer(c container) error {
	switch {
	case !containerName.MatchString(c.Name):
		return client("Invalid 'name' setting for container: '%s'.", c.Name)
	case c.Image == "":
		return client("Container.image should not be null or empty.")
	case d.Memory == "" && c.Memory == nil && c.MemoryReservation == nil:
		return client("Invalid setting for container '%s'. At least one of 'memory' or 'memoryReservation' must be specified.", c.Name)
	case c.Memory != nil && *c.Memory < 6:
		return client("Invalid setting for container '%s'. 'memory' must be at least 6 MiB.", c.Name)
	case c.Memory != nil && c.MemoryReservation != nil && *c.MemoryReservation > *c.Memory:
		return client("Invalid setting for container '%s'. 'memory' must be greater than 'memoryReservation'.", c.Name)
	}
	for _, p := range c.Ports {
		if p.ContainerPort < 0 || p.ContainerPort > 65535 || p.HostPort < 0 || p.HostPort > 65535 {
			return client("Invalid port setting for container '%s'. Ports must be between 0 and 65535.", c.Name)
		}
		if d.NetworkMode == "awsvpc" && p.HostPort != 0 && p.HostPort != p.ContainerPort {
			return client("When networkMode=awsvpc, the host ports and container ports in port mappings must match.")
		}
	}
	return nil
}

func (d *definition) checkFargate() error {
	if !slices.Contains(d.RequiresCompatibilities, "FARGATE") {
		return nil
	}
	switch {
	case d.CPU == "":
		return client("Fargate requires that 'cpu' be defined at the task level.")
	case d.Memory == "":
		return client("Fargate requires that 'memory' be defined at the task level.")
	case d.NetworkMode != "awsvpc":
		return client("Fargate only supports network mode ‘awsvpc’.")
	case !fargateSize(d.CPU, d.Memory):
		return client("No Fargate configuration exists for given values: %s CPU, %s memory. See the Amazon ECS "+
			"documentation for the valid values.", d.CPU, d.Memory)
	}
	return nil
}

// fargateSize knows the sizes that Fargate has, in CPU units and MiB.
func fargateSize(cpu, memory string) bool {
	units, err1 := strconv.Atoi(cpu)
	mib, err2 := strconv.Atoi(memory)
	if err1 != nil || err2 != nil {
		return false
	}
	between := func(low, high, step int) bool { return mib >= low && mib <= high && mib%step == 0 }
	switch units {
	case 256:
		return mib == 512 || mib == 1024 || mib == 2048
	case 512:
		return between(1024, 4096, 1024)
	case 1024:
		return between(2048, 8192, 1024)
	case 2048:
		return between(4096, 16384, 1024)
	case 4096:
		return between(8192, 30720, 1024)
	case 8192:
		return between(16384, 61440, 4096)
	case 16384:
		return between(32768, 122880, 8192)
	}
	return false
}

// findDefinition takes an ARN, family:revision, or a family for its newest
// active revision.
func (s *Server) findDefinition(ref string) (*definition, error) {
	family, revision, exact := strings.Cut(lastOf(ref), ":")
	revisions := s.families[family]
	if exact {
		n, err := strconv.Atoi(revision)
		at := slices.IndexFunc(revisions, func(d *definition) bool { return d.Revision == n })
		if err != nil || at < 0 {
			return nil, client("Unable to describe task definition.")
		}
		return revisions[at], nil
	}
	for _, d := range slices.Backward(revisions) {
		if d.Status == "ACTIVE" {
			return d, nil
		}
	}
	return nil, client("Unable to describe task definition.")
}

// runnable is findDefinition for what starts tasks.
func (s *Server) runnable(ref string) (*definition, error) {
	if ref == "" {
		return nil, invalid("TaskDefinition can not be blank.")
	}
	d, err := s.findDefinition(ref)
	if err != nil {
		return nil, client("TaskDefinition not found.")
	}
	if d.Status != "ACTIVE" {
		return nil, client("TaskDefinition is inactive")
	}
	return d, nil
}
