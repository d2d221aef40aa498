package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// transport is a http.RoundTripper made of a function.
type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// sdk is the real SDK over a way to answer its requests.
func sdk(client *http.Client) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region: region, BaseEndpoint: aws.String("http://aws.local"), HTTPClient: client,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIAMEASURED", SecretAccessKey: "secret"}, nil
		}),
	})
}

// recorded answers every call as the router answered its like before.
func recorded(router *http.Client) (*http.Client, error) {
	answers := map[string]string{}
	recorder := transport(func(r *http.Request) (*http.Response, error) {
		answer, err := router.Transport.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(answer.Body)
		answers[r.Header.Get("X-Amz-Target")] = string(text)
		answer.Body = io.NopCloser(strings.NewReader(string(text)))
		return answer, err
	})
	client := sdk(&http.Client{Transport: recorder})
	for _, k := range kinds {
		if err := k.call(client, 1); err != nil {
			return nil, err
		}
	}
	return &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		text := answers[r.Header.Get("X-Amz-Target")]
		r.Body.Close()
		return &http.Response{StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Request: r,
			Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}}, ContentLength: int64(len(text)),
			Body: io.NopCloser(strings.NewReader(text))}, nil
	})}, nil
}

// A kind is one of the calls through the SDK; n chooses the item.
type kind struct {
	name string
	call func(client *dynamodb.Client, n int) error
}

func key(n int) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{
		"pk": &types.AttributeValueMemberS{Value: fmt.Sprintf("cluster#%d", n%items)},
		"sk": &types.AttributeValueMemberS{Value: "service"},
	}
}

var kinds = []kind{
	{"put", func(client *dynamodb.Client, n int) error {
		item := key(n)
		item["state"] = &types.AttributeValueMemberS{Value: "ready"}
		item["version"] = &types.AttributeValueMemberN{Value: "1"}
		item["tags"] = &types.AttributeValueMemberSS{Value: []string{"one", "two", "three"}}
		item["spec"] = &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{
			"image":    &types.AttributeValueMemberS{Value: "registry.example/wildfly@sha256:1234"},
			"replicas": &types.AttributeValueMemberN{Value: "4"},
		}}
		_, err := client.PutItem(context.Background(), &dynamodb.PutItemInput{TableName: aws.String("measured"), Item: item})
		return err
	}},
	{"get", func(client *dynamodb.Client, n int) error {
		_, err := client.GetItem(context.Background(), &dynamodb.GetItemInput{TableName: aws.String("measured"), Key: key(n)})
		return err
	}},
	{"update", func(client *dynamodb.Client, n int) error {
		_, err := client.UpdateItem(context.Background(), &dynamodb.UpdateItemInput{
			TableName: aws.String("measured"), Key: key(n), UpdateExpression: aws.String("SET #v = #v + :one, seen = :seen"),
			ConditionExpression:      aws.String("attribute_exists(pk) AND #v < :top"),
			ExpressionAttributeNames: map[string]string{"#v": "version"},
			ExpressionAttributeValues: map[string]types.AttributeValue{
				":one":  &types.AttributeValueMemberN{Value: "1"},
				":top":  &types.AttributeValueMemberN{Value: "1000000000"},
				":seen": &types.AttributeValueMemberBOOL{Value: true},
			},
		})
		return err
	}},
	{"query", func(client *dynamodb.Client, n int) error {
		_, err := client.Query(context.Background(), &dynamodb.QueryInput{
			TableName: aws.String("measured"), KeyConditionExpression: aws.String("pk = :pk"),
			ExpressionAttributeValues: map[string]types.AttributeValue{":pk": key(n)["pk"]},
		})
		return err
	}},
}

// compareInProcess measures the SDK over the router beside the SDK alone.
func compareInProcess(span time.Duration, rounds int) error {
	router, err := newRouter()
	if err != nil {
		return err
	}
	ours := sdk(router.Client())
	if err := makeTable(ours); err != nil {
		return err
	}
	canned, err := recorded(router.Client())
	if err != nil {
		return err
	}
	alone := sdk(canned)
	var slow []string
	for _, k := range kinds {
		var a, b []float64
		for range rounds {
			x, err := k.measure(ours, span)
			if err != nil {
				return err
			}
			y, err := k.measure(alone, span)
			if err != nil {
				return err
			}
			a, b = append(a, x), append(b, y)
		}
		times := ratio(a, b)
		fmt.Printf("in process %-7s portolan %6.1f µs, the SDK alone %6.1f µs: %.2f times\n", k.name, median(a), median(b), times)
		if times > overSDKMax {
			slow = append(slow, k.name)
		}
	}
	if len(slow) > 0 {
		return fmt.Errorf("more than %g times the SDK's own time: %s", overSDKMax, strings.Join(slow, ", "))
	}
	return nil
}

// makeTable makes the table and the items in it.
func makeTable(client *dynamodb.Client) error {
	_, err := client.CreateTable(context.Background(), &dynamodb.CreateTableInput{
		TableName: aws.String("measured"), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("pk"), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: aws.String("sk"), AttributeType: types.ScalarAttributeTypeS},
		},
		KeySchema: []types.KeySchemaElement{
			{AttributeName: aws.String("pk"), KeyType: types.KeyTypeHash},
			{AttributeName: aws.String("sk"), KeyType: types.KeyTypeRange},
		},
	})
	for n := 0; n < items && err == nil; n++ {
		err = kinds[0].call(client, n)
	}
	return err
}

// measure is how many microseconds a call takes.
func (k kind) measure(client *dynamodb.Client, span time.Duration) (float64, error) {
	began, done := time.Now(), 0
	for time.Since(began) < span {
		if err := k.call(client, done); err != nil {
			return 0, err
		}
		done++
	}
	return float64(time.Since(began).Microseconds()) / float64(done), nil
}
