package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	dynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/fault"
	"portolan/shared/model"
	"portolan/shared/outcome"
	"portolan/shared/signal"
	"portolan/shared/step/steptest"
	"portolan/shared/store"
	"portolan/shared/store/storetest"
)

// A scene is the handler on the real store, with Step Functions that remembers
// what was started, in virtual time.
type scene struct {
	*testing.T
	*Handler
	store *store.Store

	mu      sync.Mutex
	started []Input
	names   map[string]string // of executions, with their input
	lost    int               // how many answers get lost after the effect
	refuse  error
	ended   []string // what was told to have ended
	deaf    error
}

const prefix = "arn:aws:states:eu-central-1:111122223333:stateMachine:portolan-"

// StartExecution implements Executions as Step Functions does: the same name with
// the same input is the same execution.
func (s *scene) StartExecution(_ context.Context, in *sfn.StartExecutionInput, _ ...func(*sfn.Options)) (*sfn.StartExecutionOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil {
		return nil, s.refuse
	}
	if input, ok := s.names[*in.Name]; ok {
		if input == *in.Input {
			return &sfn.StartExecutionOutput{}, nil
		}
		return nil, &types.ExecutionAlreadyExists{}
	}
	var input Input
	if err := json.Unmarshal([]byte(*in.Input), &input); err != nil {
		return nil, err
	}
	if *in.StateMachineArn != prefix+input.Kind {
		s.Errorf("%s starts %s", input.Kind, *in.StateMachineArn)
	}
	s.names[*in.Name] = *in.Input
	s.started = append(s.started, input)
	if s.lost > 0 {
		s.lost--
		return nil, context.DeadlineExceeded
	}
	return &sfn.StartExecutionOutput{}, nil
}

// Send implements Signals.
func (s *scene) Send(_ context.Context, thing string, what signal.Signal) (bool, error) {
	s.ended = append(s.ended, thing+" "+what.Status)
	return true, s.deaf
}

func play(t *testing.T, act func(*scene)) {
	synctest.Test(t, func(t *testing.T) {
		s := &scene{T: t, store: storetest.Open(t), names: map[string]string{}}
		s.Handler = &Handler{Store: s.store, Executions: s, Signals: s, MachinePrefix: prefix, Now: time.Now, Log: steptest.Log()}
		steptest.Commit(t, s.store, store.CreateCluster(steptest.Cluster()), store.CreateService(steptest.Service()))
		act(s)
	})
}

var web = contract.Target{Cluster: "shop", Service: "web"}

// accept queues an operation that another one waits for, and does not tell dispatch.
func (s *scene) accept(id string) {
	s.Helper()
	o := decide.NewOperation(id, contract.KindScale, web, "checkout", 1, contract.Cause{}, time.Now())
	o.Parent = "00"
	steptest.Commit(s.T, s.store, store.CreateOperation(o)...)
}

// end ends an operation as its machine does.
func (s *scene) end(id string) {
	s.Helper()
	o := s.operation(id)
	done := decide.End(o, contract.OperationSucceeded, "", nil, time.Now())
	steptest.Commit(s.T, s.store, append(store.EndOperation(done), store.ReleaseLease(model.TargetKey(web), id, o.Token))...)
}

func (s *scene) operation(id string) model.Operation {
	s.Helper()
	o, err := s.store.Operation(s.Context(), id)
	if err != nil {
		s.Fatal(err)
	}
	return *o
}

func (s *scene) lease() model.Lease {
	s.Helper()
	queue, err := s.store.Queue(s.Context(), model.TargetKey(web))
	if err != nil {
		s.Fatal(err)
	}
	return queue.Lease
}

// tell hands dispatch a batch of records, and returns which has to come again.
func (s *scene) tell(ids ...string) string {
	s.Helper()
	var batch Batch
	for _, id := range ids {
		batch.Records = append(batch.Records, s.record(id))
	}
	out, err := s.Handle(s.Context(), batch)
	if err != nil || len(out.BatchItemFailures) > 1 {
		s.Fatalf("got %+v, %v", out, err)
	}
	for _, failure := range out.BatchItemFailures {
		return failure.ItemIdentifier
	}
	return ""
}

// record is what the stream tells of an operation as it is now.
func (s *scene) record(id string) Record {
	s.Helper()
	o, err := s.store.Operation(s.Context(), id)
	if fault.IsNotFound(err) {
		o, err = &model.Operation{ID: id, Status: contract.OperationPending}, nil
	}
	if err != nil {
		s.Fatal(err)
	}
	return record(s.T, "OPERATION", *o)
}

func record(t *testing.T, sort string, o model.Operation) (r Record) {
	t.Helper()
	item, err := attributevalue.MarshalMapWithOptions(o, func(o *attributevalue.EncoderOptions) { o.TagKey = "json" })
	if err != nil {
		t.Fatal(err)
	}
	item["SK"] = &dynamodb.AttributeValueMemberS{Value: sort}
	r.Change.SequenceNumber = "at-" + o.ID
	if r.Change.NewImage, err = attributevalue.MarshalMapJSON(item); err != nil {
		t.Fatal(err)
	}
	return r
}

// ran are the ids of the operations whose machines were started, in order.
func (s *scene) ran() string {
	ids := make([]string, 0, len(s.started))
	for _, each := range s.started {
		ids = append(ids, each.Operation)
	}
	return strings.Join(ids, " ")
}

// A busy store has somebody else write right before its first commit.
type busyStore struct {
	*store.Store
	before func()
}

func (s *busyStore) Commit(ctx context.Context, writes ...store.Write) error {
	if before := s.before; before != nil {
		s.before = nil
		before()
	}
	return s.Store.Commit(ctx, writes...)
}

// A wish that joins between the look at the operation and its start is carried out by it.
func TestAWishThatJoinsAtTheStartIsNotLost(t *testing.T) {
	play(t, func(s *scene) {
		s.accept("01")
		s.Handler.Store = &busyStore{s.store, func() {
			o := s.operation("01")
			o.Generation, o.Wishes, o.Joined = 2, 1, []contract.Cause{{Who: "ada"}}
			steptest.Commit(s.T, s.store, store.JoinOperation(o))
		}}
		s.tell("01")
		o := s.operation("01")
		if o.Status != contract.OperationRunning || o.Generation != 2 || len(o.Joined) != 1 || s.ran() != "01" {
			t.Errorf("ran %q, and the operation is %+v", s.ran(), o)
		}
	})
}

func TestAcceptedOperationIsGivenTheLeaseAndStarted(t *testing.T) {
	play(t, func(s *scene) {
		s.accept("01")
		if again := s.tell("01"); again != "" {
			t.Fatalf("%s has to come again", again)
		}
		want := Input{Operation: "01", Token: 1, Target: "service/shop/web", Kind: "scale", Cluster: "shop", Service: "web", Attempt: 1}
		if len(s.started) != 1 || s.started[0] != want {
			t.Errorf("started %+v", s.started)
		}
		o, lease := s.operation("01"), s.lease()
		if o.Status != contract.OperationRunning || o.Token != 1 || !o.StartedAt.Equal(time.Now()) {
			t.Errorf("the operation is %+v", o)
		}
		if lease.Holder != "01" || !lease.ExpiresAt.After(o.Deadline) {
			t.Errorf("the lease is %+v", lease)
		}
	})
}

func TestOperationsOnOneTargetTakeTurns(t *testing.T) {
	play(t, func(s *scene) {
		s.accept("01")
		s.accept("02")
		if s.tell("01", "02", "02"); s.ran() != "01" {
			t.Fatalf("started %s", s.ran())
		}
		s.end("01")
		if s.tell("01"); s.ran() != "01 02" || s.started[1].Token != 2 {
			t.Errorf("started %+v", s.started)
		}
		if len(s.ended) != 1 || s.ended[0] != "operation/01 Succeeded" {
			t.Errorf("told %q", s.ended)
		}
		s.end("02")
		if s.tell("02"); s.ran() != "01 02" || s.lease().Holder != "" {
			t.Errorf("started %s", s.ran())
		}
	})
}

func TestTheEndIsToldOfWhatMayBeWaitedFor(t *testing.T) {
	play(t, func(s *scene) {
		o := decide.NewOperation("01", contract.KindScale, web, "checkout", 1, contract.Cause{}, time.Now())
		alone := decide.End(o, contract.OperationSucceeded, "", nil, time.Now())
		child, joined := alone, alone
		child.ID, child.Parent = "02", "00"
		joined.ID, joined.Joined = "03", []contract.Cause{{Who: "an alarm"}}
		var batch Batch
		for _, o := range []model.Operation{alone, child, joined} {
			batch.Records = append(batch.Records, record(s.T, "OPERATION", o))
		}
		if out, err := s.Handle(s.Context(), batch); err != nil || len(out.BatchItemFailures) > 0 {
			s.Fatalf("got %+v, %v", out, err)
		}
		if want := []string{"operation/02 Succeeded", "operation/03 Succeeded"}; !slices.Equal(s.ended, want) {
			s.Errorf("told %q, want %q", s.ended, want)
		}
	})
}

func TestRecordThatComesTwiceOrLateChangesNothing(t *testing.T) {
	play(t, func(s *scene) {
		s.accept("01")
		s.tell("01", "01", "01")
		before := s.operation("01")
		time.Sleep(time.Minute)
		s.tell("01")
		if after := s.operation("01"); s.ran() != "01" || after.Token != before.Token || !after.StartedAt.Equal(before.StartedAt) {
			t.Errorf("started %s; the operation is %+v", s.ran(), after)
		}
		s.end("01")
		s.tell("01", "01")
		if s.ran() != "01" {
			t.Errorf("started %s", s.ran())
		}
	})
}

// A record may show an operation as it was long before.
func TestAnOldRecordChangesNothing(t *testing.T) {
	play(t, func(s *scene) {
		s.accept("01")
		old := s.record("01")
		s.tell("01")
		tellOld := func() {
			s.Helper()
			if out, err := s.Handle(s.Context(), Batch{Records: []Record{old}}); err != nil || len(out.BatchItemFailures) > 0 {
				s.Errorf("got %+v, %v", out, err)
			}
		}
		if tellOld(); s.ran() != "01" || s.operation("01").Token != 1 {
			s.Errorf("started %s", s.ran())
		}
		// It runs, and a table that was restored has no lease for it.
		steptest.Commit(s.T, s.store, store.ReleaseLease(model.TargetKey(web), "01", 1))
		if tellOld(); s.operation("01").Token != 2 || s.operation("01").Attempt != 2 {
			s.Errorf("the operation is %+v", s.operation("01"))
		}
		s.end("01")
		if tellOld(); s.operation("01").Status != contract.OperationSucceeded || s.lease().Holder != "" {
			s.Errorf("the operation is %+v, and its lease %+v", s.operation("01"), s.lease())
		}
	})
}

// The answer of StartExecution is lost, or dispatch died before it called.
func TestLostStartIsMadeUp(t *testing.T) {
	play(t, func(s *scene) {
		s.accept("01")
		s.lost = 1
		if again := s.tell("01"); again != "at-01" {
			t.Fatalf("%q has to come again", again)
		}
		if again := s.tell("01"); again != "" || s.ran() != "01" {
			t.Errorf("%q has to come again; started %s", again, s.ran())
		}
	})
	play(t, func(s *scene) {
		s.accept("01")
		s.refuse = context.DeadlineExceeded
		s.tell("01") // it holds the lease, and nothing runs
		s.refuse = nil
		if again := s.tell("01"); again != "" || s.ran() != "01" || s.started[0].Token != 1 {
			t.Errorf("%q has to come again; started %+v", again, s.started)
		}
	})
}

// The first record that fails is reported, and none behind it is handled.
func TestFailureIsReportedByItsSequenceNumber(t *testing.T) {
	play(t, func(s *scene) {
		s.accept("01")
		s.refuse = &types.ExecutionLimitExceeded{}
		if again := s.tell("unknown", "01", "01"); again != "at-01" || s.ran() != "" {
			t.Errorf("%q has to come again", again)
		}
	})
	play(t, func(s *scene) {
		s.accept("01")
		s.tell("01")
		s.end("01")
		s.deaf = errors.New("who waits cannot be told")
		if again := s.tell("01"); again != "at-01" {
			t.Errorf("%q has to come again", again)
		}
	})
}

func TestOtherItemsAreNoneOfItsBusiness(t *testing.T) {
	play(t, func(s *scene) {
		s.accept("01")
		batch := Batch{Records: []Record{record(t, "QUEUE#01", s.operation("01")), {}}}
		if out, err := s.Handle(s.Context(), batch); err != nil || len(out.BatchItemFailures) != 0 || s.ran() != "" {
			t.Errorf("got %+v, %v; started %s", out, err, s.ran())
		}
	})
}

func TestTwoDispatchersAtOnceStartOneMachine(t *testing.T) {
	play(t, func(s *scene) {
		s.accept("01")
		s.accept("02")
		var wait sync.WaitGroup
		for range 8 {
			wait.Go(func() { s.tell("01", "02") })
		}
		wait.Wait()
		s.tell("01", "02")
		if s.ran() != "01" || s.lease().Token != 1 {
			t.Errorf("started %s; the lease is %+v", s.ran(), s.lease())
		}
	})
}

// racing lets somebody else take the lease whenever dispatch has read the queue.
type racing struct {
	Store
	between func()
}

func (r racing) Queue(ctx context.Context, target string) (store.Queue, error) {
	queue, err := r.Store.Queue(ctx, target)
	r.between()
	return queue, err
}

func TestWhoeverIsFasterWins(t *testing.T) {
	play(t, func(s *scene) {
		s.accept("01")
		other, read := *s.Handler, s.operation("01")
		once := sync.OnceFunc(func() {
			if err := other.advance(s.Context(), read); err != nil {
				t.Error(err)
			}
		})
		s.Handler.Store = racing{s.store, once}
		if again := s.tell("01"); again != "" || s.ran() != "01" || s.lease().Token != 1 {
			t.Errorf("%q has to come again; started %s", again, s.ran())
		}
	})
}

func TestQueueThatNeverRestsIsTriedAgain(t *testing.T) {
	play(t, func(s *scene) {
		s.accept("01")
		s.Handler.Store = racing{s.store, func() {
			lease := s.lease()
			_, take := store.TakeLease(lease, "", time.Time{})
			steptest.Commit(s.T, s.store, take)
		}}
		read := s.operation("01")
		if err := s.advance(s.Context(), read); !fault.IsUnavailable(err) {
			t.Errorf("got %v", err)
		}
	})
}

// reading counts how often operations are read, and lets something happen before a queue is.
type reading struct {
	Store
	operations *int
	before     func()
}

func (r reading) Operation(ctx context.Context, id string) (*model.Operation, error) {
	*r.operations++
	return r.Store.Operation(ctx, id)
}

func (r reading) Queue(ctx context.Context, target string) (store.Queue, error) {
	r.before()
	return r.Store.Queue(ctx, target)
}

// What a record shows of an operation is read again only where it was taken over since.
func TestWhatARecordShowsIsNotReadAgain(t *testing.T) {
	play(t, func(s *scene) {
		s.accept("01")
		reads := 0
		s.Handler.Store = reading{s.store, &reads, func() {}}
		for range 2 {
			if again := s.tell("01"); again != "" || reads != 0 || s.ran() != "01" {
				t.Errorf("%q has to come again; %d reads started %s", again, reads, s.ran())
			}
		}
		once := sync.OnceFunc(func() {
			o := s.operation("01")
			taken, writes, err := outcome.TakeOver(s.Context(), s.store, o, s.lease(), decide.Loss{Why: "for the test"}, time.Now())
			if err != nil || taken.Attempt != 2 {
				t.Fatalf("got %+v, %v", taken, err)
			}
			steptest.Commit(s.T, s.store, writes...)
		})
		s.Handler.Store = reading{s.store, &reads, once}
		if again := s.tell("01"); again != "" || s.names["01-2"] == "" {
			t.Errorf("%q has to come again; started are %v", again, s.names)
		}
	})
}

// A lease that ran out is taken over under a higher token: for another attempt
// while there is time, and else for the end.
func TestLeaseThatRanOutIsTakenOver(t *testing.T) {
	play(t, func(s *scene) {
		s.accept("01")
		s.accept("02")
		s.tell("01")
		until := s.lease().ExpiresAt
		time.Sleep(time.Until(until) - time.Second)
		if s.tell("02"); s.ran() != "01" {
			t.Fatalf("started %s while the lease lasts", s.ran())
		}
		time.Sleep(time.Second)
		s.tell("02")
		ended := s.operation("01")
		if ended.Status != contract.OperationFailedDirty || len(ended.Left) == 0 || s.lease().Token != 2 {
			t.Errorf("past its deadline the operation is %+v", ended)
		}
		s.tell("01") // the stream tells of its end
		if s.ran() != "01 02" || s.started[1].Token != 3 {
			t.Errorf("started %+v", s.started)
		}
	})
	play(t, func(s *scene) {
		s.accept("01")
		s.tell("01")
		_, free := store.TakeLease(s.lease(), "01", time.Now()) // shortened, as nobody does
		steptest.Commit(s.T, s.store, free)
		o := s.operation("01")
		read := o.Token
		o.Token = s.lease().Token
		steptest.Commit(s.T, s.store, store.UpdateTakenOver(o, read))
		s.tell("01")
		if len(s.started) != 2 || s.started[1].Attempt != 2 || s.started[1].Token != 3 || s.started[1].TakenOver == "" {
			t.Errorf("started %+v", s.started)
		}
	})
}

// After a restore of the table the lease may be held by what is no more.
func TestLeaseOfNobodyIsFree(t *testing.T) {
	play(t, func(s *scene) {
		s.accept("01")
		_, take := store.TakeLease(s.lease(), "forgotten", time.Now().Add(time.Hour))
		steptest.Commit(s.T, s.store, take)
		if s.tell("01"); s.ran() != "01" || s.started[0].Token != 2 {
			t.Errorf("started %+v", s.started)
		}
	})
}
