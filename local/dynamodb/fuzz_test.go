package dynamodb

import (
	"encoding/json"
	"net/http"
	"testing"
)

// FuzzExpression checks that no expression stops a parser, and that those that
// parse can be bound and evaluated.
func FuzzExpression(f *testing.F) {
	for _, source := range []string{
		"a = :a AND (b <> :a OR NOT contains(c.d[1], #a))", "size(a) BETWEEN :a AND :a", "a IN (:a, b)",
		"SET a = if_not_exists(a, :a) + :a REMOVE b.c[2] ADD d :a DELETE e :a", "a.b[1], #a.c", "((a)) = :a",
		"SET a = ((b[1]) - (c.d))", "begins_with(a, :a", "a = ", "#", "\xff",
	} {
		f.Add(source)
	}
	it := item{{"a", stringValue("x")}, {"b", listValue([]value{numberValue("1"), mapValue(nil)})}}
	f.Fuzz(func(t *testing.T, source string) {
		r := request{
			names:  nameMap{true, []namePair{{"#a", "a"}}},
			values: attributes{present: true, item: item{{":a", numberValue("1")}}},
		}
		for kind, parse := range map[string]func(string) *expression{
			"ConditionExpression": parseCondition, "UpdateExpression": parseUpdate, "ProjectionExpression": parseProjection,
		} {
			b, err := newBinder(&expressionCache{}, &r, true, "")
			if err != nil {
				t.Fatal(err)
			}
			e, err := b.bind(kind, source, parse)
			if err != nil {
				continue
			}
			switch kind {
			case "ConditionExpression":
				e.matches(it)
				e.matches(nil)
				_, _ = e.keyConditions()
			case "UpdateExpression":
				_, _ = e.apply(it)
				_, _ = e.apply(nil)
			default:
				e.project(it, e.paths)
			}
		}
	})
}

// FuzzRequest checks that no body stops the server, and that every answer is
// JSON.
func FuzzRequest(f *testing.F) {
	names := []string{"GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan", "BatchGetItem",
		"BatchWriteItem", "TransactGetItems", "TransactWriteItems", "CreateTable", "UpdateTable"}
	for i, body := range []string{
		`{"TableName":"hash","Key":{"a":{"S":"x"}},"ProjectionExpression":"a,b"}`,
		`{"TableName":"range","Item":{"a":{"S":"\u00e9"},"b":{"N":"-1e3"},"c":{"S":"y"},"l":{"L":[{"SS":["x"]}]}}}`,
		`{"TableName":"hash","Key":{"a":{"S":"x"}},"UpdateExpression":"ADD n :n","ExpressionAttributeValues":{":n":{"N":"1"}},"ReturnValues":"UPDATED_NEW"}`,
		`{"TableName":"hash","Key":{"a":{"S":"x"}},"Expected":{"n":{"ComparisonOperator":"IN","AttributeValueList":[{"N":"1"}]}}}`,
		`{"TableName":"range","KeyConditions":{"a":{"ComparisonOperator":"EQ","AttributeValueList":[{"S":"x"}]}},"ScanIndexForward":false}`,
		`{"TableName":"range","IndexName":"global","Segment":0,"TotalSegments":3,"FilterExpression":"size(d) > e"}`,
		`{"RequestItems":{"hash":{"Keys":[{"a":{"S":"x"}}]}},"ReturnConsumedCapacity":"INDEXES"}`,
		`{"RequestItems":{"hash":[{"PutRequest":{"Item":{"a":{"S":"x"}}}}]},"ReturnItemCollectionMetrics":"SIZE"}`,
		`{"TransactItems":[{"Get":{"TableName":"hash","Key":{"a":{"S":"x"}}}}]}`,
		`{"ClientRequestToken":"t","TransactItems":[{"Put":{"TableName":"hash","Item":{"a":{"S":"x"}}}}]}`,
		hashTable, `{"TableName":"hash","StreamSpecification":{"StreamEnabled":true,"StreamViewType":"KEYS_ONLY"}}`,
	} {
		f.Add(i, body)
	}
	s := withTables(f)
	f.Fuzz(func(t *testing.T, operation int, body string) {
		name := names[uint(operation)%uint(len(names))]
		status, answer := call(t, s, name, body)
		if !json.Valid([]byte(answer)) || status != http.StatusOK && status != http.StatusBadRequest {
			t.Errorf("%s %q = %d %s", name, body, status, answer)
		}
	})
}
