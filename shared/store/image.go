package store

import (
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"

	"portolan/shared/model"
)

// OperationOf is the operation that the new image of a record of the table's stream shows,
// in DynamoDB's JSON, as it was when it was written; isOperation is false where the record
// is of something else, or of its deletion. It may have changed since.
func OperationOf(image json.RawMessage) (o model.Operation, isOperation bool, err error) {
	if len(image) == 0 {
		return o, false, nil
	}
	item, err := attributevalue.UnmarshalMapJSON(image)
	if err != nil {
		return o, false, fmt.Errorf("decoding a record of the stream: %w", err)
	}
	if textOf(item["SK"]) != "OPERATION" {
		return o, false, nil
	}
	return o, true, decode(item, &o)
}
