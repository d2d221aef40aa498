package swarm

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/swarm"
)

// essence is what of a service makes it another one: not its scale, its labels or how it
// is rolled out, nor what engines fill in by themselves.
type essence struct {
	Global                             bool
	Image, User, Dir, Host, Log, Mode  string
	Command, Args, Env                 []string
	Labels, LogOptions                 map[string]string
	Health                             []string
	HealthTimes                        [4]int64
	Mounts                             [][6]string
	Secrets, Configs                   [][3]string
	Networks, Constraints, Preferences []string
	MaxReplicas                        uint64
	Limits, Reservations               [2]int64
	Ports                              [][4]any
	ReadOnly                           bool
	Capabilities                       []string
}

// drained is how the constraints begin that keep a service away from nodes which are
// being drained. They come and go with the drain.
const drained = "node.id!="

// removed is the constraint that no node fits.
const removed = "node.id==" + labelRemoving

func essenceOf(s *swarm.ServiceSpec) essence {
	e := essence{Global: s.Mode.Global != nil || s.Mode.GlobalJob != nil}
	t := &s.TaskTemplate
	e.container(t.ContainerSpec)
	if t.LogDriver != nil {
		e.Log, e.LogOptions = t.LogDriver.Name, t.LogDriver.Options
	}
	for _, network := range t.Networks {
		e.Networks = append(e.Networks, network.Target)
	}
	if p := t.Placement; p != nil {
		e.Constraints, e.MaxReplicas = withoutDrains(p.Constraints), p.MaxReplicas
		for _, preference := range p.Preferences {
			if preference.Spread != nil {
				e.Preferences = append(e.Preferences, preference.Spread.SpreadDescriptor)
			}
		}
	}
	if r := t.Resources; r != nil {
		if r.Limits != nil {
			e.Limits = [2]int64{r.Limits.NanoCPUs, r.Limits.MemoryBytes}
		}
		if r.Reservations != nil {
			e.Reservations = [2]int64{r.Reservations.NanoCPUs, r.Reservations.MemoryBytes}
		}
	}
	if s.EndpointSpec != nil {
		e.Mode = string(s.EndpointSpec.Mode)
		for _, port := range s.EndpointSpec.Ports {
			e.Ports = append(e.Ports, [4]any{port.TargetPort, port.PublishedPort, port.Protocol, port.PublishMode})
		}
	}
	return e
}

func (e *essence) container(c *swarm.ContainerSpec) {
	if c == nil {
		return
	}
	e.Image, e.User, e.Dir, e.Host, e.ReadOnly = c.Image, c.User, c.Dir, c.Hostname, c.ReadOnly
	e.Command, e.Args, e.Env, e.Labels, e.Capabilities = c.Command, c.Args, c.Env, c.Labels, c.CapabilityAdd
	if h := c.Healthcheck; h != nil {
		e.Health, e.HealthTimes = h.Test, [4]int64{int64(h.Interval), int64(h.Timeout), int64(h.StartPeriod), int64(h.Retries)}
	}
	for _, m := range c.Mounts {
		e.Mounts = append(e.Mounts, mounted(m))
	}
	for _, secret := range c.Secrets {
		if secret.File != nil {
			e.Secrets = append(e.Secrets, [3]string{secret.SecretID, secret.File.Name, secret.File.Mode.String()})
		}
	}
	for _, config := range c.Configs {
		if config.File != nil {
			e.Configs = append(e.Configs, [3]string{config.ConfigID, config.File.Name, config.File.Mode.String()})
		}
	}
}

func mounted(m mount.Mount) [6]string {
	how := "rw"
	if m.ReadOnly {
		how = "ro"
	}
	one := [6]string{string(m.Type), m.Source, m.Target, how}
	if m.VolumeOptions != nil && m.VolumeOptions.DriverConfig != nil {
		one[4], one[5] = m.VolumeOptions.DriverConfig.Name, m.VolumeOptions.DriverConfig.Options["o"]
	}
	return one
}

// withoutDrains leaves out the constraints that are none of the release's.
func withoutDrains(constraints []string) []string {
	var kept []string
	for _, constraint := range constraints {
		if said := strings.ReplaceAll(constraint, " ", ""); !strings.HasPrefix(said, drained) && said != removed {
			kept = append(kept, constraint)
		}
	}
	return kept
}

// drains are the constraints that withoutDrains leaves out.
func drains(placement *swarm.Placement) []string {
	if placement == nil {
		return nil
	}
	kept := withoutDrains(placement.Constraints)
	return slices.DeleteFunc(slices.Clone(placement.Constraints), func(c string) bool { return slices.Contains(kept, c) })
}

// hash is of what makes a service another one.
func hash(s *swarm.ServiceSpec) string {
	raw, err := json.Marshal(essenceOf(s))
	if err != nil {
		// It is made of numbers and strings.
		panic(err)
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:16])
}
