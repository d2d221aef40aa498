package autoscaling

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"portolan/local/agenda"
	"portolan/local/clock"
	"portolan/local/disk"
	"portolan/local/ecs"
	"portolan/local/events"
	"portolan/local/unique"
	"portolan/local/wire"
)

// Config is what a Server is made of. Templates, Instances, Agents, Kubelets and
// Events may be nil.
type Config struct {
	Clock     *clock.Clock
	Disk      *disk.Disk
	IDs       *unique.Source
	Account   string
	Region    string
	Templates Templates
	Instances Instances
	Agents    Agents
	Kubelets  Kubelets
	Events    events.Emitter
}

// Template is what of a launch template decides how its instances behave.
type Template struct {
	ID           string
	Name         string
	Version      string
	InstanceType string
	ImageID      string
	UserData     string // base64
}

// Templates knows launch templates, by id or by name.
type Templates interface {
	LaunchTemplate(ctx context.Context, idOrName, version string) (Template, bool)
}

// An Instance is what EC2 is told of an instance that a group launched.
type Instance struct {
	ID, InstanceType, ImageID        string
	AvailabilityZone, SubnetID       string
	AutoScalingGroup, LaunchTemplate string
	Spot                             bool
	Tags                             map[string]string
}

// Instances is EC2's side of the group's instances.
type Instances interface {
	InstanceLaunched(ctx context.Context, i Instance)
	InstanceTerminated(ctx context.Context, id string)
}

// Agents is ECS's side: *ecs.Server.
type Agents interface {
	RegisterInstance(ctx context.Context, r ecs.Registration) (string, error)
	InstanceGone(ctx context.Context, ec2InstanceID string)
}

// A Kubelet is what an instance of a node group tells EKS's cluster.
type Kubelet struct {
	Cluster, NodeGroup, EC2InstanceID, InstanceType, AvailabilityZone string
	CPU, Memory                                                       int
}

// Kubelets is EKS's side.
type Kubelets interface {
	JoinNode(ctx context.Context, k Kubelet) error
	NodeGone(ctx context.Context, cluster, ec2InstanceID string)
}

// A Server is Auto Scaling in one Region of one account. It answers under the
// signing name autoscaling.
type Server struct {
	*wire.Service
	config Config
	agenda *agenda.Agenda

	mu     sync.Mutex
	groups map[string]*group
	dirty  map[string]bool // names of groups to keep
	after  []func()        // effects on other services, once the change is kept
	outbox *events.Outbox

	effects agenda.Effects
}

const bucket = "autoscaling/groups"

// New returns a server with the groups on disk, and goes on with what was
// pending.
func New(config Config) (*Server, error) {
	s := &Server{config: config, agenda: agenda.New(config.Clock), groups: map[string]*group{}, dirty: map[string]bool{}}
	s.Service = &wire.Service{Name: "AutoScaling", Version: "2011-01-01", Protocol: wire.Query,
		Namespace: "http://autoscaling.amazonaws.com/doc/2011-01-01/", Operations: s.operations()}
	err := disk.LoadJSON(config.Disk, bucket, func(name string, g *group) { s.groups[name] = g })
	if err == nil {
		s.outbox, err = events.OpenOutbox(config.Disk, "autoscaling/outbox", config.Events)
	}
	if err != nil {
		return nil, fmt.Errorf("loading Auto Scaling groups: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range sortedKeys(s.groups) {
		g := s.groups[name]
		for _, i := range g.Instances {
			s.resume(g, i)
		}
		s.look(g, 0)
	}
	return s, nil
}

// Close stops launching and replacing until the next start from the same disk.
func (s *Server) Close() { s.agenda.Close() }

func operation[In, Out any](s *Server, fn func(*In) (*Out, error)) wire.Operation {
	return wire.Op(func(_ context.Context, in *In) (out *Out, err error) {
		changeErr := s.change(func() { out, err = fn(in) })
		if err == nil {
			err = changeErr
		}
		return out, err
	})
}

// change runs fn with the lock, keeps the groups that it touched, and then lets
// other services know.
func (s *Server) change(fn func()) error {
	err := s.changeLocked(fn)
	s.effects.Run()
	return err
}

func (s *Server) changeLocked(fn func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn()
	s.effects.Add(s.after...)
	s.after = nil
	if len(s.dirty) == 0 && !s.outbox.Waiting() {
		return nil
	}
	defer clear(s.dirty)
	return s.config.Disk.Update(func(tx *disk.Tx) error {
		for _, name := range sortedKeys(s.dirty) {
			g, ok := s.groups[name]
			if !ok {
				if err := tx.Delete(bucket, []byte(name)); err != nil {
					return err
				}
				continue
			}
			if err := tx.PutJSON(bucket, name, g); err != nil {
				return err
			}
		}
		return s.outbox.Keep(tx)
	})
}

// at notes a change for later; what the disk refuses then holds in memory.
func (s *Server) at(key string, due time.Time, fn func()) {
	s.agenda.At(key, due, func() { _ = s.change(fn) })
}

func (s *Server) emit(detailType string, g *group, i *instance, detail map[string]any) {
	s.send(events.Event{Source: "aws.autoscaling", DetailType: detailType, Detail: detail, Time: s.config.Clock.Now(),
		Resources: []string{g.ARN, s.instanceARN(i)}})
}

func (s *Server) instanceARN(i *instance) string {
	return "arn:aws:ec2:" + s.config.Region + ":" + s.config.Account + ":instance/" + i.ID
}

func (s *Server) send(e events.Event) {
	if s.config.Events == nil {
		return
	}
	out := s.outbox.Add(e)
	s.after = append(s.after, func() { s.outbox.Send(context.Background(), out) })
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
