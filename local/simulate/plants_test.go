package simulate

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing/fstest"

	"github.com/aws/aws-lambda-go/lambda"

	"portolan/shared/step"
)

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
	return func(r *http.Request) (*http.Response, error) {
		i := invocationOf(r.Context())
		response, err := send(r)
		if err != nil || response.StatusCode != http.StatusOK || i == nil || i.step.Target == "" ||
			!strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".BatchGetItem") {
			return response, err
		}
		return withLease(response, i.step)
	}
}

// withLease puts a lease that a step holds in the place of the one that was read.
func withLease(response *http.Response, of step.Call) (*http.Response, error) {
	var out map[string]any
	if err := json.NewDecoder(response.Body).Decode(&out); err != nil {
		return nil, err
	}
	for _, items := range out["Responses"].(map[string]any) {
		for _, item := range items.([]any) {
			lease := item.(map[string]any)
			if sort, _ := lease["SK"].(map[string]any); sort["S"] == "LEASE" {
				lease["holder"] = map[string]any{"S": of.Operation}
				lease["token"] = map[string]any{"N": strconv.FormatInt(of.Token, 10)}
			}
		}
	}
	text, err := json.Marshal(out)
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	response.Header.Del("X-Amz-Crc32")
	return response, err
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

// neverRemove says that nothing is left of a job.
func neverRemove(h lambda.Handler) lambda.Handler {
	return handler(func(ctx context.Context, payload []byte) ([]byte, error) {
		var in struct {
			Step  string
			State map[string]any
		}
		if err := json.Unmarshal(payload, &in); err != nil || in.Step != "RemoveJob" {
			return h.Invoke(ctx, payload)
		}
		in.State["removed"], in.State["left"] = true, []any{}
		return json.Marshal(in.State)
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

// neverCordon lets nodes of Kubernetes take tasks that are to be drained.
func neverCordon(send Send) Send {
	return edited(send, func(r *http.Request, body []byte) []byte {
		if !strings.HasPrefix(r.URL.Path, "/api/v1/nodes/") {
			return body
		}
		return bytes.ReplaceAll(body, []byte(`"unschedulable":true`), []byte(`"unschedulable":false`))
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
