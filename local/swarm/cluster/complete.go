package cluster

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/moby/moby/api/types/swarm"
)

// Defaults of what a description leaves open.
const (
	restartDelay   = 5 * time.Second
	monitorDefault = 5 * time.Second
	taskHistory    = 5
)

func invalid(format string, args ...any) error { return Errorf(http.StatusBadRequest, format, args...) }

// completed is a description as a manager keeps it, once it was checked.
func (c *Cluster) completed(spec swarm.ServiceSpec) (swarm.ServiceSpec, error) {
	if err := c.completeTask(&spec.TaskTemplate); err != nil {
		return spec, err
	}
	if spec.Name == "" {
		spec.Name = "service_" + c.config.IDs.Base36(8)
	}
	if spec.Labels == nil {
		spec.Labels = map[string]string{}
	}
	if err := completeMode(&spec.Mode); err != nil {
		return spec, err
	}
	for _, u := range []**swarm.UpdateConfig{&spec.UpdateConfig, &spec.RollbackConfig} {
		if err := completeUpdate(u); err != nil {
			return spec, err
		}
	}
	if err := completeEndpoint(&spec.EndpointSpec); err != nil {
		return spec, err
	}
	return spec, check(spec)
}

func (c *Cluster) completeTask(t *swarm.TaskSpec) error {
	switch t.Runtime {
	case swarm.RuntimeContainer, "":
		if t.ContainerSpec == nil {
			return invalid("mismatched Runtime and *Spec fields")
		}
	case swarm.RuntimePlugin:
		return Errorf(http.StatusInternalServerError, "runtime type %q only supported in experimental", t.Runtime)
	default:
		return invalid("unsupported Runtime")
	}
	t.Runtime = swarm.RuntimeContainer
	container := *t.ContainerSpec
	container.Isolation = cmp.Or(container.Isolation, "default")
	t.ContainerSpec = &container
	if p := t.RestartPolicy; p != nil {
		switch p.Condition {
		case swarm.RestartPolicyConditionAny, swarm.RestartPolicyConditionNone, swarm.RestartPolicyConditionOnFailure:
		case "":
			p.Condition = swarm.RestartPolicyConditionAny
		default:
			return invalid("invalid RestartCondition: %q", p.Condition)
		}
	}
	return c.resolveNetworks(t)
}

// resolveNetworks puts ids in the place of names of networks.
func (c *Cluster) resolveNetworks(t *swarm.TaskSpec) error {
	t.Networks = slices.Clone(t.Networks)
	for i, n := range t.Networks {
		switch n.Target {
		case "bridge", "host", "none":
			continue
		}
		found, ok := c.networks[n.Target]
		if !ok {
			var err error
			if found, err = find("network", n.Target, c.networks, func(n *swarm.Network) string { return n.Spec.Name }); err != nil {
				return Errorf(http.StatusInternalServerError, "network %s not found", n.Target)
			}
		}
		if found.Spec.Ingress {
			return rpc(invalidArgument, "Service cannot be explicitly attached to the ingress network %q", found.Spec.Name)
		}
		t.Networks[i].Target = found.ID
	}
	return nil
}

func completeMode(m *swarm.ServiceMode) error {
	modes := 0
	for _, set := range []bool{m.Global != nil, m.Replicated != nil, m.ReplicatedJob != nil, m.GlobalJob != nil} {
		if set {
			modes++
		}
	}
	switch {
	case modes > 1:
		return invalid("must specify only one service mode")
	case modes == 0:
		m.Replicated = &swarm.ReplicatedService{}
	}
	if r := m.Replicated; r != nil && r.Replicas == nil {
		r.Replicas = pointer(uint64(1))
	}
	if j := m.ReplicatedJob; j != nil {
		if j.MaxConcurrent == nil {
			j.MaxConcurrent = pointer(uint64(1))
		}
		if j.TotalCompletions == nil {
			j.TotalCompletions = pointer(*j.MaxConcurrent)
		}
	}
	return nil
}

func completeUpdate(u **swarm.UpdateConfig) error {
	if *u == nil {
		return nil
	}
	made := **u
	*u = &made
	switch made.FailureAction {
	case swarm.UpdateFailureActionPause, swarm.UpdateFailureActionContinue, swarm.UpdateFailureActionRollback:
	case "":
		made.FailureAction = swarm.UpdateFailureActionPause
	default:
		return invalid("unrecognized update failure action %s", made.FailureAction)
	}
	switch made.Order {
	case swarm.UpdateOrderStartFirst, swarm.UpdateOrderStopFirst:
	case "":
		made.Order = swarm.UpdateOrderStopFirst
	default:
		return invalid("unrecognized update order %s", made.Order)
	}
	return nil
}

func completeEndpoint(e **swarm.EndpointSpec) error {
	if *e == nil {
		return nil
	}
	made := **e
	switch made.Mode {
	case swarm.ResolutionModeVIP, swarm.ResolutionModeDNSRR:
	case "":
		made.Mode = swarm.ResolutionModeVIP
	default:
		return invalid("invalid resolution mode: %q", made.Mode)
	}
	made.Ports = slices.Clone(made.Ports)
	for i := range made.Ports {
		p := &made.Ports[i]
		p.Protocol = cmp.Or(p.Protocol, tcp)
		p.PublishMode = cmp.Or(p.PublishMode, swarm.PortConfigPublishModeIngress)
	}
	*e = &made
	return nil
}

// interpolated is a description with what was left open, as Docker fills it in.
func interpolated(spec swarm.ServiceSpec) swarm.ServiceSpec {
	container := *spec.TaskTemplate.ContainerSpec
	if container.StopGracePeriod == nil {
		container.StopGracePeriod = pointer(stopGrace)
	}
	spec.TaskTemplate.ContainerSpec = &container
	if spec.TaskTemplate.Resources == nil {
		spec.TaskTemplate.Resources = &swarm.ResourceRequirements{}
	}
	policy := swarm.RestartPolicy{Condition: swarm.RestartPolicyConditionAny}
	if p := spec.TaskTemplate.RestartPolicy; p != nil {
		policy = *p
	}
	if policy.Delay == nil {
		policy.Delay = pointer(restartDelay)
	}
	spec.TaskTemplate.RestartPolicy = &policy
	if spec.TaskTemplate.Placement == nil {
		spec.TaskTemplate.Placement = &swarm.Placement{}
	}
	spec.UpdateConfig, spec.RollbackConfig = updateOr(spec.UpdateConfig), updateOr(spec.RollbackConfig)
	return spec
}

// updateOr is an update's settings, or the default ones.
func updateOr(u *swarm.UpdateConfig) *swarm.UpdateConfig {
	made := swarm.UpdateConfig{Parallelism: 1, FailureAction: swarm.UpdateFailureActionPause, Order: swarm.UpdateOrderStopFirst}
	if u != nil {
		made = *u
	}
	made.Monitor = cmp.Or(made.Monitor, monitorDefault)
	return &made
}
