package eks

import (
	"context"
	"net/http"
	"time"

	"portolan/local/disk"
	"portolan/local/wire"
)

// addon is an add-on of a cluster.
type addon struct {
	Cluster       string            `json:"clusterName"`
	Name          string            `json:"addonName"`
	ARN           string            `json:"addonArn"`
	Version       string            `json:"addonVersion"`
	Status        string            `json:"status"`
	Health        health            `json:"health"`
	CreatedAt     wire.Time         `json:"createdAt"`
	Configuration string            `json:"configurationValues,omitempty"`
	Associations  []string          `json:"podIdentityAssociations"`
	Tags          map[string]string `json:"tags"`
	Token         string            `json:"clientRequestToken,omitempty"`
	Due           time.Time         `json:"due,omitzero"`
	Deadline      time.Time         `json:"deadline,omitzero"`
}

func (a addon) id() string { return a.Cluster + "/" + a.Name }

func (a addon) view() addon {
	a.Token, a.Due, a.Deadline = "", time.Time{}, time.Time{}
	return a
}

// The pace of add-ons.
const (
	addonLook     = 10 * time.Second
	addonPatience = 20 * time.Minute
)

type addonOutput struct {
	Addon addon `json:"addon"`
}

type addonInput struct {
	Cluster       string            `json:"clusterName"`
	Name          string            `json:"addonName"`
	Version       string            `json:"addonVersion"`
	Configuration string            `json:"configurationValues"`
	Associations  []association     `json:"podIdentityAssociations"`
	Tags          map[string]string `json:"tags"`
	Token         string            `json:"clientRequestToken"`
	Preserve      bool              `json:"preserve"`
}

func (s *Server) createAddon(_ context.Context, in *addonInput) (*addonOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, _, err := s.findActive(in.Cluster); err != nil {
		return nil, err
	}
	a := addon{Cluster: in.Cluster, Name: in.Name, Configuration: in.Configuration, Tags: in.Tags, Token: in.Token, Associations: []string{}}
	if old, ok := s.addons.Get(a.id()); ok {
		if a.Token != "" && a.Token == old.Token {
			return &addonOutput{old.view()}, nil
		}
		return nil, inUse("Addon already exists.")
	}
	if _, known := workloads[a.Name]; !known {
		return nil, invalid("Addon %s specified is not supported", a.Name)
	}
	a.ARN = s.arn("addon/" + a.Cluster + "/" + a.Name + "/" + s.config.IDs.UUID())
	a.Version, a.Status, a.CreatedAt = "v1.20.4-eksbuild.1", creating, wire.At(s.now())
	a.Health.Issues = []issue{}
	a.Due, a.Deadline = s.after(5*time.Second, 15*time.Second), s.now().Add(addonPatience)
	var associations []func(*disk.Tx) error
	for _, each := range in.Associations {
		made, _, err := s.associate(association{Cluster: a.Cluster, Namespace: "kube-system", ServiceAccount: each.ServiceAccount,
			RoleARN: each.RoleARN, OwnerARN: a.ARN})
		if err != nil {
			return nil, err
		}
		associations = append(associations, s.associations.With(made))
		a.Associations = append(a.Associations, made.ARN)
	}
	return &addonOutput{a.view()}, s.keepAddon(a, associations...)
}

// keepAddon keeps an add-on, what belongs to it, and when it is looked at next. The caller has
// the lock.
func (s *Server) keepAddon(a addon, also ...func(*disk.Tx) error) error {
	s.note("addon "+a.id(), a.Due, func() { s.stepAddon(a.id()) })
	return s.addons.Put(a, also...)
}

// stepAddon applies an add-on and waits until it runs, or takes it away.
func (s *Server) stepAddon(id string) {
	s.mu.Lock()
	a, ok := s.addons.Get(id)
	s.mu.Unlock()
	if !ok {
		return
	}
	changed := a
	changed.Due = s.now().Add(addonLook)
	switch a.Status {
	case creating:
		changed = s.install(changed)
	case deleting:
		s.uninstall(a)
		return
	default:
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now, ok := s.addons.Get(id); ok && now.Status == a.Status {
		_ = s.keepAddon(changed)
	}
}

// install applies the objects of an add-on, and looks whether its pods run. Those of a
// DaemonSet need no node to be there.
func (s *Server) install(a addon) addon {
	runs := true
	for _, o := range objectsOf(a.Name) {
		var seen struct {
			Status struct {
				ReadyReplicas, NumberReady, DesiredNumberScheduled int
			}
		}
		if s.ask(a.Cluster, http.MethodPatch, o.path()+"?fieldManager=eks&force=true", "application/apply-patch+yaml", o, &seen) != nil {
			return a
		}
		runs = runs && (o.Kind != "Deployment" || seen.Status.ReadyReplicas >= replicas) &&
			seen.Status.NumberReady >= seen.Status.DesiredNumberScheduled
	}
	switch {
	case runs:
		a.Status, a.Due = active, time.Time{}
	case !s.now().Before(a.Deadline):
		a.Status, a.Due = failed, time.Time{}
		a.Health.Issues = []issue{{"InsufficientNumberOfReplicas",
			"The add-on is unhealthy because it doesn't have the desired number of replicas.", []string{}}}
	}
	return a
}

// uninstall takes away an add-on with its objects and associations.
func (s *Server) uninstall(a addon) {
	for _, o := range objectsOf(a.Name) {
		_ = s.ask(a.Cluster, http.MethodDelete, o.path(), "", nil, nil)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, each := range s.associations.Find(func(x association) bool { return x.OwnerARN == a.ARN }) {
		_ = s.associations.Remove(each.id())
	}
	_ = s.addons.Remove(a.id())
}

func (s *Server) findAddon(in *addonInput) (addon, error) {
	if _, err := s.find(in.Cluster); err != nil {
		return addon{}, err
	}
	a, ok := s.addons.Get(in.Cluster + "/" + in.Name)
	if !ok {
		return a, notFound(in.Cluster, "No addon: %s found in cluster: %s", in.Name, in.Cluster)
	}
	return a, nil
}

func (s *Server) describeAddon(_ context.Context, in *addonInput) (*addonOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.findAddon(in)
	return &addonOutput{a.view()}, err
}

type listAddonsOutput struct {
	Addons []string `json:"addons"`
}

func (s *Server) listAddons(_ context.Context, in *addonInput) (*listAddonsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &listAddonsOutput{Addons: []string{}}
	for _, a := range s.addons.Find(func(a addon) bool { return a.Cluster == in.Cluster }) {
		out.Addons = append(out.Addons, a.Name)
	}
	_, err := s.find(in.Cluster)
	return out, err
}

func (s *Server) deleteAddon(_ context.Context, in *addonInput) (*addonOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.findAddon(in)
	if err != nil {
		return nil, err
	}
	if a.Status != deleting {
		a.Status, a.Due = deleting, s.after(5*time.Second, 15*time.Second)
		err = s.keepAddon(a)
	}
	return &addonOutput{a.view()}, err
}
