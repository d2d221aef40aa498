package simulate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"portolan/local"
)

const (
	account = local.Account
	region  = "us-east-1"
	stack   = "portolan"
)

// A World is one run: a control plane on its AWS, what befalls it, and who watches.
type World struct {
	Plan Plan

	// Files are what is deployed, and Bug what is wrong with it on purpose.
	Files fs.FS
	Bug   Bug

	*local.Local
	mirror *mirror
	table  string
	random *rand.Rand // of faults; used by whoever is through the turnstile
	turn   *turnstile
	watch  *oracle

	began time.Time
	calm  bool // no more faults
	late  sync.WaitGroup
	ctx   context.Context
	stop  context.CancelFunc

	// adopted are the clusters of Kubernetes that somebody made, by name.
	adopted map[string]*someonesCluster

	// drained are the nodes that somebody had drained, by cluster.
	drained map[string][]string

	mu     sync.Mutex
	log    bytes.Buffer
	events []sent // what functions were sent, to be repeated

	// deadLetters is the queue's URL, and blameless are by their hash the events that a
	// function failed at without a fault.
	deadLetters string
	blameless   map[string]string

	runs  int // of pipelines
	asked int // of the API
	drawn map[string]int

	// most are how many calls of AWS and of clusters each function made at most so far.
	most map[string]int

	pushed map[string]push // by the service's key
}

// A Result is what became of a run.
type Result struct {
	Violations []string
	Timeline   string

	// Drawn counts the faults and the workload's steps by their names.
	Drawn map[string]int

	// Lasted is the simulated time from the start until everything was at rest.
	Lasted time.Duration
}

// Failed says whether a promise was broken.
func (r Result) Failed() bool { return len(r.Violations) > 0 }

// Write lets the functions' log be part of the timeline.
func (w *World) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p)
}

// tell adds a line to the timeline.
func (w *World) tell(kind, format string, args ...any) {
	at := time.Since(w.began).Truncate(time.Millisecond)
	fmt.Fprintf(w, "%-14v %-7s %s\n", at, kind, fmt.Sprintf(format, args...))
}

// Run runs a plan. It has to be called in a testing/synctest bubble of its own.
func (w *World) Run(ctx context.Context) (Result, error) {
	w.began = time.Now()
	w.random = rand.New(rand.NewPCG(w.Plan.Seed, 2))
	w.turn = newTurnstile(rand.New(rand.NewPCG(w.Plan.Seed, 3)))
	w.mirror, w.watch, w.blameless, w.drawn, w.pushed = newMirror(), newOracle(w), map[string]string{}, map[string]int{}, map[string]push{}
	w.adopted, w.drained, w.most = map[string]*someonesCluster{}, map[string][]string{}, map[string]int{}
	w.ctx, w.stop = context.WithCancel(ctx)
	var err error
	w.Local, err = local.Start(local.Config{
		Files: w.Files, Region: region, Stack: stack, Seed: w.Plan.Seed, Log: w.logger(),
		Middleware: []func(http.Handler) http.Handler{w.middleware}, Build: w.build,
	})
	if err != nil {
		return Result{}, err
	}
	turned := make(chan struct{})
	go func() { defer close(turned); w.turn.run(w.ctx) }()
	err = w.tellAll()
	w.stop()
	<-turned
	w.late.Wait()
	for _, c := range w.adopted {
		c.Close()
	}
	return Result{w.watch.violations, w.log.String(), w.drawn, time.Since(w.began)}, errors.Join(err, w.Close())
}

// logger leaves out what differs from run to run.
func (w *World) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.String("at", time.Since(w.began).Truncate(time.Millisecond).String())
			}
			return a
		},
	}))
}

func (w *World) tellAll() error {
	if err := w.findTable(); err != nil {
		return err
	}
	if err := w.watch.open(); err != nil {
		return err
	}
	if err := w.prepare(); err != nil {
		return err
	}
	if err := w.startKubernetes(); err != nil {
		return err
	}
	for _, step := range w.Plan.Steps {
		if err := w.Clock.Sleep(w.ctx, time.Until(w.began.Add(step.At))); err != nil {
			return err
		}
		w.tell("step", "%s", step)
		w.drawn[string(step.Do)]++
		if err := w.do(step); err != nil {
			w.tell("step", "cannot be done: %v", err)
		}
	}
	end := w.began.Add(time.Duration(w.Plan.Profile.Hours) * time.Hour)
	if err := w.Clock.Sleep(w.ctx, time.Until(end)); err != nil {
		return err
	}
	return w.converge()
}

func (w *World) findTable() error {
	client := dynamodb.NewFromConfig(w.UserConfig())
	tables, err := client.ListTables(w.privileged(), &dynamodb.ListTablesInput{})
	if err != nil {
		return fmt.Errorf("looking for the table: %w", err)
	}
	w.table = tables.TableNames[0]
	queues, err := sqs.NewFromConfig(w.UserConfig()).ListQueues(w.privileged(), &sqs.ListQueuesInput{})
	if err != nil {
		return fmt.Errorf("looking for the dead-letter queue: %w", err)
	}
	w.deadLetters = queues.QueueUrls[0]
	return nil
}

// patience is how long everything may take to come to rest once the faults have
// stopped: longer than any operation's deadline.
const patience = 30 * time.Hour

// rest is how long nothing may happen before everything is at rest.
const rest = 20 * time.Minute

// converge ends the faults, waits until nothing is under way any more, asks again for
// what ended dirty, and has the promises checked.
func (w *World) converge() error {
	w.calm = true
	w.tell("sim", "the faults stop")
	w.calmAlarms()
	if err := w.takeNodesBack(); err != nil {
		return err
	}
	if err := w.Clock.Sleep(w.ctx, round); err != nil {
		return err
	}
	if err := w.comeToRest(); err != nil {
		return err
	}
	for _, ask := range []func() (bool, error){w.recoverAll, w.askAgain} {
		asked, err := ask()
		if err != nil {
			return err
		}
		if !asked {
			continue
		}
		if err := w.comeToRest(); err != nil {
			return err
		}
	}
	w.watch.end()
	return nil
}

// round is how long the sweeper may take to find what lost events told of: half an
// hour, and two runs.
const round = 40 * time.Minute

// comeToRest waits until nothing is under way any more.
func (w *World) comeToRest() error {
	for until := time.Now().Add(patience); time.Now().Before(until); {
		if err := w.Clock.Sleep(w.ctx, rest); err != nil {
			return err
		}
		w.watch.settle()
		if !w.watch.busy() {
			break
		}
	}
	return w.Clock.Sleep(w.ctx, rest)
}

type privileged struct{}

// privileged is a context in which calls are those of the one who watches: they
// pass without faults and without waiting for their turn.
func (w *World) privileged() context.Context {
	return context.WithValue(w.ctx, privileged{}, true)
}
