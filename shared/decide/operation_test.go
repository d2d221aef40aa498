package decide_test

import (
	"slices"
	"testing"
	"time"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/model"
)

var target = contract.Target{Cluster: "shop"}

func provision() model.Operation {
	return decide.NewOperation("id", contract.KindProvision, target, "checkout", 3, contract.Cause{Who: "ada"}, begun)
}

func TestNewOperation(t *testing.T) {
	o := provision()
	if o.Status != contract.OperationPending || o.Ended() || !o.CreatedAt.Equal(begun) || o.Generation != 3 || o.Cause.Who != "ada" {
		t.Errorf("got %+v", o)
	}
	for _, kind := range []contract.OperationKind{contract.KindProvision, contract.KindScale, contract.KindDeploy, contract.KindAutoscale,
		contract.KindRepair, contract.KindReplaceNode, contract.KindRetire} {
		if o := decide.NewOperation("id", kind, target, "", 1, contract.Cause{}, begun); !o.Deadline.After(begun) {
			t.Errorf("%s has no deadline", kind)
		}
	}
}

// An operation that waited for its turn has the whole time of its kind from then.
func TestStart(t *testing.T) {
	later := begun.Add(5 * time.Hour)
	o := decide.Start(provision(), 7, later)
	if o.Status != contract.OperationRunning || o.Token != 7 || o.Attempt != 1 || !o.StartedAt.Equal(later) {
		t.Errorf("got %+v", o)
	}
	if want := provision().Deadline.Sub(begun); o.Deadline.Sub(later) != want {
		t.Errorf("it has %s and not %s", o.Deadline.Sub(later), want)
	}
	if !decide.LeaseUntil(o).After(o.Deadline) {
		t.Error("the lease ends before the end can be written")
	}
}

func TestTakeOver(t *testing.T) {
	running := decide.Start(provision(), 1, begun)
	left := []string{"stack a"}
	died := decide.Loss{Why: "it died", Undo: true}
	next := decide.TakeOver(running, 2, died, left, begun.Add(time.Minute))
	if next.Ended() || next.Attempt != 2 || next.Token != 2 || next.TakenOver != "it died" || !next.Deadline.Equal(running.Deadline) {
		t.Errorf("the next attempt is %+v", next)
	}
	last := decide.TakeOver(next, 3, died, left, begun.Add(time.Minute))
	if over := decide.TakeOver(last, 4, died, left, begun.Add(time.Minute)); over.Status != contract.OperationFailedDirty ||
		over.Reason != "given up after 3 attempts: it died" || !slices.Equal(over.Left, left) || over.Token != 4 {
		t.Errorf("after the last attempt: %+v", over)
	}
	late := decide.TakeOver(running, 2, died, left, running.Deadline)
	if late.Status != contract.OperationFailedDirty || late.Reason != "not done by its deadline: it died" || !late.EndedAt.Equal(running.Deadline) {
		t.Errorf("past the deadline: %+v", late)
	}
	again := decide.TakeOver(running, 2, decide.Loss{Why: "the table does not know of the end"}, left, begun)
	if again.Ended() || again.Attempt != 2 || again.TakenOver != "" {
		t.Errorf("what is only done again is %+v", again)
	}
	if after := decide.TakeOver(next, 3, decide.Loss{Why: "again"}, left, begun); after.TakenOver != "it died" {
		t.Errorf("what is being undone is done again: %+v", after)
	}
}

func TestRemains(t *testing.T) {
	cluster := &model.Cluster{Stacks: []string{"a", "b"}}
	of := func(kind contract.OperationKind, t contract.Target, pool string) model.Operation {
		o := decide.NewOperation("id", kind, t, "", 1, contract.Cause{}, begun)
		o.NodePool = pool
		return o
	}
	tests := []struct {
		o       model.Operation
		cluster *model.Cluster
		want    []string
	}{
		{of(contract.KindDeploy, contract.Target{Cluster: "shop", Service: "web"}, ""), cluster, []string{"service web of cluster shop"}},
		{of(contract.KindAutoscale, contract.Target{Cluster: "shop", Policy: "out"}, ""), cluster, []string{"policy out of cluster shop"}},
		{of(contract.KindScale, target, "default"), cluster, []string{"node pool default of cluster shop"}},
		{of(contract.KindProvision, target, ""), cluster, []string{"cluster shop", "stack a", "stack b"}},
		{of(contract.KindRetire, target, ""), nil, []string{"cluster shop"}},
		{of(contract.KindRepair, target, ""), cluster, []string{"cluster shop"}},
	}
	for _, test := range tests {
		if got := decide.Remains(test.o, test.cluster); !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, want %q", test.o.Kind, got, test.want)
		}
	}
}

func TestEnd(t *testing.T) {
	o := decide.End(provision(), contract.OperationFailedDirty, "why", []string{"a"}, begun)
	if !o.Ended() || o.Reason != "why" || !slices.Equal(o.Left, []string{"a"}) || !o.EndedAt.Equal(begun) {
		t.Errorf("got %+v", o)
	}
}
