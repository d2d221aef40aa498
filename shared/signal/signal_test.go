package signal_test

import (
	"context"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamotypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"portolan/shared/fault"
	"portolan/shared/signal"
	"portolan/shared/store"
	"portolan/shared/store/storetest"
)

// tasks are those that wait, by token, with what they were told.
type tasks struct {
	told   map[string]string
	answer error
	before func() // runs before a task is told
}

func (w *tasks) SendTaskSuccess(_ context.Context, in *sfn.SendTaskSuccessInput, _ ...func(*sfn.Options)) (*sfn.SendTaskSuccessOutput, error) {
	if w.before != nil {
		w.before()
	}
	if w.answer != nil {
		return nil, w.answer
	}
	w.told[*in.TaskToken] = *in.Output
	return &sfn.SendTaskSuccessOutput{}, nil
}

// scene is a sender with a task that waits for a thing, as its machine wrote it.
func scene(t *testing.T) (*signal.Sender, *tasks, func(token string)) {
	t.Helper()
	client := storetest.Client(t)
	wait := func(token string) {
		text := func(v string) dynamotypes.AttributeValue { return &dynamotypes.AttributeValueMemberS{Value: v} }
		_, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("portolan"),
			Item: map[string]dynamotypes.AttributeValue{"PK": text("WAIT#stack/a"), "SK": text("WAIT"), "token": text(token)}})
		if err != nil {
			t.Fatal(err)
		}
	}
	w := &tasks{told: map[string]string{}}
	return &signal.Sender{Store: store.New(client, "portolan"), Tasks: w}, w, wait
}

var created = signal.Signal{Event: "Stack", Status: "CREATE_COMPLETE"}

func TestWhoWaitsIsTold(t *testing.T) {
	sender, tasks, wait := scene(t)
	if woken, err := sender.Send(t.Context(), "stack/a", created); woken || err != nil {
		t.Errorf("nobody waits: %v, %v", woken, err)
	}
	wait("token")
	if woken, err := sender.Send(t.Context(), "stack/b", created); woken || err != nil {
		t.Errorf("for another thing: %v, %v", woken, err)
	}
	if woken, err := sender.Send(t.Context(), "stack/a", created); !woken || err != nil || tasks.told["token"] != `{"event":"Stack","status":"CREATE_COMPLETE"}` {
		t.Errorf("got %v, %v; told %v", woken, err, tasks.told)
	}
	if woken, err := sender.Send(t.Context(), "stack/a", created); woken || err != nil {
		t.Errorf("once more: %v, %v", woken, err)
	}
}

// A task that no longer waits is nobody's trouble, and its token is forgotten.
func TestTaskThatIsOver(t *testing.T) {
	for _, over := range []error{&types.TaskTimedOut{}, &types.InvalidToken{}, &types.TaskDoesNotExist{}} {
		sender, tasks, wait := scene(t)
		wait("token")
		tasks.answer = over
		if woken, err := sender.Send(t.Context(), "stack/a", created); woken || err != nil {
			t.Errorf("%T: %v, %v", over, woken, err)
		}
		tasks.answer = errors.New("asked again")
		if _, err := sender.Send(t.Context(), "stack/a", created); err != nil {
			t.Errorf("%T: the token was not forgotten: %v", over, err)
		}
	}
}

func TestTroubleKeepsTheToken(t *testing.T) {
	sender, tasks, wait := scene(t)
	wait("token")
	tasks.answer = context.DeadlineExceeded
	if woken, err := sender.Send(t.Context(), "stack/a", created); woken || !fault.IsUnavailable(err) {
		t.Errorf("got %v, %v", woken, err)
	}
	tasks.answer = nil
	if woken, err := sender.Send(t.Context(), "stack/a", created); !woken || err != nil {
		t.Errorf("once more: %v, %v", woken, err)
	}
}

// A task that begins to wait while another is told is not forgotten.
func TestNewerWaitStays(t *testing.T) {
	sender, tasks, wait := scene(t)
	wait("first")
	tasks.before = func() { wait("second") }
	if woken, err := sender.Send(t.Context(), "stack/a", created); !woken || err != nil {
		t.Fatalf("got %v, %v", woken, err)
	}
	tasks.before = nil
	if woken, err := sender.Send(t.Context(), "stack/a", created); !woken || err != nil || tasks.told["second"] == "" {
		t.Errorf("got %v, %v; told %v", woken, err, tasks.told)
	}
}
