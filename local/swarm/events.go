package swarm

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/types/events"

	"portolan/local/swarm/cluster"
)

// eventsKept is how many events an engine remembers, as Docker does.
const eventsKept = 256

type event = events.Message

// publish tells those who listen.
func (n *engine) publish(from cluster.Event) {
	n.events = append(n.events, event{Type: events.Type(from.Type), Action: events.Action(from.Action),
		Actor: events.Actor{ID: from.ID, Attributes: from.Attributes}, Scope: "swarm", Time: from.Time.Unix(), TimeNano: from.Time.UnixNano()})
	n.events = n.events[max(0, len(n.events)-eventsKept):]
	n.counted++
	n.endStreams()
}

// endStreams wakes those who listen: to new events, or to the engine's end.
func (n *engine) endStreams() {
	close(n.changed)
	n.changed = make(chan struct{})
}

// A listening is what a stream of events wants to hear.
type listening struct {
	since, until time.Time
	filters      cluster.Filters
}

func (c *call) listening() (l listening, err error) {
	query := c.URL.Query()
	if l.since, err = instant(query.Get("since")); err != nil {
		return l, err
	}
	if l.until, err = instant(query.Get("until")); err != nil {
		return l, err
	}
	l.filters, err = c.filters()
	return l, err
}

// instant reads seconds since 1970, with a fraction or without; empty is zero.
func instant(raw string) (time.Time, error) {
	if raw == "" {
		return time.Time{}, nil
	}
	seconds, err := strconv.ParseFloat(raw, 64)
	if err != nil || math.IsNaN(seconds) || math.Abs(seconds) > 1<<40 {
		return time.Time{}, invalid("failed to parse value as time or duration: %q", raw)
	}
	whole := math.Floor(seconds)
	return time.Unix(int64(whole), int64((seconds-whole)*1e9)).UTC(), nil
}

// wants says whether an event is one to tell.
func (l listening) wants(e event) bool {
	at := time.Unix(0, e.TimeNano)
	switch {
	case !l.since.IsZero() && at.Before(l.since), !l.until.IsZero() && at.After(l.until):
		return false
	case !has(l.filters["type"], string(e.Type)), !has(l.filters["event"], string(e.Action)), !has(l.filters["scope"], e.Scope):
		return false
	}
	for _, kind := range []string{"service", "node", "network", "secret", "config"} {
		if asked := l.filters[kind]; len(asked) > 0 &&
			(string(e.Type) != kind || !has(asked, e.Actor.ID) && !has(asked, e.Actor.Attributes["name"])) {
			return false
		}
	}
	return true
}

func has(asked []string, value string) bool {
	for _, a := range asked {
		if strings.EqualFold(a, value) {
			return true
		}
	}
	return len(asked) == 0
}

// events answers with what happened since a time, and what happens until another.
func eventStream(c *call) {
	l, err := c.listening()
	if err != nil {
		writeError(c.w, err)
		return
	}
	n, seen := c.engine, 0
	if l.since.IsZero() {
		n.engines.change(func() { seen = n.counted })
	}
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(http.StatusOK)
	flush(c.w)
	for {
		var told []event
		var changed chan struct{}
		up := false
		n.engines.change(func() {
			told = n.events[len(n.events)-min(len(n.events), n.counted-seen):]
			told = append([]event(nil), told...)
			seen, changed, up = n.counted, n.changed, n.up()
		})
		for _, e := range told {
			if l.wants(e) && json.NewEncoder(c.w).Encode(e) != nil {
				return
			}
		}
		flush(c.w)
		if !up || !c.awaitEvent(l, changed) {
			return
		}
	}
}

// awaitEvent waits for news, and says whether there can be any.
func (c *call) awaitEvent(l listening, changed <-chan struct{}) bool {
	var over <-chan time.Time
	if !l.until.IsZero() {
		timer := c.engine.engines.config.Clock.NewTimer(max(0, c.engine.engines.config.Clock.Until(l.until)))
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-changed:
		return true
	case <-over:
	case <-c.Context().Done():
	case <-c.engine.engines.closed:
	}
	return false
}

func flush(w http.ResponseWriter) {
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
}
