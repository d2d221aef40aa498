package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// A letter is one message of the dead-letter queue.
type letter struct {
	ID       string    `json:"id"`
	Sent     time.Time `json:"sent"`
	Receives int       `json:"receives"`

	// What is what happened, Function whose failure it was where the letter says so,
	// and Error why.
	What     string `json:"what"`
	Function string `json:"function,omitempty"`
	Error    string `json:"error,omitempty"`

	Attributes map[string]string `json:"attributes,omitempty"`
	Body       json.RawMessage   `json:"body,omitempty"`

	receipt string
	gone    bool
}

// A letterBox is the dead-letter queue. Who reads it hides the letters from others
// for a while, and releases them in the end.
type letterBox struct {
	sqs     *sqs.Client
	url     string
	limit   int
	letters []*letter
}

// hidden is for how long letters are hidden from others while they are worked on.
const hidden = 5 * time.Minute

// find looks for the queue by the stack's name, unless its URL is given.
func (b *letterBox) find(ctx context.Context, stack string) error {
	if b.url != "" {
		return nil
	}
	prefix := stack + "-DeadLetterQueue"
	out, err := b.sqs.ListQueues(ctx, &sqs.ListQueuesInput{QueueNamePrefix: &prefix})
	if err != nil {
		return fmt.Errorf("looking for the dead-letter queue: %w", err)
	}
	if len(out.QueueUrls) != 1 {
		return fmt.Errorf("%d queues are named %s…; name the one with --queue, or the stack with --stack",
			len(out.QueueUrls), prefix)
	}
	b.url = out.QueueUrls[0]
	return nil
}

// read takes letters in hand until there are no more, or as many as the limit.
func (b *letterBox) read(ctx context.Context) error {
	seen := map[string]bool{}
	for len(b.letters) < b.limit {
		out, err := b.sqs.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
			QueueUrl: &b.url, MaxNumberOfMessages: int32(min(10, b.limit-len(b.letters))), WaitTimeSeconds: 1,
			VisibilityTimeout: int32(hidden / time.Second), MessageAttributeNames: []string{"All"},
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
		})
		if err != nil {
			return fmt.Errorf("reading the dead-letter queue: %w", err)
		}
		if len(out.Messages) == 0 {
			return nil
		}
		for _, m := range out.Messages {
			if !seen[*m.MessageId] {
				b.letters = append(b.letters, letterOf(m))
			}
			seen[*m.MessageId] = true
		}
	}
	return nil
}

func letterOf(m types.Message) *letter {
	l := &letter{ID: aws.ToString(m.MessageId), receipt: aws.ToString(m.ReceiptHandle), Attributes: map[string]string{}}
	for name, value := range m.MessageAttributes {
		l.Attributes[name] = aws.ToString(value.StringValue)
	}
	if ms, err := strconv.ParseInt(m.Attributes["SentTimestamp"], 10, 64); err == nil {
		l.Sent = time.UnixMilli(ms).UTC()
	}
	l.Receives, _ = strconv.Atoi(m.Attributes["ApproximateReceiveCount"])
	l.Body = json.RawMessage(aws.ToString(m.Body))
	if !json.Valid(l.Body) {
		l.Body, _ = json.Marshal(aws.ToString(m.Body)) // a string always encodes
	}
	s := shapeOf(l.Body)
	l.What, l.Function = s.what(), s.RequestContext.FunctionArn
	// EventBridge names the target of its rule, and Lambda only says what went wrong.
	for attribute, to := range map[string]*string{"TARGET_ARN": &l.Function, "ERROR_MESSAGE": &l.Error, "ErrorMessage": &l.Error} {
		if value := l.Attributes[attribute]; value != "" {
			*to = value
		}
	}
	return l
}

func (b *letterBox) letter(id string) (*letter, error) {
	for _, l := range b.letters {
		if l.ID == id {
			return l, nil
		}
	}
	return nil, fmt.Errorf("there is no letter %s among the %d that can be seen now", id, len(b.letters))
}

// forget takes a letter from the queue for good.
func (b *letterBox) forget(ctx context.Context, l *letter) error {
	_, err := b.sqs.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &b.url, ReceiptHandle: &l.receipt})
	if err != nil {
		return fmt.Errorf("it was handled, and cannot be deleted: %w", err)
	}
	l.gone = true
	return nil
}

// release lets others see the letters again.
func (b *letterBox) release(ctx context.Context) error {
	var failures []error
	for _, l := range b.letters {
		if l.gone {
			continue
		}
		_, err := b.sqs.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
			QueueUrl: &b.url, ReceiptHandle: &l.receipt, VisibilityTimeout: 0,
		})
		if err != nil {
			failures = append(failures, fmt.Errorf("releasing letter %s: %w", l.ID, err))
		}
	}
	return errors.Join(failures...)
}
