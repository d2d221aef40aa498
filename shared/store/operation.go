package store

import (
	"context"
	"maps"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"portolan/shared/contract"
	"portolan/shared/fault"
	"portolan/shared/model"
)

// CreateOperation writes a new operation and queues it for its target. The
// table's stream tells dispatch of it.
func CreateOperation(o model.Operation) []Write {
	target := model.TargetKey(o.Target)
	mark := Open{Operation: o.ID, Target: target}
	return []Write{
		put(operationKey(o.ID), o, indexed(join("TARGET", target), o.ID), absent,
			fault.New(fault.Conflict, "operation %s exists already", o.ID)),
		put(queueKey(target, o.ID), mark, indexed(openPartition, o.ID), condition{}, nil),
	}
}

// An Open is the mark of an operation that has not ended, in its target's queue.
type Open struct {
	Operation string `json:"operation"`
	Target    string `json:"target"`
}

// Unqueue takes an operation from its target's queue. EndOperation does so by
// itself; this is for a table that was restored between the two.
func Unqueue(target, operation string) Write {
	return remove(queueKey(target, operation), condition{}, nil)
}

// A Cursor is how far the sweeper came with what does not fit into one run: in the
// list of open operations, and in its round.
type Cursor struct {
	Next  string `json:"next"`
	Round Round  `json:"round,omitzero"`
}

// A Round is how far the sweeper came in a look at all clusters that it began then:
// to a cluster, and to a page of what belongs to that one.
type Round struct {
	Began   time.Time `json:"began,omitzero"`
	Cluster string    `json:"cluster,omitempty"`
	Next    string    `json:"next,omitempty"`
	Ended   bool      `json:"ended,omitempty"`
}

// KeepCursor keeps how far the sweeper came, before the open operations in the index.
func KeepCursor(c Cursor) Write {
	return put(cursorKey, c, indexed(openPartition, cursorSort), condition{}, nil)
}

var open = condition{"#status IN (:pending, :running)", map[string]types.AttributeValue{
	":pending": text(string(contract.OperationPending)),
	":running": text(string(contract.OperationRunning)),
}}

// StartOperation writes an operation that starts, if no wish joined it since it was read.
func StartOperation(o model.Operation) Write {
	return waiting(o, o.Wishes)
}

// JoinOperation writes an operation that waits and took over a further wish, if it has
// all wishes before that one.
func JoinOperation(o model.Operation) Write {
	return waiting(o, o.Wishes-1)
}

// waiting writes an operation that waited for its turn when it was read, with so many
// further wishes, and still does.
func waiting(o model.Operation, wishes int64) Write {
	same := condition{"#status = :pending AND attribute_not_exists(#wishes)", map[string]types.AttributeValue{
		":pending": text(string(contract.OperationPending)),
	}}
	if wishes > 0 {
		same.text = "#status = :pending AND #wishes = :wishes"
		same.values[":wishes"] = number(wishes)
	}
	return put(operationKey(o.ID), o, indexed(join("TARGET", model.TargetKey(o.Target)), o.ID), same,
		fault.New(fault.Conflict, "operation %s has started, or was asked for more meanwhile", o.ID))
}

// UpdateTakenOver writes an operation that runs on under another fencing token, if
// it still has the one that was read.
func UpdateTakenOver(o model.Operation, read int64) Write {
	same := condition{"#status = :running AND #token = :token", map[string]types.AttributeValue{
		":running": text(string(contract.OperationRunning)), ":token": number(read),
	}}
	return put(operationKey(o.ID), o, indexed(join("TARGET", model.TargetKey(o.Target)), o.ID), same,
		fault.New(fault.Conflict, "operation %s ended or was taken over meanwhile", o.ID))
}

// WakeOperation touches an operation that has not ended, and changes nothing of it
// but when it was woken: the table's stream then tells dispatch of it.
func WakeOperation(id string, now time.Time) Write {
	set := "SET #wokenAt = :now"
	names := open.names()
	names["#wokenAt"] = "wokenAt"
	values := maps.Clone(open.values)
	values[":now"] = text(now.UTC().Format(time.RFC3339Nano))
	return Write{
		item: types.TransactWriteItem{Update: &types.Update{
			Key: operationKey(id).attributes(), UpdateExpression: &set, ConditionExpression: &open.text,
			ExpressionAttributeNames: names, ExpressionAttributeValues: values,
		}},
		refused: fault.New(fault.Halted, "operation %s has ended", id),
	}
}

// EndOperation writes an operation's end and takes it from its target's queue.
func EndOperation(o model.Operation) []Write {
	return []Write{
		put(operationKey(o.ID), o, indexed(join("TARGET", model.TargetKey(o.Target)), o.ID), open,
			fault.New(fault.Halted, "operation %s has ended", o.ID)),
		remove(queueKey(model.TargetKey(o.Target), o.ID), condition{}, nil),
	}
}

// TakeLease gives the lease, as it was read, to an operation under the next
// fencing token. It is refused when somebody else took it meanwhile.
func TakeLease(read model.Lease, holder string, until time.Time) (model.Lease, Write) {
	next := model.Lease{Target: read.Target, Holder: holder, Token: read.Token + 1, ExpiresAt: until}
	c := condition{"#token = :token", map[string]types.AttributeValue{":token": number(read.Token)}}
	if read.Token == 0 {
		c = absent
	}
	return next, put(leaseKey(next.Target), next, nil, c,
		fault.New(fault.Conflict, "the lease of %s was taken meanwhile", next.Target))
}

// Holds is the fence: it holds while the operation has the lease under that
// token. What a step writes stands in one transaction with it.
func Holds(target, holder string, token int64) Write {
	c := held(holder, token)
	return Write{
		item: types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
			Key: leaseKey(target).attributes(), ConditionExpression: &c.text,
			ExpressionAttributeNames: c.names(), ExpressionAttributeValues: c.values,
		}},
		refused: lost(target, holder),
	}
}

// ReleaseLease gives the lease back. The token stays, so that it only grows.
func ReleaseLease(target, holder string, token int64) Write {
	return put(leaseKey(target), model.Lease{Target: target, Token: token},
		nil, held(holder, token), lost(target, holder))
}

func held(holder string, token int64) condition {
	return condition{"#holder = :holder AND #token = :token", map[string]types.AttributeValue{
		":holder": text(holder), ":token": number(token),
	}}
}

func lost(target, holder string) error {
	return fault.New(fault.Halted, "operation %s no longer holds the lease of %s", holder, target)
}

// ForgetWait removes a task token once it was used, if it is still that one.
func (s *Store) ForgetWait(ctx context.Context, thing, token string) error {
	c := condition{"#token = :token", map[string]types.AttributeValue{":token": text(token)}}
	another := fault.New(fault.Conflict, "another task waits for %s by now", thing)
	return fault.IgnoreConflict(s.Commit(ctx, remove(waitKey(thing), c, another)))
}
