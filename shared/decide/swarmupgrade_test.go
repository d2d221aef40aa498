package decide

import (
	"fmt"
	"testing"

	"portolan/shared/orchestrator"
)

func TestPlanSwarmUpgrade(t *testing.T) {
	view := SwarmView{Made: true}
	several := func(prefix string, count int) (ids []string) {
		for i := range count {
			ids = append(ids, fmt.Sprintf("%s%04d", prefix, i))
		}
		return ids
	}
	for _, id := range several("m", 3) {
		view.Engines, view.Nodes = append(view.Engines, manager(id, true)), append(view.Nodes, memberOf(id, true, up))
	}
	for _, id := range several("w", 1000) {
		view.Engines, view.Nodes = append(view.Engines, worker(id, true)), append(view.Nodes, memberOf(id, false, up))
	}
	managers := func(capacity, instances int, outdated []string) SwarmPool {
		return SwarmPool{Name: orchestrator.SwarmManagersPool, Group: "m", Size: 3, Capacity: capacity, Instances: instances, Outdated: outdated}
	}
	workers := func(size, instances int, outdated []string) SwarmPool {
		return SwarmPool{Name: "workers", Group: "w", Size: size, Capacity: size, Instances: instances, Outdated: outdated}
	}
	for name, test := range map[string]struct {
		pools   []SwarmPool
		action  UpgradeAction
		group   string
		desired int
		nodes   int
		shrink  bool
	}{
		"one manager more comes first":     {[]SwarmPool{managers(3, 3, several("m", 3))}, UpgradeSurge, "m", 4, 0, false},
		"it is launched":                   {[]SwarmPool{managers(4, 3, several("m", 3))}, UpgradeWait, "", 0, 0, false},
		"then one goes":                    {[]SwarmPool{managers(4, 4, several("m", 3))}, UpgradeReplace, "m", 0, 1, true},
		"as many as wanted again":          {[]SwarmPool{managers(4, 4, nil)}, UpgradeSurge, "m", 3, 0, false},
		"a small pool one at a time":       {[]SwarmPool{managers(3, 3, nil), workers(24, 24, several("w", 24))}, UpgradeReplace, "w", 0, 1, false},
		"a larger one some at a time":      {[]SwarmPool{managers(3, 3, nil), workers(100, 100, several("w", 70))}, UpgradeReplace, "w", 0, 4, false},
		"the last of them":                 {[]SwarmPool{managers(3, 3, nil), workers(100, 100, several("w", 2))}, UpgradeReplace, "w", 0, 2, false},
		"never more than so many":          {[]SwarmPool{managers(3, 3, nil), workers(1000, 1000, several("w", 900))}, UpgradeReplace, "w", 0, 20, false},
		"not while some are still missing": {[]SwarmPool{managers(3, 3, nil), workers(100, 97, several("w", 70))}, UpgradeWait, "", 0, 0, false},
		"all are new":                      {[]SwarmPool{managers(3, 3, nil), workers(100, 100, nil)}, UpgradeDone, "", 0, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			plan := PlanSwarmUpgrade(test.pools, view)
			if plan.Action != test.action || plan.Group != test.group || plan.Desired != test.desired || len(plan.Nodes) != test.nodes ||
				plan.Shrink != test.shrink || plan.Reason == "" {
				t.Errorf("got %+v", plan)
			}
		})
	}
	view.Nodes[1].State = down
	if plan := PlanSwarmUpgrade([]SwarmPool{managers(4, 4, several("m", 3))}, view); plan.Action != UpgradeJoin {
		t.Errorf("while a manager is down: %+v", plan)
	}
}
