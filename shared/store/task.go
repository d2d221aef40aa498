package store

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"portolan/shared/contract"
)

// PutTaskRole keeps where a task came from, as of a version of the task, which
// only grows. Commit returns ErrSeen when that version or a newer one was kept
// before.
func PutTaskRole(t contract.TaskRole, version int64) Write {
	newer := condition{"attribute_not_exists(#version) OR #version < :version",
		map[string]types.AttributeValue{":version": number(version)}}
	more := map[string]types.AttributeValue{"version": number(version)}
	return put(taskKey(t.Task), t, more, newer, ErrSeen)
}

// ClaimTaskRole keeps that a role was assumed for a task of which nothing else is
// known yet, and which may not be ours; so it is kept until then only. Commit
// returns ErrSeen when PutTaskRole was there before, which knows better.
func ClaimTaskRole(task, role string, execution bool, until time.Time) Write {
	member := "role"
	if execution {
		member = "executionRole"
	}
	set := "SET #task = :task, #role = :role, #expires = :expires"
	unknown := condition{"attribute_not_exists(#version)", map[string]types.AttributeValue{
		":task": text(task), ":role": text(role), ":expires": number(until.Unix()),
	}}
	return Write{
		item: types.TransactWriteItem{Update: &types.Update{
			Key: taskKey(task).attributes(), UpdateExpression: &set, ConditionExpression: &unknown.text,
			ExpressionAttributeNames: map[string]string{
				"#task": "task", "#role": member, "#expires": "expires", "#version": "version",
			},
			ExpressionAttributeValues: unknown.values,
		}},
		refused: ErrSeen,
	}
}
