package local

import (
	"context"
	"encoding/json"
	"strings"

	"portolan/local/clock"
	"portolan/local/events"
	"portolan/local/lambda"
	"portolan/local/sqs"
)

// targets delivers events to functions as EventBridge, SNS and alarms do, which all
// invoke them asynchronously.
type targets struct {
	clock   *clock.Clock
	runtime *runtime
	queues  *sqs.Server
	async   *lambda.Async
	letters map[string]string // function's ARN → name of its dead-letter queue
	topics  map[string]string // topic's ARN → ARN of the function that listens
}

// deliver hands an event to a rule's target.
func (t *targets) deliver(ctx context.Context, target events.Target, input []byte) error {
	if !strings.Contains(target.Arn, ":lambda:") {
		return &events.Undeliverable{Code: "RESOURCE_NOT_FOUND", Message: "nothing here delivers to " + target.Arn}
	}
	return t.async.Run(ctx, target.Arn, input)
}

// invoke runs a function, once everything is there that functions call.
func (t *targets) invoke(ctx context.Context, function string, input []byte) ([]byte, error) {
	if err := t.clock.Wait(ctx); err != nil {
		return nil, err
	}
	return t.runtime.invoke(ctx, function, input)
}

// giveUp gives an event that a function could not handle to its dead-letter queue.
func (t *targets) giveUp(function string, input, failure []byte) error {
	queue, ok := t.letters[function]
	if !ok {
		return nil
	}
	attributes := map[string]string{"ErrorMessage": string(failure), "RequestID": function}
	_, err := t.queues.Send(queue, string(input), attributes)
	if err != nil {
		t.runtime.log.Error("a dead letter cannot be sent", "queue", queue, "error", err)
	}
	return err
}

// deadLetter takes what EventBridge could not deliver.
func (t *targets) deadLetter(_ context.Context, queueARN string, input []byte, attributes map[string]string) error {
	_, err := t.queues.Send(queueARN[strings.LastIndex(queueARN, ":")+1:], string(input), attributes)
	return err
}

// act takes an alarm's action: a Lambda function is invoked; nothing here listens
// to SNS topics but the functions that the template subscribes.
func (t *targets) act(_ context.Context, actionARN string, payload []byte) {
	function, event := actionARN, payload
	if strings.Contains(actionARN, ":sns:") {
		if function = t.topics[actionARN]; function == "" {
			return
		}
		event = notification(actionARN, string(payload))
	}
	if !strings.Contains(function, ":lambda:") {
		return
	}
	if err := t.async.Take(function, event); err != nil {
		t.runtime.log.Warn("an alarm's action failed", "action", actionARN, "error", err)
	}
}

// notification is the event in which SNS hands a message to a function.
func notification(topic, message string) []byte {
	event, err := json.Marshal(map[string]any{"Records": []any{map[string]any{
		"EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": topic + ":local",
		"Sns": map[string]any{"Type": "Notification", "TopicArn": topic, "Message": message},
	}}})
	if err != nil {
		return nil
	}
	return event
}
