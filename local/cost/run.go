package cost

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"portolan"
	"portolan/local"
	"portolan/local/story"
	"portolan/shared/contract"
)

const (
	region = "us-east-1"
	stack  = "portolan"
)

// A Measurement is what one kind of operation took.
type Measurement struct {
	Title string
	What  string
	Count Count

	// Operations are the kinds of what was done, in the order of their acceptance.
	Operations []string
}

// A run is a control plane that is measured.
type run struct {
	stage *story.Stage
	meter *meter

	seen       map[string]bool // executions and operations of earlier measurements
	operations []contract.Operation
}

// Measure runs each kind of operation on a control plane of its own, and returns what
// each took. In a testing/synctest bubble that takes a second.
func Measure(ctx context.Context) (measured []Measurement, err error) {
	m := &meter{stack: stack, count: newCount()}
	started, err := local.Start(local.Config{
		Files: portolan.Files, Region: region, Stack: stack, Seed: 1, Log: slog.New(slog.DiscardHandler),
		Middleware: []func(http.Handler) http.Handler{m.middleware},
		Delivered:  m.delivered, Build: m.counted,
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, started.Close()) }()
	r := &run{stage: &story.Stage{Local: started, Out: io.Discard}, meter: m, seen: map[string]bool{}}
	for _, s := range scenes {
		if s.prepare != nil {
			if err := s.prepare(ctx, r); err != nil {
				return nil, fmt.Errorf("preparing %q: %w", s.title, err)
			}
			if err := r.quiet(ctx); err != nil {
				return nil, err
			}
		}
		one, err := r.measure(ctx, s)
		if err != nil {
			return nil, fmt.Errorf("measuring %q: %w", s.title, err)
		}
		measured = append(measured, one)
	}
	return measured, nil
}

// measure does one thing while nothing else happens, so that all that is counted
// meanwhile belongs to it.
func (r *run) measure(ctx context.Context, s scene) (Measurement, error) {
	if _, err := r.fresh(ctx); err != nil {
		return Measurement{}, err
	}
	before := r.meter.read()
	if err := s.do(ctx, r); err != nil {
		return Measurement{}, err
	}
	if err := r.quiet(ctx); err != nil {
		return Measurement{}, err
	}
	out := Measurement{Title: s.title, What: s.what, Count: r.meter.read().minus(before)}
	executions, err := r.fresh(ctx)
	if err != nil {
		return out, err
	}
	for i := range executions {
		n, err := r.transitions(ctx, &executions[i])
		if err != nil {
			return out, err
		}
		out.Count.Transitions[executions[i].machine] += n
	}
	for _, o := range r.operations {
		out.Operations = append(out.Operations, fmt.Sprintf("%s %s", o.Kind, o.Status))
	}
	return out, r.attributed(executions)
}

// attributed checks that each execution names an operation of the measurement: either
// by its own name, or a nested one in its input.
func (r *run) attributed(executions []execution) error {
	for _, x := range executions {
		belongs := slices.ContainsFunc(r.operations, func(o contract.Operation) bool {
			return strings.HasPrefix(x.name, o.Id) || strings.Contains(x.input, o.Id)
		})
		if !belongs {
			return fmt.Errorf("execution %s of %s belongs to no operation", x.name, x.machine)
		}
	}
	return nil
}

// fresh returns the executions since the last time, and notes the operations.
func (r *run) fresh(ctx context.Context) ([]execution, error) {
	var out []execution
	executions, err := r.executions(ctx)
	if err != nil {
		return nil, err
	}
	for _, x := range executions {
		if !r.seen[x.arn] {
			r.seen[x.arn], out = true, append(out, x)
		}
	}
	r.operations = nil
	for _, target := range []string{"", "&service=" + service, "&policy=" + alarmName} {
		var page contract.OperationPage
		path := "/v1/operations?limit=100&cluster=" + cluster + target
		if _, err := r.stage.Call(ctx, http.MethodGet, path, nil, &page); err != nil {
			return nil, err
		}
		for _, o := range page.Items {
			if !r.seen[o.Id] {
				r.seen[o.Id], r.operations = true, append(r.operations, o)
			}
		}
	}
	slices.SortFunc(r.operations, func(a, b contract.Operation) int { return strings.Compare(a.Id, b.Id) })
	return out, nil
}

// How long nothing may run before everything is over, and how long anything may take.
const (
	calm     = 5 * time.Minute
	patience = 6 * time.Hour
)

// quiet waits until no state machine runs any more, and then until events and audit
// records have come to their end.
func (r *run) quiet(ctx context.Context) error {
	clock := r.stage.Local.Clock
	for deadline := clock.Now().Add(patience); clock.Now().Before(deadline); {
		if err := clock.Sleep(ctx, calm); err != nil {
			return err
		}
		executions, err := r.executions(ctx)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(executions, func(x execution) bool { return x.open }) {
			return clock.Sleep(ctx, calm)
		}
	}
	return fmt.Errorf("something still runs after %v", patience)
}

// call calls the API and counts the request.
func (r *run) call(ctx context.Context, status int, method, path string, body any) error {
	r.meter.mu.Lock()
	r.meter.count.Requests++
	r.meter.mu.Unlock()
	got, err := r.stage.Call(ctx, method, path, body, nil)
	if err == nil && got != status {
		err = fmt.Errorf("%s %s answered %d and not %d", method, path, got, status)
	}
	return err
}
