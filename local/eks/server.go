package eks

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"portolan/local/agenda"
	"portolan/local/clock"
	"portolan/local/disk"
	"portolan/local/identity"
	"portolan/local/kubernetes"
	"portolan/local/kubernetes/controllers"
	"portolan/local/records"
	"portolan/local/unique"
	"portolan/local/wire"
)

// Config is what a Server is made of. Disk, Images and Assumed may be nil.
type Config struct {
	Clock   *clock.Clock
	Disk    *disk.Disk
	IDs     *unique.Source
	Account string
	Region  string

	Groups  Groups
	Network Network
	Images  controllers.Images

	// Key is the access key of that id, with which the token of a caller is checked.
	Key func(accessKeyID string) (identity.Key, bool)

	// Assumed is told of each role that a pod gets, and for which session.
	Assumed func(ctx context.Context, roleARN, session string, tags map[string]string)
}

// Groups makes the Auto Scaling groups of node groups.
type Groups interface {
	CreateGroup(ctx context.Context, g Group) error
	ResizeGroup(ctx context.Context, name string, minimum, desired, maximum int) error

	// DeleteGroup ends the group and its instances; gone is true once none is left.
	DeleteGroup(ctx context.Context, name string) (gone bool, err error)

	// Terminate ends an instance, which is replaced unless the group becomes smaller.
	Terminate(ctx context.Context, instance string, smaller bool) error

	// Instances are those of a group that are not on their way out.
	Instances(ctx context.Context, name string) ([]string, error)
}

// A Group is an Auto Scaling group as it is asked for.
type Group struct {
	Name                                      string
	Min, Desired, Max                         int
	Subnets                                   []string
	LaunchTemplateID, LaunchTemplateName, Ver string
	Spot                                      bool
	Tags                                      map[string]string
}

// Network is EC2's side of clusters.
type Network interface {
	// Subnet says where a subnet is.
	Subnet(id string) (vpc, zone string, ok bool)

	CreateSecurityGroup(ctx context.Context, vpc, name, description string, tags map[string]string) (id string, err error)
	DeleteSecurityGroup(ctx context.Context, id string) error
}

// A Server is EKS in one Region of one account. It answers under the signing name eks.
type Server struct {
	*wire.Service
	config Config
	agenda *agenda.Agenda
	ctx    context.Context
	cancel context.CancelFunc

	mu           sync.Mutex
	clusters     *records.Of[cluster]
	groups       *records.Of[nodeGroup]
	addons       *records.Of[addon]
	entries      *records.Of[entry]
	associations *records.Of[association]
	updates      *records.Of[update]
	running      map[string]*kubernetes.Server // by cluster
	sessions     map[string]string             // of pods, by cluster/namespace/name
	broken       map[string]string             // why nodes do not join, by cluster/node group
}

// New returns a server with the clusters on disk, and goes on with what was pending.
func New(config Config) (*Server, error) {
	s := &Server{config: config, agenda: agenda.New(config.Clock), running: map[string]*kubernetes.Server{}, broken: map[string]string{},
		sessions: map[string]string{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.Service = &wire.Service{Name: "EKS", Protocol: wire.REST, Routes: routes, Operations: s.operations()}
	if err := s.load(); err != nil {
		return nil, fmt.Errorf("loading EKS: %w", err)
	}
	for _, c := range s.clusters.All() {
		if c.Status != creating {
			if err := s.run(c); err != nil {
				return nil, errors.Join(err, s.close())
			}
		}
		s.note("cluster "+c.Name, c.Due, func() { s.stepCluster(c.Name) })
	}
	for _, g := range s.groups.All() {
		s.note("group "+g.id(), g.Due, func() { s.stepGroup(g.id()) })
	}
	for _, a := range s.addons.All() {
		s.note("addon "+a.id(), a.Due, func() { s.stepAddon(a.id()) })
	}
	for _, u := range s.updates.All() {
		s.note("update "+u.ID, u.Due, func() { s.stepUpdate(u.ID) })
	}
	return s, nil
}

func (s *Server) load() error {
	d := s.config.Disk
	var all [6]error
	s.clusters, all[0] = records.Load(d, "eks/clusters", func(c cluster) string { return c.Name })
	s.groups, all[1] = records.Load(d, "eks/nodegroups", nodeGroup.id)
	s.addons, all[2] = records.Load(d, "eks/addons", addon.id)
	s.entries, all[3] = records.Load(d, "eks/entries", entry.id)
	s.associations, all[4] = records.Load(d, "eks/associations", association.id)
	s.updates, all[5] = records.Load(d, "eks/updates", func(u update) string { return u.ID })
	return errors.Join(all[:]...)
}

// Close stops everything where it is.
func (s *Server) Close() { _ = s.close() }

func (s *Server) close() error {
	s.cancel()
	s.agenda.Close()
	s.mu.Lock()
	running := slices.Collect(maps.Values(s.running))
	s.mu.Unlock()
	for _, each := range running {
		each.Close()
	}
	return nil
}

// note plans the next step of something; never, where due is zero.
func (s *Server) note(key string, due time.Time, step func()) {
	if due.IsZero() {
		s.agenda.Cancel(key)
		return
	}
	s.agenda.At(key, due, step)
}

func (s *Server) now() time.Time { return s.config.Clock.Now() }

// after is a moment between low and high from now.
func (s *Server) after(low, high time.Duration) time.Time {
	return s.now().Add(s.config.IDs.Between(low, high))
}

func (s *Server) arn(rest string) string {
	return "arn:aws:eks:" + s.config.Region + ":" + s.config.Account + ":" + rest
}

// run starts the Kubernetes cluster beneath a cluster.
func (s *Server) run(c cluster) error {
	made, err := kubernetes.New(kubernetes.Config{
		Clock: s.config.Clock, Disk: s.config.Disk, IDs: s.config.IDs.Fork(), Images: s.config.Images, Name: "eks-" + c.Name,
		Version: kubeletVersion(c.Version), Host: s.config.Region + ".elb.amazonaws.com", Tokens: map[string]kubernetes.User{c.Secret: administrator},
		Authenticate: func(token string) (string, []string, error) { return s.authenticate(c.Name, token) },
		Allow: func(user string, _ []string, verb, group, resource, namespace string) bool {
			return s.allows(c.Name, user, verb, group, resource, namespace)
		},
		Started: func(pod kubernetes.Pod) { s.assume(c.Name, pod) },
	})
	if err != nil {
		return err
	}
	s.running[c.Name] = made
	return nil
}

// administrator is EKS itself, in its clusters.
var administrator = kubernetes.User{Name: "eks:cluster-bootstrap", Groups: []string{"system:masters"}}

// Cluster is the Kubernetes cluster of that name, or nil.
func (s *Server) Cluster(name string) *kubernetes.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running[name]
}

func notFound(what, format string, args ...any) *wire.Error {
	return &wire.Error{Code: "ResourceNotFoundException", Status: 404, Message: fmt.Sprintf(format, args...), Fields: map[string]any{"clusterName": what}}
}

func inUse(format string, args ...any) *wire.Error {
	return &wire.Error{Code: "ResourceInUseException", Status: 409, Message: fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) *wire.Error {
	return wire.Errorf("InvalidParameterException", format, args...)
}

func refused(format string, args ...any) *wire.Error {
	return wire.Errorf("InvalidRequestException", format, args...)
}
