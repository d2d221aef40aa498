package asl

import "portolan/local/states/jsonpath"

// A Machine is a definition that was found valid.
type Machine struct {
	Comment        string
	TimeoutSeconds int64 // 0 is none
	Flow           *Flow
}

// A Flow is a set of states with a way in: a machine, a branch, or the
// processor of a Map.
type Flow struct {
	StartAt string
	States  map[string]*State
	order   []string // as they were written
}

// A Select is InputPath or OutputPath. Its zero value selects all.
type Select struct {
	Null bool // select nothing: the result is {}
	Path *jsonpath.Path
}

// A Place is ResultPath. Its zero value replaces all of the input.
type Place struct {
	Null bool // keep the input and drop the result
	Path *jsonpath.Path
}

// A State is one state with the fields of every type: those that its type does
// not have are zero.
type State struct {
	Name string
	Type string
	Next string
	End  bool

	InputPath      Select
	Parameters     *Template
	ResultSelector *Template
	ResultPath     Place
	OutputPath     Select
	Assign         *Template

	// Pass
	HasResult bool
	Result    any

	// Task
	Resource         string
	Credentials      *Template
	TimeoutSeconds   int64 // 0 is none
	HeartbeatSeconds int64
	TimeoutPath      *Expr
	HeartbeatPath    *Expr
	Retry            []Retrier
	Catch            []Catcher

	// Wait: one of the four
	Seconds       *int64
	Timestamp     string
	SecondsPath   *Expr
	TimestampPath *Expr

	// Choice
	Choices []Rule
	Default string

	// Fail
	Error     *string
	Cause     *string
	ErrorPath *Expr
	CausePath *Expr

	// Parallel
	Branches []*Flow

	// Map
	Processor               *Flow
	Distributed             bool
	ItemsPath               *Expr
	ItemSelector            *Template
	MaxConcurrency          int64 // 0 is no bound
	MaxConcurrencyPath      *Expr
	ToleratedCount          int64
	ToleratedCountPath      *Expr
	ToleratedPercentage     float64
	ToleratedPercentagePath *Expr
	HasTolerance            bool
}

// Inner is the flow of the state's child at index: a branch, or the processor of
// a Map. It is nil where there is none.
func (s *State) Inner(index int) *Flow {
	if s.Type == "Map" {
		return s.Processor
	}
	if index < 0 || index >= len(s.Branches) {
		return nil
	}
	return s.Branches[index]
}

// A Retrier says how often and when a state is tried again.
type Retrier struct {
	ErrorEquals     []string
	IntervalSeconds int64
	MaxAttempts     int64
	BackoffRate     float64
	MaxDelaySeconds int64 // 0 is no bound
	FullJitter      bool
}

// A Catcher says where a state goes on after an error.
type Catcher struct {
	ErrorEquals []string
	Next        string
	ResultPath  Place
	Assign      *Template
}

// The names of errors that the language itself raises.
const (
	ErrAll          = "States.ALL"
	ErrTaskFailed   = "States.TaskFailed"
	ErrTimeout      = "States.Timeout"
	ErrHeartbeat    = "States.HeartbeatTimeout"
	ErrRuntime      = "States.Runtime"
	ErrDataLimit    = "States.DataLimitExceeded"
	ErrNoChoice     = "States.NoChoiceMatched"
	ErrIntrinsic    = "States.IntrinsicFailure"
	ErrPathConflict = "States.ReferencePathConflict"
	ErrTolerance    = "States.ExceedToleratedFailureThreshold"
)

// Matches says whether a list of ErrorEquals takes an error.
//
// States.ALL takes every error but States.Runtime, which nothing takes, and
// States.TaskFailed every error but States.Timeout.
func Matches(names []string, name string) bool {
	if name == ErrRuntime {
		return false
	}
	for _, n := range names {
		switch {
		case n == ErrAll, n == name:
			return true
		case n == ErrTaskFailed && name != ErrTimeout:
			return true
		case n == ErrTimeout && name == ErrHeartbeat:
			return true
		}
	}
	return false
}
