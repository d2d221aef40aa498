package sweeper_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"portolan/functions/sweeper"
	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
	"portolan/shared/store"
)

// running is what runs, by cluster/service, and in which batches it was looked at.
type running struct {
	seen   map[string]orchestrator.Observation
	broken string // the cluster that cannot be looked at
	asked  [][]string
	look   func() // what happens at the next look
}

func (r *running) Glance(_ context.Context, c orchestrator.ClusterRef, services []string) (map[string]orchestrator.Observation, error) {
	r.asked = append(r.asked, services)
	if r.look != nil {
		r.look()
	}
	if c.Name == r.broken {
		return nil, errors.New("out of order")
	}
	out := map[string]orchestrator.Observation{}
	for _, name := range services {
		if one, known := r.seen[c.Name+"/"+name]; known {
			out[name] = one
		}
	}
	return out, nil
}

// registry has images by repository:tag.
type registry struct {
	images map[string]ecrtypes.ImageDetail
	asked  int
}

func (r *registry) DescribeImages(_ context.Context, in *ecr.DescribeImagesInput, _ ...func(*ecr.Options)) (*ecr.DescribeImagesOutput, error) {
	r.asked++
	one, known := r.images[*in.RepositoryName+":"+*in.ImageIds[0].ImageTag]
	if !known {
		return nil, &ecrtypes.ImageNotFoundException{}
	}
	return &ecr.DescribeImagesOutput{ImageDetails: []ecrtypes.ImageDetail{one}}, nil
}

// A round is a bench with what the sweeper's rounds look at.
type round struct {
	*bench
	running  *running
	registry *registry
}

func newRound(t *testing.T) *round {
	r := &round{bench: newBench(t), running: &running{seen: map[string]orchestrator.Observation{}},
		registry: &registry{images: map[string]ecrtypes.ImageDetail{}}}
	r.Handler.Services = map[contract.Orchestrator]orchestrator.Glancer{contract.Ecs: r.running}
	r.Handler.Images = r.registry
	ids := 0
	r.Handler.NewID = func() string { ids++; return fmt.Sprintf("new%d", ids) }
	return r
}

func (r *round) cluster(name string, change func(*model.Cluster)) {
	r.Helper()
	c := model.Cluster{Spec: contract.ClusterSpec{Name: name, Team: "storefront", Orchestrator: contract.Ecs}, Status: contract.ClusterReady}
	if change != nil {
		change(&c)
	}
	r.commits(store.CreateCluster(c))
}

// service makes a service with two tasks of release 1, which runs as it is wanted.
func (r *round) service(cluster, name string) {
	r.Helper()
	r.commits(store.CreateService(model.Service{Cluster: cluster, Name: name, Team: "storefront", Replicas: 2, Generation: 3,
		Release: 1, LastRelease: 1, ReleaseObserved: 1, Status: contract.ServiceHealthy}))
	r.see(cluster, name, 2, 1)
}

func (r *round) see(cluster, name string, desired int, release int64) {
	r.running.seen[cluster+"/"+name] = orchestrator.Observation{Desired: desired, Rollout: orchestrator.Rollout{Release: release}}
}

func (r *round) queue(target string) []string {
	r.Helper()
	queue, err := r.table.Queue(r.Context(), target)
	if err != nil {
		r.Fatal(err)
	}
	return queue.Operations
}

func (r *round) readService(name string) *model.Service {
	r.Helper()
	s, err := r.table.Service(r.Context(), "shop", name)
	if err != nil {
		r.Fatal(err)
	}
	return s
}

// end ends an operation, and frees its target.
func (r *round) end(id string, status contract.OperationStatus) {
	r.Helper()
	r.commits(store.EndOperation(decide.End(*r.read(id), status, "for the test", nil, r.now))...)
}

// later is the next round's time.
func (r *round) later() { r.now = r.now.Add(30 * time.Minute) }

func TestAnIdleTableIsNotWrittenTo(t *testing.T) {
	r := newRound(t)
	r.sweep(sweeper.In{Time: noon})
	if agenda, _, err := r.table.Agenda(t.Context(), store.Page{}); err != nil || agenda.Cursor != (store.Cursor{}) {
		t.Errorf("the agenda is %+v, %v", agenda, err)
	}
}

func TestWhatRunsAsWantedIsLeftAlone(t *testing.T) {
	r := newRound(t)
	r.cluster("shop", nil)
	r.service("shop", "web")
	for range 3 {
		if found := r.sweep(sweeper.In{Time: noon}); len(found) > 0 {
			t.Errorf("found %v", found)
		}
		r.later()
	}
	if len(r.running.asked) != 3 {
		t.Errorf("%d looks in three rounds", len(r.running.asked))
	}
}

func TestDriftThatNoEventToldOfIsRepaired(t *testing.T) {
	const tooMany = "7 tasks are asked for, and 2 are wanted"
	r := newRound(t)
	r.cluster("shop", nil)
	r.service("shop", "web")
	r.see("shop", "web", 7, 1)
	found := r.sweep(sweeper.In{Time: noon})
	if len(found) != 1 || found[0].What != "service/shop/web" || found[0].Did != "operation new1 asked for" || !strings.HasSuffix(found[0].Why, tooMany) {
		t.Fatalf("found %v", found)
	}
	o := r.read("new1")
	if o.Kind != contract.KindRepair || o.Generation != 3 || o.Team != "storefront" || o.Cause.Source != "sweeper" || o.Cause.Why != tooMany {
		t.Errorf("it is %+v", o)
	}
	if s := r.readService("web"); s.Drift != tooMany || s.Generation != 3 || s.Replicas != 2 {
		t.Errorf("the service is %+v", s)
	}
	// Within the half hour nobody looks again; and while the repair is at work it is its
	// business.
	r.now = r.now.Add(25 * time.Minute)
	if found := r.sweep(sweeper.In{Time: noon}); len(r.running.asked) != 2 {
		t.Errorf("looked at %v, found %v", r.running.asked, found)
	}
	r.later()
	if r.sweep(sweeper.In{Time: noon}); len(r.queue("service/shop/web")) != 1 {
		t.Errorf("queued are %v", r.queue("service/shop/web"))
	}
	// The repair succeeds.
	r.end("new1", contract.OperationSucceeded)
	r.see("shop", "web", 2, 1)
	r.later()
	if r.sweep(sweeper.In{Time: noon}); r.readService("web").Drift != "" || len(r.queue("service/shop/web")) != 0 {
		t.Errorf("the service is %+v", r.readService("web"))
	}
}

func TestWhatIsDoneAboutDrift(t *testing.T) {
	foreign := orchestrator.Observation{Desired: 2, Foreign: "hand:1"}
	report := func(c *model.Cluster) { c.Spec.Drift = contract.Report }
	tests := []struct {
		name    string
		cluster func(*model.Cluster)
		seen    *orchestrator.Observation
		last    contract.OperationStatus
		drift   string
		repairs bool
	}{
		{"definition", nil, &foreign, "", "hand:1 runs in place of release 1", true},
		{"release", nil, &orchestrator.Observation{Desired: 2, Rollout: orchestrator.Rollout{Release: 4}}, "", "release 4 is applied, and 1 is wanted", true},
		{"gone", nil, nil, "", "the service is gone", true},
		{"only reported", report, &foreign, "", "hand:1 runs in place of release 1", false},
		{"another orchestrator", func(c *model.Cluster) { c.Spec.Orchestrator = "another" }, &foreign, "", "", false},
		{"cluster retiring", func(c *model.Cluster) { c.Status = contract.ClusterRetiring }, &foreign, "", "", false},
		{"left clean", nil, &foreign, contract.OperationFailedClean, "hand:1 runs in place of release 1", true},
		{"left dirty", nil, &foreign, contract.OperationFailedDirty, "hand:1 runs in place of release 1", false},
	}
	for _, test := range tests {
		r := newRound(t)
		r.cluster("shop", test.cluster)
		r.service("shop", "web")
		if test.last != "" {
			target := contract.Target{Cluster: "shop", Service: "web"}
			r.commits(store.CreateOperation(decide.NewOperation("last", contract.KindDeploy, target, "storefront", 1, contract.Cause{}, noon))...)
			r.end("last", test.last)
		}
		delete(r.running.seen, "shop/web")
		if test.seen != nil {
			r.running.seen["shop/web"] = *test.seen
		}
		for range 2 {
			r.sweep(sweeper.In{Time: noon})
			r.later()
		}
		if got := r.readService("web").Drift; got != test.drift || (len(r.queue("service/shop/web")) == 1) != test.repairs {
			t.Errorf("%s: the drift is %q, queued are %v", test.name, got, r.queue("service/shop/web"))
		}
	}
}

// A change that was under way at the first look, and is over at the second, is none.
func TestTheSecondLookCounts(t *testing.T) {
	r := newRound(t)
	r.cluster("shop", nil)
	r.service("shop", "web")
	r.see("shop", "web", 4, 1)
	r.running.look = func() {
		if len(r.running.asked) == 1 {
			s := *r.readService("web")
			s.Replicas = 4
			r.commits(store.UpdateService(s))
		}
	}
	if found := r.sweep(sweeper.In{Time: noon}); len(found) > 0 || r.readService("web").Drift != "" {
		t.Errorf("found %v, drift %q", found, r.readService("web").Drift)
	}
}

// Whoever else writes the service meanwhile makes the sweeper look anew.
func TestALostRaceIsLookedAtAnew(t *testing.T) {
	r := newRound(t)
	r.cluster("shop", nil)
	r.service("shop", "web")
	r.see("shop", "web", 4, 1)
	r.running.look = func() {
		if len(r.running.asked) == 2 {
			s := *r.readService("web")
			s.Replicas = 3
			r.commits(store.UpdateService(s))
		}
	}
	found := r.sweep(sweeper.In{Time: noon})
	if len(found) != 1 || !strings.HasSuffix(found[0].Why, "4 tasks are asked for, and 3 are wanted") || len(r.running.asked) != 3 {
		t.Errorf("found %v after %d looks", found, len(r.running.asked))
	}
}

// Each service is looked at within the half hour, three hundred in a run.
func TestARoundTakesTurns(t *testing.T) {
	r := newRound(t)
	for _, c := range []string{"a", "b", "c"} {
		r.cluster(c, nil)
		for i := range 130 {
			r.service(c, fmt.Sprintf("web%03d", i))
		}
	}
	var looked []int
	for range 7 { // half an hour
		before := len(slices.Concat(r.running.asked...))
		r.sweep(sweeper.In{Time: noon})
		looked = append(looked, len(slices.Concat(r.running.asked...))-before)
		r.now = r.now.Add(5 * time.Minute)
	}
	if want := []int{300, 90, 0, 0, 0, 0, 300}; !slices.Equal(looked, want) {
		t.Errorf("looked at %v services in a run, want %v", looked, want)
	}
	all := slices.Concat(r.running.asked...)[:390]
	for i, name := range all {
		if want := fmt.Sprintf("web%03d", i%130); name != want {
			t.Fatalf("the %dth was %s, want %s", i, name, want)
		}
	}
}

// The cluster at which the last run stopped is retired by now.
func TestARoundGoesOnBehindAClusterThatIsGone(t *testing.T) {
	r := newRound(t)
	for _, c := range []string{"a", "b"} {
		r.cluster(c, nil)
	}
	r.service("b", "web")
	page := "of services that are not there any more"
	r.commits(store.KeepCursor(store.Cursor{Round: store.Round{Began: noon, Cluster: "aa", Next: page}}))
	if found := r.sweep(sweeper.In{Time: noon}); len(found) > 0 || len(r.running.asked) != 1 {
		t.Errorf("found %v, looked at %v", found, r.running.asked)
	}
	agenda, _, err := r.table.Agenda(t.Context(), store.Page{})
	if cursor := agenda.Cursor; err != nil || !cursor.Round.Ended || !cursor.Round.Began.Equal(noon) {
		t.Errorf("the cursor is %+v, %v", cursor, err)
	}
}

func TestAClusterInTroubleHoldsUpNoOther(t *testing.T) {
	r := newRound(t)
	for _, c := range []string{"bad", "good"} {
		r.cluster(c, nil)
		r.service(c, "web")
		r.see(c, "web", 5, 1)
	}
	r.running.broken = "bad"
	out, err := r.Handle(t.Context(), sweeper.In{Time: noon})
	if err == nil || !strings.Contains(err.Error(), "cluster bad") || len(out.Findings) != 1 || out.Findings[0].What != "service/good/web" {
		t.Errorf("found %v, %v", out.Findings, err)
	}
}

const (
	shaA = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	shaB = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

// bound makes a service that runs image A, bound to tags of a repository.
func bound(t *testing.T, bindings ...contract.BindingSpec) *round {
	r := newRound(t)
	r.cluster("shop", nil)
	r.service("shop", "web")
	r.commits(store.CreateRelease(model.Release{Cluster: "shop", Service: "web", Number: 1, Image: image + "@" + shaA,
		Spec: contract.ServiceSpec{Image: image + ":latest", Cpu: 256}, Status: contract.ReleaseActive, CreatedAt: noon.Add(-time.Hour)}))
	for i, spec := range bindings {
		spec.Service = "web"
		r.commits(store.PutBinding(model.Binding{Cluster: "shop", Name: fmt.Sprint("b", i), Team: "storefront", Spec: spec, ChangedAt: noon.Add(-time.Hour)}))
	}
	return r
}

// push moves a tag to an image, and tells nobody.
func (r *round) push(tag, digest string, at time.Time) {
	r.registry.images["shop/webapp:"+tag] = ecrtypes.ImageDetail{RegistryId: aws.String("000000000000"), ImageDigest: &digest, ImagePushedAt: &at}
}

func TestAPushThatNoEventToldOfIsReleased(t *testing.T) {
	r := bound(t, contract.BindingSpec{Repository: "shop/webapp"}, contract.BindingSpec{Pipeline: "shop-web"})
	r.push("latest", shaB, noon.Add(-20*time.Minute))
	found := r.sweep(sweeper.In{Time: noon})
	if len(found) != 1 || found[0].Did != "operation new1 asked for, with release 2" || found[0].What != "service/shop/web" {
		t.Fatalf("found %v", found)
	}
	release, err := r.table.Release(t.Context(), "shop", "web", 2)
	if err != nil || release.Image != image+"@"+shaB || release.Spec.Image != image+":latest" || release.Spec.Cpu != 256 ||
		!release.BuiltAt.Equal(noon) || release.Cause.Source != "sweeper" || !strings.Contains(release.Cause.Why, shaB) {
		t.Errorf("the release is %+v, %v", release, err)
	}
	if o := r.read("new1"); o.Kind != contract.KindDeploy || o.Release != 2 || o.Generation != 4 {
		t.Errorf("the operation is %+v", o)
	}
	for range 3 {
		r.later()
		if r.sweep(sweeper.In{Time: noon}); r.readService("web").LastRelease != 2 || len(r.queue("service/shop/web")) != 1 {
			t.Errorf("again: the service is %+v", r.readService("web"))
		}
	}
}

// What was rolled back is not tried again, until somebody pushes.
func TestAPushIsReleasedOnce(t *testing.T) {
	r := bound(t, contract.BindingSpec{Repository: "shop/webapp", Tag: "stable"})
	r.push("stable", shaB, noon.Add(-20*time.Minute))
	r.sweep(sweeper.In{Time: noon})
	release, err := r.table.Release(t.Context(), "shop", "web", 2)
	if err != nil {
		t.Fatal(err)
	}
	release.Status = contract.ReleaseRolledBack
	s := *r.readService("web")
	s.Release, s.Status = 1, contract.ServiceHealthy
	r.commits(store.UpdateRelease(*release), store.UpdateService(s))
	r.end("new1", contract.OperationFailedClean)
	r.later()
	if found := r.sweep(sweeper.In{Time: noon}); len(found) > 0 {
		t.Errorf("found %v", found)
	}
	r.later()
	r.push("stable", shaA, r.now.Add(-10*time.Minute))
	if found := r.sweep(sweeper.In{Time: noon}); len(found) > 0 {
		t.Errorf("the image that runs was released: %v", found)
	}
}

func TestPushesThatAreNobodysBusiness(t *testing.T) {
	byTag := contract.BindingSpec{Repository: "shop/webapp", Tag: "stable"}
	tests := map[string]struct {
		tag, digest string
		at          time.Time
	}{
		"another tag":             {"latest", shaB, noon.Add(-20 * time.Minute)},
		"what runs":               {"stable", shaA, noon.Add(-20 * time.Minute)},
		"the event may come yet":  {"stable", shaB, noon.Add(-time.Minute)},
		"before the binding":      {"stable", shaB, noon.Add(-2 * time.Hour)},
		"the moment it was bound": {"stable", shaB, noon.Add(-time.Hour)},
	}
	for name, test := range tests {
		r := bound(t, byTag)
		r.push(test.tag, test.digest, test.at)
		if found := r.sweep(sweeper.In{Time: noon}); len(found) > 0 {
			t.Errorf("%s: found %v", name, found)
		}
	}
}

// Many bindings to one tag are one call of ECR.
func TestATagIsLookedUpOnceInARun(t *testing.T) {
	r := bound(t, slices.Repeat([]contract.BindingSpec{{Repository: "shop/webapp"}}, 5)...)
	r.push("latest", shaA, noon.Add(-20*time.Minute))
	r.sweep(sweeper.In{Time: noon})
	if r.registry.asked != 1 {
		t.Errorf("ECR was asked %d times", r.registry.asked)
	}
}
