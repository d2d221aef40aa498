package dynamodb

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// TestConcurrentWritersLoseNothing lets writers add to one counter, by single
// updates and by transactions, while readers look on.
func TestConcurrentWritersLoseNothing(t *testing.T) {
	s := withTables(t)
	const writers, writes = 8, 50
	add := `"Key":{"a":{"S":"counter"}},"UpdateExpression":"ADD n :one","ExpressionAttributeValues":{":one":{"N":"1"}}`
	var work sync.WaitGroup
	for w := range writers {
		work.Go(func() {
			for i := range writes {
				if w%2 == 0 {
					call(t, s, "UpdateItem", `{"TableName":"hash",`+add+`}`)
				} else {
					call(t, s, "TransactWriteItems", `{"TransactItems":[{"Update":{"TableName":"hash",`+add+`}},
						{"Put":{"TableName":"range","Item":{"a":{"S":"w"},"b":{"N":"`+fmt.Sprint(w*writes+i)+`"}}}}]}`)
				}
				call(t, s, "Query", `{"TableName":"range","KeyConditionExpression":"a = :a","ExpressionAttributeValues":{":a":{"S":"w"}}}`)
				call(t, s, "GetItem", `{"TableName":"hash","Key":{"a":{"S":"counter"}}}`)
			}
		})
	}
	work.Wait()
	status, answer := call(t, s, "GetItem", `{"TableName":"hash","Key":{"a":{"S":"counter"}}}`)
	if status != http.StatusOK || !strings.Contains(answer, fmt.Sprintf(`"n":{"N":"%d"}`, writers*writes)) {
		t.Errorf("got %d %s", status, answer)
	}
	sameJSON(t, must(t, s, "Query", `{"TableName":"range","Select":"COUNT","KeyConditionExpression":"a = :a",
		"ExpressionAttributeValues":{":a":{"S":"w"}}}`), `{"Count":200,"ScannedCount":200}`)
}
