package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/fault"
	"portolan/shared/store"
)

var bound = contract.BindingSpec{Pipeline: "myPipeline"}

func TestAPipelineReleasesWhatItBuilt(t *testing.T) {
	x := newTable(t, bound)
	x.pipelines.add(execution, noon, map[string]string{"IMAGE_URI": image + ":2@" + shaA})
	got := x.handle(document(t, succeeded))
	if got.Operation == "" || got.Release != 2 || got.Image != image+"@"+shaA || got.Commit != commit || got.Service != "service/shop/web" {
		t.Fatalf("got %+v", got)
	}
	r := x.release(2)
	if r.Image != image+"@"+shaA || r.Spec.Image != image+":2@"+shaA || r.Spec.Cpu != 256 || r.Commit != commit ||
		!r.BuiltAt.Equal(noon) || r.Status != contract.ReleasePending {
		t.Errorf("got %+v", r)
	}
	if s := x.service(); s.Release != 2 || s.Generation != 2 || s.Replicas != 4 || s.Status != contract.ServiceDeploying {
		t.Errorf("got %+v", s)
	}
	o := x.operations()[0]
	if o.ID != got.Operation || o.Kind != contract.KindDeploy || o.Release != 2 || o.Generation != 2 || o.Team != "shop" {
		t.Errorf("got %+v", o)
	}
	want := contract.Cause{
		Source: "pipeline", What: "an execution of the pipeline myPipeline succeeded",
		Who: "arn:aws:codepipeline:us-east-1:123456789012:myPipeline", EventId: "01234567-EXAMPLE",
		Why: "execution " + execution + ", of type STANDARD, built from commit " + commit,
	}
	if o.Cause != want || r.Cause != want {
		t.Errorf("got cause %+v", o.Cause)
	}
}

func TestAnExecutionThatCameBeforeReleasesNothing(t *testing.T) {
	x := newTable(t, bound)
	x.pipelines.add(execution, noon, map[string]string{"IMAGE_URI": image + "@" + shaA})
	x.handle(document(t, succeeded))
	if got := x.handle(document(t, succeeded)); got.Reason != "nothing is released: release 2 has this image already" {
		t.Errorf("got %+v", got)
	}
	// Somebody has gone on to another release, and the first event comes again, late.
	x.pipelines.add("later", noon.Add(-time.Minute), map[string]string{"IMAGE_URI": image + "@" + shaB})
	s := x.service()
	s.Release, s.LastRelease = 1, 2
	x.commit(store.UpdateService(s))
	if got := x.handle(document(t, succeeded)); got.Reason != "the event was handled before" || got.Operation != "" {
		t.Errorf("got %+v", got)
	}
	x.releases(2, 1)
}

func TestAnImageWhoseRolloutEndedDirtyIsReleasedAgain(t *testing.T) {
	x := newTable(t, bound)
	x.pipelines.add(execution, noon, map[string]string{"IMAGE_URI": image + "@" + shaA})
	first := x.handle(document(t, succeeded))
	o, err := x.store.Operation(t.Context(), first.Operation)
	if err != nil {
		t.Fatal(err)
	}
	x.commit(store.EndOperation(decide.End(*o, contract.OperationFailedDirty, "nobody answers", nil, now))...)
	x.pipelines.add("retried", noon, map[string]string{"IMAGE_URI": image + "@" + shaA})
	got := x.handle(document(t, succeeded, execution, "retried"))
	if got.Release != first.Release+1 || got.Operation == first.Operation {
		t.Errorf("got %+v", got)
	}
}

func TestAnOlderExecutionThatFinishesLateDoesNotRollBack(t *testing.T) {
	x := newTable(t, bound)
	x.pipelines.add("newer", noon, map[string]string{"IMAGE_URI": image + "@" + shaB})
	x.pipelines.add(execution, noon.Add(-time.Hour), map[string]string{"IMAGE_URI": image + "@" + shaA})
	if got := x.handle(document(t, succeeded, execution, "newer")); got.Release != 2 {
		t.Fatalf("got %+v", got)
	}
	if got := x.handle(document(t, succeeded)); got.Operation != "" || got.Reason != "nothing is released: release 2 was built later, at 2020-01-24T12:00:00Z" {
		t.Errorf("got %+v", got)
	}
	// Once the newer one was rolled back, the older one is the best there is.
	r, s := x.release(2), x.service()
	r.Status = contract.ReleaseRolledBack
	s.Release = 1
	x.commit(store.UpdateRelease(r), store.UpdateService(s))
	if got := x.handle(document(t, succeeded)); got.Release != 3 {
		t.Errorf("got %+v", got)
	}
}

func TestTwoExecutionsInARowShareAnOperationThatWaits(t *testing.T) {
	x := newTable(t, bound)
	x.pipelines.add(execution, noon, map[string]string{"IMAGE_URI": image + "@" + shaA})
	x.pipelines.add("newer", noon.Add(time.Minute), map[string]string{"IMAGE_URI": image + "@" + shaB})
	first := x.handle(document(t, succeeded))
	second := x.handle(document(t, succeeded, execution, "newer"))
	if second.Operation != first.Operation || second.Release != 3 {
		t.Fatalf("got %+v, then %+v", first, second)
	}
	x.releases(3, 1)
	if o := x.operations()[0]; o.Release != 3 || o.Generation != 3 {
		t.Errorf("got %+v", o)
	}
}

func TestARollbackOfThePipelineIsReleasedLikeAnyOther(t *testing.T) {
	x := newTable(t, bound)
	x.pipelines.add("before", noon, map[string]string{"IMAGE_URI": image + "@" + shaA})
	x.pipelines.add("bad", noon.Add(time.Hour), map[string]string{"IMAGE_URI": image + "@" + shaB})
	x.handle(document(t, succeeded, execution, "before"))
	x.handle(document(t, succeeded, execution, "bad"))
	back := x.pipelines.add(execution, noon.Add(2*time.Hour), nil)
	back.ExecutionType = types.ExecutionTypeRollback
	back.RollbackMetadata = &types.PipelineRollbackMetadata{RollbackTargetPipelineExecutionId: aws.String("before")}
	got := x.handle(document(t, succeeded))
	if got.Release != 4 || got.Image != image+"@"+shaA {
		t.Fatalf("got %+v", got)
	}
	if why := x.release(4).Cause.Why; !strings.Contains(why, "of type ROLLBACK to execution before") {
		t.Errorf("got %q", why)
	}
}

func TestTheImageIsPinned(t *testing.T) {
	tests := []struct {
		name      string
		spec      contract.BindingSpec
		variables map[string]string
		image     string
		reason    string
	}{
		{"by the source's digest", bound, map[string]string{"ImageURI": image + ":2", "ImageDigest": shaA}, image + "@" + shaA, ""},
		{"by the build's digest", bound, map[string]string{"IMAGE_URI": "registry.example.com/web:2", "IMAGE_DIGEST": shaA}, "registry.example.com/web@" + shaA, ""},
		{"by ECR", bound, map[string]string{"IMAGE_URI": image + ":2"}, image + "@" + shaB, ""},
		{"by ECR's latest", bound, map[string]string{"IMAGE_URI": image}, image + "@" + shaA, ""},
		{"in the binding's variable", contract.BindingSpec{Pipeline: "myPipeline", ImageVariable: "SHOP_IMAGE"},
			map[string]string{"IMAGE_URI": image + ":1", "SHOP_IMAGE": image + ":2"}, image + "@" + shaB, ""},
		{"no tag in ECR", bound, map[string]string{"IMAGE_URI": image + ":3"}, "", "nothing is released: ECR has no image " + image + ":3"},
		{"another registry", bound, map[string]string{"IMAGE_URI": "registry.example.com/web:2"}, "",
			"nothing is released: the image registry.example.com/web has no digest, and is not in Amazon ECR, which could be asked"},
		{"no variable", bound, nil, "", "nothing is released: no action of the execution has an output variable ImageURI or IMAGE_URI"},
		{"no image", bound, map[string]string{"IMAGE_URI": "$(cat image)"}, "", "nothing is released: the variable IMAGE_URI of action Build is no reference to an image"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			x := newTable(t, test.spec)
			x.images.digests["us-west-2/123456789012/web:2"] = shaB
			x.images.digests["us-west-2/123456789012/web:latest"] = shaA
			x.pipelines.add(execution, noon, test.variables)
			got := x.handle(document(t, succeeded))
			if test.reason != "" {
				if got.Reason != test.reason || got.Operation != "" {
					t.Errorf("got %+v", got)
				}
				x.releases(1, 0)
				return
			}
			if got.Image != test.image || x.release(2).Image != test.image {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestAPushReleasesTheImage(t *testing.T) {
	x := newTable(t, contract.BindingSpec{Repository: "my-repository-name"})
	digest := "sha256:7f5b2640fe6fb4f46592dfd3410c4a79dac4f89e4782432e0378abcd1234"
	name := registry + "my-repository-name"
	got := x.handle(document(t, pushed))
	if got.Release != 2 || got.Image != name+"@"+digest {
		t.Fatalf("got %+v", got)
	}
	if r := x.release(2); r.Spec.Image != name+":latest" || r.Commit != "" || r.BuiltAt.Year() != 2019 ||
		r.Cause.Who != "arn:aws:ecr:us-west-2:123456789012:repository/my-repository-name" {
		t.Errorf("got %+v", r)
	}
	if got := x.handle(document(t, pushed)); got.Operation != "" {
		t.Errorf("the second time: %+v", got)
	}
	if got := x.handle(document(t, pushed, digest, shaB, "2019-11-16", "2019-11-15")); got.Operation != "" ||
		got.Reason != "nothing is released: release 2 was built later, at 2019-11-16T01:54:34Z" {
		t.Errorf("an older one: %+v", got)
	}
	// The same tag put back on the first image is a new push.
	x.handle(document(t, pushed, digest, shaB, "2019-11-16", "2019-11-17", "13cde686", "23cde686"))
	if got := x.handle(document(t, pushed, "2019-11-16", "2019-11-18", "13cde686", "33cde686")); got.Release != 4 {
		t.Errorf("tag put back: %+v", got)
	}
	x.releases(4, 1)
}

func TestTheTagOfAPushCounts(t *testing.T) {
	x := newTable(t, contract.BindingSpec{Repository: "my-repository-name", Tag: "stable"})
	for _, raw := range []json.RawMessage{
		document(t, pushed), document(t, pushed, `"image-tag": "latest"`, `"image-tag": "stable2"`),
		document(t, pushed, `,
    "image-tag": "latest"`, ""),
		document(t, pushed, `"PUSH"`, `"DELETE"`, "latest", "stable"),
		document(t, pushed, `"SUCCESS"`, `"FAILURE"`, "latest", "stable"),
	} {
		if got := x.handle(raw); got.Operation != "" {
			t.Errorf("got %+v", got)
		}
	}
	if got := x.handle(document(t, pushed, "latest", "stable")); got.Release != 2 {
		t.Errorf("got %+v", got)
	}
}

func TestEventsThatReleaseNothing(t *testing.T) {
	x := newTable(t, bound)
	x.pipelines.add(execution, noon, map[string]string{"IMAGE_URI": image + "@" + shaA})
	retried := x.pipelines.add("retried", noon, map[string]string{"IMAGE_URI": image + "@" + shaA})
	retried.Status = types.PipelineExecutionStatusInProgress
	tests := map[string]struct {
		raw  json.RawMessage
		want string
	}{
		"started":      {document(t, "codepipeline/pipeline-execution.started.json"), "the execution is STARTED: nothing to do"},
		"failed":       {document(t, succeeded, "SUCCEEDED", "FAILED"), "the execution is FAILED: nothing to do"},
		"action":       {document(t, "codepipeline/action-execution.succeeded.json"), "an action is no execution: nothing to do"},
		"unbound":      {document(t, succeeded, `"myPipeline"`, `"another"`), "nobody bound: no binding names the source of execution/" + execution},
		"unbound push": {document(t, pushed), "nobody bound: no binding names the source of image/13cde686-328b-6117-af20-0e5566167482"},
		"gone":         {document(t, succeeded, execution, "gone"), "nothing is released: CodePipeline does not know the execution"},
		"retried":      {document(t, succeeded, execution, "retried"), "the execution is InProgress by now: nothing to do"},
		"unknown":      {document(t, "ec2/spot-interruption-warning.json"), "unknown kind"},
		"another":      {document(t, "cloudwatch/alarm-state-change.metric.json"), "unknown kind"},
	}
	for name, test := range tests {
		if got := x.handle(test.raw); got.Reason != test.want || got.Operation != "" {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	x.releases(1, 0)
}

func TestNobodyBoundAsksNothing(t *testing.T) {
	x := newTable(t, bound)
	x.handle(document(t, succeeded, `"myPipeline"`, `"another"`))
	if x.pipelines.calls != 0 {
		t.Errorf("CodePipeline was asked %d times", x.pipelines.calls)
	}
}

func TestTargetsThatTakeNoRelease(t *testing.T) {
	raw := document(t, succeeded)
	cases := map[string]struct {
		change func(x *table)
		want   string
	}{
		"cluster retiring": {func(x *table) {
			c, err := x.store.Cluster(x.Context(), "shop")
			if err != nil {
				x.Fatal(err)
			}
			c.Status = contract.ClusterRetiring
			x.commit(store.UpdateCluster(*c))
		}, "the cluster is Retiring and takes no changes"},
		"service retiring": {func(x *table) {
			s := x.service()
			s.Status = contract.ServiceRetiring
			x.commit(store.UpdateService(s))
		}, "nothing is released: the service is Retiring"},
		"service retired": {func(x *table) {
			s := x.service()
			s.Status, s.Release = contract.ServiceRetired, 0
			x.commit(store.UpdateService(s))
		}, "the service does not exist, or has no release to go on from"},
		"no service": {func(x *table) {
			b, err := x.store.Binding(x.Context(), "shop", "b")
			if err != nil {
				x.Fatal(err)
			}
			b.Spec.Service = "missing"
			x.commit(store.PutBinding(*b))
		}, "the service does not exist, or has no release to go on from"},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			x := newTable(t, bound)
			x.pipelines.add(execution, noon, map[string]string{"IMAGE_URI": image + "@" + shaA})
			test.change(x)
			if got := x.handle(raw); got.Reason != test.want || got.Operation != "" {
				t.Errorf("got %+v", got)
			}
			x.releases(1, 0)
		})
	}
}

// racing is a store in which somebody else is faster for a while.
type racing struct {
	Store
	lost int
}

func (r *racing) Commit(ctx context.Context, writes ...store.Write) error {
	if r.lost--; r.lost >= 0 {
		return fault.New(fault.Conflict, "changed meanwhile")
	}
	return r.Store.Commit(ctx, writes...)
}

func TestTroubleIsTriedAgain(t *testing.T) {
	x := newTable(t, bound)
	x.pipelines.add(execution, noon, map[string]string{"IMAGE_URI": image + ":2"})
	x.images.digests["us-west-2/123456789012/web:2"] = shaB
	raw := document(t, succeeded)

	x.pipelines.fail = errors.New("connection reset")
	if _, err := x.Handle(t.Context(), raw); err == nil {
		t.Error("CodePipeline's trouble was swallowed")
	}
	x.pipelines.fail, x.images.fail = nil, errors.New("connection reset")
	if _, err := x.Handle(t.Context(), raw); err == nil {
		t.Error("ECR's trouble was swallowed")
	}
	x.images.fail = nil
	x.Store = &racing{x.store, 3}
	if _, err := x.Handle(t.Context(), raw); !fault.IsConflict(err) {
		t.Errorf("got %v", err)
	}
	x.releases(1, 0)
	x.Store = &racing{x.store, 2}
	if got := x.handle(raw); got.Release != 2 {
		t.Errorf("got %+v", got)
	}
	x.releases(2, 1)
}

func TestMalformedEventsAreInvalid(t *testing.T) {
	x := newTable(t, bound)
	for _, raw := range []json.RawMessage{nil, json.RawMessage(`[1]`), document(t, succeeded, `"detail": {`, `"detail": 1, "x": {`)} {
		if _, err := x.Handle(t.Context(), raw); !fault.IsInvalid(err) {
			t.Errorf("%s: got %v", raw, err)
		}
	}
}
