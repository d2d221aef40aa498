package decide

import (
	"strings"
	"testing"
)

func TestPlanRecovery(t *testing.T) {
	alone := func(id string) Survivor { return Survivor{Engine: manager(id, true)} }
	led := func(id string) Survivor { return Survivor{Engine: manager(id, true), Led: true} }
	for name, test := range map[string]struct {
		survivors        []Survivor
		managers, voters int
		want             RecoveryAction
		from             string
		others           int
		says             string
	}{
		"nobody answers":        {nil, 3, 0, RecoveryNone, "", 0, "nothing to recover it from"},
		"one of three is left":  {[]Survivor{alone("m2")}, 3, 0, RecoveryForce, "m2", 0, "m2 knew, one of 1 that answered of 3"},
		"two of five are left":  {[]Survivor{alone("m5"), alone("m4")}, 5, 0, RecoveryForce, "m4", 1, "may be lost"},
		"the majority leads":    {[]Survivor{led("m1"), led("m2")}, 3, 3, RecoveryNone, "", 0, "has its majority"},
		"a healthy single one":  {[]Survivor{led("m1")}, 1, 1, RecoveryNone, "", 0, "has its majority"},
		"a single one, stuck":   {[]Survivor{alone("m1")}, 1, 0, RecoveryForce, "m1", 0, "may be lost"},
		"they choose a leader":  {[]Survivor{alone("m1"), alone("m2")}, 3, 0, RecoveryNone, "", 0, "look again in a minute"},
		"forced already":        {[]Survivor{led("m2")}, 3, 1, RecoveryResume, "m2", 0, "may be lost"},
		"forced, one not left":  {[]Survivor{alone("m1"), led("m2")}, 5, 1, RecoveryResume, "m2", 1, "may be lost"},
		"one knows no better":   {[]Survivor{alone("m1"), led("m2"), led("m3")}, 3, 3, RecoveryNone, "", 0, "m2 sees a leader"},
		"two of four, half way": {[]Survivor{alone("m1"), alone("m2")}, 4, 0, RecoveryForce, "m1", 1, "may be lost"},
	} {
		t.Run(name, func(t *testing.T) {
			got := PlanRecovery(test.survivors, test.managers, test.voters)
			if got.Action != test.want || got.From.Instance != test.from || len(got.Others) != test.others || !strings.Contains(got.Reason, test.says) {
				t.Errorf("the plan is %+v", got)
			}
		})
	}
}
