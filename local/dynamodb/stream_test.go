package dynamodb

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portolan/local/disk"
)

// streamOf returns the ARN of a table's stream.
func streamOf(tb testing.TB, s *Server, table string) string {
	tb.Helper()
	var answer struct {
		Table struct{ LatestStreamArn string }
	}
	if err := json.Unmarshal([]byte(must(tb, s, "DescribeTable", `{"TableName":"`+table+`"}`)), &answer); err != nil {
		tb.Fatal(err)
	}
	return answer.Table.LatestStreamArn
}

func changeRange(tb testing.TB, s *Server) {
	tb.Helper()
	must(tb, s, "PutItem", `{"TableName":"range","Item":{"a":{"S":"p"},"b":{"N":"1"},"v":{"N":"1"}}}`)
	must(tb, s, "PutItem", `{"TableName":"range","Item":{"a":{"S":"p"},"b":{"N":"1"},"v":{"N":"1"}}}`)
	must(tb, s, "UpdateItem", `{"TableName":"range","Key":{"a":{"S":"p"},"b":{"N":"1"}},"UpdateExpression":"REMOVE v"}`)
	must(tb, s, "DeleteItem", `{"TableName":"range","Key":{"a":{"S":"p"},"b":{"N":"1"}}}`)
	must(tb, s, "DeleteItem", `{"TableName":"range","Key":{"a":{"S":"p"},"b":{"N":"1"}}}`)
}

func TestStreamRecords(t *testing.T) {
	s := withTables(t)
	changeRange(t, s)
	arn := streamOf(t, s, "range")
	var stream struct {
		StreamDescription struct{ Shards []struct{ ShardId string } }
	}
	if err := json.Unmarshal([]byte(must(t, s, "DescribeStream", `{"StreamArn":"`+arn+`"}`)), &stream); err != nil {
		t.Fatal(err)
	}
	var iterator struct{ ShardIterator string }
	if err := json.Unmarshal([]byte(must(t, s, "GetShardIterator", `{"StreamArn":"`+arn+`","ShardIteratorType":"TRIM_HORIZON",
		"ShardId":"`+stream.StreamDescription.Shards[0].ShardId+`"}`)), &iterator); err != nil {
		t.Fatal(err)
	}
	var records struct {
		Records []struct {
			EventName string
			Dynamodb  map[string]any
		}
		NextShardIterator string
	}
	if err := json.Unmarshal([]byte(must(t, s, "GetRecords", `{"ShardIterator":"`+iterator.ShardIterator+`"}`)), &records); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range records.Records {
		names = append(names, r.EventName)
	}
	// Writes that change nothing leave no record.
	if got := strings.Join(names, " "); got != "INSERT MODIFY REMOVE" {
		t.Fatalf("the stream has %s", got)
	}
	modified, _ := json.Marshal(records.Records[1].Dynamodb["OldImage"])
	sameJSON(t, string(modified), `{"a":{"S":"p"},"b":{"N":"1"},"v":{"N":"1"}}`)
	if answer := must(t, s, "GetRecords", `{"ShardIterator":"`+records.NextShardIterator+`"}`); !strings.Contains(answer, `"Records":[]`) {
		t.Errorf("behind the end there is %s", answer)
	}
	if answer := must(t, s, "ListStreams", `{"TableName":"range"}`); !strings.Contains(answer, arn) {
		t.Errorf("the stream is not listed: %s", answer)
	}
}

func TestASubscriptionGoesOnBehindItsCheckpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := withTables(t)
		arn := streamOf(t, s, "range")
		var seen []string
		refused := errors.New("refused")
		subscribe := func(accept int) error {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			return s.Subscribe(ctx, arn, "dispatch", 1, func(_ context.Context, records []*Record) error {
				if accept--; accept < 0 {
					return refused
				}
				seen = append(seen, records[0].EventName())
				return nil
			})
		}
		changeRange(t, s)
		if err := subscribe(1); !errors.Is(err, refused) {
			t.Errorf("the subscription ended with %v", err)
		}
		go func() {
			time.Sleep(30 * time.Second)
			must(t, s, "PutItem", `{"TableName":"range","Item":{"a":{"S":"q"},"b":{"N":"1"}}}`)
		}()
		if err := subscribe(100); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the subscription ended with %v", err)
		}
		if got := strings.Join(seen, " "); got != "INSERT MODIFY REMOVE INSERT" {
			t.Errorf("seen %s", got)
		}
	})
}

func TestCloseEndsAWaitingSubscription(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := withTables(t)
		ended := make(chan error)
		go func() {
			ended <- s.Subscribe(t.Context(), streamOf(t, s, "range"), "x", 10,
				func(context.Context, []*Record) error { return nil })
		}()
		synctest.Wait()
		s.Close()
		if err := <-ended; !errors.Is(err, ErrClosed) {
			t.Errorf("the subscription ended with %v", err)
		}
	})
}

func TestExpiredItemsAreDeletedByTheService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, nil)
		_, arn, err := s.CreateTableFromProperties("marks", map[string]any{
			"AttributeDefinitions":    []any{map[string]any{"AttributeName": "pk", "AttributeType": "S"}},
			"KeySchema":               []any{map[string]any{"AttributeName": "pk", "KeyType": "HASH"}},
			"BillingMode":             "PAY_PER_REQUEST",
			"StreamSpecification":     map[string]any{"StreamViewType": "OLD_IMAGE"},
			"TimeToLiveSpecification": map[string]any{"AttributeName": "expires", "Enabled": true},
		})
		if err != nil {
			t.Fatal(err)
		}
		at := func(d time.Duration) string { return itoa(int(time.Now().Add(d).Unix())) }
		must(t, s, "PutItem", `{"TableName":"marks","Item":{"pk":{"S":"later"},"expires":{"N":"`+at(2*time.Hour)+`"}}}`)
		must(t, s, "PutItem", `{"TableName":"marks","Item":{"pk":{"S":"soon"},"expires":{"N":"`+at(time.Hour)+`"}}}`)
		must(t, s, "PutItem", `{"TableName":"marks","Item":{"pk":{"S":"never"},"expires":{"S":"1"}}}`)
		must(t, s, "PutItem", `{"TableName":"marks","Item":{"pk":{"S":"ancient"},"expires":{"N":"1"}}}`)
		time.Sleep(time.Hour + expiryDelay + time.Second)
		answer := must(t, s, "Scan", `{"TableName":"marks","Select":"COUNT"}`)
		sameJSON(t, answer, `{"Count":3,"ScannedCount":3}`)

		r, err := s.OpenStream(arn, "x", false)
		if err != nil {
			t.Fatal(err)
		}
		records, err := r.Next(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		event, _ := json.Marshal(records[len(records)-1])
		if !strings.Contains(string(event), `"userIdentity":{"type":"Service","principalId":"dynamodb.amazonaws.com"}`) ||
			!strings.Contains(string(event), `"S":"soon"`) || records[len(records)-1].EventName() != eventRemove {
			t.Errorf("the deletion's record is %s", event)
		}
		time.Sleep(time.Hour)
		sameJSON(t, must(t, s, "Scan", `{"TableName":"marks","Select":"COUNT"}`), `{"Count":2,"ScannedCount":2}`)
	})
}

func TestOldRecordsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := withTables(t)
		changeRange(t, s)
		time.Sleep(retention + time.Minute)
		must(t, s, "PutItem", `{"TableName":"range","Item":{"a":{"S":"new"},"b":{"N":"1"}}}`)
		r, err := s.OpenStream(streamOf(t, s, "range"), "x", false)
		if err != nil {
			t.Fatal(err)
		}
		records, err := r.Next(t.Context(), 10)
		if err != nil || len(records) != 1 || records[0].KeyText("a") != "new" {
			t.Errorf("the stream has %d records: %v", len(records), err)
		}
	})
}

func TestARecordHasItsItemAsADocument(t *testing.T) {
	s := withTables(t)
	must(t, s, "PutItem", `{"TableName":"range","Item":{"a":{"S":"p"},"b":{"N":"1"},"bin":{"B":"AAE="},"none":{"NULL":true},
		"map":{"M":{"yes":{"BOOL":true},"list":{"L":[{"S":"\"x\""},{"N":"-1.5"}]}}},"set":{"NS":["1","2"]},"empty":{"L":[]}}}`)
	must(t, s, "DeleteItem", `{"TableName":"range","Key":{"a":{"S":"p"},"b":{"N":"1"}}}`)
	r, err := s.OpenStream(streamOf(t, s, "range"), "x", false)
	if err != nil {
		t.Fatal(err)
	}
	records, err := r.Next(t.Context(), 10)
	if err != nil || len(records) != 2 {
		t.Fatalf("the stream has %d records: %v", len(records), err)
	}
	if a, b := records[0].KeyText("a"), records[0].KeyText("b"); a != "p" || b != "1" {
		t.Errorf("the key is %q and %q", a, b)
	}
	sameJSON(t, string(records[0].Document()), `{"a":"p","b":1,"bin":"AAE=","none":null,
		"map":{"yes":true,"list":["\"x\"",-1.5]},"set":[1,2],"empty":[]}`)
	if removed := records[1].Document(); removed != nil {
		t.Errorf("of what was removed there is %s", removed)
	}
}

func TestARestartKeepsEverything(t *testing.T) {
	dir := t.TempDir()
	open := func() (*Server, *disk.Disk) {
		d, err := disk.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		return newServer(t, d), d
	}
	s, d := open()
	must(t, s, "CreateTable", rangeTable)
	must(t, s, "TransactWriteItems", `{"ClientRequestToken":"once","TransactItems":[{"Put":{"TableName":"range",
		"Item":{"a":{"S":"p"},"b":{"N":"-1.5"},"c":{"S":"x"},"bin":{"B":"AAE="},"set":{"NS":["1","2"]}}}}]}`)
	changeRange(t, s)
	must(t, s, "UpdateTimeToLive", `{"TableName":"range","TimeToLiveSpecification":{"AttributeName":"ttl","Enabled":true}}`)
	arn := streamOf(t, s, "range")
	r, err := s.OpenStream(arn, "dispatch", false)
	if err != nil {
		t.Fatal(err)
	}
	records, err := r.Next(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Commit(records[0].Sequence()); err != nil {
		t.Fatal(err)
	}
	before := must(t, s, "Scan", `{"TableName":"range"}`) + must(t, s, "DescribeTable", `{"TableName":"range"}`) +
		must(t, s, "DescribeTimeToLive", `{"TableName":"range"}`)
	s.Close()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}

	s, d = open()
	defer d.Close()
	after := must(t, s, "Scan", `{"TableName":"range"}`) + must(t, s, "DescribeTable", `{"TableName":"range"}`) +
		must(t, s, "DescribeTimeToLive", `{"TableName":"range"}`)
	if before != after {
		t.Errorf("before %s\nafter  %s", before, after)
	}
	must(t, s, "Query", `{"TableName":"range","IndexName":"global","KeyConditionExpression":"c = :c","ExpressionAttributeValues":{":c":{"S":"x"}}}`)
	again, err := s.OpenStream(arn, "dispatch", false)
	if err != nil {
		t.Fatal(err)
	}
	rest, err := again.Next(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	first, _ := json.Marshal(rest[0])
	same, _ := json.Marshal(records[1])
	if len(rest) != 3 || string(first) != string(same) {
		t.Errorf("behind the checkpoint there are %d records, the first %s, want %s", len(rest), first, same)
	}
	must(t, s, "PutItem", `{"TableName":"range","Item":{"a":{"S":"q"},"b":{"N":"1"}}}`)
	fresh, err := again.Next(t.Context(), 1)
	if err != nil || fresh[0].Sequence() <= rest[2].Sequence() {
		t.Errorf("sequence numbers went back to %v: %v", fresh, err)
	}
	if _, answer := call(t, s, "TransactWriteItems", `{"ClientRequestToken":"once","TransactItems":[{"Delete":{"TableName":"range",
		"Key":{"a":{"S":"p"},"b":{"N":"-1.5"}}}}]}`); !strings.Contains(answer, "IdempotentParameterMismatch") {
		t.Errorf("the token was forgotten: %s", answer)
	}
}
