// Package storetest gives tests a store over a table of the embedded DynamoDB, so
// that conditions are refused and pages end as they do there.
//
// Only tests import it. It must never know what is kept in the table.
package storetest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"portolan/local/clock"
	local "portolan/local/dynamodb"
	"portolan/local/unique"
	"portolan/shared/store"
)

const tableName = "portolan"

// Open returns a store over an empty table, which is gone when the test ends.
func Open(t testing.TB) *store.Store {
	t.Helper()
	client := Client(t)
	return store.New(client, tableName)
}

// Client returns a client of a DynamoDB that has the empty table portolan.
func Client(t testing.TB) *dynamodb.Client {
	t.Helper()
	server, err := local.New(local.Config{
		Clock: clock.New(1), Region: "eu-central-1", Account: "111122223333", NewID: unique.New(1).UUID,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	client := dynamodb.New(dynamodb.Options{
		Region: "eu-central-1",
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
		HTTPClient: &http.Client{Transport: inProcess{server}}, RetryMaxAttempts: 1,
	})
	if err := create(client, tableName); err != nil {
		t.Fatal(err)
	}
	return client
}

// create makes the table as template.yaml does.
func create(client *dynamodb.Client, name string) error {
	var attributes []types.AttributeDefinition
	for _, attribute := range []string{"PK", "SK", "GSI1PK", "GSI1SK"} {
		attributes = append(attributes, types.AttributeDefinition{
			AttributeName: &attribute, AttributeType: types.ScalarAttributeTypeS,
		})
	}
	_, err := client.CreateTable(context.Background(), &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: attributes, KeySchema: keys("PK", "SK"),
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{
			IndexName: aws.String(store.Index), KeySchema: keys("GSI1PK", "GSI1SK"),
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll},
		}},
	})
	return err
}

func keys(partition, sort string) []types.KeySchemaElement {
	return []types.KeySchemaElement{
		{AttributeName: aws.String(partition), KeyType: types.KeyTypeHash},
		{AttributeName: aws.String(sort), KeyType: types.KeyTypeRange},
	}
}

// inProcess hands requests to a handler without a socket.
type inProcess struct{ handler http.Handler }

func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	p.handler.ServeHTTP(recorder, r)
	response := recorder.Result()
	response.Request = r
	return response, nil
}
