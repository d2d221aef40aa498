package decide

import (
	"slices"
	"testing"

	"portolan/shared/contract"
	"portolan/shared/model"
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
