package eks

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"portolan/local/disk"
	"portolan/local/wire"
)

// The pace of updates.
const (
	updateLow, updateHigh = 8 * time.Minute, 12 * time.Minute
	updateLook            = 20 * time.Second
	drainPatience         = 15 * time.Minute
)

// What updates change.
const (
	versionUpdate = "VersionUpdate"
	configUpdate  = "ConfigUpdate"
)

// update is a change of a version, or of a node group's size, that is under way or was.
type update struct {
	ID        string        `json:"id"`
	Cluster   string        `json:"clusterName"`
	Group     string        `json:"nodegroupName,omitempty"`
	Status    string        `json:"status"`
	Type      string        `json:"type"`
	Params    []param       `json:"params"`
	CreatedAt wire.Time     `json:"createdAt"`
	Errors    []errorDetail `json:"errors"`
	Token     string        `json:"clientRequestToken,omitempty"`
	To        string        `json:"to,omitempty"`

	// Old are the instances that have to go, Draining the one that goes now, and Until
	// when its pods have to have left it.
	Old      []string  `json:"old,omitempty"`
	Draining string    `json:"draining,omitempty"`
	Until    time.Time `json:"until,omitzero"`
	Due      time.Time `json:"due,omitzero"`
}

type param struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

type errorDetail struct {
	Code        string   `json:"errorCode"`
	Message     string   `json:"errorMessage"`
	ResourceIDs []string `json:"resourceIds"`
}

// updateView is an update as EKS shows it.
type updateView struct {
	ID        string        `json:"id"`
	Status    string        `json:"status"`
	Type      string        `json:"type"`
	Params    []param       `json:"params"`
	CreatedAt wire.Time     `json:"createdAt"`
	Errors    []errorDetail `json:"errors"`
}

type updateOutput struct {
	Update updateView `json:"update"`
}

func shown(u update) *updateOutput {
	return &updateOutput{updateView{u.ID, u.Status, u.Type, u.Params, u.CreatedAt, u.Errors}}
}

type updateInput struct {
	Name     string `json:"name"`
	Cluster  string `json:"clusterName"`
	Group    string `json:"nodegroupName"`
	UpdateID string `json:"updateId"`
	Version  string `json:"version"`
	Token    string `json:"clientRequestToken"`
}

// repeated is the update that the token began before. The caller has the lock.
func (s *Server) repeated(token string) (update, bool) {
	return s.updates.First(func(u update) bool { return token != "" && u.Token == token })
}

// begin keeps a new update, and what it changes. The caller has the lock.
func (s *Server) begin(u update, also ...func(*disk.Tx) error) (*updateOutput, error) {
	u.ID, u.Status, u.CreatedAt, u.Errors = s.config.IDs.UUID(), inProgress, wire.At(s.now()), []errorDetail{}
	if u.Type == "" {
		u.Type, u.Params = versionUpdate, []param{{"Version", u.To}}
	}
	return shown(u), s.keepUpdate(u, also...)
}

// keepUpdate keeps an update and what it changes, in one write. The caller has the lock.
func (s *Server) keepUpdate(u update, also ...func(*disk.Tx) error) error {
	s.note("update "+u.ID, u.Due, func() { s.stepUpdate(u.ID) })
	return s.updates.Put(u, also...)
}

// minor is the second number of a version.
func minor(version string) int {
	_, text, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(text)
	if err != nil {
		return -1
	}
	return n
}

func (s *Server) updateClusterVersion(_ context.Context, in *updateInput) (*updateOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u, ok := s.repeated(in.Token); ok {
		return shown(u), nil
	}
	c, err := s.find(in.Name)
	switch {
	case err != nil:
		return nil, err
	case c.Status != active:
		return nil, inUse("Cannot perform the operation while the cluster %s is in status %s", c.Name, c.Status)
	case !slices.Contains(versions, in.Version):
		return nil, invalid("unsupported Kubernetes version %s", in.Version)
	case minor(in.Version) != minor(c.Version)+1:
		return nil, invalid("Unsupported Kubernetes minor version update from %s to %s", c.Version, in.Version)
	}
	for _, g := range s.groups.All() {
		if g.Cluster == c.Name && minor(in.Version)-minor(g.Version) > 3 {
			return nil, refused("Nodegroup %s must be updated to match the cluster version %s before updating the cluster", g.Name, c.Version)
		}
	}
	c.Status = updating
	return s.begin(update{Cluster: c.Name, Token: in.Token, To: in.Version, Due: s.after(updateLow, updateHigh)}, s.clusters.With(c))
}

type listUpdatesOutput struct {
	IDs []string `json:"updateIds"`
}

func (s *Server) listUpdates(_ context.Context, in *updateInput) (*listUpdatesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &listUpdatesOutput{IDs: []string{}}
	for _, u := range s.updates.Find(func(u update) bool { return u.Cluster == in.Name && u.Group == in.Group }) {
		out.IDs = append(out.IDs, u.ID)
	}
	_, err := s.find(in.Name)
	return out, err
}

func (s *Server) describeUpdate(_ context.Context, in *updateInput) (*updateOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.find(in.Name); err != nil {
		return nil, err
	}
	u, ok := s.updates.Get(in.UpdateID)
	if !ok || u.Cluster != in.Name || u.Group != in.Group {
		return nil, notFound(in.Name, "No update found for ID: %s", in.UpdateID)
	}
	return shown(u), nil
}

// stepUpdate takes an update on.
func (s *Server) stepUpdate(id string) {
	s.mu.Lock()
	u, ok := s.updates.Get(id)
	s.mu.Unlock()
	if !ok || u.Status != inProgress {
		return
	}
	switch {
	case u.Type == configUpdate:
		s.resize(u)
		return
	case u.Group != "":
		s.roll(u)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.find(u.Cluster)
	if err != nil {
		return
	}
	c.Version, c.Status = u.To, active
	if server := s.running[c.Name]; server != nil {
		server.SetVersion(kubeletVersion(u.To))
	}
	u.Status, u.Due = successful, time.Time{}
	_ = s.keepUpdate(u, s.clusters.With(c))
}
