package simulated

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// Config is what a cluster is made of. Zero fields take the values of Default.
type Config struct {
	Now func() time.Time

	// Nodes is the number of nodes to begin with, of which the first Managers
	// count for the quorum. Slots is how many tasks fit on one.
	Nodes, Managers, Slots int

	// Start is from placement to running, Settle from running to healthy, and
	// Stop from being told to stop to having stopped.
	Start, Settle, Stop time.Duration
}

// Default is two nodes with room for eight tasks each, at the pace of ECS.
var Default = Config{
	Now: time.Now, Nodes: 2, Slots: 8,
	Start: 20 * time.Second, Settle: 10 * time.Second, Stop: 5 * time.Second,
}

// Fault makes the next calls of a verb fail.
type Fault struct {
	// Verb is the method's name, such as "Apply".
	Verb string
	Err  error

	// AfterEffect fails the call after it did its work, as a lost answer does.
	AfterEffect bool
	Times       int
}

// Orchestrator is one simulated cluster, whatever the ClusterRef says. It
// implements orchestrator.Orchestrator, orchestrator.Jobs and orchestrator.Managers, and
// is safe for concurrent use.
type Orchestrator struct {
	mu       sync.Mutex
	config   Config
	at       time.Time
	nodes    []*node
	services []*service
	jobs     []*job
	faults   []*Fault
	serial   int
}

var (
	_ orchestrator.Orchestrator = (*Orchestrator)(nil)
	_ orchestrator.Jobs         = (*Orchestrator)(nil)
	_ orchestrator.Managers     = (*Orchestrator)(nil)
)

// New returns a cluster whose nodes are ready.
func New(config Config) *Orchestrator {
	config = withDefaults(config)
	o := &Orchestrator{config: config, at: config.Now()}
	for i := range config.Nodes {
		o.addNode(i < config.Managers)
	}
	return o
}

func withDefaults(config Config) Config {
	if config.Now == nil {
		config.Now = Default.Now
	}
	if config.Nodes == 0 {
		config.Nodes = Default.Nodes
	}
	if config.Slots == 0 {
		config.Slots = Default.Slots
	}
	if config.Start == 0 {
		config.Start = Default.Start
	}
	if config.Settle == 0 {
		config.Settle = Default.Settle
	}
	if config.Stop == 0 {
		config.Stop = Default.Stop
	}
	return config
}

// Inject adds a fault. Faults of one verb strike in the order of injection.
func (o *Orchestrator) Inject(f Fault) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.faults = append(o.faults, &f)
}

// do runs the effect of one verb in the present, between the faults of that verb.
func (o *Orchestrator) do(ctx context.Context, verb string, effect func() error) error {
	if err := ctx.Err(); err != nil {
		return fault.Wrap(fault.Unavailable, err, "%s", verb)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.catchUp()
	struck := o.takeFault(verb)
	if struck != nil && !struck.AfterEffect {
		return fmt.Errorf("%s: %w", verb, struck.Err)
	}
	err := effect()
	o.catchUp()
	if struck != nil {
		return fmt.Errorf("%s: %w", verb, struck.Err)
	}
	return err
}

func (o *Orchestrator) takeFault(verb string) *Fault {
	for i, f := range o.faults {
		if f.Verb != verb {
			continue
		}
		f.Times--
		if f.Times <= 0 {
			o.faults = slices.Delete(o.faults, i, i+1)
		}
		return f
	}
	return nil
}

// Capabilities implements orchestrator.Orchestrator.
func (o *Orchestrator) Capabilities(orchestrator.ClusterRef) orchestrator.Capabilities {
	return orchestrator.Capabilities{Nodes: true, Jobs: true, Quorum: o.config.Managers > 0}
}

// Health implements orchestrator.Orchestrator.
func (o *Orchestrator) Health(
	ctx context.Context, _ orchestrator.ClusterRef,
) (orchestrator.Health, error) {
	health := orchestrator.Health{State: orchestrator.Healthy}
	err := o.do(ctx, "Health", func() error {
		health.NodesRegistered = len(o.nodes)
		if q := o.quorum(); q.Managers > 0 && !q.Kept() {
			health.State = orchestrator.Unhealthy
			health.Reason = fmt.Sprintf(
				"the quorum is lost: %d of %d managers can be reached", q.Reachable, q.Managers)
		}
		return nil
	})
	return health, err
}

func (o *Orchestrator) id(prefix string) string {
	o.serial++
	return fmt.Sprintf("%s-%04d", prefix, o.serial)
}

// page cuts the items that a query with that limit and token asks for. The token
// is the number of items before the page.
func page[T any](items []T, limit int, next string) ([]T, string, error) {
	from := 0
	if next != "" {
		n, err := strconv.Atoi(next)
		if err != nil || n < 0 {
			return nil, "", fault.New(fault.Invalid, "%q is not the token of a page", next)
		}
		from = min(n, len(items))
	}
	if limit <= 0 || limit > orchestrator.PageMax {
		limit = orchestrator.PageMax
	}
	to := min(from+limit, len(items))
	if to == len(items) {
		return items[from:], "", nil
	}
	return items[from:to], strconv.Itoa(to), nil
}
