package cluster

import (
	"net/http"
	"net/netip"

	"github.com/moby/moby/api/types/swarm"
)

// How large secrets and configs may be.
const secretMax, configMax = 500 * 1024, 1000 * 1024

// CreateSecret keeps a secret.
func (c *Cluster) CreateSecret(spec swarm.SecretSpec) (id string, err error) {
	if err := checkObject(spec.Annotations, len(spec.Data), secretMax, "secret"); err != nil && spec.Driver == nil {
		return "", err
	}
	for _, s := range c.secrets {
		if s.Spec.Name == spec.Name {
			return "", rpc(alreadyExists, "secret %s already exists", spec.Name)
		}
	}
	if spec.Labels == nil {
		spec.Labels = map[string]string{}
	}
	s := &swarm.Secret{ID: c.newID(), Meta: c.meta(), Spec: spec}
	c.secrets[s.ID] = s
	c.touch(KindSecret, s.ID)
	c.emit("secret", "create", s.ID, spec.Name)
	return s.ID, nil
}

func checkObject(a swarm.Annotations, size, most int, kind string) error {
	ok := a.Name != "" && len(a.Name) <= 64
	for i, r := range a.Name {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !letter && (i == 0 || i == len(a.Name)-1 || r != '-' && r != '_' && r != '.') {
			ok = false
		}
	}
	switch {
	case !ok:
		return refuse("invalid name, only 64 [a-zA-Z0-9-_.] characters allowed, and the start and end character must be [a-zA-Z0-9]")
	case size == 0 || size >= most:
		return refuse("%s data must be larger than 0 and less than %d bytes", kind, most)
	}
	return nil
}

func (c *Cluster) findSecret(input string) (*swarm.Secret, error) {
	if s, ok := c.secrets[input]; ok {
		return s, nil
	}
	return find("secret", input, c.secrets, func(s *swarm.Secret) string { return s.Spec.Name })
}

// Secret returns one secret without what it holds.
func (c *Cluster) Secret(input string) (swarm.Secret, error) {
	s, err := c.findSecret(input)
	if err != nil {
		return swarm.Secret{}, err
	}
	view := *s
	view.Spec.Data = nil
	return view, nil
}

// Secrets returns those that match, without what they hold.
func (c *Cluster) Secrets(f Filters) ([]swarm.Secret, error) {
	out := []swarm.Secret{}
	if err := f.check("names", "name", "id", "label"); err != nil {
		return nil, err
	}
	for _, id := range sortedKeys(c.secrets) {
		s := *c.secrets[id]
		if f.any("names", s.Spec.Name) && f.prefix("name", s.Spec.Name) && f.prefix("id", id) && f.labels("label", s.Spec.Labels) {
			s.Spec.Data = nil
			out = append(out, s)
		}
	}
	return out, nil
}

// UpdateSecret changes the labels, which is all of a secret that changes.
func (c *Cluster) UpdateSecret(input string, version uint64, spec swarm.SecretSpec) error {
	s, err := c.findSecret(input)
	switch {
	case err != nil:
		return err
	case s.Spec.Name != spec.Name || len(spec.Data) > 0 && string(spec.Data) != string(s.Spec.Data):
		return rpc(invalidArgument, "only updates to Labels are allowed")
	case version != s.Version.Index:
		return errOutOfSequence
	}
	s.Spec.Labels = spec.Labels
	c.bump(&s.Meta)
	c.touch(KindSecret, s.ID)
	c.emit("secret", "update", s.ID, spec.Name)
	return nil
}

// RemoveSecret forgets a secret that no service uses.
func (c *Cluster) RemoveSecret(input string) error {
	s, err := c.findSecret(input)
	if err != nil {
		return err
	}
	var users []string
	for _, id := range sortedKeys(c.services) {
		for _, r := range c.services[id].Spec.TaskTemplate.ContainerSpec.Secrets {
			if r.SecretID == s.ID {
				users = append(users, c.services[id].Spec.Name)
			}
		}
	}
	if err := inUse("secret", s.Spec.Name, users); err != nil {
		return err
	}
	delete(c.secrets, s.ID)
	c.touch(KindSecret, s.ID)
	c.emit("secret", "remove", s.ID, s.Spec.Name)
	return nil
}

func inUse(kind, name string, services []string) error {
	if len(services) == 0 {
		return nil
	}
	word, list := "service", ""
	for i, s := range services {
		if i > 0 {
			word, list = "services", list+", "
		}
		list += s
	}
	return rpc(invalidArgument, "%s '%s' is in use by the following %s: %s", kind, name, word, list)
}

// CreateConfig keeps a config.
func (c *Cluster) CreateConfig(spec swarm.ConfigSpec) (id string, err error) {
	if err := checkObject(spec.Annotations, len(spec.Data), configMax, "config"); err != nil {
		return "", err
	}
	for _, s := range c.configs {
		if s.Spec.Name == spec.Name {
			return "", rpc(alreadyExists, "config %s already exists", spec.Name)
		}
	}
	if spec.Labels == nil {
		spec.Labels = map[string]string{}
	}
	s := &swarm.Config{ID: c.newID(), Meta: c.meta(), Spec: spec}
	c.configs[s.ID] = s
	c.touch(KindConfig, s.ID)
	c.emit("config", "create", s.ID, spec.Name)
	return s.ID, nil
}

func (c *Cluster) findConfig(input string) (*swarm.Config, error) {
	if s, ok := c.configs[input]; ok {
		return s, nil
	}
	return find("config", input, c.configs, func(s *swarm.Config) string { return s.Spec.Name })
}

// Config returns one config.
func (c *Cluster) Config(input string) (swarm.Config, error) {
	s, err := c.findConfig(input)
	if err != nil {
		return swarm.Config{}, err
	}
	return *s, nil
}

// Configs returns those that match.
func (c *Cluster) Configs(f Filters) ([]swarm.Config, error) {
	out := []swarm.Config{}
	if err := f.check("name", "id", "label"); err != nil {
		return nil, err
	}
	for _, id := range sortedKeys(c.configs) {
		s := *c.configs[id]
		if f.prefix("name", s.Spec.Name) && f.prefix("id", id) && f.labels("label", s.Spec.Labels) {
			out = append(out, s)
		}
	}
	return out, nil
}

// UpdateConfig changes the labels, which is all of a config that changes.
func (c *Cluster) UpdateConfig(input string, version uint64, spec swarm.ConfigSpec) error {
	s, err := c.findConfig(input)
	switch {
	case err != nil:
		return err
	case s.Spec.Name != spec.Name || len(spec.Data) > 0 && string(spec.Data) != string(s.Spec.Data):
		return rpc(invalidArgument, "only updates to Labels are allowed")
	case version != s.Version.Index:
		return errOutOfSequence
	}
	s.Spec.Labels = spec.Labels
	c.bump(&s.Meta)
	c.touch(KindConfig, s.ID)
	c.emit("config", "update", s.ID, spec.Name)
	return nil
}

// RemoveConfig forgets a config that no service uses.
func (c *Cluster) RemoveConfig(input string) error {
	s, err := c.findConfig(input)
	if err != nil {
		return err
	}
	var users []string
	for _, id := range sortedKeys(c.services) {
		for _, r := range c.services[id].Spec.TaskTemplate.ContainerSpec.Configs {
			if r.ConfigID == s.ID {
				users = append(users, c.services[id].Spec.Name)
			}
		}
	}
	if err := inUse("config", s.Spec.Name, users); err != nil {
		return err
	}
	delete(c.configs, s.ID)
	c.touch(KindConfig, s.ID)
	c.emit("config", "remove", s.ID, s.Spec.Name)
	return nil
}

// makeIngress makes the network of the routing mesh.
func (c *Cluster) makeIngress() {
	_, _ = c.CreateNetwork(swarm.NetworkSpec{Annotations: swarm.Annotations{Name: "ingress", Labels: map[string]string{}},
		DriverConfiguration: &swarm.Driver{Name: "overlay"}, Ingress: true, Scope: "swarm"})
}

func (c *Cluster) ingress() *swarm.Network {
	for _, n := range c.networks {
		if n.Spec.Ingress {
			return n
		}
	}
	return nil
}

// CreateNetwork makes an overlay network, whose subnet it chooses where none is asked for.
func (c *Cluster) CreateNetwork(spec swarm.NetworkSpec) (id string, err error) {
	for _, n := range c.networks {
		if n.Spec.Name == spec.Name {
			return "", Errorf(http.StatusConflict, "network with name %s already exists", spec.Name)
		}
	}
	n := &swarm.Network{ID: c.newID(), Meta: c.meta(), Spec: spec, DriverState: *spec.DriverConfiguration}
	n.IPAMOptions = &swarm.IPAMOptions{Driver: swarm.Driver{Name: "default"}}
	if spec.IPAMOptions != nil && len(spec.IPAMOptions.Configs) > 0 && spec.IPAMOptions.Configs[0].Subnet.IsValid() {
		n.IPAMOptions.Configs = spec.IPAMOptions.Configs
	} else {
		at := netip.AddrFrom4([4]byte{10, 0, byte(len(c.networks)), 0})
		n.IPAMOptions.Configs = []swarm.IPAMConfig{{Subnet: netip.PrefixFrom(at, subnetSize), Gateway: at.Next()}}
	}
	c.networks[n.ID] = n
	c.touch(KindNetwork, n.ID)
	c.emit("network", "create", n.ID, spec.Name)
	return n.ID, nil
}

// Networks are all of the swarm.
func (c *Cluster) Networks() (out []swarm.Network) {
	for _, id := range sortedKeys(c.networks) {
		out = append(out, *c.networks[id])
	}
	return out
}

// RemoveNetwork forgets a network that no service uses.
func (c *Cluster) RemoveNetwork(id string) error {
	n := c.networks[id]
	for _, sid := range sortedKeys(c.services) {
		for _, p := range c.services[sid].Endpoint.Ports {
			if n.Spec.Ingress && p.PublishMode == swarm.PortConfigPublishModeIngress {
				return rpc(failedPrecondition, "ingress network cannot be removed because service %s depends on it", sid)
			}
		}
	}
	for _, s := range c.services {
		for _, attached := range s.Spec.TaskTemplate.Networks {
			if attached.Target == id {
				return rpc(failedPrecondition, "network %s is in use by service %s", id, s.ID)
			}
		}
	}
	for _, t := range c.tasks {
		for _, attached := range t.Spec.Networks {
			if attached.Target == id && !ended(t.Status.State) {
				return rpc(failedPrecondition, "network %s is in use by task %s", id, t.ID)
			}
		}
	}
	delete(c.networks, id)
	c.touch(KindNetwork, id)
	c.emit("network", "remove", id, n.Spec.Name)
	return nil
}
