package simulate

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"

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
	{name: "an event leaves no mark", promise: "promise 3", seed: 21, bug: Bug{Client: writes("", dropPuts("SEEN#"))}},
	{name: "a step has no fence", promise: "promise 2", seed: 2, profile: losesLeases, bug: Bug{Client: unfenced}},
	{name: "dispatch forgets a target", promise: "promise 1", seed: 2, bug: Bug{Handler: on("DispatchFunction", forget)}},
	{name: "a rollback restores the scale", promise: "promise 6", seed: 1, bug: Bug{Client: request("UpdateService", restoreScale)}},
	{name: "a loop has no bound", promise: "promise 6", seed: 1, bug: Bug{Files: machine("deploy", unbound)}},
	{name: "the sweep skips stacks and networks", promise: "promise 4", seed: 5, bug: Bug{Handler: on("SweepFunction", skipStacks)}},
	{name: "a create is not idempotent", promise: "promise 4", seed: 16, bug: Bug{Client: createAgain}},
	{name: "an end keeps the lease", promise: "promise 2", seed: 1, bug: Bug{Client: writes("OperationFunction", dropLease)}},
	{name: "a drift repair fights a deploy", promise: "promise 3", seed: 11, profile: undisturbed, bug: Bug{Client: neverBusy}},
	{name: "a scale-in skips the drain", promise: "promise 5", seed: 9, profile: undisturbed, bug: Bug{Files: machine("replace-node", skipDrain)}},
	{name: "a release is not pinned", promise: "promise 6", seed: 4, bug: Bug{Client: request("RegisterTaskDefinition", unpin)}},
	{name: "an accepted wish is not written", promise: "promise 1", seed: 1, bug: Bug{Client: loseWish}},
	{name: "an operation has no cause", promise: "promise 7", seed: 1, bug: Bug{Client: writes("TrailFunction", dropCause)}},
	{name: "a session is not named by its operation", promise: "promise 7", seed: 1, bug: Bug{Client: renameSession}},
	{name: "an operation is accounted to another team", promise: "promise 8", seed: 2, bug: Bug{Client: writes("AlarmFunction", changeTeam)}},
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

// attributeOf is a string attribute of the item or the key that a write names.
func attributeOf(write map[string]any, name string) string {
	for _, where := range []string{"Item", "Key"} {
		if item, ok := write[where].(map[string]any); ok {
			if value, ok := item[name].(map[string]any); ok {
				text, _ := value["S"].(string)
				return text
			}
		}
	}
	return ""
}

func dropPuts(prefix string) func(string, map[string]any) map[string]any {
	return func(kind string, write map[string]any) map[string]any {
		if kind == "Put" && strings.HasPrefix(attributeOf(write, "PK"), prefix) {
			return nil
		}
		return write
	}
}

func dropLease(kind string, write map[string]any) map[string]any {
	if attributeOf(write, "SK") == "LEASE" && kind == "Put" {
		return nil
	}
	return write
}

func dropCause(_ string, write map[string]any) map[string]any {
	if attributeOf(write, "SK") == "OPERATION" {
		write["Item"].(map[string]any)["cause"] = map[string]any{"M": map[string]any{
			"source": map[string]any{"S": "trail"}, "who": map[string]any{"S": ""},
			"what": map[string]any{"S": ""}, "why": map[string]any{"S": ""}}}
	}
	return write
}

func changeTeam(_ string, write map[string]any) map[string]any {
	if attributeOf(write, "SK") == "OPERATION" {
		write["Item"].(map[string]any)["team"] = map[string]any{"S": "nobody"}
	}
	return write
}

// unfenced makes steps believe that they hold their lease, and write without it.
func unfenced(id string, send Send) Send {
	send = request("TransactWriteItems", func(i *invocation, members map[string]any) {
		if i == nil || i.step.Target == "" {
			return
		}
		items, _ := members["TransactItems"].([]any)
		var kept []any
		for _, item := range items {
			for kind, w := range item.(map[string]any) {
				write := w.(map[string]any)
				if attributeOf(write, "SK") != "LEASE" {
					kept = append(kept, item)
				} else if kind == "Put" {
					for _, name := range []string{"ConditionExpression", "ExpressionAttributeNames", "ExpressionAttributeValues"} {
						delete(write, name)
					}
					kept = append(kept, item)
				}
			}
		}
		members["TransactItems"] = kept
	})(id, send)
	return answered(send, func(r *http.Request, body []byte) []byte {
		i := invocationOf(r.Context())
		if operation(r, body) != "GetItem" || i == nil || i.step.Target == "" || !bytes.Contains(body, []byte(`"LEASE"`)) {
			return nil
		}
		text, _ := json.Marshal(map[string]any{"Item": map[string]any{
			"target": map[string]any{"S": i.step.Target}, "holder": map[string]any{"S": i.step.Operation},
			"token": map[string]any{"N": json.Number(jsonOf(i.step.Token)).String()}}})
		return text
	})
}

func jsonOf(v any) string {
	text, _ := json.Marshal(v)
	return string(text)
}

// answered answers requests in AWS's place, unless answer returns nil.
func answered(send Send, answer func(*http.Request, []byte) []byte) Send {
	return func(r *http.Request) (*http.Response, error) {
		if r.Body == nil {
			return send(r)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		text := answer(r, body)
		if text == nil {
			r = r.Clone(r.Context())
			r.Body = io.NopCloser(bytes.NewReader(body))
			return send(r)
		}
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
			ContentLength: int64(len(text)), Body: io.NopCloser(bytes.NewReader(text)), Request: r}, nil
	}
}

// forget drops the records of operations on one cluster's services.
func forget(h lambda.Handler) lambda.Handler {
	return handler(func(ctx context.Context, payload []byte) ([]byte, error) {
		var batch struct{ Records []json.RawMessage }
		if err := json.Unmarshal(payload, &batch); err != nil {
			return nil, err
		}
		kept := []json.RawMessage{}
		for _, record := range batch.Records {
			if !bytes.Contains(record, []byte(`TARGET#service/c1/web`)) {
				kept = append(kept, record)
			}
		}
		text, err := json.Marshal(map[string]any{"Records": kept})
		if err != nil {
			return nil, err
		}
		return h.Invoke(ctx, text)
	})
}

func restoreScale(i *invocation, members map[string]any) {
	if i != nil && i.step.Step == "RollBack" {
		members["desiredCount"] = 1
	}
}

func unpin(_ *invocation, members map[string]any) {
	containers, _ := members["containerDefinitions"].([]any)
	for _, c := range containers {
		c.(map[string]any)["image"] = repository + ":1.0"
	}
}

// skipStacks leaves stacks, and what they are made of, out of what is left.
func skipStacks(h lambda.Handler) lambda.Handler {
	return handler(func(ctx context.Context, payload []byte) ([]byte, error) {
		answer, err := h.Invoke(ctx, payload)
		if err != nil {
			return answer, err
		}
		var out map[string]any
		if err := json.Unmarshal(answer, &out); err != nil {
			return nil, err
		}
		left := []any{}
		for _, arn := range out["left"].([]any) {
			if text := arn.(string); !strings.Contains(text, ":stack/") && !strings.Contains(text, ":ec2:") {
				left = append(left, arn)
			}
		}
		out["left"], out["clean"] = left, len(left) == 0
		return json.Marshal(out)
	})
}

// createAgain gives a stack another name when it is asked for again.
func createAgain(_ string, send Send) Send {
	asked := map[string]int{}
	return edited(send, func(r *http.Request, body []byte) []byte {
		form, err := url.ParseQuery(string(body))
		if err != nil || form.Get("Action") != "CreateStack" {
			return body
		}
		name := form.Get("StackName")
		if asked[name]++; asked[name] > 1 {
			form.Set("StackName", name+"-again")
		}
		return []byte(form.Encode())
	})
}

// neverBusy hides from the trail's door that operations are at work.
func neverBusy(id string, send Send) Send {
	if id != "TrailFunction" {
		return send
	}
	return answered(send, func(r *http.Request, body []byte) []byte {
		if operation(r, body) == "Query" && bytes.Contains(body, []byte("TARGET#")) {
			return []byte(`{"Items":[],"Count":0,"ScannedCount":0}`)
		}
		return nil
	})
}

// loseWish says of every fifth transaction of the API that it was written.
func loseWish(id string, send Send) Send {
	if id != "ApiFunction" {
		return send
	}
	n := 0
	return answered(send, func(r *http.Request, body []byte) []byte {
		if operation(r, body) != "TransactWriteItems" {
			return nil
		}
		if n++; n%5 != 0 {
			return nil
		}
		return []byte(`{}`)
	})
}

func renameSession(_ string, send Send) Send {
	return edited(send, func(r *http.Request, body []byte) []byte {
		form, err := url.ParseQuery(string(body))
		if err != nil || form.Get("Action") != "AssumeRole" {
			return body
		}
		form.Set("RoleSessionName", "portolan")
		return []byte(form.Encode())
	})
}

// machine changes the states of one state machine.
func machine(name string, change func(states map[string]any)) func(fs.FS) fs.FS {
	return func(files fs.FS) fs.FS {
		out := fstest.MapFS{}
		err := fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			text, err := fs.ReadFile(files, path)
			if err == nil && path == "statemachines/"+name+".asl.json" {
				var definition map[string]any
				if err = json.Unmarshal(text, &definition); err == nil {
					change(definition["States"].(map[string]any))
					text, err = json.Marshal(definition)
				}
			}
			out[path] = &fstest.MapFile{Data: text}
			return err
		})
		if err != nil {
			panic(err)
		}
		return out
	}
}

// unbound never gives a rollout up, neither for its verdict nor for its looks. Without
// the counter alone nothing would happen: the verdict bounds the loop too. The sweeper
// ends the operation at its deadline of a day, so promise 1 holds.
func unbound(states map[string]any) {
	choice := states["IsHealthy"].(map[string]any)
	choice["Choices"] = choice["Choices"].([]any)[:1]
}

// skipDrain terminates a node after its first look at the drain, whatever it saw.
// Only not to wait would do no harm: the orchestrator lets no node leave that has
// tasks.
func skipDrain(states map[string]any) {
	states["IsDrained"].(map[string]any)["Default"] = "TerminateInstance"
}
