package storetest

import (
	"context"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"portolan/shared/fault"
	"portolan/shared/model"
	"portolan/shared/store"
)

// A busy DynamoDB reads one item of a batch, as often as it is asked, until it is tired.
type busy struct {
	*dynamodb.Client
	asked, tired int
}

func (b *busy) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	b.asked++
	for name, wanted := range in.RequestItems {
		left := wanted.Keys[1:]
		if b.asked > b.tired {
			left = wanted.Keys
		}
		wanted.Keys = wanted.Keys[:len(wanted.Keys)-len(left)]
		out := &dynamodb.BatchGetItemOutput{}
		if len(wanted.Keys) > 0 {
			var err error
			if out, err = b.Client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{
				RequestItems: map[string]types.KeysAndAttributes{name: wanted}}, o...); err != nil {
				return nil, err
			}
		}
		if len(left) > 0 {
			wanted.Keys = left
			out.UnprocessedKeys = map[string]types.KeysAndAttributes{name: wanted}
		}
		return out, nil
	}
	return nil, fmt.Errorf("no table is asked for")
}

// What DynamoDB leaves out of an answer is asked for again, and not for ever.
func TestWhatABatchLeavesOutIsAskedForAgain(t *testing.T) {
	for _, test := range []struct {
		tired, asked int
		read         bool
	}{{tired: 3, asked: 3, read: true}, {tired: 1, asked: 4}} {
		client := &busy{Client: Client(t), tired: test.tired}
		s := store.New(client, tableName)
		if err := s.Commit(t.Context(), store.CreateCluster(cluster("a")), store.CreateCluster(cluster("b")), store.CreateCluster(cluster("c"))); err != nil {
			t.Fatal(err)
		}
		var a, b, c model.Cluster
		err := s.Load(t.Context(), store.ReadCluster("a", &a), store.ReadCluster("b", &b), store.ReadCluster("c", &c))
		if test.read && (err != nil || a.Name() != "a" || b.Name() != "b" || c.Name() != "c") {
			t.Errorf("read %q, %q, %q, %v", a.Name(), b.Name(), c.Name(), err)
		}
		if !test.read && (fault.KindOf(err) != fault.Unavailable || err.Error() != "DynamoDB throttles the table: 2 of 3 items were not read") {
			t.Errorf("got %v", err)
		}
		if client.asked != test.asked {
			t.Errorf("asked %d times, not %d", client.asked, test.asked)
		}
	}
}
