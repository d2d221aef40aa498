package events

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// An Event is what a service tells the bus. ID, Account, Region and Time are
// filled in by the bus where they are empty.
type Event struct {
	ID         string
	Source     string // such as aws.ecs
	DetailType string
	Account    string
	Region     string
	Time       time.Time
	Resources  []string
	Detail     any // marshals to a JSON object
}

// Members are a detail that is made of what encoding/json decodes into a map, and of
// nothing else. Rules look into it as it is.
type Members map[string]any

// An Emitter takes events of services. Emitting never fails and never waits for
// a target.
type Emitter interface {
	Emit(ctx context.Context, e Event)
}

// envelope is an event as rules see it and targets get it, but for its detail.
type envelope struct {
	Version    string   `json:"version"`
	ID         string   `json:"id"`
	DetailType string   `json:"detail-type"`
	Source     string   `json:"source"`
	Account    string   `json:"account"`
	Time       string   `json:"time"`
	Region     string   `json:"region"`
	Resources  []string `json:"resources"`
}

// MarshalJSON writes the event as EventBridge documents it.
func (e Event) MarshalJSON() ([]byte, error) { return e.encode() }

// encode is MarshalJSON without the second look that encoding/json takes at what a
// Marshaler wrote.
func (e Event) encode() ([]byte, error) {
	detail, err := json.Marshal(e.Detail)
	if err != nil {
		return nil, err
	}
	if e.Resources == nil {
		e.Resources = []string{}
	}
	raw, err := json.Marshal(envelope{Version: "0", ID: e.ID, DetailType: e.DetailType, Source: e.Source,
		Account: e.Account, Time: e.Time.UTC().Format("2006-01-02T15:04:05Z"), Region: e.Region, Resources: e.Resources})
	if err != nil {
		return nil, err
	}
	raw = append(raw[:len(raw)-len("}")], `,"detail":`...)
	return append(append(raw, detail...), '}'), nil
}

// detail is the event's detail as rules look into it.
func (e Event) detail() (map[string]any, error) {
	if members, ok := e.Detail.(Members); ok {
		return members, nil
	}
	raw, err := json.Marshal(e.Detail)
	if err != nil {
		return nil, fmt.Errorf("encoding event: %w", err)
	}
	members, err := decodeEvent(raw)
	if err != nil {
		return nil, fmt.Errorf("decoding event: %w", err)
	}
	return members, nil
}

// outside are the members of the event as decodeEvent has them, its detail Unknown.
func (e Event) outside() map[string]any {
	resources := make([]any, len(e.Resources))
	for i, arn := range e.Resources {
		resources[i] = arn
	}
	return map[string]any{"version": "0", "id": e.ID, "detail-type": e.DetailType, "source": e.Source,
		"account": e.Account, "time": e.Time.UTC().Format("2006-01-02T15:04:05Z"), "region": e.Region,
		"resources": resources, "detail": Unknown{}}
}
