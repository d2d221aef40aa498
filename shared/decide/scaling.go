package decide

import (
	"fmt"
	"time"

	"portolan/shared/contract"
	"portolan/shared/model"
)

// DefaultCooldown is how long a policy waits after it changed something when its
// description does not say.
const DefaultCooldown = 5 * time.Minute

// AlarmInAlarm is the value of an alarm's state while its condition holds.
const AlarmInAlarm = "ALARM"

// A Scaling is what one look at a policy's alarm leads to. Exactly one of Apply,
// Wait and neither holds: change the size to To, look again after Wait, or stop.
type Scaling struct {
	From, To int
	Apply    bool
	Wait     time.Duration
	Reason   string
}

// Scale decides what a policy does about a size, given its alarm's state.
//
// The alarm tells only of a change of its state, so after a change the policy
// waits out its cooldown and looks again until the alarm is OK or the size is at
// its limit. ceiling is what the target itself allows, zero for no such limit.
func Scale(p *model.Policy, alarmState string, size, ceiling int, now time.Time) Scaling {
	out := Scaling{From: size, To: size}
	if alarmState != AlarmInAlarm {
		out.Reason = fmt.Sprintf("the alarm is %s: nothing to do", alarmState)
		return out
	}
	cooldown := Cooldown(p.Spec)
	if left := p.ScaledAt.Add(cooldown).Sub(now); !p.ScaledAt.IsZero() && left > 0 {
		out.Wait = left
		out.Reason = fmt.Sprintf("in cooldown until %s", now.Add(left).UTC().Format(time.RFC3339))
		return out
	}
	limit := p.Spec.SizeMax
	if ceiling > 0 {
		limit = min(limit, ceiling)
	}
	to := bounded(size, p.Spec.Adjustment, p.Spec.SizeMin, limit)
	switch {
	case to != size:
		out.To, out.Apply, out.Wait = to, true, cooldown
		out.Reason = fmt.Sprintf("the alarm is ALARM: %+d", to-size)
	case p.Spec.Adjustment > 0:
		out.Reason = fmt.Sprintf("refused: %d is the maximum", size)
		if size > limit {
			out.Reason = fmt.Sprintf("refused: %d is past the maximum of %d", size, limit)
		}
	default:
		out.Reason = fmt.Sprintf("refused: %d is the minimum", size)
		if size < p.Spec.SizeMin {
			out.Reason = fmt.Sprintf("refused: %d is below the minimum of %d", size, p.Spec.SizeMin)
		}
	}
	return out
}

// lookAgain is how long an alarm may stay in ALARM without anybody looking: what a
// policy was limited by may have changed since.
const lookAgain = time.Hour

// Unfollowed says why somebody has to look at an alarm that is in ALARM since a
// time, or nothing when the newest operation on its policy did, or still does.
// last is nil when there was none.
func Unfollowed(since time.Time, last *model.Operation, now time.Time) string {
	switch {
	case last == nil:
		return "no operation ever followed the alarm"
	case !last.Ended():
		return ""
	case last.CreatedAt.Before(since):
		return "the alarm's event was lost: nothing followed it"
	case last.Status != contract.OperationSucceeded && !now.Before(last.EndedAt.Add(DefaultCooldown)):
		return "operation " + last.ID + " failed to follow the alarm"
	case !now.Before(last.EndedAt.Add(lookAgain)):
		return "nobody looked for an hour, and the alarm is still in ALARM"
	}
	return ""
}

// bounded moves size by adjustment, towards the adjustment only and no further
// than its limit.
func bounded(size, adjustment, low, high int) int {
	if adjustment > 0 {
		return max(size, min(size+adjustment, high))
	}
	return min(size, max(size+adjustment, low))
}

// Cooldown is a policy's own cooldown, or the default.
func Cooldown(spec contract.PolicySpec) time.Duration {
	if spec.CooldownSeconds == 0 {
		return DefaultCooldown
	}
	return time.Duration(spec.CooldownSeconds) * time.Second
}
