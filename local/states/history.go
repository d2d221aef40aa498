package states

import (
	"encoding/json"
	"strconv"
	"time"

	"portolan/local/states/value"
)

// maxEvents is how many events a history holds. The last is kept for the end.
const maxEvents = 25_000

// An event is one entry of a history. One that was read back from the disk is
// only its text.
type event struct {
	id, prev int64
	at       time.Time
	kind     string
	details  *details
	raw      json.RawMessage
}

// details are what an event tells, whatever its type: see render.
type details struct {
	name      string
	doc       any // input, output or parameters
	hasDoc    bool
	assigned  *value.Object
	resource  *resource
	region    string
	timeout   int64
	heartbeat int64
	failure   *failure
	index     int
	hasIndex  bool
	length    int
	hasLength bool
	role      string
	mapRun    string
	redriven  int64
}

// record appends an event to the history and returns its id. A frame's events
// are chained by their previousEventId. Those of a quiet frame are not kept.
func (x *execution) record(f *frame, kind string, d *details, at time.Time) int64 {
	if f != nil && f.quiet {
		return f.prev
	}
	if x.lastEvent >= maxEvents-1 && !ending(kind) {
		x.overflown = true
		return x.lastEvent
	}
	x.lastEvent++
	e := &event{id: x.lastEvent, at: at, kind: kind, details: d}
	if f != nil {
		e.prev, f.prev = f.prev, e.id
	} else {
		e.prev = x.lastEvent - 1
	}
	x.history = append(x.history, e)
	return e.id
}

func ending(kind string) bool {
	switch kind {
	case "ExecutionSucceeded", "ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut":
		return true
	}
	return false
}

// text is the event as the wire protocol has it.
func (e *event) text() json.RawMessage {
	if e.raw != nil {
		return e.raw
	}
	return e.append(nil)
}

// append writes the event's text behind dst.
func (e *event) append(dst []byte) []byte {
	if e.raw != nil {
		return append(dst, e.raw...)
	}
	o := value.Members("id", value.Whole(e.id), "previousEventId", value.Whole(e.prev),
		"timestamp", epoch(e.at), "type", e.kind)
	if key, body := e.render(); key != "" {
		o.Set(key, body)
	}
	return value.Append(dst, o)
}

func epoch(t time.Time) value.Number {
	return value.Number(strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', -1, 64))
}

func milliseconds(t time.Time) value.Number { return value.Whole(t.UnixMilli()) }
