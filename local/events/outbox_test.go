package events_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"portolan/local/disk"
	"portolan/local/events"
)

// told is an emitter that remembers what it was told.
type told []string

func (t *told) Emit(_ context.Context, e events.Event) {
	detail, _ := json.Marshal(e.Detail)
	*t = append(*t, fmt.Sprintf("%s %s %s %v", e.Source, e.Time.UTC().Format(time.TimeOnly), detail, e.Resources))
}

func outbox(t *testing.T, d *disk.Disk, to events.Emitter) *events.Outbox {
	t.Helper()
	o, err := events.OpenOutbox(d, "test/outbox", to)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func happened(n int) events.Event {
	return events.Event{Source: "aws.test", DetailType: "Test", Time: time.Date(2026, 11, 23, 12, 0, n, 0, time.UTC),
		Resources: []string{"arn"}, Detail: map[string]int{"n": n}}
}

// What was kept and not sent is sent by the process that comes next, once and in
// order, before anything that happens then.
func TestWhatWasKeptIsSentByTheNext(t *testing.T) {
	d, err := disk.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var before, after, last told
	o := outbox(t, d, &before)
	var out []*events.Outgoing
	for n := range 12 {
		out = append(out, o.Add(happened(n)))
	}
	if !o.Waiting() {
		t.Error("nothing waits")
	}
	if err := d.Update(o.Keep); err != nil || o.Waiting() {
		t.Fatalf("it was not kept: %v", err)
	}
	o.Add(happened(99)) // its transaction never came
	o.Send(t.Context(), out[0])
	o.Send(t.Context(), out[1])

	o = outbox(t, d, &after)
	e := o.Add(happened(12))
	if err := d.Update(o.Keep); err != nil {
		t.Fatal(err)
	}
	o.Send(t.Context(), e)
	outbox(t, d, &last)
	if len(before) != 2 || len(after) != 11 || len(last) != 0 {
		t.Fatalf("told were %d, %d and %d", len(before), len(after), len(last))
	}
	var want told
	for n := 2; n < 13; n++ {
		want.Emit(t.Context(), happened(n))
	}
	if !slices.Equal(after, want) {
		t.Errorf("got %q, want %q", after, want)
	}
}

// A change that is not kept keeps its event neither.
func TestAnEventGoesWithItsChange(t *testing.T) {
	d, err := disk.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	o := outbox(t, d, new(told))
	o.Add(happened(1))
	refused := errors.New("refused")
	if err := d.Update(func(tx *disk.Tx) error { return errors.Join(o.Keep(tx), refused) }); !errors.Is(err, refused) {
		t.Fatal(err)
	}
	var after told
	if outbox(t, d, &after); len(after) != 0 {
		t.Errorf("told was %q", after)
	}
}

func TestAnOutboxWithoutADisk(t *testing.T) {
	var got told
	var none *disk.Disk
	o := outbox(t, none, &got)
	e := o.Add(happened(1))
	if err := none.Update(o.Keep); err != nil || o.Waiting() {
		t.Fatal(err)
	}
	if o.Send(t.Context(), e); len(got) != 1 {
		t.Errorf("told was %q", got)
	}
	o = outbox(t, none, nil)
	e = o.Add(happened(1))
	o.Send(t.Context(), e)
	if o.Waiting() {
		t.Error("an event waits that nobody is told of")
	}
}
