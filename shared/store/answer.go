package store

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// An Answer is what a request with an idempotency key was answered, kept so that
// the same request sent again is answered the same.
type Answer struct {
	// Request tells the request from another one under the same key.
	Request  string `json:"request"`
	Status   int    `json:"status"`
	Location string `json:"location,omitempty"`
	Body     []byte `json:"body,omitempty"`
}

func answerKey(caller, idempotencyKey string) key {
	return key{join("ANSWER", caller, idempotencyKey), "ANSWER"}
}

// Answer returns what a caller's request with that key was answered.
func (s *Store) Answer(ctx context.Context, caller, idempotencyKey string) (*Answer, error) {
	out := new(Answer)
	return out, s.get(ctx, answerKey(caller, idempotencyKey), out, "an answer to a request with that key")
}

// Answered keeps an answer for at least that long. Commit it, as the first write,
// with the change that it tells of: it returns ErrSeen when the key has an answer.
func Answered(caller, idempotencyKey string, a Answer, until time.Time) Write {
	more := map[string]types.AttributeValue{"expires": number(until.Unix())}
	return put(answerKey(caller, idempotencyKey), a, more, absent, ErrSeen)
}
