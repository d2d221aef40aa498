package decide

import (
	"slices"
	"testing"
	"time"

	"portolan/shared/contract"
	"portolan/shared/model"
)

func TestCheckBinding(t *testing.T) {
	for name, test := range map[string]struct {
		spec contract.BindingSpec
		want []string
	}{
		"a pipeline":              {contract.BindingSpec{Pipeline: "p", ImageVariable: "IMAGE"}, nil},
		"a repository":            {contract.BindingSpec{Repository: "r", Tag: "latest"}, nil},
		"neither":                 {contract.BindingSpec{}, []string{""}},
		"both":                    {contract.BindingSpec{Pipeline: "p", Repository: "r"}, []string{"/repository"}},
		"a tag of a pipeline":     {contract.BindingSpec{Pipeline: "p", Tag: "latest"}, []string{"/tag"}},
		"a repository's variable": {contract.BindingSpec{Repository: "r", ImageVariable: "IMAGE"}, []string{"/imageVariable"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := pointers(CheckBinding(test.spec)); !slices.Equal(got, test.want) {
				t.Errorf("%q is blamed, not %q", got, test.want)
			}
		})
	}
}

func TestCheckBindingTarget(t *testing.T) {
	for status, want := range map[contract.ServiceStatus][]string{
		contract.ServiceHealthy: nil, contract.ServiceUnhealthy: nil, contract.ServiceDeploying: nil,
		contract.ServiceRetiring: {"/service"}, contract.ServiceRetired: {"/service"},
	} {
		got := CheckBindingTarget(contract.BindingSpec{Service: "web"}, onDemo, &model.Service{Status: status})
		if !slices.Equal(pointers(got), want) {
			t.Errorf("of a service that is %s %v is blamed", status, got)
		}
	}
	if got := CheckBindingTarget(contract.BindingSpec{Service: "web"}, onDemo, nil); len(got) != 1 {
		t.Errorf("of no service %v is blamed", got)
	}
}

func TestPutBinding(t *testing.T) {
	spec := contract.BindingSpec{Service: "web", Pipeline: "p"}
	monday, tuesday := build0, build0.Add(24*time.Hour)
	b, changed := PutBinding(onDemo, "main", nil, spec, monday)
	if !changed || b != (model.Binding{Cluster: "demo", Name: "main", Team: "shop", Spec: spec, ChangedAt: monday}) {
		t.Errorf("a new binding is %+v, %t", b, changed)
	}
	b.Version = 2
	if same, changed := PutBinding(onDemo, "main", &b, spec, tuesday); changed || same != b {
		t.Errorf("the same binding is %+v, %t", same, changed)
	}
	spec.Pipeline = "q"
	if next, changed := PutBinding(onDemo, "main", &b, spec, tuesday); !changed || next.Version != 2 || next.Spec != spec || next.ChangedAt != tuesday {
		t.Errorf("the changed binding is %+v, %t", next, changed)
	}
}
