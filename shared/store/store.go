package store

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"portolan/shared/fault"
)

// Client is the part of the DynamoDB client that the store uses.
type Client interface {
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	BatchGetItem(context.Context, *dynamodb.BatchGetItemInput, ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
	TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
}

// Store reads and writes the table. It is safe for concurrent use.
type Store struct {
	client Client
	table  string
}

// New returns a store over that table.
func New(client Client, table string) *Store { return &Store{client: client, table: table} }

// Index is the name of the table's one global secondary index.
const Index = "GSI1"

// A Page asks for at most Limit things, after the ones that ended with Next.
type Page struct {
	Limit int
	Next  string
}

// limit keeps a caller's wish between 1 and 100.
func (p Page) limit() int32 { return int32(min(max(p.Limit, 1), 100)) }

type key struct{ partition, sort string }

func (k key) attributes() map[string]types.AttributeValue {
	return map[string]types.AttributeValue{
		"PK": &types.AttributeValueMemberS{Value: k.partition},
		"SK": &types.AttributeValueMemberS{Value: k.sort},
	}
}

// get reads one item, strongly consistent, into out. what names it in a NotFound.
func (s *Store) get(ctx context.Context, k key, out any, what string, args ...any) error {
	got, err := s.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &s.table, Key: k.attributes(), ConsistentRead: ptr(true),
	})
	if err != nil {
		return unread(err, "reading "+fmt.Sprintf(what, args...))
	}
	if len(got.Item) == 0 {
		return fault.New(fault.NotFound, what+" does not exist", args...)
	}
	return decode(got.Item, out)
}

// unread gives an error of reading its kind. A table that is not there is a bug:
// it must not look like a thing that is not in the table.
func unread(err error, doing string) error {
	err = fault.FromAWS(err, doing)
	if fault.IsNotFound(err) {
		return fault.Wrap(fault.Internal, err, "looking for the table")
	}
	return err
}

// A query reads one partition of the table or of its index.
type query struct {
	partition string
	prefix    string // of the sort key; empty for all
	index     bool
	backwards bool
	filter    string // of what is read; empty for all
}

// page reads one page of a query; T's fields are those of the items.
func page[T any](ctx context.Context, s *Store, q query, p Page) ([]T, string, error) {
	items, next, err := s.items(ctx, q, p)
	if err != nil {
		return nil, "", err
	}
	out := make([]T, len(items))
	for i, item := range items {
		if err := decode(item, &out[i]); err != nil {
			return nil, "", err
		}
	}
	return out, next, nil
}

// items reads one page of a query as it stands in the table.
func (s *Store) items(ctx context.Context, q query, p Page) ([]map[string]types.AttributeValue, string, error) {
	pk, sk := "PK", "SK"
	if q.index {
		pk, sk = "GSI1PK", "GSI1SK"
	}
	condition := pk + " = :pk"
	values := map[string]types.AttributeValue{":pk": &types.AttributeValueMemberS{Value: q.partition}}
	if q.prefix != "" {
		condition += " AND begins_with(" + sk + ", :sk)"
		values[":sk"] = &types.AttributeValueMemberS{Value: q.prefix}
	}
	start, err := decodeNext(p.Next)
	if err != nil {
		return nil, "", err
	}
	in := &dynamodb.QueryInput{
		TableName: &s.table, KeyConditionExpression: &condition, ExpressionAttributeValues: values,
		ExclusiveStartKey: start, Limit: ptr(p.limit()), ScanIndexForward: ptr(!q.backwards),
	}
	if q.filter != "" {
		in.FilterExpression = &q.filter
	}
	if q.index {
		in.IndexName = ptr(Index)
	} else {
		in.ConsistentRead = ptr(true)
	}
	got, err := s.client.Query(ctx, in)
	if err != nil && start != nil && fault.IsInvalid(fault.FromAWS(err, "")) {
		return nil, "", notNext()
	}
	if err != nil {
		return nil, "", unread(err, "reading "+q.partition)
	}
	next, err := encodeNext(got.LastEvaluatedKey)
	return got.Items, next, err
}

// decodeNext and encodeNext carry a key of the table in a page's Next. All of
// its attributes are strings.
func decodeNext(next string) (map[string]types.AttributeValue, error) {
	if next == "" {
		return nil, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(next)
	parts := map[string]string{}
	if err == nil {
		err = json.Unmarshal(text, &parts)
	}
	if err != nil || len(parts) == 0 || len(parts) > 4 {
		return nil, notNext()
	}
	start := map[string]types.AttributeValue{}
	for name, value := range parts {
		start[name] = &types.AttributeValueMemberS{Value: value}
	}
	return start, nil
}

// notNext is also what DynamoDB means by a start outside of the query's partition.
func notNext() error {
	return fault.NewInvalid([]fault.Field{{Pointer: "next", Detail: "is not the `next` of a page of this list"}},
		"reading a page")
}

func encodeNext(last map[string]types.AttributeValue) (string, error) {
	if len(last) == 0 {
		return "", nil
	}
	parts := map[string]string{}
	for name, value := range last {
		text, ok := value.(*types.AttributeValueMemberS)
		if !ok {
			return "", fmt.Errorf("key attribute %s is no string", name)
		}
		parts[name] = text.Value
	}
	text, err := json.Marshal(parts)
	return base64.RawURLEncoding.EncodeToString(text), err
}

// textOf is an attribute's text, or empty where it is none.
func textOf(v types.AttributeValue) string {
	text, isText := v.(*types.AttributeValueMemberS)
	if !isText {
		return ""
	}
	return text.Value
}

// stamp is a time as it stands in a sort key: fixed width, so that text order is
// the order of time.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// Day is the bucket of a time, as YYYY-MM-DD in UTC.
func Day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

func join(parts ...string) string { return strings.Join(parts, "#") }

func ptr[T any](v T) *T { return &v }
