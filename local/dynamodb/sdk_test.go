package dynamodb

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// TestTheSDKUnderstandsTheAnswers drives the server as the control plane does,
// with the SDK's own checksum test of every answer.
func TestTheSDKUnderstandsTheAnswers(t *testing.T) {
	s := withTables(t)
	c, ctx := client(s), t.Context()
	name := aws.String("range")
	for i := range 5 {
		if _, err := c.PutItem(ctx, &dynamodb.PutItemInput{TableName: name, Item: map[string]types.AttributeValue{
			"a": &types.AttributeValueMemberS{Value: "p"},
			"b": &types.AttributeValueMemberN{Value: fmt.Sprint(i)},
			"d": &types.AttributeValueMemberB{Value: []byte{0, byte(i)}},
		}}); err != nil {
			t.Fatal(err)
		}
	}
	pages := dynamodb.NewQueryPaginator(c, &dynamodb.QueryInput{
		TableName: name, Limit: aws.Int32(2), KeyConditionExpression: aws.String("a = :a"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":a": &types.AttributeValueMemberS{Value: "p"}},
	})
	count := 0
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		count += len(page.Items)
	}
	if count != 5 {
		t.Errorf("the pages have %d items", count)
	}

	_, err := c.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
		{Put: &types.Put{
			TableName: aws.String("hash"), Item: map[string]types.AttributeValue{"a": &types.AttributeValueMemberS{Value: "x"}},
			ConditionExpression:                 aws.String("attribute_exists(a)"),
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		}},
	}})
	var cancelled *types.TransactionCanceledException
	if !errors.As(err, &cancelled) || aws.ToString(cancelled.CancellationReasons[0].Code) != "ConditionalCheckFailed" {
		t.Errorf("the transaction ended with %v", err)
	}
	_, err = c.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String("none"), Key: map[string]types.AttributeValue{}})
	var notFound *types.ResourceNotFoundException
	if !errors.As(err, &notFound) {
		t.Errorf("a missing table gives %v", err)
	}
	described, err := c.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: name})
	if err != nil || described.Table.TableStatus != types.TableStatusActive || *described.Table.ItemCount != 5 {
		t.Errorf("the table is %+v: %v", described, err)
	}
}

// TestATemplateTable checks what a stack's table becomes, and that making it
// again keeps its items.
func TestATemplateTable(t *testing.T) {
	s := newServer(t, nil)
	properties := map[string]any{
		"AttributeDefinitions": []any{
			map[string]any{"AttributeName": "pk", "AttributeType": "S"},
			map[string]any{"AttributeName": "sk", "AttributeType": "S"},
		},
		"KeySchema": []any{
			map[string]any{"AttributeName": "pk", "KeyType": "HASH"},
			map[string]any{"AttributeName": "sk", "KeyType": "RANGE"},
		},
		"BillingMode":                      "PAY_PER_REQUEST",
		"StreamSpecification":              map[string]any{"StreamViewType": "NEW_AND_OLD_IMAGES"},
		"PointInTimeRecoverySpecification": map[string]any{"PointInTimeRecoveryEnabled": true},
		"SSESpecification":                 map[string]any{"SSEEnabled": true},
	}
	arn, stream, err := s.CreateTableFromProperties("portolan", properties)
	if err != nil || arn != "arn:aws:dynamodb:eu-west-1:000000000000:table/portolan" || stream == "" {
		t.Fatalf("%s %s %v", arn, stream, err)
	}
	must(t, s, "PutItem", `{"TableName":"portolan","Item":{"pk":{"S":"a"},"sk":{"S":"b"},"g":{"S":"x"}}}`)
	properties["AttributeDefinitions"] = append(properties["AttributeDefinitions"].([]any),
		map[string]any{"AttributeName": "g", "AttributeType": "S"})
	properties["GlobalSecondaryIndexes"] = []any{map[string]any{
		"IndexName": "byg", "KeySchema": []any{map[string]any{"AttributeName": "g", "KeyType": "HASH"}},
		"Projection": map[string]any{"ProjectionType": "ALL"},
	}}
	if _, again, err := s.CreateTableFromProperties("portolan", properties); err != nil || again != stream {
		t.Fatalf("%s %v", again, err)
	}
	sameJSON(t, must(t, s, "Query", `{"TableName":"portolan","IndexName":"byg","KeyConditionExpression":"g = :g",
		"ExpressionAttributeValues":{":g":{"S":"x"}},"Select":"COUNT"}`), `{"Count":1,"ScannedCount":1}`)
	if err := s.DeleteTable("portolan"); err != nil {
		t.Fatal(err)
	}
	if status, _ := call(t, s, "DescribeTable", `{"TableName":"portolan"}`); status != http.StatusBadRequest {
		t.Error("the table is still there")
	}
}

func TestAHugeBodyIsRefused(t *testing.T) {
	s := withTables(t)
	r := httptest.NewRequest(http.MethodPost, "/", &endless{})
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("got %d", w.Code)
	}
}

// endless is a body without end.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
