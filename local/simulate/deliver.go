package simulate

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// A sent is an event that a function was sent.
type sent struct {
	function *function
	payload  []byte
}

// deliver lets an event come late, twice or not at all. It returns true when the
// function must not be called for it now.
func (w *World) deliver(f *function, payload []byte) bool {
	w.events = append(w.events, sent{f, payload})
	if !w.befalls(w.Plan.Profile.Events) {
		return false
	}
	switch n := w.random.IntN(3); {
	case n == 0 && doors[f.id](read(payload).DetailType):
		w.fault("lost event", "an event for %s is lost: %s", f.id, brief(payload))
		return true
	case n == 1:
		after := time.Duration(1+w.random.IntN(600)) * time.Second
		w.fault("late event", "an event for %s comes %v late: %s", f.id, after, brief(payload))
		w.again(f, payload, after)
		return true
	}
	after := time.Duration(w.random.IntN(7200)) * time.Second
	w.fault("repeated event", "an event for %s comes again after %v: %s", f.id, after, brief(payload))
	w.again(f, payload, after)
	return false
}

// again calls a function later, as Lambda does with an event: twice more when it
// fails, and then the event is a dead letter.
func (w *World) again(f *function, payload []byte, after time.Duration) {
	w.late.Go(func() {
		for _, pause := range []time.Duration{after, time.Minute, 2 * time.Minute} {
			if w.Clock.Sleep(w.ctx, pause) != nil {
				return
			}
			w.turn.pass(func() string { return "again " + f.id + " " + likeness(payload) })
			ctx, cancel := context.WithTimeout(w.ctx, 30*time.Second)
			_, err := f.invoke(ctx, payload)
			cancel()
			if err == nil {
				return
			}
		}
		w.bury(f, payload)
	})
}

// bury makes an event a dead letter.
func (w *World) bury(f *function, payload []byte) {
	client := sqs.NewFromConfig(w.UserConfig())
	_, err := client.SendMessage(w.privileged(), &sqs.SendMessageInput{QueueUrl: &w.deadLetters, MessageBody: aws.String(string(payload))})
	w.tell("sim", "an event for %s is a dead letter: %s, %v", f.id, brief(payload), err)
}

// A document is what an event tells of itself.
type document struct {
	DetailType string   `json:"detail-type"`
	Resources  []string `json:"resources"`
	Detail     struct {
		EventName string `json:"eventName"`
	} `json:"detail"`
}

func read(payload []byte) (d document) {
	_ = json.Unmarshal(payload, &d) // an alarm's own action is no event, and tells nothing here
	return d
}

func brief(payload []byte) string {
	d := read(payload)
	return strings.TrimSpace(d.DetailType + " " + d.Detail.EventName + " " + strings.Join(d.Resources, " "))
}
