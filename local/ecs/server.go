package ecs

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"portolan/local/agenda"
	"portolan/local/clock"
	"portolan/local/disk"
	"portolan/local/events"
	"portolan/local/unique"
	"portolan/local/wire"
)

// Config is what a Server is made of. Events, Roles, Targets and Images
// may be nil.
type Config struct {
	Clock   *clock.Clock
	Disk    *disk.Disk
	IDs     *unique.Source
	Account string
	Region  string
	Events  events.Emitter
	Roles   RoleRecorder
	Targets TargetGroups
	Images  Images
}

// Images knows what was pushed under which tags. An image pinned by its digest
// still fares as the tags say that it was pushed with.
type Images interface {
	LookUpImage(image string) (digest string, tags []string, ok bool)
}

// A RoleRecorder notes that ECS assumed a role for a task, as CloudTrail does.
type RoleRecorder interface {
	RecordAssumeRole(ctx context.Context, invokedBy, roleARN, sessionName string)
}

// TargetGroups are told where the tasks of a service with a load balancer
// listen. A target is an instance's id, or an address for tasks with one.
type TargetGroups interface {
	RegisterTarget(ctx context.Context, targetGroupARN, target string, port int)
	DeregisterTarget(ctx context.Context, targetGroupARN, target string, port int)
}

// A Server is ECS in one Region of one account. It answers under the signing
// name ecs.
type Server struct {
	*wire.Service
	config Config
	agenda *agenda.Agenda

	mu        sync.Mutex
	clusters  map[string]*cluster        // by name
	families  map[string][]*definition   // by family, in order of revision
	services  map[string]*service        // by cluster/name
	tasks     map[string]*task           // by id
	instances map[string]*instance       // by id
	providers map[string]*providerEntity // by name
	woken     map[string]time.Time       // when a service is looked at next, by its key
	dirty     []write
	after     []func() // effects on other services, once the change is kept
	outbox    *events.Outbox
	effects   agenda.Effects
}

type write struct {
	bucket, key string
	value       any // nil deletes
}

const (
	clusterBucket    = "ecs/clusters"
	definitionBucket = "ecs/taskdefinitions"
	serviceBucket    = "ecs/services"
	taskBucket       = "ecs/tasks"
	instanceBucket   = "ecs/instances"
	providerBucket   = "ecs/capacityproviders"
	outboxBucket     = "ecs/outbox"
)

// New returns a server with what is on disk, where it was.
func New(config Config) (*Server, error) {
	s := &Server{
		config: config, agenda: agenda.New(config.Clock),
		clusters: map[string]*cluster{}, families: map[string][]*definition{}, services: map[string]*service{},
		tasks: map[string]*task{}, instances: map[string]*instance{}, providers: map[string]*providerEntity{},
		woken: map[string]time.Time{},
	}
	s.Service = &wire.Service{Name: "ECS", Target: "AmazonEC2ContainerServiceV20141113", Protocol: wire.JSON11,
		Operations: s.operations()}
	if err := s.load(); err != nil {
		return nil, fmt.Errorf("loading ECS: %w", err)
	}
	return s, nil
}

// Close stops the scheduler. What is pending goes on after a restart from the
// same disk.
func (s *Server) Close() { s.agenda.Close() }

func (s *Server) load() error {
	d := s.config.Disk
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if s.outbox, err = events.OpenOutbox(d, outboxBucket, s.config.Events); err != nil {
		return err
	}
	for _, load := range []func() error{
		func() error {
			return disk.LoadJSON(d, clusterBucket, func(_ string, c *cluster) { s.clusters[c.Name] = c })
		},
		func() error {
			return disk.LoadJSON(d, definitionBucket, func(_ string, t *definition) {
				s.families[t.Family] = append(s.families[t.Family], t)
			})
		},
		func() error {
			return disk.LoadJSON(d, serviceBucket, func(key string, v *service) { s.services[key] = v })
		},
		func() error { return disk.LoadJSON(d, taskBucket, func(id string, t *task) { s.tasks[id] = t }) },
		func() error {
			return disk.LoadJSON(d, instanceBucket, func(id string, i *instance) { s.instances[id] = i })
		},
		func() error {
			return disk.LoadJSON(d, providerBucket, func(name string, p *providerEntity) { s.providers[name] = p })
		},
	} {
		if err := load(); err != nil {
			return err
		}
	}
	for _, family := range s.families {
		slices.SortFunc(family, func(a, b *definition) int { return a.Revision - b.Revision })
	}
	for _, id := range sortedKeys(s.tasks) {
		s.note(s.tasks[id])
	}
	s.tellAgain()
	for _, key := range sortedKeys(s.services) {
		if v := s.services[key]; v.Status == "INACTIVE" {
			s.forgetLater(v)
		} else {
			s.wake(v, 0)
		}
	}
	return nil
}

func (s *Server) operations() map[string]wire.Operation {
	return map[string]wire.Operation{
		"CreateCluster":                 operation(s, s.createCluster),
		"DescribeClusters":              operation(s, s.describeClusters),
		"ListClusters":                  operation(s, s.listClusters),
		"DeleteCluster":                 operation(s, s.deleteCluster),
		"UpdateCluster":                 operation(s, s.updateCluster),
		"UpdateClusterSettings":         operation(s, s.updateCluster),
		"PutClusterCapacityProviders":   operation(s, s.putClusterCapacityProviders),
		"CreateCapacityProvider":        operation(s, s.createCapacityProvider),
		"DescribeCapacityProviders":     operation(s, s.describeCapacityProviders),
		"DeleteCapacityProvider":        operation(s, s.deleteCapacityProvider),
		"RegisterTaskDefinition":        operation(s, s.registerTaskDefinition),
		"DescribeTaskDefinition":        operation(s, s.describeTaskDefinition),
		"DeregisterTaskDefinition":      operation(s, s.deregisterTaskDefinition),
		"DeleteTaskDefinitions":         operation(s, s.deleteTaskDefinitions),
		"ListTaskDefinitions":           operation(s, s.listTaskDefinitions),
		"ListTaskDefinitionFamilies":    operation(s, s.listTaskDefinitionFamilies),
		"CreateService":                 operation(s, s.createService),
		"DescribeServices":              operation(s, s.describeServices),
		"UpdateService":                 operation(s, s.updateService),
		"DeleteService":                 operation(s, s.deleteService),
		"ListServices":                  operation(s, s.listServices),
		"RunTask":                       operation(s, s.runTask),
		"StopTask":                      operation(s, s.stopTask),
		"DescribeTasks":                 operation(s, s.describeTasks),
		"ListTasks":                     operation(s, s.listTasks),
		"ListContainerInstances":        operation(s, s.listContainerInstances),
		"DescribeContainerInstances":    operation(s, s.describeContainerInstances),
		"UpdateContainerInstancesState": operation(s, s.updateContainerInstancesState),
		"DeregisterContainerInstance":   operation(s, s.deregisterContainerInstance),
		"TagResource":                   operation(s, s.tagResource),
		"UntagResource":                 operation(s, s.untagResource),
		"ListTagsForResource":           operation(s, s.listTagsForResource),
	}
}

// operation runs fn as one change.
func operation[In, Out any](s *Server, fn func(*In) (*Out, error)) wire.Operation {
	return wire.Op(func(_ context.Context, in *In) (out *Out, err error) {
		changeErr := s.change(func() { out, err = fn(in) })
		if err == nil {
			err = changeErr
		}
		return out, err
	})
}

// change runs fn with the lock, and keeps what it touched on disk before it
// returns. Events leave in the order in which they were made.
func (s *Server) change(fn func()) error {
	err := s.changeLocked(fn)
	s.effects.Run()
	return err
}

func (s *Server) changeLocked(fn func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn()
	dirty := s.dirty
	s.effects.Add(s.after...)
	s.dirty, s.after = nil, nil
	if len(dirty) == 0 && !s.outbox.Waiting() {
		return nil
	}
	return s.config.Disk.Update(func(tx *disk.Tx) error {
		for _, w := range dirty {
			if w.value == nil {
				if err := tx.Delete(w.bucket, []byte(w.key)); err != nil {
					return err
				}
				continue
			}
			if err := tx.PutJSON(w.bucket, w.key, w.value); err != nil {
				return err
			}
		}
		return s.outbox.Keep(tx)
	})
}

// at notes a change for later. There is nobody to tell when the disk refuses it:
// it holds in memory until the restart.
func (s *Server) at(key string, due time.Time, fn func()) {
	s.agenda.At(key, due, func() { _ = s.change(fn) })
}

func (s *Server) keep(bucket, key string, value any) {
	s.dirty = append(s.dirty, write{bucket, key, value})
}

func (s *Server) now() wire.Time { return wire.At(s.config.Clock.Now()) }

func (s *Server) arn(kind string, parts ...string) string {
	return "arn:aws:ecs:" + s.config.Region + ":" + s.config.Account + ":" + kind + "/" + strings.Join(parts, "/")
}

func (s *Server) emit(detailType string, resources []string, detail any) {
	if s.config.Events == nil {
		return
	}
	e := events.Event{Source: "aws.ecs", DetailType: detailType, Resources: resources, Detail: detail,
		Time: s.config.Clock.Now()}
	out := s.outbox.Add(e)
	s.after = append(s.after, func() { s.outbox.Send(context.Background(), out) })
}

// isoTimes turns a view into what ECS puts into events: its times, numbers on
// the wire, are ISO 8601 there.
func isoTimes(view any) events.Members {
	raw, _ := json.Marshal(view)
	var members events.Members
	_ = json.Unmarshal(raw, &members)
	for name, value := range members {
		if seconds, ok := value.(float64); ok && strings.HasSuffix(name, "At") {
			members[name] = iso(time.UnixMilli(int64(seconds * 1000)))
		}
	}
	return members
}

func iso(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// lastOf is what follows the last slash: the name or the id in an ARN, or all of
// a bare name.
func lastOf(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func pointer[T any](v T) *T { return &v }
