package swarm

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/swarm"

	"portolan/shared/contract"
	"portolan/shared/orchestrator"
	"portolan/shared/swarm/swarmspec"
)

const (
	mebibyte = 1 << 20
	nanoCPUs = 1_000_000_000 // of one vCPU

	// restartDelay is how long the swarm waits before it starts a task again.
	restartDelay = 5 * time.Second

	// monitorDefault is for how long after its start a task's failure counts against the
	// rollout.
	monitorDefault = 5 * time.Second

	logDriver = "awslogs"
)

// A workload is a release in the swarm's words. References are the ids of what it names.
type workload struct {
	release orchestrator.Release
	facts   orchestrator.SwarmFacts
	region  string
	attempt string
	references
}

// references are the ids of what exists under a name.
type references struct {
	networks, secrets, configs map[string]string
}

// spec is the description of the service, but for its labels.
func (w *workload) spec() swarm.ServiceSpec {
	spec := w.release.Spec
	s := swarm.ServiceSpec{
		Annotations: swarm.Annotations{Name: w.release.Service.Name},
		TaskTemplate: swarm.TaskSpec{
			ContainerSpec: w.container(),
			Resources:     resources(spec),
			RestartPolicy: &swarm.RestartPolicy{Condition: swarm.RestartPolicyConditionAny, Delay: pointer(restartDelay)},
			Placement:     placement(spec),
			LogDriver:     w.logging(),
			Networks:      w.attachments(),
			Runtime:       swarm.RuntimeContainer,
		},
		Mode:           swarm.ServiceMode{Replicated: &swarm.ReplicatedService{Replicas: pointer(uint64(w.release.Replicas))}},
		UpdateConfig:   updateConfig(spec, w.release.Replicas),
		RollbackConfig: updateConfig(spec, w.release.Replicas),
		EndpointSpec:   &swarm.EndpointSpec{Mode: endpointMode(spec), Ports: published(spec)},
	}
	if spec.Mode == contract.Global {
		s.Mode = swarm.ServiceMode{Global: &swarm.GlobalService{}}
	}
	return s
}

func pointer[T any](value T) *T { return &value }

func (w *workload) container() *swarm.ContainerSpec {
	spec := w.release.Spec
	c := &swarm.ContainerSpec{
		Image: w.release.Image, Args: spec.Command, Labels: w.containerLabels(), Mounts: w.mounts(),
		Healthcheck: healthCheck(spec.HealthCheck),
	}
	for _, name := range slices.Sorted(maps.Keys(spec.Environment)) {
		c.Env = append(c.Env, name+"="+spec.Environment[name])
	}
	for _, file := range spec.Swarm.SecretFiles {
		c.Secrets = append(c.Secrets, &swarm.SecretReference{
			SecretID: w.secrets[file.Name], SecretName: file.Name,
			File: &swarm.SecretReferenceFileTarget{Name: orDefault(file.Path, file.Name), UID: "0", GID: "0", Mode: fileMode(file)},
		})
	}
	for _, file := range spec.Swarm.Configs {
		c.Configs = append(c.Configs, &swarm.ConfigReference{
			ConfigID: w.configs[file.Name], ConfigName: file.Name,
			File: &swarm.ConfigReferenceFileTarget{Name: orDefault(file.Path, "/"+file.Name), UID: "0", GID: "0", Mode: fileMode(file)},
		})
	}
	return c
}

// containerLabels tell of which release a task is, and make each attempt at it another.
func (w *workload) containerLabels() map[string]string {
	ref := w.release.Service
	labels := map[string]string{
		labelCluster: ref.Cluster.Name, labelService: ref.Name, labelRelease: strconv.FormatInt(w.release.Number, 10),
	}
	for name, value := range map[string]string{
		labelTeam: ref.Cluster.Team, labelCommit: w.release.Commit, labelAttempt: w.attempt, labelRole: w.release.Spec.Role,
	} {
		if value != "" {
			labels[name] = value
		}
	}
	return labels
}

// resources sets CPU aside and does not limit it, as the other orchestrators do. Memory
// that is limited and not reserved is reserved, too: the swarm places by reservations
// alone.
func resources(spec contract.ServiceSpec) *swarm.ResourceRequirements {
	limit, reservation := spec.Memory.LimitMiB, spec.Memory.ReservationMiB
	if reservation == 0 {
		reservation = limit
	}
	r := &swarm.ResourceRequirements{Reservations: &swarm.Resources{
		NanoCPUs: int64(spec.Cpu) * nanoCPUs / 1024, MemoryBytes: int64(reservation) * mebibyte,
	}}
	if limit > 0 {
		r.Limits = &swarm.Limit{MemoryBytes: int64(limit) * mebibyte}
	}
	return r
}

func healthCheck(check contract.HealthCheck) *container.HealthConfig {
	if len(check.Command) == 0 {
		return nil
	}
	command := check.Command
	if command[0] != "CMD" && command[0] != "CMD-SHELL" {
		command = append([]string{"CMD"}, command...)
	}
	return &container.HealthConfig{
		Test: command, Interval: seconds(check.IntervalSeconds, 30), Timeout: seconds(check.TimeoutSeconds, 5),
		Retries: max(check.Retries, 0) + zero(check.Retries, 3), StartPeriod: seconds(check.StartPeriodSeconds, 0),
	}
}

// zero is the standard where a number is not given.
func zero(number, standard int) int {
	if number == 0 {
		return standard
	}
	return 0
}

func seconds(number, standard int) time.Duration {
	return time.Duration(number+zero(number, standard)) * time.Second
}

func orDefault(value, standard string) string {
	if value == "" {
		return standard
	}
	return value
}

// placement says the constraints and spreads in the swarm's words.
func placement(spec contract.ServiceSpec) *swarm.Placement {
	p := &swarm.Placement{MaxReplicas: uint64(spec.Swarm.ReplicasPerNodeMax)}
	for _, constraint := range spec.Placement.Constraints {
		operator := "=="
		if constraint.Operator == contract.NotIn {
			operator = "!="
		}
		for _, value := range constraint.Values {
			p.Constraints = append(p.Constraints, swarmspec.Attribute(constraint.Attribute)+operator+value)
		}
	}
	spread := func(over string) {
		p.Preferences = append(p.Preferences, swarm.PlacementPreference{Spread: &swarm.SpreadOver{SpreadDescriptor: over}})
	}
	for _, label := range spec.Swarm.Preferences {
		spread(label)
	}
	// The swarm spreads over nodes by itself, last of all.
	if slices.Contains(spec.Placement.Spread, contract.Zone) {
		spread(swarmspec.Attribute("zone"))
	}
	return p
}

// logging sends the tasks' output to where the cluster keeps it.
func (w *workload) logging() *swarm.Driver {
	switch {
	case w.release.Spec.Logging.Driver == contract.None:
		return &swarm.Driver{Name: "none"}
	case w.facts.LogGroup == "":
		return nil
	}
	return &swarm.Driver{Name: logDriver, Options: map[string]string{
		"awslogs-group": w.facts.LogGroup, "awslogs-region": w.region, "tag": w.release.Service.Name + "/{{.Name}}",
	}}
}

func (w *workload) attachments() []swarm.NetworkAttachmentConfig {
	var all []swarm.NetworkAttachmentConfig
	for _, name := range w.release.Spec.Swarm.Networks {
		all = append(all, swarm.NetworkAttachmentConfig{Target: w.networks[name]})
	}
	return all
}

// mounts are the volumes on EFS, which the engine mounts by NFS, and those of the nodes.
func (w *workload) mounts() []mount.Mount {
	var all []mount.Mount
	for _, volume := range w.release.Spec.Volumes {
		address := fmt.Sprintf("%s.efs.%s.amazonaws.com", volume.FileSystemId, w.region)
		all = append(all, mount.Mount{
			Type: mount.TypeVolume, Source: w.release.Service.Name + "-" + volume.Name, Target: volume.ContainerPath, ReadOnly: volume.ReadOnly,
			VolumeOptions: &mount.VolumeOptions{DriverConfig: &mount.Driver{Name: "local", Options: map[string]string{
				"type": "nfs4", "device": ":/", "o": "addr=" + address + ",nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport",
			}}},
		})
	}
	for _, m := range w.release.Spec.Swarm.Mounts {
		if m.Volume == "" {
			all = append(all, mount.Mount{Type: mount.TypeTmpfs, Target: m.ContainerPath, ReadOnly: m.ReadOnly,
				TmpfsOptions: &mount.TmpfsOptions{SizeBytes: int64(m.SizeMiB) * mebibyte}})
			continue
		}
		one := mount.Mount{Type: mount.TypeVolume, Source: m.Volume, Target: m.ContainerPath, ReadOnly: m.ReadOnly}
		if m.Driver != "" {
			one.VolumeOptions = &mount.VolumeOptions{DriverConfig: &mount.Driver{Name: m.Driver}}
		}
		all = append(all, one)
	}
	return all
}
