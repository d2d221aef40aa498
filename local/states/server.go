package states

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"portolan/local/agenda"
	"portolan/local/clock"
	"portolan/local/disk"
	"portolan/local/states/asl"
)

// A TaskRunner has the effects of tasks. Both methods are called from many
// goroutines at once, and must return soon after ctx ends.
type TaskRunner interface {
	// InvokeFunction runs a Lambda function, by ARN or name, and returns what
	// it returned. A function that failed is a *FunctionError; a call that did
	// not reach it a *CallError.
	InvokeFunction(ctx context.Context, function string, payload []byte) ([]byte, error)
	// Call calls an action of a service as the machine's role. Names are as in
	// the resource's ARN: "dynamodb" and "getItem" of an optimised integration,
	// "aws-sdk:dynamodb" and "getItem" of an SDK integration. Parameters and
	// result are in PascalCase. What the service refused is a *CallError.
	Call(ctx context.Context, service, action string, parameters json.RawMessage, role string) (json.RawMessage, error)
}

// A FunctionError is what a Lambda function failed with.
type FunctionError struct {
	Type    string // errorType; empty when the payload has none
	Payload []byte // JSON, as the function's runtime wrote it
}

func (e *FunctionError) Error() string { return "function failed: " + string(e.Payload) }

// A CallError is an error in Step Functions' words: what Retry and Catch see.
type CallError struct {
	Name  string // such as DynamoDb.ConditionalCheckFailedException
	Cause string
}

func (e *CallError) Error() string { return e.Name + ": " + e.Cause }

// A StatusChange is the detail of a "Step Functions Execution Status Change"
// event of source aws.states.
type StatusChange struct {
	ExecutionArn           string     `json:"executionArn"`
	StateMachineArn        string     `json:"stateMachineArn"`
	StateMachineVersionArn *string    `json:"stateMachineVersionArn"`
	StateMachineAliasArn   *string    `json:"stateMachineAliasArn"`
	Name                   string     `json:"name"`
	Status                 string     `json:"status"`
	StartDate              int64      `json:"startDate"` // milliseconds
	StopDate               *int64     `json:"stopDate"`
	Input                  string     `json:"input"`
	InputDetails           *inclusion `json:"inputDetails"`
	Output                 *string    `json:"output"`
	OutputDetails          *inclusion `json:"outputDetails"`
	Error                  *string    `json:"error"`
	Cause                  *string    `json:"cause"`
	RedriveCount           int64      `json:"redriveCount"`
	RedriveDate            *int64     `json:"redriveDate"`
	RedriveStatus          string     `json:"redriveStatus"`
	RedriveStatusReason    *string    `json:"redriveStatusReason"`
}

// An inclusion says that the document beside it was not left out.
type inclusion struct {
	Included bool `json:"included"`
}

// Config is what a Server is made of.
type Config struct {
	Clock   *clock.Clock
	Disk    *disk.Disk // nil keeps nothing across a restart
	Region  string
	Account string
	NewID   func() string // a new UUID; called one at a time
	Rand    *rand.Rand    // of jitter and States.MathRandom; used one at a time
	Tasks   TaskRunner
	// Changed is told of every change of an execution's status, in order. It is
	// called without locks and may call the Server. It may be nil.
	Changed func(ctx context.Context, change StatusChange)
	// Go starts a task's work; nil is a goroutine for each, which all run at
	// once. A simulation puts them in an order here.
	Go func(work func())
	// Retain is how many closed executions are kept; 0 is 1,000. The oldest
	// are forgotten first, but their names stay taken.
	Retain int
	// Dialect widens the language beyond its JSONPath core.
	Dialect asl.Dialect
}

const defaultRetain = 1000

// A Server is the service. All its methods may be called at once.
type Server struct {
	config Config
	http   http.Handler
	agenda *agenda.Agenda
	ctx    context.Context
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	mu         sync.Mutex
	closed     bool
	machines   map[string]*machine // by ARN
	order      []*machine          // by creation
	executions map[string]*execution
	names      map[string]map[string]*taken // by machine's ARN, then execution's name
	finished   []*execution                 // closed ones, the oldest first
	forgotten  []*execution                 // to be deleted from the disk
	dirty      []*execution                 // to be saved before effects start
	pending    []func()                     // see after
	effects    []func()                     // see spawn
	changes    []StatusChange               // to be told
	telling    bool
}

// New reads what the disk holds and lets executions go on. Call Close to stop.
func New(config Config) (*Server, error) {
	if config.Retain == 0 {
		config.Retain = defaultRetain
	}
	if config.Go == nil {
		config.Go = func(work func()) { go work() }
	}
	s := &Server{
		config: config, agenda: agenda.New(config.Clock),
		machines: map[string]*machine{}, executions: map[string]*execution{},
		names: map[string]map[string]*taken{},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.http = s.service()
	if err := s.load(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// ServeHTTP answers a request of the wire protocol. It must be reached through a
// wire.Router.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.http.ServeHTTP(w, r) }

// Close stops all work where it is and waits for tasks in flight to return.
// Executions stay as they are on disk.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	s.tasks.Add(-len(s.effects)) // those that wait for a save that never came
	s.effects = nil
	s.mu.Unlock()
	s.cancel()
	s.agenda.Close()
	s.tasks.Wait()
	return nil
}

// locked runs fn on the state, saves what it changed, and then starts the
// effects that it asked for. fn's error is returned after that: a refused call
// changes nothing. Effects of what could not be saved wait for a save that can.
func (s *Server) locked(fn func() error) error {
	s.mu.Lock()
	err := fn()
	for len(s.pending) > 0 {
		do := s.pending[0]
		s.pending = s.pending[1:]
		do()
	}
	var effects []func()
	if saved := s.save(); saved == nil {
		effects, s.effects = s.effects, nil
	} else if err == nil {
		err = saved
	}
	s.mu.Unlock()
	for _, work := range effects {
		s.config.Go(func() {
			defer s.tasks.Done()
			work()
		})
	}
	s.tell()
	return err
}

// tell passes changes of status on, one at a time and in order: whoever comes
// while another does leaves them to it.
func (s *Server) tell() {
	if s.config.Changed == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.telling {
		return
	}
	s.telling = true
	for len(s.changes) > 0 {
		change := s.changes[0]
		s.changes = s.changes[1:]
		s.mu.Unlock()
		s.config.Changed(context.WithoutCancel(s.ctx), change)
		s.mu.Lock()
	}
	s.telling = false
}

// spawn notes an effect: it starts once the state was saved. A server that was
// closed starts none.
func (s *Server) spawn(work func()) {
	if !s.closed {
		s.tasks.Add(1)
		s.effects = append(s.effects, work)
	}
}

func (s *Server) now() time.Time { return s.config.Clock.Now() }
