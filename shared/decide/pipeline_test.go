package decide

import (
	"strings"
	"testing"
	"time"

	"portolan/shared/contract"
	"portolan/shared/model"
)

var (
	sha    = "sha256:" + strings.Repeat("0a", 32)
	build0 = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
)

func TestParseImage(t *testing.T) {
	tests := map[string]Image{
		"web":                           {"web", "", ""},
		"web:1.4":                       {"web", "1.4", ""},
		"registry.example.com:5000/web": {"registry.example.com:5000/web", "", ""},
		"registry.example.com:5000/shop/web:1.4@" + sha: {"registry.example.com:5000/shop/web", "1.4", sha},
		"web@" + sha: {"web", "", sha},
	}
	for text, want := range tests {
		if got, ok := ParseImage(text); !ok || got != want {
			t.Errorf("%s: got %+v, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", ":1", "web:", "web@", "web@sha256:xyz", "web@md5:" + sha[7:], "a b", "web/", "wéb", strings.Repeat("x", 2000), `{"a":1}`} {
		if got, ok := ParseImage(text); ok {
			t.Errorf("%q: got %+v", text, got)
		}
	}
}

func FuzzParseImage(f *testing.F) {
	f.Add("registry.example.com:5000/shop/web:1.4@" + sha)
	f.Add("1.dkr.ecr.eu-central-1.amazonaws.com/web")
	f.Fuzz(func(t *testing.T, text string) {
		image, ok := ParseImage(text)
		if !ok {
			return
		}
		image.Registry()
		again := image.Repository
		if image.Tag != "" {
			again += ":" + image.Tag
		}
		if image.Digest != "" {
			again += "@" + image.Digest
		}
		if again != text {
			t.Errorf("%q became %q", text, again)
		}
	})
}

func TestRegistryOfAnImage(t *testing.T) {
	tests := map[string]Registry{
		"123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/web":   {"123456789012", "eu-central-1", "shop/web"},
		"123456789012.dkr.ecr-fips.us-east-1.amazonaws.com/web":      {"123456789012", "us-east-1", "web"},
		"123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/web":       {"123456789012", "cn-north-1", "web"},
		"registry.example.com/web":                                   {},
		"123456789012.dkr.ecr.eu-central-1.amazonaws.com":            {},
		"public.ecr.aws/nginx/nginx":                                 {},
		"123456789012.dkr.ecr.eu-central-1.example.com.evil.org/web": {},
	}
	for text, want := range tests {
		if got, ok := (Image{Repository: text}).Registry(); got != want || ok != (want != Registry{}) {
			t.Errorf("%s: got %+v, %v", text, got, ok)
		}
	}
}

func TestFindImage(t *testing.T) {
	source := Action{"Source", build0, map[string]string{
		"ImageURI": "1.dkr.ecr.eu-central-1.amazonaws.com/web:latest", "ImageDigest": sha}}
	build := Action{"Build", build0.Add(time.Minute), map[string]string{"IMAGE_URI": "web:2", "OTHER": "web:3"}}
	again := Action{"Again", build0.Add(2 * time.Minute), map[string]string{"IMAGE_URI": "web:4"}}
	odd := Action{"Odd", build0, map[string]string{"IMAGE_URI": "not an image"}}
	tests := []struct {
		name     string
		actions  []Action
		variable string
		text     string
		digest   string
		reason   string
	}{
		{"source", []Action{build, source}, "", "1.dkr.ecr.eu-central-1.amazonaws.com/web:latest", sha, ""},
		{"build", []Action{build}, "", "web:2", "", ""},
		{"last", []Action{again, build}, "", "web:4", "", ""},
		{"named", []Action{source, build}, "OTHER", "web:3", "", ""},
		{"missing", []Action{source, build}, "MISSING", "", "", "no action of the execution has an output variable MISSING"},
		{"none", nil, "", "", "", "no action of the execution has an output variable ImageURI or IMAGE_URI"},
		{"odd", []Action{odd}, "", "", "", "the variable IMAGE_URI of action Odd is no reference to an image"},
	}
	for _, test := range tests {
		text, image, reason := FindImage(test.actions, test.variable)
		if text != test.text || image.Digest != test.digest || reason != test.reason {
			t.Errorf("%s: got %q, %+v, %q", test.name, text, image, reason)
		}
	}
}

func TestFindCommit(t *testing.T) {
	commit := strings.Repeat("0af", 13) + "1"
	tests := map[string][]string{
		commit:   {sha, "v1", commit, "rest"},
		"v1":     {sha, "", "v1"},
		"":       {sha},
		"zip-42": {"zip-42"},
	}
	for want, revisions := range tests {
		if got := FindCommit(revisions); got != want {
			t.Errorf("%v: got %q", revisions, got)
		}
	}
}

func TestReleaseBuild(t *testing.T) {
	service := model.Service{Cluster: "shop", Name: "web", Status: contract.ServiceHealthy,
		Replicas: 4, Release: 2, ReleaseObserved: 2, LastRelease: 3, Generation: 7}
	wanted := &model.Release{Number: 2, Image: "web@" + sha, BuiltAt: build0,
		Spec: contract.ServiceSpec{Image: "web:1", Cpu: 256}}
	old := model.Release{Number: 1, BuiltAt: build0.Add(-time.Hour)}
	bad := model.Release{Number: 3, BuiltAt: build0.Add(time.Hour), Status: contract.ReleaseRolledBack}
	new := Build{Text: "web:2", Pinned: "web@sha256:" + strings.Repeat("0b", 32), Commit: "c0ffee", At: build0.Add(time.Minute)}
	found, again := bad, new
	found.Image, again.At = new.Pinned, bad.BuiltAt.Add(time.Minute)
	retiring := service
	retiring.Status = contract.ServiceRetiring
	early, same := new, new
	early.At, same.Pinned = build0.Add(-time.Minute), wanted.Image
	later := model.Release{Number: 3, BuiltAt: build0.Add(time.Hour)}
	dirty := service
	dirty.ReleaseObserved = 1
	underWay := map[string]bool{"same image, whose rollout is under way": true}
	tests := []struct {
		name    string
		service model.Service
		recent  []model.Release
		build   Build
		reason  string
		kind    contract.OperationKind
	}{
		{"same image, which is not in effect", dirty, []model.Release{*wanted}, same, "there is a new release", contract.KindDeploy},
		{"same image, whose rollout is under way", dirty, []model.Release{*wanted}, same, "release 2 has this image already", ""},
		{"new", service, []model.Release{*wanted, old}, new, "there is a new release", contract.KindDeploy},
		{"found by the sweep, and rolled back", service, []model.Release{found, *wanted}, new,
			"release 3 was built later, at 2026-11-23T13:00:00Z", ""},
		{"pushed again since it was rolled back", service, []model.Release{found, *wanted}, again, "there is a new release", contract.KindDeploy},
		{"newer one was rolled back", service, []model.Release{bad, *wanted}, new, "there is a new release", contract.KindDeploy},
		{"same start", service, []model.Release{*wanted}, Build{Text: "x", Pinned: "y", At: build0}, "there is a new release", contract.KindDeploy},
		{"same image", service, []model.Release{*wanted}, same, "release 2 has this image already", ""},
		{"built earlier", service, []model.Release{*wanted}, early, "release 2 was built later, at 2026-11-23T12:00:00Z", ""},
		{"under way", service, []model.Release{later, *wanted}, new, "release 3 was built later, at 2026-11-23T13:00:00Z", ""},
		{"retiring", retiring, nil, new, "the service is Retiring", ""},
	}
	for _, test := range tests {
		got := ReleaseBuild(test.service, wanted, test.recent, test.build, underWay[test.name], contract.Cause{Source: "pipeline"}, build0)
		if got.Kind != test.kind || got.Reason != test.reason || (got.Release != nil) != (test.kind != "") {
			t.Errorf("%s: got %+v", test.name, got)
			continue
		}
		if got.Release == nil {
			if got.Service != test.service {
				t.Errorf("%s: the service changed: %+v", test.name, got.Service)
			}
			continue
		}
		r := got.Release
		if r.Number != 4 || r.Image != test.build.Pinned || r.Spec.Image != test.build.Text || r.Spec.Cpu != 256 ||
			r.Commit != test.build.Commit || !r.BuiltAt.Equal(test.build.At) {
			t.Errorf("%s: got %+v", test.name, r)
		}
		if s := got.Service; s.Release != 4 || s.Generation != 8 || s.Replicas != 4 || s.Status != contract.ServiceDeploying {
			t.Errorf("%s: got %+v", test.name, s)
		}
	}
	if wanted.Spec.Image != "web:1" {
		t.Error("the release before was changed")
	}
}

func TestMissedPush(t *testing.T) {
	const image, other = "web@sha256:0b", "web@sha256:0a"
	lost := "the event of the push was lost: nothing was released since 2026-11-23T12:00:00Z"
	release := func(image string, created time.Time) *model.Release {
		return &model.Release{Number: 3, Image: image, CreatedAt: created}
	}
	before, after := build0.Add(-time.Hour), build0.Add(time.Second)
	tests := []struct {
		name   string
		bound  time.Time
		newest *model.Release
		now    time.Time
		want   string
	}{
		{"lost", before, release(other, before), build0.Add(pushPatience), lost},
		{"bound by an older version", time.Time{}, release(other, before), build0.Add(time.Hour), lost},
		{"may come yet", before, release(other, before), build0.Add(pushPatience - 1), ""},
		{"no release to go on from", before, nil, build0.Add(time.Hour), ""},
		{"released", before, release(image, after), build0.Add(time.Hour), ""},
		{"released before it was pushed once more", before, release(image, before), build0.Add(time.Hour), ""},
		{"somebody went on", before, release(other, after), build0.Add(time.Hour), ""},
		{"somebody went on at once", before, release(other, build0), build0.Add(time.Hour), ""},
		{"bound since", after, release(other, before), build0.Add(time.Hour), ""},
	}
	for _, test := range tests {
		b := model.Binding{ChangedAt: test.bound}
		got := ""
		if IsDue(b, build0, test.now) {
			got = MissedPush(test.newest, image, build0)
		}
		if got != test.want {
			t.Errorf("%s: got %q", test.name, got)
		}
	}
}

func TestRegistryHost(t *testing.T) {
	for _, region := range []string{"eu-central-1", "cn-north-1"} {
		image := Image{Repository: RegistryHost("111122223333", region) + "/shop/web"}
		if got, ours := image.Registry(); !ours || got != (Registry{"111122223333", region, "shop/web"}) {
			t.Errorf("%s: got %+v, %t", region, got, ours)
		}
	}
}
