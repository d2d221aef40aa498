package dynamodb

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"portolan/local/clock"
	"portolan/local/disk"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// newServer starts a server on a disk, which may be nil.
func newServer(tb testing.TB, d *disk.Disk) *Server {
	tb.Helper()
	var ids atomic.Int64
	s, err := New(Config{
		Clock: clock.New(1), Disk: d, Region: "eu-west-1", Account: "000000000000",
		NewID: func() string { return fmt.Sprintf("id-%08d", ids.Add(1)) },
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Close)
	return s
}

// call sends a request over HTTP without a socket and returns the answer.
func call(tb testing.TB, s *Server, operation, body string) (int, string) {
	tb.Helper()
	target := itemTarget
	if streamOperations[operation] != nil {
		target = streamTarget
	}
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", target+operation)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// must calls an operation that has to succeed.
func must(tb testing.TB, s *Server, operation, body string) string {
	tb.Helper()
	status, answer := call(tb, s, operation, body)
	if status != http.StatusOK {
		tb.Fatalf("%s %s = %d %s", operation, body, status, answer)
	}
	return answer
}

// sameJSON compares two JSON texts as values.
func sameJSON(tb testing.TB, got, want string) {
	tb.Helper()
	var a, b any
	if err := json.Unmarshal([]byte(got), &a); err != nil {
		tb.Fatalf("%v in %s", err, got)
	}
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		tb.Fatalf("%v in %s", err, want)
	}
	if !reflect.DeepEqual(a, b) {
		tb.Errorf("got  %s\nwant %s", got, want)
	}
}

const (
	hashTable = `{"TableName":"hash","BillingMode":"PAY_PER_REQUEST",
		"AttributeDefinitions":[{"AttributeName":"a","AttributeType":"S"}],
		"KeySchema":[{"AttributeName":"a","KeyType":"HASH"}]}`
	rangeTable = `{"TableName":"range","BillingMode":"PAY_PER_REQUEST",
		"AttributeDefinitions":[{"AttributeName":"a","AttributeType":"S"},
			{"AttributeName":"b","AttributeType":"N"},{"AttributeName":"c","AttributeType":"S"}],
		"KeySchema":[{"AttributeName":"a","KeyType":"HASH"},{"AttributeName":"b","KeyType":"RANGE"}],
		"LocalSecondaryIndexes":[{"IndexName":"local",
			"KeySchema":[{"AttributeName":"a","KeyType":"HASH"},{"AttributeName":"c","KeyType":"RANGE"}],
			"Projection":{"ProjectionType":"KEYS_ONLY"}}],
		"GlobalSecondaryIndexes":[{"IndexName":"global",
			"KeySchema":[{"AttributeName":"c","KeyType":"HASH"},{"AttributeName":"b","KeyType":"RANGE"}],
			"Projection":{"ProjectionType":"INCLUDE","NonKeyAttributes":["d"]}}],
		"StreamSpecification":{"StreamEnabled":true,"StreamViewType":"NEW_AND_OLD_IMAGES"}}`
)

// withTables starts a server in memory with the two tables.
func withTables(tb testing.TB) *Server {
	tb.Helper()
	s := newServer(tb, nil)
	must(tb, s, "CreateTable", hashTable)
	must(tb, s, "CreateTable", rangeTable)
	return s
}

// inProcess is a transport that calls a handler.
type inProcess struct{ http.Handler }

func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	response := w.Result()
	response.Request = r
	return response, nil
}

// client is the real SDK on top of a handler.
func client(h http.Handler) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region:       "eu-west-1",
		Credentials:  credentials.NewStaticCredentialsProvider("key", "secret", ""),
		HTTPClient:   &http.Client{Transport: inProcess{h}},
		BaseEndpoint: aws.String("http://dynamodb.local"),
		Retryer:      aws.NopRetryer{},
	})
}
