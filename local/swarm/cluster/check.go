package cluster

import (
	"strings"
	"time"

	"github.com/distribution/reference"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/swarm"
)

func refuse(format string, args ...any) error { return rpc(invalidArgument, format, args...) }

// check refuses what a manager refuses of a description.
func check(spec swarm.ServiceSpec) error {
	for _, err := range []error{
		checkResources(spec.TaskTemplate.Resources), checkRestart(spec.TaskTemplate.RestartPolicy),
		checkPlacement(spec.TaskTemplate.Placement), checkTargets(spec.TaskTemplate.ContainerSpec),
		checkContainer(spec.TaskTemplate.ContainerSpec), checkUpdate(spec.UpdateConfig), checkUpdate(spec.RollbackConfig),
		checkEndpoint(spec.EndpointSpec), checkMode(spec.Mode), checkName(spec.Name),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

func checkResources(r *swarm.ResourceRequirements) error {
	if r == nil {
		return nil
	}
	if l := r.Limits; l != nil {
		if err := checkAmounts(l.NanoCPUs, l.MemoryBytes); err != nil {
			return err
		}
	}
	if l := r.Reservations; l != nil {
		return checkAmounts(l.NanoCPUs, l.MemoryBytes)
	}
	return nil
}

func checkAmounts(cpus, memory int64) error {
	switch {
	case cpus != 0 && cpus < 1e6:
		return refuse("invalid cpu value %g: Must be at least %g", float64(cpus)/1e9, 1e6/1e9)
	case memory != 0 && memory < 4*1024*1024:
		return refuse("invalid memory value %d: Must be at least 4MiB", memory)
	}
	return nil
}

func checkRestart(p *swarm.RestartPolicy) error {
	switch {
	case p == nil:
	case p.Delay != nil && *p.Delay < 0:
		return refuse("TaskSpec: restart-delay cannot be negative")
	case p.Window != nil && *p.Window < 0:
		return refuse("TaskSpec: restart-window cannot be negative")
	}
	return nil
}

func checkPlacement(p *swarm.Placement) error {
	if p == nil {
		return nil
	}
	if _, err := parseConstraints(p.Constraints); err != nil {
		return rpc(unknown, "%s", err)
	}
	return nil
}

func checkContainer(spec *swarm.ContainerSpec) error {
	if spec.Image == "" {
		return refuse("ContainerSpec: image reference must be provided")
	}
	if _, err := reference.ParseNormalizedNamed(spec.Image); err != nil {
		return refuse("ContainerSpec: %q is not a valid repository/tag", spec.Image)
	}
	targets := map[string]bool{}
	for _, m := range spec.Mounts {
		if targets[m.Target] {
			return refuse("ContainerSpec: duplicate mount point: %s", m.Target)
		}
		targets[m.Target] = true
	}
	return checkHealth(spec.Healthcheck)
}

func checkHealth(h *container.HealthConfig) error {
	if h == nil {
		return nil
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"Interval", h.Interval}, {"Timeout", h.Timeout}, {"StartPeriod", h.StartPeriod}} {
		if d.value != 0 && d.value < time.Millisecond {
			return refuse("ContainerSpec: %s in HealthConfig cannot be less than %s", d.name, time.Millisecond)
		}
	}
	if h.Retries < 0 {
		return refuse("ContainerSpec: Retries in HealthConfig cannot be negative")
	}
	return nil
}

func checkUpdate(u *swarm.UpdateConfig) error {
	switch {
	case u == nil:
	case u.Delay < 0:
		return refuse("TaskSpec: update-delay cannot be negative")
	case u.Monitor < 0:
		return refuse("TaskSpec: update-monitor cannot be negative")
	case u.MaxFailureRatio < 0 || u.MaxFailureRatio > 1:
		return refuse("TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1")
	}
	return nil
}

func checkEndpoint(e *swarm.EndpointSpec) error {
	taken := map[portKey]bool{}
	for _, p := range portsOf(e) {
		if e.Mode == swarm.ResolutionModeDNSRR && p.PublishMode == swarm.PortConfigPublishModeIngress {
			return refuse("EndpointSpec: port published with ingress mode can't be used with dnsrr mode")
		}
		if p.PublishedPort == 0 {
			continue
		}
		if taken[keyOf(p)] {
			return refuse("EndpointSpec: duplicate published ports provided")
		}
		taken[keyOf(p)] = true
	}
	return nil
}

func checkMode(m swarm.ServiceMode) error {
	switch {
	case m.Replicated != nil && int64(*m.Replicated.Replicas) < 0:
		return refuse("Number of replicas must be non-negative")
	case m.ReplicatedJob != nil && int64(*m.ReplicatedJob.MaxConcurrent) < 0:
		return refuse("Maximum concurrent jobs must not be negative")
	case m.ReplicatedJob != nil && int64(*m.ReplicatedJob.TotalCompletions) < 0:
		return refuse("Total completed jobs must not be negative")
	}
	return nil
}

// nameMax is how long a name may be, which has to be one of DNS.
const nameMax = 63

func checkName(name string) error {
	ok := len(name) <= nameMax && name != ""
	for i, r := range name {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !letter && (i == 0 || i == len(name)-1 || r != '-' && r != '_') {
			ok = false
		}
	}
	if !ok {
		return refuse("name must be valid as a DNS name component")
	}
	return nil
}

// checkTargets refuses references to secrets and configs that cannot all be there.
func checkTargets(spec *swarm.ContainerSpec) error {
	taken := map[string]string{}
	for _, s := range spec.Secrets {
		if s.SecretID == "" || s.SecretName == "" {
			return refuse("malformed secret reference")
		}
		if s.File == nil {
			return refuse("malformed secret reference, no target provided")
		}
		if err := target("secret", s.File.Name, s.SecretName, taken); err != nil {
			return err
		}
	}
	clear(taken)
	for _, s := range spec.Configs {
		if s.ConfigID == "" || s.ConfigName == "" {
			return refuse("malformed config reference")
		}
		if s.File == nil && s.Runtime == nil {
			return refuse("malformed config reference, no target provided")
		}
		if s.File == nil {
			continue
		}
		if err := target("config", s.File.Name, s.ConfigName, taken); err != nil {
			return err
		}
	}
	return nil
}

func target(kind, file, name string, taken map[string]string) error {
	if file == "" {
		return refuse("malformed file %s reference, invalid target file name provided", kind)
	}
	if before, ok := taken[file]; ok {
		return refuse("%s references '%s' and '%s' have a conflicting target: '%s'", kind, before, name, file)
	}
	taken[file] = name
	return nil
}

// checkReferences refuses secrets and configs that are not there.
func (c *Cluster) checkReferences(spec swarm.ServiceSpec) error {
	var secrets, configs []string
	for _, r := range spec.TaskTemplate.ContainerSpec.Secrets {
		if s, ok := c.secrets[r.SecretID]; !ok || s.Spec.Name != r.SecretName {
			secrets = append(secrets, r.SecretName)
		}
	}
	for _, r := range spec.TaskTemplate.ContainerSpec.Configs {
		if s, ok := c.configs[r.ConfigID]; !ok || s.Spec.Name != r.ConfigName {
			configs = append(configs, r.ConfigName)
		}
	}
	if err := absent("secret", secrets); err != nil {
		return err
	}
	return absent("config", configs)
}

func absent(kind string, names []string) error {
	switch len(names) {
	case 0:
		return nil
	case 1:
		return refuse("%s not found: %s", kind, names[0])
	}
	return refuse("%ss not found: %s", kind, strings.Join(names, ", "))
}
