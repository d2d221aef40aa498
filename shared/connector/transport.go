package connector

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"portolan/shared/fault"
)

// Invoker is the part of Lambda's client that the transport uses.
type Invoker interface {
	Invoke(context.Context, *lambda.InvokeInput, ...func(*lambda.Options)) (*lambda.InvokeOutput, error)
}

// Bounds of what a function can do in one invocation.
const (
	// watchSecondsMax is how long a watch through the function lasts: it answers when
	// the watch is over.
	watchSecondsMax = 20

	// plainMax is how large an answer may become that came compressed.
	plainMax = 64 << 20
)

// A Transport is an http.RoundTripper through the function of that name or ARN. The
// answer's body is there all at once; a watch is a list of what happened until
// timeoutSeconds, 20 at most, were over.
//
// Its errors have kinds: Invalid for a host that the function refuses or that is not
// who it should be, and for bodies that are too large; Unavailable for one that does
// not answer.
type Transport struct {
	Lambda   Invoker
	Function string
	Trust    Trust
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("Upgrade") != "" {
		return nil, fault.New(fault.Invalid, "%s %s: a connection cannot be upgraded through the connector", r.Method, r.URL.Path)
	}
	body, err := read(r)
	if err != nil {
		return nil, err
	}
	request, unzip := t.request(r, body)
	payload, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	out, err := t.Lambda.Invoke(r.Context(), &lambda.InvokeInput{FunctionName: &t.Function, Payload: payload})
	if err != nil {
		return nil, fault.FromAWS(err, "calling the connector "+t.Function)
	}
	if out.FunctionError != nil {
		return nil, t.failure(out.Payload)
	}
	var response Response
	if err := json.Unmarshal(out.Payload, &response); err != nil || response.Status == 0 {
		return nil, fault.New(fault.Unavailable, "the connector %s answered with what is no answer", t.Function)
	}
	return answer(r, response, unzip)
}

func read(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	defer r.Body.Close()
	body, err := io.ReadAll(io.LimitReader(r.Body, BodyMax+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading the body of %s %s: %w", r.Method, r.URL.Path, err)
	case len(body) > BodyMax:
		return nil, fault.New(fault.Invalid, "the body of %s %s is larger than the %d bytes that pass the connector",
			r.Method, r.URL.Path, BodyMax)
	}
	return body, nil
}

// request is r as it travels. Answers are compressed on their way, unless r says how it
// wants them.
func (t *Transport) request(r *http.Request, body []byte) (request Request, unzip bool) {
	header := r.Header.Clone()
	if unzip = header.Get("Accept-Encoding") == ""; unzip {
		if header == nil {
			header = http.Header{}
		}
		header.Set("Accept-Encoding", "gzip")
	}
	address := *r.URL
	if query := address.Query(); slices.Contains([]string{"true", "1"}, query.Get("watch")) {
		seconds, err := strconv.Atoi(query.Get("timeoutSeconds"))
		if err != nil || seconds < 1 || seconds > watchSecondsMax {
			query.Set("timeoutSeconds", strconv.Itoa(watchSecondsMax))
			address.RawQuery = query.Encode()
		}
	}
	return Request{Method: r.Method, URL: address.String(), Header: header, Body: body, Trust: t.Trust}, unzip
}

// failure is the error of a function that failed, with the kind that it gave it. One
// that was ended by Lambda has none, and may do better the next time.
func (t *Transport) failure(payload []byte) error {
	var told struct {
		Type    string `json:"errorType"`
		Message string `json:"errorMessage"`
	}
	if json.Unmarshal(payload, &told) != nil || told.Message == "" {
		return fault.New(fault.Unavailable, "the connector %s failed without a word", t.Function)
	}
	kind := fault.Unavailable
	if slices.Contains(fault.Kinds(), fault.Kind(told.Type)) {
		kind = fault.Kind(told.Type)
	}
	return fault.New(kind, "the connector %s: %s", t.Function, told.Message)
}

func answer(r *http.Request, from Response, unzip bool) (*http.Response, error) {
	header := from.Header
	if header == nil {
		header = http.Header{}
	}
	body, uncompressed := from.Body, false
	if unzip && header.Get("Content-Encoding") == "gzip" {
		var err error
		if body, err = inflate(body); err != nil {
			return nil, fault.New(fault.Unavailable, "the answer to %s %s: %w", r.Method, r.URL.Path, err)
		}
		header.Del("Content-Encoding")
		header.Del("Content-Length")
		uncompressed = true
	}
	return &http.Response{
		Status: strconv.Itoa(from.Status) + " " + http.StatusText(from.Status), StatusCode: from.Status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header, Request: r, Uncompressed: uncompressed,
		ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader(body)),
	}, nil
}

func inflate(body []byte) ([]byte, error) {
	reader, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	plain, err := io.ReadAll(io.LimitReader(reader, plainMax+1))
	if err == nil && len(plain) > plainMax {
		err = fmt.Errorf("it is larger than %d bytes; ask for it in pages", plainMax)
	}
	return plain, err
}

// Through returns a transport through a function, of Lambda's configuration.
func Through(config aws.Config, function string, trust Trust) *Transport {
	return &Transport{Lambda: lambda.NewFromConfig(config), Function: function, Trust: trust}
}
