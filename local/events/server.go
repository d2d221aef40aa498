package events

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"portolan/local/agenda"
	"portolan/local/clock"
	"portolan/local/disk"
	"portolan/local/unique"
	"portolan/local/wire"
)

// Config is what a Server is made of.
//
// Deliver hands an event to a target. It may take its time: each target has a
// goroutine of its own. An *Undeliverable is final, any other error is tried
// again, as the target's retry policy says.
//
// DeadLetter takes what could not be delivered, where the target names a queue.
type Config struct {
	Clock      *clock.Clock
	Disk       *disk.Disk
	IDs        *unique.Source
	Account    string
	Region     string
	Deliver    func(ctx context.Context, target Target, input []byte) error
	DeadLetter func(ctx context.Context, queueARN string, input []byte, attributes map[string]string) error

	// Go starts what delivers to a target; nil is a goroutine of its own.
	Go func(work func())
}

// An Undeliverable is an error that trying again does not mend, such as a target
// that does not exist.
type Undeliverable struct{ Code, Message string }

func (e *Undeliverable) Error() string { return e.Code + ": " + e.Message }

// A Server is the default event bus. It answers EventBridge's calls under the
// signing name events.
type Server struct {
	*wire.Service
	config Config
	agenda *agenda.Agenda
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu         sync.Mutex
	rules      map[string]*rule
	queues     map[string][]*delivery // by target, while its goroutine runs
	deliveries map[string]*delivery
	sequence   uint64
	watchers   []func(Event)
	closed     bool
}

const (
	ruleBucket     = "events/rules"
	deliveryBucket = "events/deliveries"
)

// New returns a bus with the rules on disk, and goes on with deliveries that
// were pending.
func New(config Config) (*Server, error) {
	if config.Go == nil {
		config.Go = func(work func()) { go work() }
	}
	s := &Server{config: config, agenda: agenda.New(config.Clock), rules: map[string]*rule{},
		queues: map[string][]*delivery{}, deliveries: map[string]*delivery{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.Service = &wire.Service{Name: "EventBridge", Target: "AWSEvents", Protocol: wire.JSON11, Operations: s.operations()}
	if err := s.load(); err != nil {
		return nil, fmt.Errorf("loading the event bus: %w", err)
	}
	return s, nil
}

func (s *Server) load() error {
	err := disk.LoadJSON(s.config.Disk, ruleBucket, func(name string, r *rule) { s.rules[name] = r })
	if err != nil {
		return err
	}
	for _, r := range s.rules {
		if err := r.compile(); err != nil {
			return err
		}
		s.schedule(r)
	}
	var pending []*delivery
	err = disk.LoadJSON(s.config.Disk, deliveryBucket, func(_ string, d *delivery) { pending = append(pending, d) })
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range pending {
		s.sequence = max(s.sequence, d.Sequence)
		s.deliveries[d.key()] = d
		s.enqueue(d)
	}
	return err
}

// Close stops delivering and returns when no delivery runs any more. What was
// pending is delivered after a restart from the same disk.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.agenda.Close()
	s.cancel()
	s.work.Wait()
}

// Watch calls fn with each event that is put on the bus from now on, before
// rules see it. It must not wait.
func (s *Server) Watch(fn func(Event)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watchers = append(s.watchers, fn)
}

// Emit implements Emitter.
func (s *Server) Emit(_ context.Context, e Event) {
	// The event's detail is a struct of a service's own: it always encodes, and
	// what the disk refuses is still delivered from memory.
	_, _ = s.put(e)
}

// put gives the event to each target of each rule that selects it, and returns
// its id. It is kept on disk before put returns.
func (s *Server) put(e Event) (string, error) {
	s.complete(&e)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, watch := range s.watchers {
		watch(e)
	}
	members := e.outside()
	candidates := s.candidates(members)
	if len(candidates) == 0 {
		return e.ID, nil
	}
	detail, err := e.detail()
	if err != nil {
		return "", err
	}
	members["detail"] = detail
	selected := slices.DeleteFunc(candidates, func(r *rule) bool { return !r.selects(members) })
	if len(selected) == 0 {
		return e.ID, nil
	}
	raw, err := e.encode()
	if err != nil {
		return "", fmt.Errorf("encoding event: %w", err)
	}
	var made []*delivery
	for _, r := range selected {
		made = append(made, s.deliveriesOf(r, e.ID, raw, members)...)
	}
	return e.ID, s.accept(made)
}

// candidates are the rules, in order, that select an event of these members as far as
// its detail lets them: most rules need not know it. s.mu must be held.
func (s *Server) candidates(outside map[string]any) []*rule {
	var found []*rule
	for _, name := range sortedKeys(s.rules) {
		r := s.rules[name]
		if r.Pattern != "" && r.State != "DISABLED" && r.pattern.MayMatch(outside) {
			found = append(found, r)
		}
	}
	return found
}

func (s *Server) complete(e *Event) {
	if e.ID == "" {
		e.ID = s.config.IDs.UUID()
	}
	if e.Account == "" {
		e.Account = s.config.Account
	}
	if e.Region == "" {
		e.Region = s.config.Region
	}
	if e.Time.IsZero() {
		e.Time = s.config.Clock.Now()
	}
}

func (s *Server) deliveriesOf(r *rule, eventID string, raw []byte, members map[string]any) []*delivery {
	var made []*delivery
	for _, target := range r.Targets {
		s.sequence++
		made = append(made, &delivery{Sequence: s.sequence, Rule: r.Name, RuleARN: r.ARN, Target: target,
			EventID: eventID, Input: target.input(raw, members), Since: s.config.Clock.Now()})
	}
	return made
}

func (s *Server) accept(made []*delivery) error {
	for _, d := range made {
		s.deliveries[d.key()] = d
		s.enqueue(d)
	}
	if len(made) == 0 {
		return nil
	}
	return s.config.Disk.Update(func(tx *disk.Tx) error {
		for _, d := range made {
			if err := tx.PutJSON(deliveryBucket, d.key(), d); err != nil {
				return err
			}
		}
		return nil
	})
}
