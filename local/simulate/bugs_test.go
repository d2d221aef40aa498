package simulate

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/lambda"
)

var plants = flag.Int("plants", 2, "how many of the bugs to plant; 0 is all")

// A planted bug is caught by the checker of a promise, within 50 seeds. Seed is tried
// first: the one that caught it when that was looked for last. Another one may be the
// first to by now, as a change of the product changes what a seed makes of it.
var planted = []struct {
	name    string
	promise string
	seed    uint64
	profile func(*Profile)
	bug     Bug
}{
	{name: "an event leaves no mark", promise: "promise 3", seed: 11, profile: misdelivers, bug: Bug{Client: writes("", dropPuts("SEEN#"))}},
	{name: "a step has no fence", promise: "promise 2", seed: 4, profile: losesLeases, bug: Bug{Client: unfenced}},
	{name: "dispatch forgets a target", promise: "promise 1", seed: 2, bug: Bug{Handler: on("DispatchFunction", forget)}},
	{name: "a rollback restores the scale", promise: "promise 6", seed: 4, bug: Bug{Client: request("UpdateService", restoreScale)}},
	{name: "a loop has no bound", promise: "promise 6", seed: 2, bug: Bug{Files: machine("deploy", unbound)}},
	{name: "the sweep skips stacks and networks", promise: "promise 4", seed: 8, profile: refusesDeletes,
		bug: Bug{Handler: on("SweepFunction", skipStacks)}},
	{name: "a create is not idempotent", promise: "promise 4", seed: 7, bug: Bug{Client: createAgain}},
	{name: "an end keeps the lease", promise: "promise 2", seed: 1, bug: Bug{Client: writes("OperationFunction", dropLease)}},
	{name: "a drift repair fights a deploy", promise: "promise 3", seed: 19, profile: undisturbed, bug: Bug{Client: neverBusy}},
	{name: "a scale-in skips the drain", promise: "promise 5", seed: 9, profile: undisturbed, bug: Bug{Files: machine("replace-node", skipDrain)}},
	{name: "a node is drained that takes tasks", promise: "promise 5", seed: 3, bug: Bug{Kubernetes: neverCordon}},
	{name: "a release is not pinned", promise: "promise 6", seed: 6, bug: Bug{Client: request("RegisterTaskDefinition", unpin)}},
	{name: "an accepted wish is not written", promise: "promise 1", seed: 1, bug: Bug{Client: loseWish}},
	{name: "an operation has no cause", promise: "promise 7", seed: 4, bug: Bug{Client: writes("TrailFunction", dropCause)}},
	{name: "a session is not named by its operation", promise: "promise 7", seed: 1, bug: Bug{Client: renameSession}},
	{name: "an operation is accounted to another team", promise: "promise 8", seed: 1, bug: Bug{Client: writes("AlarmFunction", changeTeam)}},
	{name: "a job is not removed", promise: "promise 4", seed: 1, bug: Bug{Handler: on("ServiceFunction", neverRemove)}},
	{name: "a node of a swarm is ended before it left", promise: "promise 5", seed: 5, profile: inSwarms,
		bug: Bug{Files: machine("replace-node", unasked)}},
	{name: "managers leave all at once", promise: "promise 5", seed: 16, profile: inSwarms, bug: Bug{Files: machine("resize-pool", allAtOnce)}},
	{name: "a manager that is down counts as there", promise: "promise 5", seed: 7, profile: inSwarms, bug: Bug{Client: allReachable}},
	{name: "an upgrade replaces nothing", promise: "promise 5", seed: 6, profile: inSwarms,
		bug: Bug{Files: machine("upgrade-swarm", upgradeNothing)}},
	{name: "each engine makes a swarm of its own", promise: "promise 4", seed: 5, profile: inSwarms, bug: Bug{Client: everyOneMakesASwarm}},
}

func TestPlantedBugsAreCaught(t *testing.T) {
	some := planted
	if *plants > 0 {
		some = planted[:*plants]
	}
	for _, p := range some {
		t.Run(p.name, func(t *testing.T) {
			profile := usual
			if p.profile != nil {
				p.profile(&profile)
			}
			for i := range uint64(51) {
				seed := i
				if i == 0 {
					seed = p.seed
				}
				plan := Draw(seed, profile)
				violation := breach(run(t, plan, p.bug), p.promise)
				if violation == "" {
					continue
				}
				t.Logf("seed %d: %s", seed, violation)
				if without := breach(run(t, plan, Bug{}), p.promise); without != "" {
					t.Errorf("without the bug seed %d breaks the promise too: %s", seed, without)
				}
				return
			}
			t.Error("50 seeds did not catch it")
		})
	}
}

// breach is how a run broke a promise, and empty when it kept it.
func breach(r Result, promise string) string {
	for _, violation := range r.Violations {
		if strings.HasPrefix(violation, promise) {
			return violation
		}
	}
	return ""
}

func refusesDeletes(p *Profile) { p.Refusals = 1 }

func misdelivers(p *Profile) { p.Events = 0.5 }

func losesLeases(p *Profile) { p.Leases = 0.5 }

func undisturbed(p *Profile) { p.Stops, p.Leases, p.Takeovers = 0, 0, 0 }

// on changes one function.
func on(function string, change func(lambda.Handler) lambda.Handler) func(string, lambda.Handler) lambda.Handler {
	return func(id string, h lambda.Handler) lambda.Handler {
		if id != function {
			return h
		}
		return change(h)
	}
}

type handler func(context.Context, []byte) ([]byte, error)

func (h handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) { return h(ctx, payload) }

// operation is what a request calls.
func operation(r *http.Request, body []byte) string {
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		return target[strings.LastIndex(target, ".")+1:]
	}
	form, _ := url.ParseQuery(string(body))
	return form.Get("Action")
}

// request edits the JSON of one operation's requests.
func request(name string, edit func(i *invocation, members map[string]any)) func(string, Send) Send {
	return func(_ string, send Send) Send {
		return edited(send, func(r *http.Request, body []byte) []byte {
			var members map[string]any
			if operation(r, body) != name || json.Unmarshal(body, &members) != nil {
				return body
			}
			edit(invocationOf(r.Context()), members)
			text, _ := json.Marshal(members)
			return text
		})
	}
}

func edited(send Send, edit func(*http.Request, []byte) []byte) Send {
	return func(r *http.Request) (*http.Response, error) {
		if r.Body == nil {
			return send(r)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		body = edit(r, body)
		r = r.Clone(r.Context())
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		return send(r)
	}
}

// writes edits the writes of a function's transactions; nil drops one.
func writes(function string, edit func(kind string, write map[string]any) map[string]any) func(string, Send) Send {
	return func(id string, send Send) Send {
		if function != "" && id != function {
			return send
		}
		return request("TransactWriteItems", func(_ *invocation, members map[string]any) {
			var kept []any
			items, _ := members["TransactItems"].([]any)
			for _, item := range items {
				for kind, write := range item.(map[string]any) {
					if after := edit(kind, write.(map[string]any)); after != nil {
						kept = append(kept, map[string]any{kind: after})
					}
				}
			}
			members["TransactItems"] = kept
		})(id, send)
	}
}
