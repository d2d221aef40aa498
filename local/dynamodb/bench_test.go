package dynamodb

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"portolan/local/disk"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// canned answers every call with the same body, so that what is left of a
// benchmark's time is the SDK's.
type canned string

func (c canned) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	_, _ = w.Write([]byte(c))
}

func benchmarkItem(n int) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{
		"a":       &types.AttributeValueMemberS{Value: fmt.Sprintf("cluster#%d", n%1000)},
		"state":   &types.AttributeValueMemberS{Value: "ready"},
		"version": &types.AttributeValueMemberN{Value: fmt.Sprint(n)},
		"tags":    &types.AttributeValueMemberSS{Value: []string{"one", "two", "three"}},
		"spec": &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{
			"image":    &types.AttributeValueMemberS{Value: "registry.example/wildfly@sha256:1234"},
			"replicas": &types.AttributeValueMemberN{Value: "4"},
		}},
	}
}

func benchmarkCalls(b *testing.B, h http.Handler) {
	ctx, c := b.Context(), client(h)
	name := aws.String("hash")
	b.Run("put", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			if _, err := c.PutItem(ctx, &dynamodb.PutItemInput{TableName: name, Item: benchmarkItem(i)}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("get", func(b *testing.B) {
		for i := range b.N {
			key := map[string]types.AttributeValue{"a": benchmarkItem(i)["a"]}
			if _, err := c.GetItem(ctx, &dynamodb.GetItemInput{TableName: name, Key: key}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("update", func(b *testing.B) {
		for i := range b.N {
			if _, err := c.UpdateItem(ctx, &dynamodb.UpdateItemInput{
				TableName: name, Key: map[string]types.AttributeValue{"a": benchmarkItem(i)["a"]},
				UpdateExpression:         aws.String("SET #v = if_not_exists(#v, :zero) + :one, seen = :seen"),
				ConditionExpression:      aws.String("attribute_not_exists(gone) OR #v < :top"),
				ExpressionAttributeNames: map[string]string{"#v": "version"},
				ExpressionAttributeValues: map[string]types.AttributeValue{
					":zero": &types.AttributeValueMemberN{Value: "0"},
					":one":  &types.AttributeValueMemberN{Value: "1"},
					":top":  &types.AttributeValueMemberN{Value: "1000000000"},
					":seen": &types.AttributeValueMemberBOOL{Value: true},
				},
			}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("query", func(b *testing.B) {
		for i := range b.N {
			if _, err := c.Query(ctx, &dynamodb.QueryInput{
				TableName: name, KeyConditionExpression: aws.String("a = :a"),
				ExpressionAttributeValues: map[string]types.AttributeValue{":a": benchmarkItem(i)["a"]},
			}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkSDK is the server through the real SDK in process, to be compared
// with BenchmarkSDKCanned.
func BenchmarkSDK(b *testing.B) { benchmarkCalls(b, withTables(b)) }

// BenchmarkSDKCanned is the SDK alone: an answer of about the same size, made
// of nothing.
func BenchmarkSDKCanned(b *testing.B) {
	s := withTables(b)
	c := client(s)
	if _, err := c.PutItem(b.Context(), &dynamodb.PutItemInput{
		TableName: aws.String("hash"), Item: benchmarkItem(1)}); err != nil {
		b.Fatal(err)
	}
	get := must(b, s, "GetItem", `{"TableName":"hash","Key":{"a":{"S":"cluster#1"}}}`)
	query := must(b, s, "Query", `{"TableName":"hash","KeyConditionExpression":"a = :a",
		"ExpressionAttributeValues":{":a":{"S":"cluster#1"}}}`)
	benchmarkCalls(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := "{}"
		switch r.Header.Get("X-Amz-Target") {
		case itemTarget + "GetItem":
			body = get
		case itemTarget + "Query":
			body = query
		}
		canned(body).ServeHTTP(w, r)
	}))
}

// BenchmarkWire is the server without an SDK.
func BenchmarkWire(b *testing.B) {
	s := withTables(b)
	for _, one := range []struct{ operation, body string }{
		{"PutItem", `{"TableName":"hash","Item":{"a":{"S":"x"},"n":{"N":"12"},"m":{"M":{"l":{"L":[{"S":"y"},{"BOOL":true}]}}}}}`},
		{"GetItem", `{"TableName":"hash","Key":{"a":{"S":"x"}}}`},
		{"UpdateItem", `{"TableName":"hash","Key":{"a":{"S":"x"}},"UpdateExpression":"SET n = n + :one",
			"ConditionExpression":"attribute_exists(a)","ExpressionAttributeValues":{":one":{"N":"1"}}}`},
		{"Query", `{"TableName":"hash","KeyConditionExpression":"a = :a","ExpressionAttributeValues":{":a":{"S":"x"}}}`},
	} {
		b.Run(one.operation, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(one.body))
				r.Header.Set("X-Amz-Target", itemTarget+one.operation)
				w := httptest.NewRecorder()
				s.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					b.Fatal(w.Body)
				}
			}
		})
	}
}

// BenchmarkDurablePut is a put that is on disk before it is answered.
func BenchmarkDurablePut(b *testing.B) {
	d, err := disk.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	s := newServer(b, d)
	must(b, s, "CreateTable", hashTable)
	for i := range b.N {
		must(b, s, "PutItem", fmt.Sprintf(`{"TableName":"hash","Item":{"a":{"S":"k%d"},"n":{"N":"1"}}}`, i%5000))
	}
}
