package wire_test

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"portolan/local/wire"
)

func TestRoutes(t *testing.T) {
	router := wire.NewRouter(wire.ResolverFunc(func(context.Context, string) (wire.Identity, error) { return wire.Identity{}, nil }))
	var operation string
	var members map[string]any
	echo := func(ctx context.Context, body *wire.Body) (any, error) { return json.RawMessage(body.Bytes()), nil }
	router.Register("eks", &wire.Service{Name: "EKS", Protocol: wire.REST,
		Operations: map[string]wire.Operation{"List": echo, "Change": echo},
		Routes: []wire.Route{
			{Method: "GET", Path: "/clusters/{name}/updates", Operation: "List", Query: []wire.Parameter{
				{Name: "maxResults", Kind: wire.Number}, {Name: "all", Kind: wire.Truth}, {Name: "keys", Kind: wire.List}, {Name: "nextToken"}}},
			{Method: "POST", Path: "/tags/{arn}", Operation: "Change"},
		}})
	router.Use(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			x := wire.ExchangeOf(r)
			operation, members = x.Operation, x.Parameters()
			next.ServeHTTP(w, r)
		})
	})
	for _, test := range []struct {
		method, path, body string
		status             int
		operation          string
		members            map[string]any
	}{
		{"GET", "/clusters/shop/updates?maxResults=2&all=true&keys=a&keys=b&nextToken=7&other=x", "", 200, "List",
			map[string]any{"name": "shop", "maxResults": 2.0, "all": true, "keys": []any{"a", "b"}, "nextToken": "7"}},
		{"POST", "/tags/arn%3Acluster%2Fshop", `{"tags":{"a":"b"},"arn":"mine"}`, 200, "Change",
			map[string]any{"arn": "arn:cluster/shop", "tags": map[string]any{"a": "b"}}},
		{"POST", "/tags/x", "[", 400, "", nil},
		{"PUT", "/tags/x", "", 404, "", nil},
		{"GET", "/clusters/shop", "", 404, "", nil},
	} {
		operation, members = "", nil
		request, err := http.NewRequestWithContext(t.Context(), test.method, "http://aws.local"+test.path, strings.NewReader(test.body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKID/20260102/eu-west-1/eks/aws4_request, Signature=x")
		response, err := router.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != test.status || operation != test.operation || !reflect.DeepEqual(members, test.members) {
			t.Errorf("%s %s: %d, %s %v", test.method, test.path, response.StatusCode, operation, members)
		}
	}
}
