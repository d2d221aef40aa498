package dynamodb

import (
	"fmt"
	"strings"
	"testing"
)

// An exchange is a call and its answer; an empty answer only has to be a success.
type exchange struct{ operation, body, want string }

func run(t *testing.T, s *Server, steps []exchange) {
	t.Helper()
	for _, c := range steps {
		answer := must(t, s, c.operation, c.body)
		if c.want != "" {
			t.Log(c.operation, c.body)
			sameJSON(t, answer, c.want)
		}
	}
}

func TestItemsComeBackAsTheyWerePut(t *testing.T) {
	item := `{"a":{"S":"é\u0000\"\\"},"b":{"B":"AAEC/w=="},"n":{"N":"-1.5"},"yes":{"BOOL":true},"no":{"BOOL":false},
		"null":{"NULL":true},"ss":{"SS":["x","y"]},"ns":{"NS":["1","2"]},"bs":{"BS":["AA==","AQ=="]},
		"l":{"L":[{"S":""},{"L":[]},{"M":{}}]},"m":{"M":{"z":{"N":"0"},"y":{"M":{"x":{"S":"deep"}}}}}}`
	run(t, withTables(t), []exchange{
		{"PutItem", `{"TableName":"hash","Item":` + item + `}`, `{}`},
		{"GetItem", `{"TableName":"hash","Key":{"a":{"S":"é\u0000\"\\"}}}`, `{"Item":` + item + `}`},
		{"GetItem", `{"TableName":"hash","Key":{"a":{"S":"é\u0000\"\\"}},"ProjectionExpression":"l[0],l[2],m.y.x,gone"}`,
			`{"Item":{"l":{"L":[{"S":""},{"M":{}}]},"m":{"M":{"y":{"M":{"x":{"S":"deep"}}}}}}}`},
		{"DeleteItem", `{"TableName":"hash","Key":{"a":{"S":"é\u0000\"\\"}},"ReturnValues":"ALL_OLD"}`, `{"Attributes":` + item + `}`},
		{"GetItem", `{"TableName":"hash","Key":{"a":{"S":"é\u0000\"\\"}}}`, `{}`},
		{"GetItem", `{"TableName":"arn:aws:dynamodb:eu-west-1:000000000000:table/hash","Key":{"a":{"S":"x"}}}`, `{}`},
	})
}

func TestUpdateExpressions(t *testing.T) {
	for _, c := range []struct{ before, update, values, after string }{
		{`"n":{"N":"1"}`, `SET n = n + :x`, `":x":{"N":"0.1"}`, `"n":{"N":"1.1"}`},
		{`"n":{"N":"1"}`, `SET n = n - :x`, `":x":{"N":"2"}`, `"n":{"N":"-1"}`},
		{``, `SET n = if_not_exists(n, :x)`, `":x":{"N":"2"}`, `"n":{"N":"2"}`},
		{`"n":{"N":"1"}`, `SET n = if_not_exists(n, :x) + :x`, `":x":{"N":"2"}`, `"n":{"N":"3"}`},
		{`"x":{"S":"1"},"y":{"S":"2"}`, `SET x = y, y = x`, ``, `"x":{"S":"2"},"y":{"S":"1"}`},
		{`"l":{"L":[{"N":"1"}]}`, `SET l = list_append(:x, l)`, `":x":{"L":[{"N":"0"}]}`, `"l":{"L":[{"N":"0"},{"N":"1"}]}`},
		{`"l":{"L":[{"N":"1"},{"N":"2"},{"N":"3"}]}`, `REMOVE l[0], l[1]`, ``, `"l":{"L":[{"N":"3"}]}`},
		{`"l":{"L":[{"N":"1"}]}`, `SET l[9] = :x, l[7] = l[0]`, `":x":{"N":"9"}`, `"l":{"L":[{"N":"1"},{"N":"1"},{"N":"9"}]}`},
		{`"m":{"M":{"x":{"N":"1"},"y":{"N":"2"}}}`, `SET m.z = m.x REMOVE m.y`, ``, `"m":{"M":{"x":{"N":"1"},"z":{"N":"1"}}}`},
		{`"s":{"SS":["a","b"]}`, `ADD s :x`, `":x":{"SS":["b","c"]}`, `"s":{"SS":["a","b","c"]}`},
		{`"s":{"SS":["a","b"]}`, `DELETE s :x`, `":x":{"SS":["b","c"]}`, `"s":{"SS":["a"]}`},
		{`"s":{"SS":["a"]}`, `DELETE s :x`, `":x":{"SS":["a"]}`, ``},
		{``, `ADD n :x`, `":x":{"N":"5"}`, `"n":{"N":"5"}`},
		{`"n":{"N":"99999999999999999999999999999999999999"}`, `ADD n :x`, `":x":{"N":"-1"}`, `"n":{"N":"99999999999999999999999999999999999998"}`},
		{``, `REMOVE gone`, ``, ``},
		{`"m":{"M":{"l":{"L":[{"M":{"x":{"N":"1"}}}]}}}`, `SET m.l[0].x = :x`, `":x":{"S":"y"}`, `"m":{"M":{"l":{"L":[{"M":{"x":{"S":"y"}}}]}}}`},
	} {
		s := withTables(t)
		with := func(fields string) string {
			if fields == "" {
				return `{"a":{"S":"k"}}`
			}
			return `{"a":{"S":"k"},` + fields + `}`
		}
		must(t, s, "PutItem", `{"TableName":"hash","Item":`+with(c.before)+`}`)
		values := ""
		if c.values != "" {
			values = `,"ExpressionAttributeValues":{` + c.values + `}`
		}
		answer := must(t, s, "UpdateItem", `{"TableName":"hash","Key":{"a":{"S":"k"}},"ReturnValues":"ALL_NEW","UpdateExpression":"`+c.update+`"`+values+`}`)
		t.Log(c.update)
		sameJSON(t, answer, `{"Attributes":`+with(c.after)+`}`)
	}
}

func TestConditions(t *testing.T) {
	s := withTables(t)
	must(t, s, "PutItem", `{"TableName":"hash","Item":{"a":{"S":"k"},"n":{"N":"10"},"s":{"S":"hello"},
		"ss":{"SS":["x"]},"l":{"L":[{"N":"1"}]},"m":{"M":{"x":{"BOOL":true}}}}}`)
	for condition, want := range map[string]bool{
		`n = :ten`: true, `n <> :ten`: false, `n < :ten`: false, `n <= :ten`: true, `n > :one`: true,
		`n BETWEEN :one AND :ten`: true, `n IN (:one, :ten)`: true, `n IN (:one)`: false,
		`gone <> :one`: true, `gone = :one`: false, `gone < :one`: false, `s > :one`: false,
		`NOT n = :ten`: false, `n = :one OR s = :hello`: true, `n = :one OR s = :hello AND n = :one`: false,
		`(n = :one OR s = :hello) AND n = :ten`: true, `attribute_exists(m.x)`: true,
		`attribute_exists(l[1])`: false, `attribute_not_exists(gone)`: true, `attribute_type(l, :list)`: true,
		`begins_with(s, :hel)`: true, `contains(s, :hel)`: true, `contains(ss, :x)`: true, `contains(l, :one)`: true,
		`contains(l, :ten)`: false, `size(s) = :five`: true, `size(n) = :one`: false, `size(m) = :one`: true,
		`#s = :hello AND l[0] = :one`: true,
	} {
		values := []string{}
		for name, v := range map[string]string{":ten": `{"N":"10.0"}`, ":one": `{"N":"1"}`, ":hello": `{"S":"hello"}`,
			":hel": `{"S":"hel"}`, ":x": `{"S":"x"}`, ":list": `{"S":"L"}`, ":five": `{"N":"5"}`} {
			if strings.Contains(condition+" ", name+" ") || strings.Contains(condition, name+",") || strings.Contains(condition, name+")") {
				values = append(values, `"`+name+`":`+v)
			}
		}
		body := `{"TableName":"hash","FilterExpression":"` + condition + `"`
		if len(values) > 0 {
			body += `,"ExpressionAttributeValues":{` + strings.Join(values, ",") + `}`
		}
		if strings.Contains(condition, "#s") {
			body += `,"ExpressionAttributeNames":{"#s":"s"}`
		}
		answer := must(t, s, "Scan", body+`,"Select":"COUNT"}`)
		if got := strings.Contains(answer, `"Count":1,`); got != want {
			t.Errorf("%s: %v, want %v", condition, got, want)
		}
	}
}

func TestConditionFailureGivesTheItem(t *testing.T) {
	s := withTables(t)
	must(t, s, "PutItem", `{"TableName":"hash","Item":{"a":{"S":"k"},"v":{"N":"3"}}}`)
	_, answer := call(t, s, "DeleteItem", `{"TableName":"hash","Key":{"a":{"S":"k"}},"ConditionExpression":"v = :v",
		"ExpressionAttributeValues":{":v":{"N":"2"}},"ReturnValuesOnConditionCheckFailure":"ALL_OLD"}`)
	sameJSON(t, answer, `{"__type":"`+model+`ConditionalCheckFailedException","message":"The conditional request failed",
		"Item":{"a":{"S":"k"},"v":{"N":"3"}}}`)
}

func TestQueryOrderAndPages(t *testing.T) {
	s := withTables(t)
	for _, n := range []string{"10", "-1", "2", "0.5", "1e3", "-20"} {
		must(t, s, "PutItem", `{"TableName":"range","Item":{"a":{"S":"p"},"b":{"N":"`+n+`"},"c":{"S":"c"},"d":{"S":"d"},"e":{"S":"e"}}}`)
	}
	numbers := func(extra string) string {
		answer := must(t, s, "Query", `{"TableName":"range","ExpressionAttributeValues":{":p":{"S":"p"}`+extra+`}`)
		var got []string
		for _, part := range strings.Split(answer, `"b":{"N":"`)[1:] {
			got = append(got, part[:strings.IndexByte(part, '"')])
		}
		return strings.Join(got, " ")
	}
	for extra, want := range map[string]string{
		`},"KeyConditionExpression":"a = :p"`:                                                                            "-20 -1 0.5 2 10 1000",
		`},"KeyConditionExpression":"a = :p","ScanIndexForward":false`:                                                   "1000 10 2 0.5 -1 -20",
		`,":x":{"N":"2"}},"KeyConditionExpression":"a = :p AND b < :x"`:                                                  "-20 -1 0.5",
		`,":x":{"N":"2"}},"KeyConditionExpression":"a = :p AND b >= :x"`:                                                 "2 10 1000",
		`,":x":{"N":"-1"},":y":{"N":"2"}},"KeyConditionExpression":"a = :p AND b BETWEEN :x AND :y"`:                     "-1 0.5 2",
		`,":x":{"N":"10"}},"KeyConditionExpression":":x = b AND a = :p"`:                                                 "10",
		`},"KeyConditionExpression":"a = :p","Limit":2`:                                                                  "-20 -1 -1",
		`},"KeyConditionExpression":"a = :p","ExclusiveStartKey":{"a":{"S":"p"},"b":{"N":"-1"}},"Limit":2`:               "0.5 2 2",
		`},"KeyConditionExpression":"a = :p","ExclusiveStartKey":{"a":{"S":"p"},"b":{"N":"2"}},"ScanIndexForward":false`: "0.5 -1 -20",
		`},"KeyConditionExpression":"a = :p","ExclusiveStartKey":{"a":{"S":"p"},"b":{"N":"7"}}`:                          "10 1000",
	} {
		if got := numbers(extra); got != want {
			t.Errorf("%s: %s, want %s", extra, got, want)
		}
	}
}

func TestIndexes(t *testing.T) {
	s := withTables(t)
	run(t, s, []exchange{
		{"PutItem", `{"TableName":"range","Item":{"a":{"S":"p"},"b":{"N":"1"},"c":{"S":"x"},"d":{"S":"d"},"e":{"S":"e"}}}`, ""},
		{"PutItem", `{"TableName":"range","Item":{"a":{"S":"p"},"b":{"N":"2"},"d":{"S":"sparse"}}}`, ""},
		{"Query", `{"TableName":"range","IndexName":"global","KeyConditionExpression":"c = :c","ExpressionAttributeValues":{":c":{"S":"x"}}}`,
			`{"Count":1,"ScannedCount":1,"Items":[{"a":{"S":"p"},"b":{"N":"1"},"c":{"S":"x"},"d":{"S":"d"}}]}`},
		{"Query", `{"TableName":"range","IndexName":"local","KeyConditionExpression":"a = :a","ExpressionAttributeValues":{":a":{"S":"p"}}}`,
			`{"Count":1,"ScannedCount":1,"Items":[{"a":{"S":"p"},"b":{"N":"1"},"c":{"S":"x"}}]}`},
		{"Query", `{"TableName":"range","IndexName":"local","Select":"ALL_ATTRIBUTES","ReturnConsumedCapacity":"INDEXES",
			"KeyConditionExpression":"a = :a AND begins_with(c, :c)","ExpressionAttributeValues":{":a":{"S":"p"},":c":{"S":""}}}`,
			`{"Count":1,"ScannedCount":1,"Items":[{"a":{"S":"p"},"b":{"N":"1"},"c":{"S":"x"},"d":{"S":"d"},"e":{"S":"e"}}],
			"ConsumedCapacity":{"TableName":"range","CapacityUnits":1,"Table":{"CapacityUnits":0.5},
			"LocalSecondaryIndexes":{"local":{"CapacityUnits":0.5}}}}`},
		{"UpdateItem", `{"TableName":"range","Key":{"a":{"S":"p"},"b":{"N":"1"}},"UpdateExpression":"REMOVE c","ReturnConsumedCapacity":"INDEXES",
			"ReturnItemCollectionMetrics":"SIZE"}`,
			`{"ConsumedCapacity":{"TableName":"range","CapacityUnits":3,"Table":{"CapacityUnits":1},
			"LocalSecondaryIndexes":{"local":{"CapacityUnits":1}},"GlobalSecondaryIndexes":{"global":{"CapacityUnits":1}}},
			"ItemCollectionMetrics":{"ItemCollectionKey":{"a":{"S":"p"}},"SizeEstimateRangeGB":[0,1]}}`},
		{"Scan", `{"TableName":"range","IndexName":"global"}`, `{"Count":0,"ScannedCount":0,"Items":[]}`},
	})
}

func TestScanSegmentsShareTheTable(t *testing.T) {
	s := withTables(t)
	const items = 60
	for i := range items {
		must(t, s, "PutItem", fmt.Sprintf(`{"TableName":"hash","Item":{"a":{"S":"k%d"}}}`, i))
	}
	seen := 0
	for segment := range 7 {
		start := ""
		for {
			answer := must(t, s, "Scan", fmt.Sprintf(`{"TableName":"hash","Segment":%d,"TotalSegments":7,"Limit":4%s}`, segment, start))
			_, items, _ := strings.Cut(answer, `"Items":[`)
			items, last, more := strings.Cut(items, `"LastEvaluatedKey":`)
			seen += strings.Count(items, `{"a":`)
			if !more {
				break
			}
			start = `,"ExclusiveStartKey":` + last[:len(last)-1]
		}
	}
	if seen != items {
		t.Errorf("the segments have %d items, want %d", seen, items)
	}
}

func TestBatches(t *testing.T) {
	run(t, withTables(t), []exchange{
		{"BatchWriteItem", `{"RequestItems":{"hash":[{"PutRequest":{"Item":{"a":{"S":"1"},"x":{"S":"y"}}}},{"DeleteRequest":{"Key":{"a":{"S":"2"}}}}],
			"range":[{"PutRequest":{"Item":{"a":{"S":"1"},"b":{"N":"1"}}}}]},"ReturnConsumedCapacity":"TOTAL","ReturnItemCollectionMetrics":"SIZE"}`,
			`{"UnprocessedItems":{},"ConsumedCapacity":[{"TableName":"hash","CapacityUnits":2},{"TableName":"range","CapacityUnits":1}],
			"ItemCollectionMetrics":{"range":[{"ItemCollectionKey":{"a":{"S":"1"}},"SizeEstimateRangeGB":[0,1]}]}}`},
		{"BatchGetItem", `{"RequestItems":{"hash":{"Keys":[{"a":{"S":"1"}},{"a":{"S":"2"}}],"ProjectionExpression":"#x","ExpressionAttributeNames":{"#x":"x"}},
			"range":{"Keys":[{"a":{"S":"1"},"b":{"N":"1.0"}}],"ConsistentRead":true}},"ReturnConsumedCapacity":"TOTAL"}`,
			`{"Responses":{"hash":[{"x":{"S":"y"}}],"range":[{"a":{"S":"1"},"b":{"N":"1"}}]},"UnprocessedKeys":{},
			"ConsumedCapacity":[{"TableName":"hash","CapacityUnits":1},{"TableName":"range","CapacityUnits":1}]}`},
	})
}

func TestLegacyParameters(t *testing.T) {
	run(t, withTables(t), []exchange{
		{"PutItem", `{"TableName":"hash","Item":{"a":{"S":"k"},"n":{"N":"1"}},"Expected":{"a":{"Exists":false}}}`, `{}`},
		{"UpdateItem", `{"TableName":"hash","Key":{"a":{"S":"k"}},"AttributeUpdates":{"n":{"Action":"ADD","Value":{"N":"2"}},"x":{"Value":{"S":"y"}}},
			"Expected":{"n":{"ComparisonOperator":"LE","AttributeValueList":[{"N":"1"}]}},"ReturnValues":"UPDATED_NEW"}`,
			`{"Attributes":{"n":{"N":"3"},"x":{"S":"y"}}}`},
		{"Query", `{"TableName":"hash","KeyConditions":{"a":{"ComparisonOperator":"EQ","AttributeValueList":[{"S":"k"}]}},
			"QueryFilter":{"x":{"ComparisonOperator":"BEGINS_WITH","AttributeValueList":[{"S":"y"}]}},"AttributesToGet":["n"]}`,
			`{"Count":1,"ScannedCount":1,"Items":[{"n":{"N":"3"}}]}`},
		{"Scan", `{"TableName":"hash","ScanFilter":{"n":{"ComparisonOperator":"NULL"},"x":{"ComparisonOperator":"NOT_NULL"}},"ConditionalOperator":"OR","Select":"COUNT"}`,
			`{"Count":1,"ScannedCount":1}`},
	})
}
