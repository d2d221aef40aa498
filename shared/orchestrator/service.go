package orchestrator

import (
	"time"

	"portolan/shared/contract"
)

// Release is one release of a service, to be put into effect at a given scale.
type Release struct {
	Service ServiceRef

	// Number identifies the release among those of its service: the same number
	// always comes with the same description and image.
	Number int64
	Spec   contract.ServiceSpec

	// Image is the image pinned by its digest, and is what runs; Spec.Image is
	// what was asked for.
	Image  string
	Commit string

	// Replicas is the scale of now. It is no part of the release, so Spec.Replicas
	// is never looked at. A service in global mode ignores it.
	Replicas int

	// Operation is the id of the operation that does it, and is written on what
	// the orchestrator keeps.
	Operation string

	// New says that no release of the service was ever in effect, so that most likely
	// nothing of it is there. It may be wrong, and changes nothing but what is tried first.
	New bool
}

// RolloutState is how far a release has come into effect.
type RolloutState string

const (
	// InProgress rollouts may still become healthy.
	InProgress RolloutState = "InProgress"

	// RolledOut means that all wanted tasks run the release and are healthy, and
	// none of an earlier release is left.
	RolledOut RolloutState = "RolledOut"

	// Failed means that the orchestrator gave up. Tasks of the release before it
	// go on running, and nothing is rolled back until somebody applies a release.
	Failed RolloutState = "Failed"
)

// Rollout is the rollout of the release that was applied last.
type Rollout struct {
	// Release is its number, and 0 when what was applied last is not Portolan's.
	Release int64
	State   RolloutState

	// Reason says in words that a developer understands what is wrong: an image
	// that cannot be pulled, a crash with its exit code, a failing health check,
	// or the resource that no node has enough of. It is empty when nothing is.
	Reason string
}

// Observation is what a service is like at one moment.
type Observation struct {
	// Desired is the number of tasks that the orchestrator was told to run.
	// Running ones include those that are not healthy yet, of all releases;
	// Failed counts tasks that failed in the present rollout.
	Desired, Running, Pending, Failed int

	Rollout Rollout

	// InEffect is the release that serves: the one rolled out, or while a rollout
	// is under way or failed, the one before it. It is 0 before the first.
	InEffect int64

	// Foreign names what runs in place of a release when somebody changed the
	// service past Portolan (a task definition's ARN, an image); empty otherwise.
	Foreign string

	// Scaler names what sets the number of tasks in Portolan's place, all the time (a
	// HorizontalPodAutoscaler). Desired is its matter then, and Scale is a Conflict.
	// It is empty where Portolan does.
	Scaler string
}

// TaskState is where a task is in its life; it only moves forward.
type TaskState string

const (
	TaskPending  TaskState = "Pending"
	TaskRunning  TaskState = "Running"
	TaskStopping TaskState = "Stopping"
	TaskStopped  TaskState = "Stopped"
)

// Task is one copy of a service.
type Task struct {
	ID      string
	Service string

	// Node is the id of the node that it runs on, as in Node.ID; empty on Fargate
	// and before it is placed.
	Node string

	// Release is 0 when the task does not run a release of Portolan's.
	Release       int64
	Image         string
	Role          string
	ExecutionRole string

	State   TaskState
	Healthy bool

	StartedAt, StoppedAt time.Time

	// Reason says why the task stopped, in the words of Rollout.Reason.
	Reason string
}

// TaskQuery asks for one page of a service's tasks: those that are pending or
// run, or with Stopped those that stopped or were told to, which an orchestrator
// forgets after a while.
type TaskQuery struct {
	Service ServiceRef
	Stopped bool

	// Limit is at most PageMax, which 0 means too.
	Limit int

	// Next is TaskPage.Next of the page before; empty for the first.
	Next string
}

// TaskPage is one page of tasks. Next is empty on the last.
type TaskPage struct {
	Tasks []Task
	Next  string
}

// PageMax is the most that one page holds.
const PageMax = 100
