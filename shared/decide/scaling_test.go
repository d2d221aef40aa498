package decide

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"portolan/shared/contract"
	"portolan/shared/model"
)

func TestScale(t *testing.T) {
	policy := func(adjustment int, scaled time.Duration) *model.Policy {
		p := &model.Policy{Spec: contract.PolicySpec{Adjustment: adjustment, SizeMin: 2, SizeMax: 6, CooldownSeconds: 60}}
		if scaled > 0 {
			p.ScaledAt = build0.Add(-scaled)
		}
		return p
	}
	tests := []struct {
		name    string
		policy  *model.Policy
		alarm   string
		size    int
		ceiling int
		want    Scaling
	}{
		{"out", policy(2, 0), "ALARM", 2, 0, Scaling{2, 4, true, time.Minute, "the alarm is ALARM: +2"}},
		{"out after the cooldown", policy(2, time.Minute), "ALARM", 4, 0, Scaling{4, 6, true, time.Minute, "the alarm is ALARM: +2"}},
		{"out by less", policy(2, 0), "ALARM", 5, 0, Scaling{5, 6, true, time.Minute, "the alarm is ALARM: +1"}},
		{"at the maximum", policy(2, 0), "ALARM", 6, 0, Scaling{6, 6, false, 0, "refused: 6 is the maximum"}},
		{"past the maximum", policy(2, 0), "ALARM", 9, 0, Scaling{9, 9, false, 0, "refused: 9 is past the maximum of 6"}},
		{"at the pool's maximum", policy(2, 0), "ALARM", 3, 3, Scaling{3, 3, false, 0, "refused: 3 is the maximum"}},
		{"up to the pool's maximum", policy(2, 0), "ALARM", 2, 3, Scaling{2, 3, true, time.Minute, "the alarm is ALARM: +1"}},
		{"in", policy(-1, 0), "ALARM", 3, 0, Scaling{3, 2, true, time.Minute, "the alarm is ALARM: -1"}},
		{"at the minimum", policy(-1, 0), "ALARM", 2, 0, Scaling{2, 2, false, 0, "refused: 2 is the minimum"}},
		{"below the minimum", policy(-1, 0), "ALARM", 1, 0, Scaling{1, 1, false, 0, "refused: 1 is below the minimum of 2"}},
		{"in from past the maximum", policy(-1, 0), "ALARM", 9, 0, Scaling{9, 8, true, time.Minute, "the alarm is ALARM: -1"}},
		{"cooldown", policy(2, 20*time.Second), "ALARM", 2, 0, Scaling{2, 2, false, 40 * time.Second, "in cooldown until 2026-11-23T12:00:40Z"}},
		{"ok", policy(2, 0), "OK", 2, 0, Scaling{2, 2, false, 0, "the alarm is OK: nothing to do"}},
		{"no data", policy(2, 0), "INSUFFICIENT_DATA", 2, 0, Scaling{2, 2, false, 0, "the alarm is INSUFFICIENT_DATA: nothing to do"}},
	}
	for _, test := range tests {
		if got := Scale(test.policy, test.alarm, test.size, test.ceiling, build0); got != test.want {
			t.Errorf("%s: got %+v", test.name, got)
		}
	}
	if got := Cooldown(contract.PolicySpec{}); got != DefaultCooldown {
		t.Errorf("got a cooldown of %s", got)
	}
}

// Whatever the numbers are, a policy moves only its own way, never past its limits,
// and says why.
func TestScaleKeepsItsLimits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := &model.Policy{Spec: contract.PolicySpec{
			Adjustment: rapid.IntRange(-20, 20).Filter(func(n int) bool { return n != 0 }).Draw(t, "adjustment"),
			SizeMin:    rapid.IntRange(0, 20).Draw(t, "min"),
		}}
		p.Spec.SizeMax = p.Spec.SizeMin + rapid.IntRange(0, 20).Draw(t, "room")
		size, ceiling := rapid.IntRange(0, 50).Draw(t, "size"), rapid.IntRange(0, 50).Draw(t, "ceiling")
		got := Scale(p, "ALARM", size, ceiling, build0)
		limit := p.Spec.SizeMax
		if ceiling > 0 {
			limit = min(limit, ceiling)
		}
		switch {
		case got.From != size || got.Reason == "" || got.Apply != (got.To != size):
			t.Fatalf("got %+v", got)
		case p.Spec.Adjustment > 0 && (got.To < size || got.To > size && got.To > limit):
			t.Fatalf("got %+v with a limit of %d", got, limit)
		case p.Spec.Adjustment < 0 && (got.To > size || got.To < size && got.To < p.Spec.SizeMin):
			t.Fatalf("got %+v", got)
		case got.Apply != (got.Wait > 0):
			t.Fatalf("got %+v", got)
		}
	})
}
