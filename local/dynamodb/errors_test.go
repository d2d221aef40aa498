package dynamodb

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

const (
	isValidation    = "com.amazon.coral.validate#ValidationException"
	isSerialization = "com.amazon.coral.service#SerializationException"
	isNotFound      = model + "ResourceNotFoundException"
)

// TestRefusals has what AWS answers to bad requests, by operation.
func TestRefusals(t *testing.T) {
	s := withTables(t)
	must(t, s, "PutItem", `{"TableName":"hash","Item":{"a":{"S":"one"},"n":{"N":"1"},"l":{"L":[]},"m":{"M":{}}}}`)
	key := `"Key":{"a":{"S":"one"}}`
	for _, c := range []struct{ operation, body, kind, message string }{
		{"GetItem", `{`, isSerialization, ""},
		{"GetItem", ``, isSerialization, ""},
		{"GetItem", `{"TableName":1}`, isSerialization, "NUMBER_VALUE cannot be converted to String"},
		{"GetItem", `{"TableName":1.5}`, isSerialization, "DECIMAL_VALUE cannot be converted to String"},
		{"GetItem", `{"TableName":{}}`, isSerialization, unexpectedObject},
		{"GetItem", `{"TableName":[]}`, isSerialization, "Unrecognized collection type class java.lang.String"},
		{"GetItem", `{"Key":"x"}`, isSerialization, "Unexpected field type"},
		{"GetItem", `{"Key":[]}`, isSerialization, "Unrecognized collection type java.util.Map<java.lang.String, " +
			"com.amazonaws.dynamodb.v20120810.AttributeValue>"},
		{"GetItem", `{"Key":{"a":1}}`, isSerialization, "Unexpected value type in payload"},
		{"GetItem", `{"Key":{"a":{"B":"a"}}}`, isSerialization, "Base64 encoded length is expected a multiple of 4 bytes but found: 1"},
		{"GetItem", `{"Key":{"a":{"B":"====" }}}`, isSerialization, "Invalid last non-pad Base64 character dectected"},
		{"GetItem", `{"ConsistentRead":"maybe"}`, isSerialization, "Unexpected token received from parser"},
		{"GetItem", `{}`, isValidation, "2 validation errors detected: Value null at 'key' failed to satisfy constraint: " +
			"Member must not be null; Value null at 'tableName' failed to satisfy constraint: Member must not be null"},
		{"GetItem", `{"TableName":"nowhere","Key":{}}`, isNotFound, "Requested resource not found"},
		{"GetItem", `{"TableName":"hash","Key":{}}`, isValidation, keyMismatch},
		{"GetItem", `{"TableName":"hash","Key":{"a":{"N":"1"}}}`, isValidation, keyMismatch},
		{"GetItem", `{"TableName":"hash","Key":{"a":{}}}`, isValidation, noDatatype},
		{"GetItem", `{"TableName":"hash","Key":{"a":{"S":"","N":"1"}}}`, isValidation, manyDatatypes},
		{"GetItem", `{"TableName":"hash","Key":{"a":{"S":""}}}`, isValidation,
			"One or more parameter values were invalid: The AttributeValue for a key attribute cannot contain an empty string value. Key: a"},
		{"GetItem", `{"TableName":"hash",` + key + `,"ProjectionExpression":"x, x.y"}`, isValidation,
			"Invalid ProjectionExpression: Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [x], path two: [x, y]"},
		{"GetItem", `{"TableName":"hash",` + key + `,"ProjectionExpression":"a.b"}`, isValidation,
			"Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: a"},
		{"GetItem", `{"TableName":"hash",` + key + `,"ProjectionExpression":"x","ExpressionAttributeNames":{"#y":"y"}}`, isValidation,
			"Value provided in ExpressionAttributeNames unused in expressions: keys: {#y}"},
		{"PutItem", `{"TableName":"hash","Item":{}}`, isValidation, "One or more parameter values were invalid: Missing the key a in the item"},
		{"PutItem", `{"TableName":"hash","Item":{"a":{"N":"1"}}}`, isValidation,
			"One or more parameter values were invalid: Type mismatch for key a expected: S actual: N"},
		{"PutItem", `{"TableName":"range","Item":{"a":{"S":"x"},"b":{"N":"1"},"c":{"N":"1"}}}`, isValidation,
			"One or more parameter values were invalid: Type mismatch for Index Key c Expected: S Actual: N IndexName: local"},
		{"PutItem", `{"TableName":"hash","Item":{"a":{"S":"x"},"n":{"N":"1e126"}}}`, isValidation, numberTooLarge},
		{"PutItem", `{"TableName":"hash","Item":{"a":{"S":"x"}},"ConditionExpression":"n >"}`, isValidation,
			`Invalid ConditionExpression: Syntax error; token: "<EOF>", near: ">"`},
		{"PutItem", `{"TableName":"hash","Item":{"a":{"S":"x"}},"ConditionExpression":"status = :s"}`, isValidation,
			"Invalid ConditionExpression: Attribute name is a reserved keyword; reserved keyword: status"},
		{"PutItem", `{"TableName":"hash","Item":{"a":{"S":"x"}},"ConditionExpression":"n = :s"}`, isValidation,
			"Invalid ConditionExpression: An expression attribute value used in expression is not defined; attribute value: :s"},
		{"PutItem", `{"TableName":"hash","Item":{"a":{"S":"x"}},"ReturnValues":"ALL_NEW"}`, isValidation, "ReturnValues can only be ALL_OLD or NONE"},
		{"PutItem", `{"TableName":"hash","Item":{"a":{"S":"x"},"deep":` + deep(34) + `}}`, isValidation, "Nesting Levels have exceeded supported limits"},
		{"PutItem", `{"TableName":"hash","Item":{"a":{"S":"one"}},"ConditionExpression":"attribute_not_exists(a)"}`,
			model + "ConditionalCheckFailedException", "The conditional request failed"},
		{"UpdateItem", `{"TableName":"hash",` + key + `,"UpdateExpression":"SET a = :x","ExpressionAttributeValues":{":x":{"S":"y"}}}`, isValidation,
			"One or more parameter values were invalid: Cannot update attribute a. This attribute is part of the key"},
		{"UpdateItem", `{"TableName":"hash",` + key + `,"UpdateExpression":"SET x = y"}`, isValidation, errMissingAttribute.message},
		{"UpdateItem", `{"TableName":"hash",` + key + `,"UpdateExpression":"SET x.y = n"}`, isValidation, errInvalidPath.message},
		{"UpdateItem", `{"TableName":"hash",` + key + `,"UpdateExpression":"SET x = n + l"}`, isValidation, errOperandType.message},
		{"UpdateItem", `{"TableName":"hash",` + key + `,"UpdateExpression":"ADD n :x","ExpressionAttributeValues":{":x":{"S":"y"}}}`, isValidation,
			"Invalid UpdateExpression: Incorrect operand type for operator or function; operator: ADD, operand type: STRING"},
		{"UpdateItem", `{"TableName":"hash",` + key + `,"UpdateExpression":"SET x = n SET y = n"}`, isValidation,
			`Invalid UpdateExpression: The "SET" section can only be used once in an update expression;`},
		{"UpdateItem", `{"TableName":"hash",` + key + `,"AttributeUpdates":{"x":{}},"UpdateExpression":"SET x = n"}`, isValidation,
			"Can not use both expression and non-expression parameters in the same request: " +
				"Non-expression parameters: {AttributeUpdates} Expression parameters: {UpdateExpression}"},
		{"Query", `{"TableName":"hash"}`, isValidation,
			"Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."},
		{"Query", `{"TableName":"range","KeyConditionExpression":"a = :a AND d = :a","ExpressionAttributeValues":{":a":{"S":"x"}}}`, isValidation,
			"Query condition missed key schema element: b"},
		{"Query", `{"TableName":"range","KeyConditionExpression":"a = :a AND b = :a","ExpressionAttributeValues":{":a":{"S":"x"}}}`, isValidation,
			"One or more parameter values were invalid: Condition parameter type does not match schema type"},
		{"Query", `{"TableName":"range","IndexName":"global","ConsistentRead":true,"KeyConditionExpression":"c = :a",
			"ExpressionAttributeValues":{":a":{"S":"x"}}}`, isValidation, "Consistent reads are not supported on global secondary indexes"},
		{"Query", `{"TableName":"range","IndexName":"none","KeyConditionExpression":"c = :a","ExpressionAttributeValues":{":a":{"S":"x"}}}`,
			isValidation, "The table does not have the specified index: none"},
		{"Query", `{"TableName":"hash","Select":"SPECIFIC_ATTRIBUTES","KeyConditionExpression":"a = :a","ExpressionAttributeValues":{":a":{"S":"x"}}}`,
			isValidation, "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES"},
		{"Scan", `{"TableName":"hash","Segment":3,"TotalSegments":2}`, isValidation,
			"The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: 3 is not less than TotalSegments: 2"},
		{"Scan", `{"TableName":"hash","FilterExpression":"n IN (` + strings.Repeat(":x,", 100) + `:x)","ExpressionAttributeValues":{":x":{"N":"1"}}}`,
			isValidation, "Invalid FilterExpression: The IN operator is provided with too many operands; number of operands: 101"},
		{"Scan", `{"TableName":"hash","FilterExpression":"` + strings.Repeat("x", 4097) + `"}`, isValidation,
			"Invalid FilterExpression: Expression size has exceeded the maximum allowed size; expression size: 4097"},
		{"BatchGetItem", `{"RequestItems":{"hash":{"Keys":[{"a":{"S":"x"}},{"a":{"S":"x"}}]}}}`, isValidation,
			"Provided list of item keys contains duplicates"},
		{"BatchWriteItem", `{"RequestItems":{"hash":[{}]}}`, isValidation, manyDatatypes},
		{"TransactWriteItems", `{"TransactItems":[{}]}`, isValidation, "TransactItems can only contain one of Check, Put, Update or Delete"},
		{"TransactWriteItems", `{"TransactItems":[{"Put":{"TableName":"hash","Item":{"a":{"S":"x"}}}},{"Delete":{"TableName":"hash","Key":{"a":{"S":"x"}}}}]}`,
			isValidation, "Transaction request cannot include multiple operations on one item"},
		{"TransactWriteItems", `{"TransactItems":[{"Update":{"TableName":"hash",` + key + `}}]}`, isValidation,
			"1 validation error detected: Value null at 'transactItems.1.member.update.updateExpression' failed to satisfy constraint: Member must not be null"},
		{"DescribeTable", `{"TableName":"nowhere"}`, isNotFound, "Requested resource not found: Table: nowhere not found"},
		{"CreateTable", hashTable, model + "ResourceInUseException", "Table already exists: hash"},
	} {
		status, answer := call(t, s, c.operation, c.body)
		var got struct{ Type, Lower, Upper string }
		var fields map[string]any
		if err := json.Unmarshal([]byte(answer), &fields); err != nil {
			t.Fatalf("%v in %s", err, answer)
		}
		got.Type, _ = fields["__type"].(string)
		got.Lower, _ = fields["message"].(string)
		got.Upper, _ = fields["Message"].(string)
		if status != http.StatusBadRequest || got.Type != c.kind || got.Lower+got.Upper != c.message {
			t.Errorf("%s %.200s\ngot  %d %s\nwant %s %s", c.operation, c.body, status, answer, c.kind, c.message)
		}
	}
}

// deep is a list in a list, so many levels of it.
func deep(levels int) string {
	return strings.Repeat(`{"L":[`, levels) + `{"S":"x"}` + strings.Repeat(`]}`, levels)
}

func TestAnUnknownOperationIsNamed(t *testing.T) {
	status, answer := call(t, withTables(t), "ExecuteStatement", `{}`)
	if status != http.StatusBadRequest || !strings.Contains(answer, "UnknownOperationException") ||
		!strings.Contains(answer, "ExecuteStatement") {
		t.Errorf("got %d %s", status, answer)
	}
}
