package decide

import (
	"slices"
	"testing"

	"portolan/shared/contract"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
)

func TestCheckPolicy(t *testing.T) {
	right := contract.PolicySpec{Alarm: "a", Service: "web", Adjustment: 2, SizeMin: 2, SizeMax: 6}
	for name, test := range map[string]struct {
		change func(*contract.PolicySpec)
		want   []string
	}{
		"right":     {func(*contract.PolicySpec) {}, nil},
		"one size":  {func(s *contract.PolicySpec) { s.SizeMin = 6 }, nil},
		"neither":   {func(s *contract.PolicySpec) { s.Service = "" }, []string{""}},
		"both":      {func(s *contract.PolicySpec) { s.NodePool = "main" }, []string{"/nodePool"}},
		"no change": {func(s *contract.PolicySpec) { s.Adjustment = 0 }, []string{"/adjustment"}},
		"upside down and no change": {func(s *contract.PolicySpec) { s.SizeMin, s.Adjustment = 7, 0 },
			[]string{"/adjustment", "/sizeMin"}},
	} {
		t.Run(name, func(t *testing.T) {
			spec := right
			test.change(&spec)
			if got := pointers(CheckPolicy(spec)); !slices.Equal(got, test.want) {
				t.Errorf("%q is blamed, not %q", got, test.want)
			}
		})
	}
}

func TestCheckPolicyTarget(t *testing.T) {
	cluster := &model.Cluster{Spec: contract.ClusterSpec{Name: "demo"}, NodePools: []model.NodePool{{Name: "main"}}}
	onService, onPool := contract.PolicySpec{Service: "web"}, contract.PolicySpec{NodePool: "main"}
	for name, test := range map[string]struct {
		spec    contract.PolicySpec
		service *model.Service
		want    []string
	}{
		"a service":             {onService, &model.Service{}, nil},
		"no service":            {onService, nil, []string{"/service"}},
		"one that goes":         {onService, &model.Service{Status: contract.ServiceRetiring}, []string{"/service"}},
		"one that is gone":      {onService, &model.Service{Status: contract.ServiceRetired}, []string{"/service"}},
		"one on each node":      {onService, &model.Service{Global: true}, []string{"/service"}},
		"a pool":                {onPool, nil, nil},
		"a pool that is no one": {contract.PolicySpec{NodePool: "spot"}, nil, []string{"/nodePool"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := pointers(CheckPolicyTarget(test.spec, cluster, test.service)); !slices.Equal(got, test.want) {
				t.Errorf("%q is blamed, not %q", got, test.want)
			}
		})
	}
}

func TestCheckPolicyOfManagers(t *testing.T) {
	swarm := &model.Cluster{Spec: contract.ClusterSpec{Name: "fleet"}, NodePools: []model.NodePool{{Name: "managers"}, {Name: "workers"}},
		Facts: orchestrator.Facts{Swarm: &orchestrator.SwarmFacts{}}}
	other := &model.Cluster{Spec: contract.ClusterSpec{Name: "demo"}, NodePools: []model.NodePool{{Name: "managers"}}}
	for name, test := range map[string]struct {
		cluster *model.Cluster
		spec    contract.PolicySpec
		want    []string
	}{
		"up by two":                     {swarm, contract.PolicySpec{NodePool: "managers", Adjustment: 2, SizeMin: 3, SizeMax: 7}, nil},
		"down by two":                   {swarm, contract.PolicySpec{NodePool: "managers", Adjustment: -2, SizeMin: 1, SizeMax: 5}, nil},
		"up by one":                     {swarm, contract.PolicySpec{NodePool: "managers", Adjustment: 1, SizeMin: 3, SizeMax: 7}, []string{"/adjustment"}},
		"down by one":                   {swarm, contract.PolicySpec{NodePool: "managers", Adjustment: -1, SizeMin: 3, SizeMax: 7}, []string{"/adjustment"}},
		"down to none":                  {swarm, contract.PolicySpec{NodePool: "managers", Adjustment: -2, SizeMax: 7}, []string{"/sizeMin"}},
		"up to an even one":             {swarm, contract.PolicySpec{NodePool: "managers", Adjustment: 2, SizeMin: 1, SizeMax: 6}, []string{"/sizeMax"}},
		"too many":                      {swarm, contract.PolicySpec{NodePool: "managers", Adjustment: 2, SizeMin: 1, SizeMax: 9}, []string{"/sizeMax"}},
		"workers by one":                {swarm, contract.PolicySpec{NodePool: "workers", Adjustment: 1, SizeMax: 4}, nil},
		"a pool of that name elsewhere": {other, contract.PolicySpec{NodePool: "managers", Adjustment: 1, SizeMax: 4}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := pointers(CheckPolicyTarget(test.spec, test.cluster, nil)); !slices.Equal(got, test.want) {
				t.Errorf("%q is blamed, not %q", got, test.want)
			}
		})
	}
}

// What the door lets through keeps the managers odd, whatever their number was.
func TestPoliciesKeepManagersOdd(t *testing.T) {
	cluster := &model.Cluster{NodePools: []model.NodePool{{Name: "managers"}}, Facts: orchestrator.Facts{Swarm: &orchestrator.SwarmFacts{}}}
	checked := 0
	for adjustment := -8; adjustment <= 8; adjustment++ {
		for low := 0; low <= 9; low++ {
			for high := low; high <= 9; high++ {
				spec := contract.PolicySpec{NodePool: "managers", Adjustment: adjustment, SizeMin: low, SizeMax: high}
				if len(CheckPolicyTarget(spec, cluster, nil)) > 0 {
					continue
				}
				for size := 1; size <= 7; size += 2 {
					got := Scale(&model.Policy{Spec: spec}, AlarmInAlarm, size, 7, atNoon)
					checked++
					if wrong := managerCount(got.To); wrong != "" {
						t.Errorf("%d managers by %+v: %s", size, spec, wrong)
					}
				}
			}
		}
	}
	if checked == 0 {
		t.Error("no policy is let through")
	}
}

func TestPutPolicy(t *testing.T) {
	spec := contract.PolicySpec{Alarm: "a", Service: "web", Adjustment: 2, SizeMax: 6}
	p, changed := PutPolicy(onDemo, "high", nil, spec)
	if !changed || p.Cluster != "demo" || p.Name != "high" || p.Team != "shop" || p.Spec != spec || p.Version != 0 {
		t.Errorf("a new policy is %+v, %t", p, changed)
	}
	p.Version, p.ScaledAt = 3, atNoon
	if same, changed := PutPolicy(onDemo, "high", &p, spec); changed || same != p {
		t.Errorf("the same policy is %+v, %t", same, changed)
	}
	spec.SizeMax = 8
	if next, changed := PutPolicy(onDemo, "high", &p, spec); !changed || next.Spec.SizeMax != 8 || next.Version != 3 || next.ScaledAt != atNoon {
		t.Errorf("the changed policy is %+v, %t", next, changed)
	}
}
