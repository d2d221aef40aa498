package intake_test

import (
	"testing"
	"time"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/fault"
	"portolan/shared/intake"
	"portolan/shared/model"
	"portolan/shared/step/steptest"
	"portolan/shared/store"
	"portolan/shared/store/storetest"
)

var web = contract.Target{Cluster: "shop", Service: "web"}

func wish(id string, generation int64) model.Operation {
	return decide.NewOperation(id, contract.KindScale, web, "checkout", generation, contract.Cause{Who: id}, time.Now())
}

// enqueue queues a wish, and returns the operation that carries it out.
func enqueue(t *testing.T, s *store.Store, o model.Operation) model.Operation {
	t.Helper()
	queued, writes, err := intake.Enqueue(t.Context(), s, o)
	if err != nil {
		t.Fatal(err)
	}
	steptest.Commit(t, s, writes...)
	return queued
}

func queueOf(t *testing.T, s *store.Store) []string {
	t.Helper()
	queue, err := s.Queue(t.Context(), model.TargetKey(web))
	if err != nil {
		t.Fatal(err)
	}
	return queue.Operations
}

// Ten alarms while a scaling waits become one more scaling, not ten.
func TestFurtherWishesJoinTheOneThatWaits(t *testing.T) {
	s := storetest.Open(t)
	enqueue(t, s, wish("01", 1))
	for generation := range int64(10) {
		if got := enqueue(t, s, wish("02", generation+2)); got.ID != "01" || got.Generation != generation+2 {
			t.Fatalf("got %+v", got)
		}
	}
	if got := queueOf(t, s); len(got) != 1 {
		t.Errorf("queued are %q", got)
	}
	o, err := s.Operation(t.Context(), "01")
	if err != nil || o.Generation != 11 || o.Cause.Who != "01" {
		t.Errorf("the operation is %+v, %v", o, err)
	}
}

func TestWishesThatDoNotJoin(t *testing.T) {
	tests := map[string]func(*model.Operation){
		"another kind":      func(o *model.Operation) { o.Kind = contract.KindDeploy },
		"another node pool": func(o *model.Operation) { o.NodePool = "spot" },
		"somebody waits":    func(o *model.Operation) { o.Parent = "parent" },
	}
	for name, change := range tests {
		s := storetest.Open(t)
		enqueue(t, s, wish("01", 1))
		o := wish("02", 2)
		change(&o)
		if got := enqueue(t, s, o); got.ID != "02" || len(queueOf(t, s)) != 2 {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

// One that runs may be past the point at which it would see the wish.
func TestWishBehindARunningOperation(t *testing.T) {
	s := storetest.Open(t)
	steptest.Begin(t, s, "01", contract.KindScale, web)
	if got := enqueue(t, s, wish("02", 2)); got.ID != "02" {
		t.Errorf("got %+v", got)
	}
	if got := enqueue(t, s, wish("03", 3)); got.ID != "02" || got.Generation != 3 {
		t.Errorf("got %+v", got)
	}
}

// An older wish that comes late lowers nothing.
func TestJoiningOnlyRaises(t *testing.T) {
	s := storetest.Open(t)
	first := wish("01", 5)
	first.Release = 3
	enqueue(t, s, first)
	if got := enqueue(t, s, wish("02", 4)); got.Generation != 5 || got.Release != 3 {
		t.Errorf("got %+v", got)
	}
}

// The operation that waited starts between the look and the commit.
func TestJoiningOneThatStartsMeanwhileIsAConflict(t *testing.T) {
	s := storetest.Open(t)
	enqueue(t, s, wish("01", 1))
	_, writes, err := intake.Enqueue(t.Context(), s, wish("02", 2))
	if err != nil {
		t.Fatal(err)
	}
	started := wish("01", 1)
	started.Status = contract.OperationRunning
	steptest.Commit(t, s, store.StartOperation(started))
	if err := s.Commit(t.Context(), writes...); !fault.IsConflict(err) {
		t.Errorf("got %v", err)
	}
}
