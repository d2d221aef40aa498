package simulate

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

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
		w.tell("fault", "execution of %s %s is stopped by hand", o.Kind, o.ID)
		_, err := sfn.NewFromConfig(w.UserConfig()).StopExecution(w.privileged(), &sfn.StopExecutionInput{
			ExecutionArn: &arn, Cause: aws.String("it seemed to hang")})
		return err
	}
	return nil
}

// runOutLease makes the lease of an operation that is at work run out.
func (w *World) runOutLease(s Step) error {
	for _, o := range w.atWork(s) {
		target := model.TargetKey(o.Target)
		w.tell("fault", "the lease of %s, held by %s, runs out", target, o.ID)
		past := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339Nano)
		_, err := dynamodb.NewFromConfig(w.UserConfig()).UpdateItem(w.privileged(), &dynamodb.UpdateItemInput{
			TableName: &w.table, Key: map[string]types.AttributeValue{
				"PK": &types.AttributeValueMemberS{Value: "TARGET#" + target},
				"SK": &types.AttributeValueMemberS{Value: "LEASE"}},
			UpdateExpression:    aws.String("SET expiresAt = :past"),
			ConditionExpression: aws.String("holder = :holder"),
			ExpressionAttributeValues: map[string]types.AttributeValue{
				":past": &types.AttributeValueMemberS{Value: past}, ":holder": &types.AttributeValueMemberS{Value: o.ID}},
		})
		return err
	}
	return nil
}
