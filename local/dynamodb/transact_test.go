package dynamodb

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestATransactionIsAllOrNothing(t *testing.T) {
	s := withTables(t)
	must(t, s, "PutItem", `{"TableName":"hash","Item":{"a":{"S":"lease"},"owner":{"S":"one"}}}`)
	body := func(owner string) string {
		return `{"TransactItems":[
			{"ConditionCheck":{"TableName":"hash","Key":{"a":{"S":"lease"}},"ConditionExpression":"#o = :o",
				"ExpressionAttributeNames":{"#o":"owner"},"ExpressionAttributeValues":{":o":{"S":"` + owner + `"}},
				"ReturnValuesOnConditionCheckFailure":"ALL_OLD"}},
			{"Put":{"TableName":"hash","Item":{"a":{"S":"done"}},"ConditionExpression":"attribute_not_exists(a)"}},
			{"Update":{"TableName":"range","Key":{"a":{"S":"x"},"b":{"N":"1"}},"UpdateExpression":"ADD n :one",
				"ExpressionAttributeValues":{":one":{"N":"1"}}}}],"ReturnConsumedCapacity":"TOTAL"}`
	}
	status, answer := call(t, s, "TransactWriteItems", body("two"))
	if status != http.StatusBadRequest {
		t.Fatalf("got %d %s", status, answer)
	}
	sameJSON(t, answer, `{"__type":"`+model+`TransactionCanceledException",
		"Message":"Transaction cancelled, please refer cancellation reasons for specific reasons [ConditionalCheckFailed, None, None]",
		"CancellationReasons":[{"Code":"ConditionalCheckFailed","Message":"The conditional request failed",
			"Item":{"a":{"S":"lease"},"owner":{"S":"one"}}},{"Code":"None"},{"Code":"None"}]}`)
	sameJSON(t, must(t, s, "GetItem", `{"TableName":"hash","Key":{"a":{"S":"done"}}}`), `{}`)

	sameJSON(t, must(t, s, "TransactWriteItems", body("one")), `{"ConsumedCapacity":[
		{"TableName":"hash","CapacityUnits":4,"WriteCapacityUnits":4},{"TableName":"range","CapacityUnits":2,"WriteCapacityUnits":2}]}`)
	sameJSON(t, must(t, s, "TransactGetItems", `{"TransactItems":[{"Get":{"TableName":"hash","Key":{"a":{"S":"done"}}}},
		{"Get":{"TableName":"hash","Key":{"a":{"S":"gone"}}}},{"Get":{"TableName":"range","Key":{"a":{"S":"x"},"b":{"N":"1"}},"ProjectionExpression":"n"}}]}`),
		`{"Responses":[{"Item":{"a":{"S":"done"}}},{},{"Item":{"n":{"N":"1"}}}]}`)

	_, answer = call(t, s, "TransactWriteItems", body("one"))
	if !strings.Contains(answer, "[None, ConditionalCheckFailed, None]") {
		t.Errorf("the repeat was not cancelled: %s", answer)
	}
}

func TestAPartThatIsInvalidForItsItemCancels(t *testing.T) {
	s := withTables(t)
	for part, want := range map[string]string{
		`{"Put":{"TableName":"hash","Item":{"b":{"S":"x"}}}}`:                                                                                 "Missing the key a in the item",
		`{"Delete":{"TableName":"hash","Key":{"a":{"N":"1"}}}}`:                                                                               keyMismatch,
		`{"Update":{"TableName":"hash","Key":{"a":{"S":"x"}},"UpdateExpression":"SET x = y"}}`:                                                errMissingAttribute.message,
		`{"Update":{"TableName":"hash","Key":{"a":{"S":"x"}},"UpdateExpression":"SET x.y = :y","ExpressionAttributeValues":{":y":{"S":""}}}}`: errInvalidPath.message,
	} {
		_, answer := call(t, s, "TransactWriteItems", `{"TransactItems":[`+part+`]}`)
		if !strings.Contains(answer, `"Code":"ValidationError"`) || !strings.Contains(answer, want) {
			t.Errorf("%s: %s", part, answer)
		}
	}
}

func TestATokenMakesATransactionIdempotentForTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := withTables(t)
		add := func(n string) (int, string) {
			return call(t, s, "TransactWriteItems", `{"ClientRequestToken":"token","TransactItems":[{"Update":{"TableName":"hash",
				"Key":{"a":{"S":"k"}},"UpdateExpression":"ADD n :n","ExpressionAttributeValues":{":n":{"N":"`+n+`"}}}}],
				"ReturnConsumedCapacity":"TOTAL"}`)
		}
		total := func(want string) {
			t.Helper()
			sameJSON(t, must(t, s, "GetItem", `{"TableName":"hash","Key":{"a":{"S":"k"}}}`),
				`{"Item":{"a":{"S":"k"},"n":{"N":"`+want+`"}}}`)
		}
		add("1")
		if status, answer := add("1"); status != http.StatusOK || !strings.Contains(answer, "ReadCapacityUnits") {
			t.Errorf("the repeat got %d %s", status, answer)
		}
		total("1")
		if _, answer := add("2"); !strings.Contains(answer, "IdempotentParameterMismatchException") {
			t.Errorf("another transaction with the token got %s", answer)
		}
		time.Sleep(tokenLife)
		add("2")
		total("3")
	})
}
