package local

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"portolan/local/clock"
	"portolan/local/events"
	"portolan/local/lambda"
	"portolan/local/sqs"
	"portolan/local/states"
)

// targets delivers events to functions as EventBridge and SNS do: Lambda takes an
// event at once, and tries a function that fails twice more by itself.
type targets struct {
	runtime *runtime
	queues  *sqs.Server
	letters map[string]string // function's ARN → name of its dead-letter queue
	topics  map[string]string // topic's ARN → ARN of the function that listens
	clock   *clock.Clock

	ctx  context.Context
	wait sync.WaitGroup
}

// asyncRetries are the pauses before Lambda's second and third attempt.
var asyncRetries = []time.Duration{time.Minute, 2 * time.Minute}

// deliver hands an event to a rule's target.
func (t *targets) deliver(ctx context.Context, target events.Target, input []byte) error {
	if !strings.Contains(target.Arn, ":lambda:") {
		return &events.Undeliverable{Code: "RESOURCE_NOT_FOUND", Message: "nothing here delivers to " + target.Arn}
	}
	return t.invoke(ctx, target.Arn, input)
}

// invoke is an asynchronous invocation. The first attempt is made before it
// returns, so that events keep their order unless one fails.
func (t *targets) invoke(ctx context.Context, function string, input []byte) error {
	_, err := t.runtime.invoke(ctx, function, input)
	var failed *states.FunctionError
	if err == nil || !errors.As(err, &failed) {
		return err
	}
	t.wait.Go(func() { t.retry(function, input, failed) })
	return nil
}

// retry makes the attempts that are left, and then gives the event to the
// function's dead-letter queue.
func (t *targets) retry(function string, input []byte, failed *states.FunctionError) {
	for _, pause := range asyncRetries {
		if t.clock.Sleep(t.ctx, pause) != nil {
			return
		}
		_, err := t.runtime.invoke(t.ctx, function, input)
		if !errors.As(err, &failed) {
			return
		}
	}
	queue, ok := t.letters[function]
	if !ok {
		return
	}
	attributes := map[string]string{"ErrorMessage": string(failed.Payload), "RequestID": function}
	if _, err := t.queues.Send(queue, string(input), attributes); err != nil {
		t.runtime.log.Error("a dead letter is lost", "queue", queue, "error", err)
	}
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
	t.wait.Go(func() {
		if err := t.invoke(t.ctx, function, event); err != nil {
			t.runtime.log.Warn("an alarm's action failed", "action", actionARN, "error", err)
		}
	})
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

// startLambda lets functions be invoked by hand.
func (l *Local) startLambda() http.Handler {
	config := lambda.Config{Invoke: l.runtime.invoke, InvokeLater: func(arn string, payload []byte) {
		l.targets.wait.Go(func() {
			if err := l.targets.invoke(l.targets.ctx, arn, payload); err != nil {
				l.config.Log.Warn("an asynchronous invocation failed", "function", arn, "error", err)
			}
		})
	}}
	for _, f := range l.deployment.functions {
		config.Functions = append(config.Functions, f.arn)
	}
	return lambda.New(config)
}
