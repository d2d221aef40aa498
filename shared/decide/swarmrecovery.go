package decide

import (
	"cmp"
	"fmt"
	"slices"

	"portolan/shared/orchestrator"
)

// A Survivor is a manager of a swarm that answers. Led is true when it sees a leader.
type Survivor struct {
	Engine
	Led bool
}

// A RecoveryAction is what becomes of a swarm that somebody takes for lost. RecoveryForce
// makes a new swarm of what one manager knows, RecoveryResume goes on behind a recovery
// that did so already, and RecoveryNone leaves the swarm as it is.
type RecoveryAction string

// The actions of a recovery.
const (
	RecoveryForce  RecoveryAction = "Force"
	RecoveryResume RecoveryAction = "Resume"
	RecoveryNone   RecoveryAction = "None"
)

// A RecoveryPlan is what is done, with the manager From which the swarm goes on, the
// Others that answer and leave the old one, and why.
type RecoveryPlan struct {
	Action RecoveryAction
	From   Survivor
	Others []Survivor
	Reason string
}

// PlanRecovery decides what becomes of a swarm of so many managers, of which survivors
// answer. voters is how many managers have a vote, where somebody leads.
//
// A swarm with a majority is left alone: forced, it would forget what it agreed on. One
// that has a single manager where more are wanted was forced by an attempt before this
// one. Engines do not tell without a leader how far they came in what they agreed on, so
// of several the first by its id is taken.
func PlanRecovery(survivors []Survivor, managers, voters int) RecoveryPlan {
	if len(survivors) == 0 {
		return RecoveryPlan{Action: RecoveryNone, Reason: "no manager answers that knows the swarm: there is nothing to recover it from"}
	}
	sorted := slices.SortedFunc(slices.Values(survivors), func(a, b Survivor) int { return cmp.Compare(a.Instance, b.Instance) })
	led := slices.IndexFunc(sorted, func(s Survivor) bool { return s.Led })
	switch {
	case led >= 0 && (voters != 1 || managers == 1):
		return RecoveryPlan{Action: RecoveryNone, Reason: "manager " + sorted[led].Instance +
			" sees a leader: the swarm has its majority, and there is nothing to recover"}
	case led < 0 && (orchestrator.Quorum{Managers: managers, Reachable: len(sorted)}).Kept() && managers > 1:
		return RecoveryPlan{Action: RecoveryNone, Reason: fmt.Sprintf("%d of %d managers answer, which is a majority, and they choose a "+
			"leader: look again in a minute", len(sorted), managers)}
	}
	plan := RecoveryPlan{Action: RecoveryForce}
	if led >= 0 {
		plan.Action = RecoveryResume
	}
	from := max(led, 0)
	plan.From, plan.Others = sorted[from], slices.Delete(slices.Clone(sorted), from, from+1)
	plan.Reason = fmt.Sprintf("a new swarm was made of what manager %s knew, one of %d that answered of %d: what the others had "+
		"agreed on since, such as a service, a secret or a rollout, may be lost", plan.From.Instance, len(sorted), managers)
	return plan
}
