package decide

import (
	"testing"
	"time"

	"portolan/shared/contract"
	"portolan/shared/model"
)

var (
	asked  = contract.Cause{Who: "jo", What: "putService", Why: "a test", Source: "api"}
	atNoon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	onDemo = &model.Cluster{Spec: contract.ClusterSpec{Name: "demo", Team: "shop"}}
)

func described(image string, replicas *int) contract.ServiceSpec {
	return contract.ServiceSpec{Image: image, Memory: contract.Memory{LimitMiB: 64}, Replicas: replicas}
}

func TestPutService(t *testing.T) {
	two, three := 2, 3
	running := model.Service{
		Cluster: "demo", Name: "web", Team: "shop", Status: contract.ServiceHealthy,
		Generation: 4, Replicas: 2, Release: 3, ReleaseObserved: 3, LastRelease: 5, Version: 9,
	}
	retired := running
	retired.Status = contract.ServiceRetired
	newest := &model.Release{Number: 3, Spec: described("web:1", nil)}
	withLists := described("web:1", nil)
	withLists.Command, withLists.Environment = []string{}, map[string]string{}
	global := contract.ServiceSpec{Image: "web:1", Mode: contract.Global}
	for name, test := range map[string]struct {
		current *model.Service
		newest  *model.Release
		spec    contract.ServiceSpec

		kind                contract.OperationKind
		generation, release int64
		replicas            int
	}{
		"new":                         {nil, nil, described("web:1", nil), contract.KindDeploy, 1, 1, 1},
		"new with replicas":           {nil, nil, described("web:1", &three), contract.KindDeploy, 1, 1, 3},
		"new on each node":            {nil, nil, global, contract.KindDeploy, 1, 1, 1},
		"the same":                    {&running, newest, described("web:1", &two), "", 4, 3, 2},
		"the same but for empty ones": {&running, newest, withLists, "", 4, 3, 2},
		"no word of replicas":         {&running, newest, described("web:1", nil), "", 4, 3, 2},
		"replicas alone":              {&running, newest, described("web:1", &three), contract.KindScale, 5, 3, 3},
		"another image":               {&running, newest, described("web:2", nil), contract.KindDeploy, 5, 6, 2},
		"another image and replicas":  {&running, newest, described("web:2", &three), contract.KindDeploy, 5, 6, 3},
		"the same after it was gone":  {&retired, newest, described("web:1", nil), contract.KindDeploy, 5, 6, 2},
	} {
		t.Run(name, func(t *testing.T) {
			before := running
			got := PutService(onDemo, "web", test.current, test.newest, test.spec, false, asked, atNoon)
			v := got.Service
			if got.Kind != test.kind || v.Generation != test.generation || v.Release != test.release || v.Replicas != test.replicas {
				t.Errorf("%s, and the service is %+v", got.Kind, v)
			}
			if (got.Release != nil) != (test.kind == contract.KindDeploy) || got.Reason == "" {
				t.Errorf("the release is %+v, because %q", got.Release, got.Reason)
			}
			if v.Cluster != "demo" || v.Name != "web" || v.Team != "shop" || v.Global != (test.spec.Mode == contract.Global) {
				t.Errorf("the service is %+v", v)
			}
			if running != before {
				t.Error("what was handed in was changed")
			}
			if got.Release == nil {
				return
			}
			if r := got.Release; r.Number != v.LastRelease || r.Spec.Replicas != nil || r.Spec.Image != test.spec.Image ||
				r.Status != contract.ReleasePending || r.Cause != asked || !r.CreatedAt.Equal(atNoon) || v.Status != contract.ServiceDeploying {
				t.Errorf("the release is %+v of %+v", r, v)
			}
		})
	}
}

// A release that is wanted and not in effect, because its rollout ended dirty, can be
// asked for again.
func TestPutServiceAgain(t *testing.T) {
	three := 3
	newest := &model.Release{Number: 5, Spec: described("web:1", nil), Image: "web@sha256:1", Commit: "c0ffee", BuiltAt: atNoon.Add(-time.Hour)}
	dirty := model.Service{
		Cluster: "demo", Name: "web", Team: "shop", Status: contract.ServiceUnhealthy, Reason: "no answer",
		Generation: 4, Replicas: 2, Release: 5, ReleaseObserved: 4, LastRelease: 6,
	}
	scaled := dirty // an operation other than a rollout ended dirty
	scaled.ReleaseObserved = 5
	rollingOut := dirty
	rollingOut.Status = contract.ServiceDeploying
	for name, test := range map[string]struct {
		current model.Service
		spec    contract.ServiceSpec
		busy    bool

		kind    contract.OperationKind
		release int64
	}{
		"the same":                         {dirty, described("web:1", nil), false, contract.KindDeploy, 7},
		"the same, and other replicas":     {dirty, described("web:1", &three), false, contract.KindDeploy, 7},
		"the same while it is on its way":  {rollingOut, described("web:1", nil), true, "", 5},
		"other replicas, while on its way": {dirty, described("web:1", &three), true, contract.KindScale, 5},
		"another one":                      {dirty, described("web:2", nil), false, contract.KindDeploy, 7},
		"the same after a dirty scaling":   {scaled, described("web:1", nil), false, contract.KindDeploy, 7},
	} {
		t.Run(name, func(t *testing.T) {
			got := PutService(onDemo, "web", &test.current, newest, test.spec, test.busy, asked, atNoon)
			if v := got.Service; got.Kind != test.kind || v.Release != test.release {
				t.Fatalf("%s because %q, and the service is %+v", got.Kind, got.Reason, v)
			}
			if test.spec.Replicas != nil && got.Service.Replicas != three {
				t.Errorf("%d replicas are wanted", got.Service.Replicas)
			}
			if test.kind != contract.KindDeploy || test.spec.Image != "web:1" {
				return
			}
			if r := got.Release; r.Image != newest.Image || r.Commit != newest.Commit || !r.BuiltAt.Equal(newest.BuiltAt) ||
				!sameDescription(r.Spec, newest.Spec) || r.Cause != asked || r.Status != contract.ReleasePending {
				t.Errorf("the release is %+v", r)
			}
		})
	}
}

func TestRetireService(t *testing.T) {
	got := RetireService(model.Service{Status: contract.ServiceUnhealthy, Reason: "crashes", Generation: 4, Release: 2})
	if got.Status != contract.ServiceRetiring || got.Reason != "" || got.Generation != 5 || got.Release != 2 {
		t.Errorf("the service is %+v", got)
	}
}
