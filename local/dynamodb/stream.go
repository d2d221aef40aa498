package dynamodb

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"time"

	"portolan/local/disk"
)

// retention is how long a stream keeps its records.
const retention = 24 * time.Hour

// A stream has the changes of a table's items in the order in which they were
// made, in one shard. The server's lock guards it.
type stream struct {
	arn     string
	label   string
	view    string
	region  string
	table   string
	keys    keySchema
	enabled bool
	records []*Record
	// grown is closed and replaced when a record is added.
	grown chan struct{}
}

// The kinds of stream records.
const (
	eventInsert = "INSERT"
	eventModify = "MODIFY"
	eventRemove = "REMOVE"
)

// A Record is one change of one item. It is never changed.
type Record struct {
	stream   *stream
	sequence uint64
	id       string
	event    string
	created  time.Time
	keys     item
	oldImage item
	newImage item
	size     int
	expired  bool
}

// Sequence is the record's sequence number, by which records of a stream are
// ordered, and which a checkpoint keeps.
func (r *Record) Sequence() string { return formatSequence(r.sequence) }

// Keys are the keys of the record's item, as MarshalJSON has them.
func (r *Record) Keys() []byte { return appendItem(nil, r.keys) }

// EventName is INSERT, MODIFY or REMOVE.
func (r *Record) EventName() string { return r.event }

// Created is when the change was made.
func (r *Record) Created() time.Time { return r.created }

// formatSequence gives sequence numbers AWS's length of 21 digits, so that their
// order as texts is that of the numbers.
func formatSequence(n uint64) string { return fmt.Sprintf("1%020d", n) }

// parseSequence reads a sequence number. One below the first of all stands
// before every record.
func parseSequence(text string) (uint64, bool) {
	if text == "" || len(text) > 21 || !allDigits(text) {
		return 0, false
	}
	if len(text) < 21 {
		return 0, true
	}
	n, err := strconv.ParseUint(text[1:], 10, 64)
	return n, err == nil
}

// record is the stream record of a change, nil where there is no stream or
// nothing changed.
func (s *Server) record(c *change, now time.Time) *Record {
	st := c.t.stream
	if st == nil || !st.enabled || c.old == nil && c.changed == nil {
		return nil
	}
	r := &Record{stream: st, created: now.Truncate(time.Second), expired: c.expired}
	switch {
	case c.old == nil:
		r.event, r.keys = eventInsert, c.t.schema.of(c.changed)
	case c.changed == nil:
		r.event, r.keys = eventRemove, c.t.schema.of(c.old)
	case equalItems(c.old, c.changed):
		return nil
	default:
		r.event, r.keys = eventModify, c.t.schema.of(c.changed)
	}
	if st.view == "NEW_IMAGE" || st.view == "NEW_AND_OLD_IMAGES" {
		r.newImage = c.changed
	}
	if st.view == "OLD_IMAGE" || st.view == "NEW_AND_OLD_IMAGES" {
		r.oldImage = c.old
	}
	s.sequence++
	r.sequence = s.sequence
	r.id = s.config.NewID()
	r.size = r.keys.size() + r.newImage.size() + r.oldImage.size()
	return r
}

// append adds a record, forgets those that are too old, and wakes who waits.
func (st *stream) append(r *Record) {
	st.records = append(st.records, r)
	if old := st.outdated(r.created); old > 0 {
		st.records = slices.Delete(st.records, 0, old)
	}
	st.wake()
}

// outdated is how many of the first records are too old to be kept.
func (st *stream) outdated(now time.Time) int {
	old := 0
	for old < len(st.records) && now.Sub(st.records[old].created) > retention {
		old++
	}
	return old
}

func (st *stream) wake() {
	close(st.grown)
	st.grown = make(chan struct{})
}

// after is the place of the first record behind a sequence number.
func (st *stream) after(sequence uint64) int {
	at, _ := slices.BinarySearchFunc(st.records, sequence+1, func(r *Record, n uint64) int {
		return int(int64(r.sequence) - int64(n))
	})
	return at
}

// MarshalJSON gives the record the form that an event source mapping hands to a
// function, an element of Records.
func (r *Record) MarshalJSON() ([]byte, error) {
	out := r.appendFields([]byte(`{`))
	out = appendText(member(out, "eventSourceARN"), r.stream.arn)
	return append(out, '}'), nil
}

// appendFields appends what GetRecords and events have in common.
func (r *Record) appendFields(out []byte) []byte {
	out = appendText(member(out, "eventID"), r.id)
	out = appendText(member(out, "eventName"), r.event)
	out = appendText(member(out, "eventVersion"), "1.1")
	out = appendText(member(out, "eventSource"), "aws:dynamodb")
	out = appendText(member(out, "awsRegion"), r.stream.region)
	out = append(member(out, "dynamodb"), '{')
	out = append(member(out, "ApproximateCreationDateTime"), itoa(int(r.created.Unix()))...)
	out = appendItem(member(out, "Keys"), r.keys)
	if r.newImage != nil {
		out = appendItem(member(out, "NewImage"), r.newImage)
	}
	if r.oldImage != nil {
		out = appendItem(member(out, "OldImage"), r.oldImage)
	}
	out = appendText(member(out, "SequenceNumber"), r.Sequence())
	out = append(member(out, "SizeBytes"), itoa(r.size)...)
	out = appendText(member(out, "StreamViewType"), r.stream.view)
	out = append(out, '}')
	if r.expired {
		out = append(member(out, "userIdentity"),
			`{"type":"Service","principalId":"dynamodb.amazonaws.com"}`...)
	}
	return out
}

func streamBucket(arn string) string { return "dynamodb/stream/" + arn }

func sequenceKey(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// persist writes a record so that readRecord can make it again.
func (r *Record) persist(tx *disk.Tx) error {
	bucket := streamBucket(r.stream.arn)
	for _, old := range r.stream.records[:r.stream.outdated(r.created)] {
		if err := tx.Delete(bucket, sequenceKey(old.sequence)); err != nil {
			return err
		}
	}
	data, err := r.MarshalJSON()
	if err != nil {
		return err
	}
	return tx.Put(bucket, sequenceKey(r.sequence), data)
}

// readRecord reads what persist wrote.
func (st *stream) readRecord(key, data []byte) (*Record, error) {
	r := &Record{stream: st, sequence: binary.BigEndian.Uint64(key)}
	d := decoder{data: string(data)}
	d.object(asField, "", func(name string) {
		switch name {
		case "eventID":
			r.id, _ = d.text()
		case "eventName":
			r.event, _ = d.text()
		case "userIdentity":
			r.expired = true
			d.skip()
		case "dynamodb":
			d.object(asField, "", func(name string) { r.readBody(&d, name) })
		default:
			d.skip()
		}
	})
	if d.err != nil {
		return nil, fmt.Errorf("reading stream record %d: %w", r.sequence, d.err)
	}
	return r, nil
}

func (r *Record) readBody(d *decoder, name string) {
	var image attributes
	switch name {
	case "Keys":
		d.attributes(asField, &image)
		r.keys = image.item
	case "NewImage":
		d.attributes(asField, &image)
		r.newImage = image.item
	case "OldImage":
		d.attributes(asField, &image)
		r.oldImage = image.item
	case "ApproximateCreationDateTime":
		seconds, _ := d.integer("Long")
		r.created = time.Unix(int64(seconds), 0).UTC()
	case "SizeBytes":
		r.size, _ = d.integer("Long")
	default:
		d.skip()
	}
}
