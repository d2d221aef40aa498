package simulate

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"regexp"
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

	// wanted is the step's service at that time, if it has one, and job its job.
	wanted *model.Service
	job    *model.Job

	mu    sync.Mutex
	calls int
	dies  int // before that call, or the answer behind the last one; 0 is never
	dead  bool

	// suffered says that a call went wrong on purpose.
	suffered bool
}

// survives counts a call or the answer, and says whether the invocation lives to
// make it.
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
	wrap := env.WrapTransport
	env.WrapTransport = func(next http.RoundTripper) http.RoundTripper {
		if wrap != nil {
			next = wrap(next)
		}
		if w.Bug.Kubernetes != nil {
			return w.Bug.Kubernetes(apiServers{w, next}.RoundTrip)
		}
		return apiServers{w, next}
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
	w.turn.pass(func() string { return "invoke " + f.id + " " + likeness(payload) })
	if f.isDoor() && w.deliver(f, payload) {
		return []byte("{}"), nil
	}
	answer, err := f.invoke(ctx, payload)
	if err == nil && f.id == "DispatchFunction" && w.befalls(w.Plan.Profile.Events) {
		// The stream's reader did not get to note how far it came.
		w.fault("repeated batch", "a batch of the stream comes again")
		return f.invoke(ctx, payload)
	}
	return answer, err
}

// doors are the functions that are called by events, which come at least once and in
// no order. They say which of their events may be lost: those that AWS delivers as it
// can, or that only save time.
var doors = map[string]func(detailType string) bool{
	"AlarmFunction":    func(string) bool { return false },
	"PipelineFunction": func(detailType string) bool { return detailType == "ECR Image Action" },
	"TrailFunction":    func(detailType string) bool { return strings.HasSuffix(detailType, "via CloudTrail") },
	"SignalFunction":   func(string) bool { return true },
	"SweeperFunction":  func(string) bool { return true },
}

func (f *function) isDoor() bool { return doors[f.id] != nil }

func (f *function) invoke(ctx context.Context, payload []byte) ([]byte, error) {
	w, i := f.w, &invocation{function: f.id}
	// Most payloads are events, which are long and no steps.
	if bytes.Contains(payload, []byte(`"target":`)) && json.Unmarshal(payload, &i.step) == nil && i.step.Target != "" {
		w.watch.settle()
		i.lease, i.wanted = w.watch.leases[i.step.Target], w.watch.wantedOf(i.step.Target)
		i.job = w.watch.jobOf(i.step.Target)
	}
	if w.befalls(w.Plan.Profile.Kills) {
		// Before any call that the function is known to make, or its answer.
		i.dies = 1 + w.random.IntN(max(w.most[f.id], 1))
	}
	answer, err := f.handler.Invoke(context.WithValue(ctx, invocationKey{}, i), payload)
	w.turn.pass(func() string { return "return " + f.id + " " + likeness(payload) })
	survives := i.survives()
	w.most[f.id] = max(w.most[f.id], i.calls)
	switch {
	case !survives:
		w.fault("killed", "%s is killed before its call %d", f.id, i.dies)
		return nil, messages.InvokeResponse_Error{Type: "Runtime.ExitError", Message: "RequestId: 0 Error: signal: killed"}
	case ctx.Err() == context.DeadlineExceeded:
		w.fault("timed out", "%s runs into its time-out", f.id)
		return nil, messages.InvokeResponse_Error{Type: "Sandbox.Timedout", Message: "Task timed out"}
	case err != nil && f.isDoor() && !i.suffered:
		w.blameless[hash(payload)] = f.id + ": " + err.Error()
	}
	return answer, err
}

// drawnAnew are the tokens that an SDK draws in each run, not by the seed, as CloudTrail
// tells them.
var drawnAnew = regexp.MustCompile(`"(clientRequestToken|clientToken|versionId)":"[^"]*"`)

// likeness is the same for a payload in each run of a seed.
func likeness(payload []byte) string { return hash(drawnAnew.ReplaceAll(payload, nil)) }

func hash(payload []byte) string {
	sum := sha256.Sum256(payload)
	return hex.EncodeToString(sum[:6])
}
