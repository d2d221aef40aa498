package simulate

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"portolan/shared/contract"
	"portolan/shared/model"
)

// atWork are the operations at work on what a step names, oldest first.
func (w *World) atWork(s Step) []model.Operation {
	var out []model.Operation
	for _, o := range w.watch.sorted() {
		if o.Target.Cluster == s.Cluster && o.Status == "Running" {
			out = append(out, o)
		}
	}
	return out
}

// stopExecution is a person who stops a state machine that seems to hang.
func (w *World) stopExecution(s Step) error {
	for _, o := range w.atWork(s) {
		arn := "arn:aws:states:" + region + ":" + account + ":execution:" + stack + "-" + string(o.Kind) + ":" + o.ID
		w.fault("stopped by hand", "execution of %s %s is stopped by hand", o.Kind, o.ID)
		_, err := sfn.NewFromConfig(w.UserConfig()).StopExecution(w.privileged(), &sfn.StopExecutionInput{
			ExecutionArn: &arn, Cause: aws.String("it seemed to hang")})
		return err
	}
	return nil
}

// runOutLease makes the lease of an operation that is at work run out. Every other
// time dispatch is told at once, while the operation's step goes on; else whoever
// comes next finds it.
func (w *World) runOutLease(s Step) error {
	all := w.atWork(s)
	if len(all) == 0 {
		return nil
	}
	o := all[0]
	w.fault("lease ran out", "the lease of %s, held by %s, runs out", model.TargetKey(o.Target), o.ID)
	set := map[string]types.AttributeValue{}
	if s.Count%2 == 0 {
		set["wokenAt"] = timeOf(time.Now())
	}
	return w.expire(o, set)
}

// giveLeaseAway makes the lease of an operation run out for the last time, when
// another one waits for the target: that one gets the lease at once.
func (w *World) giveLeaseAway(s Step) error {
	for _, o := range w.atWork(s) {
		var err error
		switch again := (Step{Cluster: s.Cluster, Service: o.Target.Service, Count: s.Count}); {
		case o.Target.Service != "" && o.Kind != contract.KindRetire:
			err = w.scaleService(again)
		case o.NodePool != "":
			err = w.scalePool(again)
		default:
			continue
		}
		if err != nil {
			return err
		}
		w.fault("lease given away", "the lease of %s, held by %s, goes to another operation", model.TargetKey(o.Target), o.ID)
		return w.expire(o, map[string]types.AttributeValue{
			"wokenAt": timeOf(time.Now()), "attempt": &types.AttributeValueMemberN{Value: "3"}})
	}
	return nil
}

func timeOf(t time.Time) types.AttributeValue {
	return &types.AttributeValueMemberS{Value: t.UTC().Format(time.RFC3339Nano)}
}

// expire makes an operation's lease one that ran out, and sets attributes of the
// operation, unless it has ended.
func (w *World) expire(o model.Operation, set map[string]types.AttributeValue) error {
	key := func(partition, sort string) map[string]types.AttributeValue {
		return map[string]types.AttributeValue{"PK": &types.AttributeValueMemberS{Value: partition},
			"SK": &types.AttributeValueMemberS{Value: sort}}
	}
	writes := []types.TransactWriteItem{{Update: &types.Update{
		TableName: &w.table, Key: key("TARGET#"+model.TargetKey(o.Target), "LEASE"),
		UpdateExpression:    aws.String("SET expiresAt = :past"),
		ConditionExpression: aws.String("holder = :holder"),
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":past": timeOf(time.Now().Add(-time.Hour)), ":holder": &types.AttributeValueMemberS{Value: o.ID}},
	}}}
	if len(set) > 0 {
		var sets []string
		values := map[string]types.AttributeValue{":running": &types.AttributeValueMemberS{Value: "Running"}}
		for _, name := range slices.Sorted(maps.Keys(set)) {
			sets = append(sets, name+" = :"+name)
			values[":"+name] = set[name]
		}
		writes = append(writes, types.TransactWriteItem{Update: &types.Update{
			TableName: &w.table, Key: key("OPERATION#"+o.ID, "OPERATION"),
			UpdateExpression:          aws.String("SET " + strings.Join(sets, ", ")),
			ConditionExpression:       aws.String("#status = :running"),
			ExpressionAttributeNames:  map[string]string{"#status": "status"},
			ExpressionAttributeValues: values,
		}})
	}
	_, err := dynamodb.NewFromConfig(w.UserConfig()).TransactWriteItems(w.privileged(),
		&dynamodb.TransactWriteItemsInput{TransactItems: writes})
	w.watch.settle()
	return err
}
