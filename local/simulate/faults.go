package simulate

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"portolan/local/wire"
	"portolan/shared/connector"
)

// befalls says whether something that has that chance happens now.
func (w *World) befalls(chance float64) bool {
	return !w.calm && chance > 0 && w.random.Float64() < chance
}

// faults are the names of all that befalls functions, state machines and their
// calls: each has to be drawn by enough seeds.
var faults = []string{
	"throttled before", "throttled after", "failed before", "failed after", "unanswered before", "unanswered after",
	"lost event", "late event", "repeated event", "repeated batch", "killed", "timed out",
	"stopped by hand", "lease ran out", "lease given away",
}

// fault tells of one of them.
func (w *World) fault(name, format string, args ...any) {
	w.drawn[name]++
	w.tell("fault", format, args...)
}

// A call is one call of AWS on its way.
type call struct {
	service, operation string
	cluster            string             // whose API server or engine is called
	engine             *connector.Request // what a connector is asked to send to one; nil for other calls
	caller             wire.Identity
	body               []byte
	invocation         *invocation // nil for a machine's own
}

// middleware is put around every call of AWS.
func (w *World) middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Context().Value(privileged{}) != nil || !w.ours(r) {
			next.ServeHTTP(rw, r)
			return
		}
		c := &call{caller: wire.Caller(r.Context()), body: wire.ExchangeOf(r).Body(), invocation: invocationOf(r.Context())}
		c.service, c.operation = wire.OperationOf(r)
		w.forEngine(c, r)
		w.turn.pass(c.name)
		if c.invocation != nil && !c.invocation.survives() {
			wire.Fail(rw, r, wire.Errorf("Killed", "the function was killed"))
			return
		}
		w.suffer(c, next, rw, r)
	})
}

// ours says whether a function or a state machine calls, and not a person or a
// service of AWS.
func (w *World) ours(r *http.Request) bool {
	if invocationOf(r.Context()) != nil {
		return true
	}
	arn := wire.Caller(r.Context()).ARN
	return strings.HasSuffix(arn, "/states")
}

// suffer makes the call, unless something goes wrong before or after it.
func (w *World) suffer(c *call, next http.Handler, rw http.ResponseWriter, r *http.Request) {
	if c.service == "sts" || !w.befalls(w.Plan.Profile.Errors) {
		w.effect(c, next, rw, r)
		return
	}
	if c.invocation != nil {
		c.invocation.suffered = true
	}
	kind := w.random.IntN(6)
	if kind >= 3 { // after the effect
		w.effect(c, next, discard{http.Header{}}, r)
	}
	when := "before"
	if kind >= 3 {
		when = "after"
	}
	switch kind % 3 {
	case 0:
		w.fault("throttled "+when, "%s:%s is throttled %s its effect", c.service, c.operation, when)
		wire.Fail(rw, r, throttled(c.service))
	case 1:
		w.fault("failed "+when, "%s:%s fails %s its effect", c.service, c.operation, when)
		wire.Fail(rw, r, failed(c.service))
	default:
		w.fault("unanswered "+when, "%s:%s does not answer, %s its effect", c.service, c.operation, when)
		timer := w.Clock.NewTimer(65 * time.Second)
		defer timer.Stop()
		select {
		case <-r.Context().Done():
		case <-timer.C:
		}
		wire.Fail(rw, r, failed(c.service))
	}
}

// effect makes the call before the eyes of those who watch.
func (w *World) effect(c *call, next http.Handler, rw http.ResponseWriter, r *http.Request) {
	w.watch.called(c)
	next.ServeHTTP(rw, r)
	w.watch.changes(c)
	if c.engine != nil {
		// Of two that are answered at once, the turnstile says who is first.
		w.turn.pass(func() string { return "answered " + c.name() })
	}
}

// discard is an answer that gets lost.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

func throttled(service string) *wire.Error {
	switch service {
	case "cloudformation", "autoscaling", "elasticloadbalancing", "monitoring":
		return &wire.Error{Code: "Throttling", Message: "Rate exceeded", Status: http.StatusBadRequest}
	case "ec2":
		return &wire.Error{Code: "RequestLimitExceeded", Message: "Request limit exceeded.", Status: http.StatusServiceUnavailable}
	}
	return &wire.Error{Code: "ThrottlingException", Message: "Rate exceeded", Status: http.StatusBadRequest}
}

func failed(service string) *wire.Error {
	code := "InternalFailure"
	switch service {
	case "dynamodb":
		code = "InternalServerError"
	case "ecs":
		code = "ServerException"
	case "ec2":
		code = "InternalError"
	}
	return &wire.Error{Code: code, Message: "We encountered an internal error. Please try again.", Status: http.StatusInternalServerError}
}

// name tells the call from others. The SDK writes maps in any order, and makes up a
// token for each call, and certificates are made by chance: none of that shows.
func (c *call) name() string {
	if c.engine != nil {
		return c.caller.ARN + " " + c.cluster + " " + c.engine.Method + " " + c.engine.URL + " " + hash(c.engine.Body)
	}
	text := c.body
	var members map[string]any
	if json.Unmarshal(c.body, &members) == nil {
		delete(members, "ClientRequestToken")
		if c.service == "secretsmanager" {
			delete(members, "SecretString")
		}
		if sorted, err := json.Marshal(members); err == nil {
			text = sorted
		}
	}
	return c.caller.ARN + " " + c.cluster + " " + c.service + " " + c.operation + " " + hash(text)
}
