package cloudformation

import (
	"context"
	"fmt"
	"sync"
	"time"

	"portolan/local/clock"
	"portolan/local/disk"
	"portolan/local/events"
	"portolan/local/records"
	"portolan/local/unique"
	"portolan/local/wire"
)

// A Config is what a Service is made of.
type Config struct {
	Account, Region string
	Clock           *clock.Clock
	Disk            *disk.Disk // nil keeps nothing
	IDs             *unique.Source
	Events          events.Emitter  // nil tells nobody
	Kinds           map[string]Kind // by resource type; see package resources
	Source          Source          // Import is ignored: exports are the service's own
}

// A Kind is how resources of one type are made, and how long that takes.
type Kind struct {
	Provider Provider
	// CreateOnly are the properties, such as a VPC's CidrBlock, whose change
	// needs a new resource. A dot goes one level down.
	CreateOnly                            []string
	CreateTakes, UpdateTakes, DeleteTakes time.Duration
	// Patience is how long a Pending resource is waited for; an hour when zero.
	Patience time.Duration
}

// A Provider makes, changes and deletes resources of one type. Its calls must
// not wait for what takes time: where a resource is not settled yet they return
// Pending, and are called again. Each may be called again after it took effect,
// when the process was killed in between, and must then find what it made by
// the request's Name or Token.
type Provider interface {
	Create(ctx context.Context, r Request) (Made, error)
	Update(ctx context.Context, r Request) (Made, error)
	// Delete succeeds for what is not there.
	Delete(ctx context.Context, r Request) error
}

// A Stabilizer is a Provider whose resources are not complete when they are
// made. Stable returns nil once one is, Pending before, and any other error when
// it never will be.
type Stabilizer interface {
	Stable(ctx context.Context, r Request) error
}

// A Reader is a Stabilizer some of whose attributes are there only once it is stable. Nil
// keeps those that it had when it was made.
type Reader interface {
	Read(ctx context.Context, r Request) (map[string]any, error)
}

// A Request is what a Provider is asked for.
type Request struct {
	Type, LogicalID    string
	StackName, StackID string
	// Name is stack-logical-RANDOM, for resources that were given no name. Token
	// is for calls that take one. Both are the same when a call is repeated.
	Name, Token string
	PhysicalID  string // empty for Create
	Again       bool   // whether an earlier try of the same Create may have made something
	Properties  map[string]any
	Previous    map[string]any // for Update, the properties as they were
	Tags        map[string]string
}

// Made is what came of a Create or an Update. Attributes are what Fn::GetAtt can
// ask for: strings, and lists of strings as []any.
type Made struct {
	PhysicalID string
	Attributes map[string]any
}

// Pending says that a resource is not settled yet, and why.
type Pending struct{ Reason string }

func (p *Pending) Error() string { return p.Reason }

// A Fault makes steps fail, for tests. Empty fields match anything.
type Fault struct {
	StackName, LogicalID, Type string
	Action                     string // create, update or delete
	Times                      int    // how many steps to fail; 0 is all of them
	Reason                     string
}

// A Service holds one account's stacks in one region.
type Service struct {
	config Config
	ctx    context.Context
	stop   context.CancelFunc
	wait   sync.WaitGroup

	mu      sync.Mutex
	stacks  *records.Of[*stack]
	events  *records.Of[event]
	faults  []*Fault
	running map[string]chan struct{} // wakes the conductor of a stack

	outbox   *events.Outbox
	outgoing []*events.Outgoing // until the lock is let go
}

// New reads the state back, and goes on with the operations that were under way.
func New(config Config) (*Service, error) {
	s := &Service{config: config, running: map[string]chan struct{}{}}
	var err error
	s.stacks, err = records.Load(config.Disk, "cloudformation/stacks", func(st *stack) string { return st.ID })
	if err != nil {
		return nil, fmt.Errorf("loading stacks: %w", err)
	}
	s.events, err = records.Load(config.Disk, "cloudformation/events", func(e event) string { return e.key() })
	if err != nil {
		return nil, fmt.Errorf("loading stack events: %w", err)
	}
	s.outbox, err = events.OpenOutbox(config.Disk, "cloudformation/outbox", config.Events)
	if err != nil {
		return nil, err
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, st := range s.stacks.All() {
		if st.Phase != idle {
			s.conductLater(st)
		}
	}
	return s, nil
}

// Close ends all that runs. What was under way goes on when the service is made
// anew on the same disk.
func (s *Service) Close() {
	s.stop()
	s.wait.Wait()
}

// Fail adds a fault.
func (s *Service) Fail(fault Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &fault)
}

// faultFor uses up one matching fault, if there is one.
func (s *Service) faultFor(st *stack, r *resource, action string) error {
	for i, f := range s.faults {
		matches := func(want, got string) bool { return want == "" || want == got }
		if !matches(f.StackName, st.Name) || !matches(f.LogicalID, r.LogicalID) || !matches(f.Type, r.Type) ||
			!matches(f.Action, action) {
			continue
		}
		if f.Times--; f.Times == 0 {
			s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
		}
		return fmt.Errorf("%s", f.Reason)
	}
	return nil
}

// Handler answers for the signing name cloudformation.
func (s *Service) Handler() *wire.Service {
	return &wire.Service{
		Name: "CloudFormation", Version: "2010-05-15",
		Namespace: "http://cloudformation.amazonaws.com/doc/2010-05-15/", Protocol: wire.Query,
		Operations: map[string]wire.Operation{
			"CreateStack":                 wire.Op(s.createStack),
			"UpdateStack":                 wire.Op(s.updateStack),
			"DeleteStack":                 wire.Op(s.deleteStack),
			"DescribeStacks":              wire.Op(s.describeStacks),
			"DescribeStackEvents":         wire.Op(s.describeStackEvents),
			"DescribeStackResource":       wire.Op(s.describeStackResource),
			"DescribeStackResources":      wire.Op(s.describeStackResources),
			"ListStackResources":          wire.Op(s.listStackResources),
			"ListStacks":                  wire.Op(s.listStacks),
			"ListExports":                 wire.Op(s.listExports),
			"GetTemplate":                 wire.Op(s.getTemplate),
			"ValidateTemplate":            wire.Op(s.validateTemplate),
			"UpdateTerminationProtection": wire.Op(s.updateTerminationProtection),
		},
	}
}

func (s *Service) now() time.Time { return s.config.Clock.Now() }

// unlock sends what happened to the bus, after the lock is let go.
func (s *Service) unlock() {
	outgoing := s.outgoing
	s.outgoing = nil
	s.mu.Unlock()
	for _, out := range outgoing {
		s.outbox.Send(s.ctx, out)
	}
}
