package states

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"portolan/local/states/asl"
	"portolan/local/states/value"
)

// invoke runs a function that a Task's Resource names itself.
func (s *Server) invoke(ctx context.Context, function string, payload []byte) (any, error) {
	out, err := s.config.Tasks.InvokeFunction(ctx, function, payload)
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(out)) == 0 {
		return nil, nil
	}
	v, err := value.Parse(out)
	if err != nil {
		return nil, &CallError{asl.ErrRuntime, fmt.Sprintf("The function's result is not JSON: %v", err)}
	}
	return v, nil
}

// invokeService is the optimised integration lambda:invoke. A Payload that is a
// string is sent as it is, and anything else as JSON.
func (s *Server) invokeService(ctx context.Context, parameters any) (any, error) {
	p, _ := parameters.(*value.Object)
	if p == nil {
		p = value.NewObject(0)
	}
	name, _ := p.Get("FunctionName")
	function, ok := name.(string)
	if !ok {
		return nil, &CallError{asl.ErrRuntime, "The field 'FunctionName' is required but was missing"}
	}
	if qualifier, ok := p.Get("Qualifier"); ok {
		function += ":" + plain(qualifier)
	}
	payload := []byte("{}")
	if v, ok := p.Get("Payload"); ok {
		if raw, ok := v.(string); ok {
			payload = []byte(raw)
		} else {
			payload = value.Append(nil, v)
		}
	}
	out, err := s.config.Tasks.InvokeFunction(ctx, function, payload)
	if failed, ok := errors.AsType[*FunctionError](err); ok {
		var compact bytes.Buffer
		if json.Compact(&compact, failed.Payload) == nil {
			return nil, &FunctionError{failed.Type, compact.Bytes()}
		}
	}
	if err != nil {
		return nil, err
	}
	tail, _ := p.Get("LogType")
	return s.invocation(out, tail == "Tail"), nil
}

// invocation is what the integration makes of a function's result: the answer
// of Lambda's Invoke with its HTTP headers, and the end of the log if it was
// asked for.
func (s *Server) invocation(out []byte, tail bool) any {
	payload, err := value.Parse(out)
	if err != nil {
		payload = string(out)
	}
	s.mu.Lock()
	id, trace := s.config.NewID(), s.config.NewID()
	s.mu.Unlock()
	headers := [][2]string{
		{"X-Amz-Executed-Version", "$LATEST"},
		{"x-amzn-Remapped-Content-Length", "0"},
		{"Connection", "keep-alive"},
		{"x-amzn-RequestId", id},
		{"Content-Length", itoa(len(out))},
		{"Date", s.now().Format(http.TimeFormat)},
		{"X-Amzn-Trace-Id", "root=" + trace + ";sampled=0"},
		{"Content-Type", "application/json"},
	}
	answer := value.Members("ExecutedVersion", "$LATEST")
	if tail {
		log := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "END RequestId: %s\n", id))
		answer.Set("LogResult", log)
		headers = append(headers, [2]string{"X-Amz-Log-Result", log})
	}
	return answer.Merge(value.Members(
		"Payload", payload,
		"SdkHttpMetadata", httpMetadata(headers),
		"SdkResponseMetadata", value.Members("RequestId", id),
		"StatusCode", value.Number("200")))
}

func httpMetadata(headers [][2]string) *value.Object {
	all, single := value.NewObject(len(headers)), value.NewObject(len(headers))
	for _, h := range headers {
		all.Set(h[0], []any{h[1]})
		single.Set(h[0], h[1])
	}
	return value.Members("AllHttpHeaders", all, "HttpHeaders", single, "HttpStatusCode", value.Number("200"))
}
