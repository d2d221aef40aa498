package ecs_test

import (
	"context"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	client "github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/aws/aws-sdk-go-v2/aws"

	"portolan/local/wire"
)

// FuzzOperations sends any body to any operation of a cluster that is in use:
// the answer is a result or a refusal, and never the server's own failure.
func FuzzOperations(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, `[]`, `{"cluster":"shop","service":"web","desiredCount":3,"taskDefinition":"wildfly"}`,
		`{"cluster":"shop","serviceName":"a","taskDefinition":"wildfly:1","desiredCount":1,"placementConstraints":[{"type":"memberOf","expression":"attribute:x in [a"}]}`,
		`{"family":"f","containerDefinitions":[{"name":"c","image":"i","memory":6,"portMappings":[null,{"containerPort":1}]}]}`,
		`{"cluster":"shop","taskDefinition":"wildfly","count":2,"launchType":"EC2","overrides":{"containerOverrides":[null]}}`,
		`{"cluster":"shop","tasks":["x"],"services":["web"],"containerInstances":["y"],"status":"DRAINING","nextToken":"!"}`,
		`{"resourceArn":"arn:aws:ecs:eu-west-1:111122223333:cluster/shop","tags":[{}],"tagKeys":[""]}`,
	} {
		for n := range 32 {
			f.Add(n, seed)
		}
	}
	f.Fuzz(func(t *testing.T, n int, body string) {
		synctest.Test(t, func(t *testing.T) {
			b := start(t, nil)
			defer b.server.Close()
			_, err := b.CreateCluster(t.Context(), &client.CreateClusterInput{ClusterName: aws.String("shop")})
			b.must(err)
			b.join(1)
			b.create(b.register("shop/web:1"), 1, false)
			router := wire.NewRouter(wire.ResolverFunc(func(context.Context, string) (wire.Identity, error) {
				return wire.Identity{}, nil
			}))
			router.Register("ecs", b.server)
			names := slices.Sorted(maps.Keys(b.server.Operations))
			r := httptest.NewRequest("POST", "/", strings.NewReader(body))
			r.Header.Set("Content-Type", "application/x-amz-json-1.1")
			r.Header.Set("X-Amz-Target", b.server.Target+"."+names[uint(n)%uint(len(names))])
			w := httptest.NewRecorder()
			router.ServeHTTP(w, r)
			if w.Code >= 500 {
				t.Errorf("%s %s: %d %s", r.Header.Get("X-Amz-Target"), body, w.Code, w.Body)
			}
			b.wait(2 * time.Minute)
		})
	})
}
