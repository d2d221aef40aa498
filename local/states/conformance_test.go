package states_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portolan/local/clock"
	"portolan/local/states"
	"portolan/local/states/asl"
	"portolan/local/states/value"
)

// A recording is one execution as AWS ran it.
type recording struct {
	Name       string          `json:"name"`
	Type       string          `json:"type"`
	Definition json.RawMessage `json:"definition"`
	Input      json.RawMessage `json:"input"`
	Expect     struct {
		Status string          `json:"status"`
		Output json.RawMessage `json:"output"`
		Error  *string         `json:"error"`
		Cause  json.RawMessage `json:"cause"`
		Wild   []string        `json:"wild"`
	} `json:"expect"`
	Names struct {
		StateMachine string `json:"stateMachine"`
		Role         string `json:"role"`
		Execution    string `json:"execution"`
		Account      string `json:"account"`
		Region       string `json:"region"`
	} `json:"names"`
	Events  [][]string `json:"events"`
	Tags    []string   `json:"tags"`
	Lambdas map[string]struct {
		Kind string `json:"kind"`
	} `json:"lambdas"`
	Mocks []struct {
		State  string          `json:"state"`
		Given  json.RawMessage `json:"given"`
		Return json.RawMessage `json:"return"`
		Throw  *struct {
			Error string          `json:"error"`
			Cause json.RawMessage `json:"cause"`
		} `json:"throw"`
	} `json:"mocks"`
	WildTokens []string `json:"wild_tokens"`
}

func recordings(t testing.TB) []*recording {
	t.Helper()
	name := os.Getenv("ASL_CORPUS")
	if name == "" {
		name = "testdata/states.jsonl"
	}
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var all []*recording
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		r := new(recording)
		if err := json.Unmarshal(lines.Bytes(), r); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// InvokeFunction does what the recording says of the function.
func (r *recording) InvokeFunction(ctx context.Context, function string, payload []byte) ([]byte, error) {
	name := path.Base(strings.ReplaceAll(function, ":", "/"))
	known, ok := r.Lambdas[name]
	if !ok {
		return nil, &states.CallError{Name: "Lambda.ResourceNotFoundException", Cause: fmt.Sprintf(
			"Function not found: arn:aws:lambda:%s:%s:function:%s:$LATEST (Service: AWSLambda; Status Code: 404; "+
				"Error Code: ResourceNotFoundException; Request ID: 1; Proxy: null)", r.Names.Region, r.Names.Account, name)}
	}
	kind, argument, _ := strings.Cut(known.Kind, ":")
	switch kind {
	case "echo":
		if argument == "sleep60" {
			select {
			case <-time.After(time.Minute):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		return spaced(payload), nil // the functions were written in Python
	case "const", "bytes":
		return []byte(argument), nil
	case "large-output":
		return []byte(`"` + strings.Repeat("a", 300_000) + `"`), nil
	case "decorated":
		return fmt.Appendf(nil, `"input-event-%s"`, strings.ReplaceAll(string(payload), `"`, "'")), nil
	case "raise":
		return nil, r.raise(argument)
	}
	return nil, fmt.Errorf("the recording has an unknown kind of function: %s", known.Kind)
}

// raise is what Python's runtime makes of an exception: JSON with spaces, and the
// stack trace that was recorded.
func (r *recording) raise(argument string) error {
	name, message, _ := strings.Cut(argument, ":")
	for _, m := range r.Mocks {
		if m.Throw != nil && m.Throw.Error == name && len(m.Throw.Cause) > 0 && m.Throw.Cause[0] == '{' {
			return &states.FunctionError{Type: name, Payload: spaced(m.Throw.Cause)}
		}
	}
	return &states.FunctionError{Type: name, Payload: fmt.Appendf(nil,
		`{"errorMessage": %q, "errorType": %q, "requestId": "1", "stackTrace": []}`, message, name)}
}

// spaced writes JSON as Python does.
func spaced(raw []byte) []byte {
	var out []byte
	quoted := false
	for i := 0; i < len(raw); i++ {
		out = append(out, raw[i])
		switch {
		case raw[i] == '\\' && quoted:
			i++
			out = append(out, raw[i])
		case raw[i] == '"':
			quoted = !quoted
		case !quoted && (raw[i] == ',' || raw[i] == ':') && raw[i+1] != ' ':
			out = append(out, ' ')
		}
	}
	return out
}

func (r *recording) Call(_ context.Context, service, action string, _ json.RawMessage, _ string) (json.RawMessage, error) {
	return nil, fmt.Errorf("the recording has no %s %s", service, action)
}

// A verdict is how an execution compares with its recording.
type verdict struct {
	result, cause, events bool
	why                   string
}

// run executes the recording in virtual time, to its end.
func (r *recording) run(t *testing.T) (v verdict) {
	synctest.Test(t, func(t *testing.T) {
		id := 0
		s, err := states.New(states.Config{
			Clock: clock.New(1), Region: r.Names.Region, Account: r.Names.Account,
			NewID: func() string { id++; return fmt.Sprintf("00000000-0000-4000-8000-%012d", id) },
			Rand:  rand.New(rand.NewPCG(1, 2)), Tasks: r,
			Dialect: asl.Dialect{DistributedMap: true},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		machine, err := s.CreateStateMachine(states.MachineInput{
			Name: r.Names.StateMachine, Definition: string(r.Definition), RoleArn: r.Names.Role, Type: r.Type})
		if err != nil {
			v.why = err.Error()
			return
		}
		x, err := s.Start(machine, r.Names.Execution, string(r.Input))
		if err != nil {
			v.why = err.Error()
			return
		}
		ended, err := s.Wait(t.Context(), x.ExecutionArn)
		if err != nil {
			t.Fatal(err)
		}
		v = r.judge(ended)
		if r.Events != nil {
			v.events = r.sameEvents(t, s, x.ExecutionArn)
		}
	})
	return v
}

func (r *recording) judge(got *states.StatusChange) verdict {
	v := verdict{result: true, cause: true}
	differ := func(what string, got, want any) string {
		text := func(v any) string {
			if s, ok := v.(*string); ok {
				if s == nil {
					return "none"
				}
				v = *s
			}
			s := fmt.Sprint(v)
			return s[:min(len(s), 600)]
		}
		return fmt.Sprintf("%s:\n      got  %s\n      want %s", what, text(got), text(want))
	}
	switch {
	case got.Status != r.Expect.Status:
		v.result, v.why = false, differ("status", got.Status+" "+deref(got.Error)+" "+deref(got.Cause), r.Expect.Status)
	case (got.Output == nil) != (r.Expect.Output == nil),
		got.Output != nil && !r.agrees("output", json.RawMessage(*got.Output), r.Expect.Output):
		v.result, v.why = false, differ("output", got.Output, string(r.Expect.Output))
	case (got.Error == nil) != (r.Expect.Error == nil),
		got.Error != nil && !r.agreesText("error", *got.Error, *r.Expect.Error):
		v.result, v.why = false, differ("error", got.Error, r.Expect.Error)
	}
	if !r.agreesCause(got.Cause) {
		v.cause = false
		if v.why == "" {
			v.why = differ("cause", got.Cause, string(r.Expect.Cause))
		}
	}
	v.cause = v.cause && v.result
	return v
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// agreesCause compares causes. A recorded object stands for JSON text.
func (r *recording) agreesCause(got *string) bool {
	if got == nil || r.Expect.Cause == nil {
		return got == nil && r.Expect.Cause == nil
	}
	var want string
	if json.Unmarshal(r.Expect.Cause, &want) == nil {
		return r.agreesText("cause", *got, want)
	}
	return r.agrees("cause", json.RawMessage(*got), r.Expect.Cause)
}

func (r *recording) agreesText(field, got, want string) bool {
	return r.same(got, want, slices.Contains(r.Expect.Wild, field))
}

func (r *recording) agrees(field string, got, want json.RawMessage) bool {
	g, err := value.Parse(got)
	if err != nil {
		return false
	}
	w, err := value.Parse(want)
	if err != nil {
		return false
	}
	return r.same(g, w, slices.Contains(r.Expect.Wild, field))
}

var token = regexp.MustCompile(`<[a-zA-Z_-]+(:\d+)?>`)

// stamps are what AWS's HTTP layer puts on each answer to tell it from others.
var stamps = []string{"x-amzn-RequestId", "RequestId", "X-Amzn-Trace-Id", "Date"}

// same compares documents. In a wild field, tokens match anything.
func (r *recording) same(got, want any, wild bool) bool {
	if text, ok := want.(string); ok && wild {
		if slices.Contains(r.WildTokens, text) || strings.HasSuffix(text, "EventDetails.output") {
			return true
		}
		if s, ok := got.(string); ok && token.MatchString(text) {
			return tokenMatch(s, text)
		}
	}
	switch w := want.(type) {
	case *value.Object:
		g, ok := got.(*value.Object)
		if !ok || g.Len() != w.Len() {
			return false
		}
		for i := range w.Len() {
			k, inner := w.At(i)
			v, ok := g.Get(k)
			if !ok || !slices.Contains(stamps, k) && !r.same(v, inner, wild) {
				return false
			}
		}
		return true
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return false
		}
		for i := range w {
			if !r.same(g[i], w[i], wild) {
				return false
			}
		}
		return true
	}
	return value.Equal(got, want)
}

func tokenMatch(got, want string) bool {
	var pattern bytes.Buffer
	at := 0
	for _, span := range token.FindAllStringIndex(want, -1) {
		pattern.WriteString(regexp.QuoteMeta(want[at:span[0]]))
		pattern.WriteString(`(?s:.*)`)
		at = span[1]
	}
	pattern.WriteString(regexp.QuoteMeta(want[at:]))
	return regexp.MustCompile(`\A` + pattern.String() + `\z`).MatchString(got)
}
