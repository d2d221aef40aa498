package simulate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"

	"portolan/local"
	"portolan/shared/environment"
	"portolan/shared/model"
	"portolan/shared/step"
)

// An invocation is one run of a function, which its calls of AWS carry in their
// context.
type invocation struct {
	function string
	step     step.Call // zero where a state machine did not call

	// lease is that of the step's target when the invocation began.
	lease model.Lease

	mu    sync.Mutex
	calls int
	dies  int // before that call; 0 is never
	dead  bool
}

// survives counts a call, and says whether the invocation lives to make it.
func (i *invocation) survives() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.calls++
	if i.dies > 0 && i.calls >= i.dies {
		i.dead = true
	}
	return !i.dead
}

type invocationKey struct{}

func invocationOf(ctx context.Context) *invocation {
	i, _ := ctx.Value(invocationKey{}).(*invocation)
	return i
}

// build implements local.Config.Build: each function has a clock that is off, and
// runs under what befalls it.
func (w *World) build(id string, env *environment.Environment, build local.Builder) lambda.Handler {
	if skew := w.Plan.Profile.Skew; skew > 0 {
		off := time.Duration(w.random.Int64N(int64(2*skew))) - skew
		now := env.Now
		env.Now = func() time.Time { return now().Add(off) }
	}
	// The SDK's own pauses are of random length.
	env.AWS.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) {
			o.RateLimiter = nothing{}
			o.Backoff = retry.BackoffDelayerFunc(func(attempt int, _ error) (time.Duration, error) {
				return time.Duration(attempt) * 700 * time.Millisecond, nil
			})
		})
	}
	if w.Bug.Client != nil {
		env.AWS.HTTPClient = w.Bug.Client(id, env.AWS.HTTPClient.Do)
	}
	handler := build(env)
	if w.Bug.Handler != nil {
		handler = w.Bug.Handler(id, handler)
	}
	return &function{w, id, handler}
}

// nothing limits no retries.
type nothing struct{}

func (nothing) GetToken(context.Context, uint) (func() error, error) {
	return func() error { return nil }, nil
}

func (nothing) AddTokens(uint) error { return nil }

// A function is a handler and what befalls it.
type function struct {
	w       *World
	id      string
	handler lambda.Handler
}

// Invoke implements lambda.Handler.
func (f *function) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	w := f.w
	w.turn.pass(func() string { return "invoke " + f.id + " " + hash(payload) })
	if f.isDoor() && w.deliver(ctx, f, payload) {
		return []byte("{}"), nil
	}
	return f.invoke(ctx, payload)
}

// isDoor says whether the function is called by events, which come at least once
// and in no order.
func (f *function) isDoor() bool {
	switch f.id {
	case "AlarmFunction", "PipelineFunction", "TrailFunction", "SignalFunction":
		return true
	}
	return false
}

func (f *function) invoke(ctx context.Context, payload []byte) ([]byte, error) {
	w, i := f.w, &invocation{function: f.id}
	if err := json.Unmarshal(payload, &i.step); err == nil && i.step.Target != "" {
		i.lease = w.watch.leases[i.step.Target]
	}
	if w.befalls(w.Plan.Profile.Kills) {
		i.dies = 1 + w.random.IntN(6)
	}
	answer, err := f.handler.Invoke(context.WithValue(ctx, invocationKey{}, i), payload)
	w.turn.pass(func() string { return "return " + f.id + " " + hash(payload) })
	switch {
	case i.dead:
		w.tell("fault", "%s is killed before its call %d", f.id, i.dies)
		return nil, messages.InvokeResponse_Error{Type: "Runtime.ExitError", Message: "RequestId: 0 Error: signal: killed"}
	case ctx.Err() == context.DeadlineExceeded:
		w.tell("fault", "%s runs into its time-out", f.id)
		return nil, messages.InvokeResponse_Error{Type: "Sandbox.Timedout", Message: "Task timed out"}
	}
	return answer, err
}

func hash(payload []byte) string {
	sum := sha256.Sum256(payload)
	return hex.EncodeToString(sum[:6])
}

// A sent is an event that a function was sent.
type sent struct {
	function *function
	payload  []byte
}

// deliver lets an event come late, twice or not at all. It returns true when the
// function must not be called for it now.
func (w *World) deliver(ctx context.Context, f *function, payload []byte) bool {
	w.events = append(w.events, sent{f, payload})
	if !w.befalls(w.Plan.Profile.Events) {
		return false
	}
	switch n := w.random.IntN(3); {
	case n == 0 && f.id == "SignalFunction":
		w.tell("fault", "an event for %s is lost: %s", f.id, brief(payload))
		return true
	case n == 1:
		after := time.Duration(1+w.random.IntN(600)) * time.Second
		w.tell("fault", "an event for %s comes %v late: %s", f.id, after, brief(payload))
		w.again(f, payload, after)
		return true
	}
	after := time.Duration(w.random.IntN(7200)) * time.Second
	w.tell("fault", "an event for %s comes again after %v: %s", f.id, after, brief(payload))
	w.again(f, payload, after)
	return false
}

// again calls a function later, as Lambda does with an event: twice more when it
// fails.
func (w *World) again(f *function, payload []byte, after time.Duration) {
	w.late.Go(func() {
		for _, pause := range []time.Duration{after, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute} {
			if w.Clock.Sleep(w.ctx, pause) != nil {
				return
			}
			w.turn.pass(func() string { return "again " + f.id + " " + hash(payload) })
			ctx, cancel := context.WithTimeout(w.ctx, 30*time.Second)
			_, err := f.invoke(ctx, payload)
			cancel()
			if err == nil {
				return
			}
		}
	})
}

func brief(payload []byte) string {
	var e struct {
		DetailType string   `json:"detail-type"`
		Resources  []string `json:"resources"`
		Detail     struct {
			EventName string `json:"eventName"`
		} `json:"detail"`
	}
	if json.Unmarshal(payload, &e) != nil {
		return ""
	}
	return strings.TrimSpace(e.DetailType + " " + e.Detail.EventName + " " + strings.Join(e.Resources, " "))
}
