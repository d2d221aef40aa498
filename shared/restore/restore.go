// Package restore makes the control plane's table hold what another table holds,
// which a backup was restored to. The table stays, and with it its stream, its
// policies and all that refers to it.
//
// It is the one place that scans tables: no request, event or operation comes here.
//
// It must never know what the items mean.
package restore

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"portolan/shared/fault"
)

// Client is the part of DynamoDB's client that copies.
type Client interface {
	Scan(context.Context, *dynamodb.ScanInput, ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error)
	BatchWriteItem(context.Context, *dynamodb.BatchWriteItemInput, ...func(*dynamodb.Options)) (*dynamodb.BatchWriteItemOutput, error)
}

// A Report counts what was written and deleted.
type Report struct{ Written, Deleted int }

const (
	batchMax = 25

	// triesMax bounds how often a batch is sent that DynamoDB does not take as a whole.
	triesMax = 10
)

// Copy makes the table to hold exactly the items of the table from. It may be
// repeated, and has to be when it fails half way. Nothing else should write to
// either table meanwhile.
//
// What is not in from is deleted first, so that no state of two moments is ever
// whole.
func Copy(ctx context.Context, client Client, from, to string) (Report, error) {
	var report Report
	keep := map[string]bool{}
	err := scan(ctx, client, from, true, func(items []map[string]types.AttributeValue) error {
		for _, item := range items {
			keep[nameOf(item)] = true
		}
		return nil
	})
	if err != nil {
		return report, err
	}
	if len(keep) == 0 {
		return report, fault.New(fault.Invalid, "table %s is empty", from)
	}
	err = scan(ctx, client, to, true, func(items []map[string]types.AttributeValue) error {
		var writes []types.WriteRequest
		for _, item := range items {
			if !keep[nameOf(item)] {
				writes = append(writes, types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: item}})
			}
		}
		report.Deleted += len(writes)
		return write(ctx, client, to, writes)
	})
	if err != nil {
		return report, err
	}
	return report, scan(ctx, client, from, false, func(items []map[string]types.AttributeValue) error {
		var writes []types.WriteRequest
		for _, item := range items {
			writes = append(writes, types.WriteRequest{PutRequest: &types.PutRequest{Item: item}})
		}
		report.Written += len(writes)
		return write(ctx, client, to, writes)
	})
}

// nameOf is a key as one text.
func nameOf(item map[string]types.AttributeValue) string {
	part := func(name string) string {
		text, _ := item[name].(*types.AttributeValueMemberS)
		if text == nil {
			return ""
		}
		return text.Value
	}
	return part("PK") + "\x00" + part("SK")
}

// scan hands over each page of a table, or only the keys.
func scan(ctx context.Context, client Client, table string, keys bool,
	each func([]map[string]types.AttributeValue) error) error {
	in := &dynamodb.ScanInput{TableName: &table, ConsistentRead: aws.Bool(true)}
	if keys {
		in.ProjectionExpression = aws.String("PK, SK")
	}
	for {
		page, err := client.Scan(ctx, in)
		if err != nil {
			return fault.FromAWS(err, "reading table "+table)
		}
		if err := each(page.Items); err != nil {
			return err
		}
		if in.ExclusiveStartKey = page.LastEvaluatedKey; len(in.ExclusiveStartKey) == 0 {
			return nil
		}
	}
}

// write sends writes in batches, and again what DynamoDB leaves over.
func write(ctx context.Context, client Client, table string, writes []types.WriteRequest) error {
	for batch := range slices.Chunk(writes, batchMax) {
		for try := 0; len(batch) > 0; try++ {
			if try == triesMax {
				return fmt.Errorf("table %s does not take %d writes", table, len(batch))
			}
			if err := pause(ctx, try); err != nil {
				return err
			}
			out, err := client.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{
				RequestItems: map[string][]types.WriteRequest{table: batch},
			})
			if err != nil {
				return fault.FromAWS(err, "writing table "+table)
			}
			batch = out.UnprocessedItems[table]
		}
	}
	return nil
}

// pause waits the longer the more often a batch was sent.
func pause(ctx context.Context, try int) error {
	if try == 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(50 * time.Millisecond << try)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
