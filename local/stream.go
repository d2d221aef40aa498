package local

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	awsevents "github.com/aws/aws-lambda-go/events"

	"portolan/local/clock"
	"portolan/local/dynamodb"
	"portolan/local/events"
)

// A mapping hands the records of a table's stream to a function, as Lambda's event
// source mapping does: filtered, in batches, in order, and again from the record
// that failed.
type mapping struct {
	source   streamSource
	filters  []events.Pattern
	function string // ARN
	reader   *dynamodb.Reader
	runtime  *runtime
	clock    *clock.Clock
	log      *slog.Logger

	// before is the sequence number in front of the batch in hand.
	before string

	// deadLetter takes a record that was tried often enough.
	deadLetter func(ctx context.Context, body []byte) error
}

func newMapping(m mapping) (*mapping, error) {
	m.before = m.reader.Position()
	for _, text := range m.source.filters {
		pattern, err := events.ParsePattern(text)
		if err != nil {
			return nil, fmt.Errorf("reading a stream's filter: %w", err)
		}
		m.filters = append(m.filters, pattern)
	}
	return &m, nil
}

// run works through the stream until ctx ends.
func (m *mapping) run(ctx context.Context) {
	failures := 0
	for ctx.Err() == nil {
		records, err := m.poll(ctx)
		if err != nil {
			if ctx.Err() == nil && !errors.Is(err, dynamodb.ErrClosed) {
				m.log.Error("the stream cannot be read", "error", err)
			}
			return
		}
		failed, err := m.hand(ctx, records)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			failures, m.before = 0, records[len(records)-1].Sequence()
			continue
		}
		failures++
		if m.source.retries >= 0 && failures > m.source.retries {
			m.giveUp(ctx, records[failed])
			failures = 0
			continue
		}
		m.log.Warn("a batch of the stream failed and comes again", "function", m.function, "error", err)
		if m.clock.Sleep(ctx, min(time.Second<<min(failures, 6), time.Minute)) != nil {
			return
		}
	}
}

// pollInterval is how often Lambda looks into a stream: what was written meanwhile
// comes in one batch.
const pollInterval = 250 * time.Millisecond

// poll waits for a record and returns the batch of the next look into the stream.
func (m *mapping) poll(ctx context.Context) ([]*dynamodb.Record, error) {
	if _, err := m.reader.Next(ctx, 1); err != nil {
		return nil, err
	}
	if err := m.clock.Sleep(ctx, pollInterval); err != nil {
		return nil, err
	}
	if err := m.reader.Seek(m.before); err != nil {
		return nil, err
	}
	return m.reader.Next(ctx, m.source.batch)
}

// hand calls the function with those of the records that pass the filters. When it
// fails, the reader stands before the record at the returned index.
func (m *mapping) hand(ctx context.Context, records []*dynamodb.Record) (failed int, err error) {
	kept := make([]int, 0, len(records))
	var texts [][]byte
	for i, record := range records {
		if !m.mayPass(record) {
			continue
		}
		text, err := record.MarshalJSON()
		if err != nil {
			return i, err
		}
		if m.passes(text) {
			kept, texts = append(kept, i), append(texts, text)
		}
	}
	failed = -1
	if len(kept) > 0 {
		failed, err = m.call(ctx, texts, records, kept)
	}
	done := len(records)
	if failed >= 0 {
		done = failed
	}
	if done > 0 {
		if commitErr := m.reader.Commit(records[done-1].Sequence()); commitErr != nil {
			return max(failed, 0), commitErr
		}
	}
	if failed >= 0 {
		m.rewind(records, failed)
	}
	return failed, err
}

// rewind makes the reader go on at records[failed].
func (m *mapping) rewind(records []*dynamodb.Record, failed int) {
	if failed > 0 {
		m.before = records[failed-1].Sequence()
	}
	if err := m.reader.Seek(m.before); err != nil {
		m.log.Error("the stream cannot be read again", "error", err)
	}
}

// call calls the function with the kept records' texts and returns the index of the
// first record that has to come again; -1 when none has.
func (m *mapping) call(ctx context.Context, texts [][]byte, records []*dynamodb.Record, kept []int) (int, error) {
	payload := slices.Concat([]byte(`{"Records":[`), bytes.Join(texts, []byte(",")), []byte("]}"))
	raw, err := m.runtime.invoke(ctx, m.function, payload)
	if err != nil {
		return kept[0], err
	}
	var answer awsevents.DynamoDBEventResponse
	if err := json.Unmarshal(raw, &answer); err != nil {
		return kept[0], fmt.Errorf("the function's answer: %w", err)
	}
	if len(answer.BatchItemFailures) == 0 {
		return -1, nil
	}
	wanted := answer.BatchItemFailures[0].ItemIdentifier
	for _, i := range kept {
		if records[i].Sequence() == wanted {
			return i, errors.New("the function asks for record " + wanted + " again")
		}
	}
	return kept[0], errors.New("the function asks for a record again that it was not given")
}

// mayPass spares most records being encoded: a filter asks for their keys first.
func (m *mapping) mayPass(record *dynamodb.Record) bool {
	if len(m.filters) == 0 {
		return true
	}
	event := outline(record)
	return slices.ContainsFunc(m.filters, func(p events.Pattern) bool { return p.MayMatch(event) })
}

// outline is a record of which only the kind of change and the item's keys are known.
func outline(record *dynamodb.Record) map[string]any {
	event := map[string]any{"eventName": record.EventName()}
	for _, name := range []string{"eventID", "eventVersion", "eventSource", "awsRegion", "eventSourceARN", "userIdentity"} {
		event[name] = events.Unknown{}
	}
	change := map[string]any{}
	for _, name := range []string{"ApproximateCreationDateTime", "NewImage", "OldImage", "SequenceNumber", "SizeBytes",
		"StreamViewType"} {
		change[name] = events.Unknown{}
	}
	event["dynamodb"] = change
	var keys map[string]any
	if json.Unmarshal(record.Keys(), &keys) != nil {
		change["Keys"] = events.Unknown{}
		return event
	}
	change["Keys"] = keys
	return event
}

func (m *mapping) passes(record []byte) bool {
	return len(m.filters) == 0 || events.AnyMatches(m.filters, record)
}

// giveUp tells the dead-letter queue of a record and goes on behind it. As with
// AWS, the letter names the record and does not hold it.
func (m *mapping) giveUp(ctx context.Context, record *dynamodb.Record) {
	text, err := json.Marshal(m.letter(record))
	if err == nil {
		err = m.deadLetter(ctx, text)
	}
	if err == nil {
		err = m.reader.Commit(record.Sequence())
	}
	if err == nil {
		m.before = record.Sequence()
		err = m.reader.Seek(m.before)
	}
	if err != nil {
		m.log.Error("a record cannot be given up", "error", err)
	}
}

// letter is what Lambda sends to the destination of an event source mapping.
func (m *mapping) letter(record *dynamodb.Record) map[string]any {
	now := m.clock.Now().UTC().Format(time.RFC3339)
	return map[string]any{
		"version": "1.0", "timestamp": now,
		"requestContext": map[string]any{"functionArn": m.function, "condition": "RetryAttemptsExhausted",
			"approximateInvokeCount": m.source.retries + 1},
		"responseContext": map[string]any{"statusCode": 200, "executedVersion": "$LATEST"},
		"DDBStreamBatchInfo": map[string]any{"startSequenceNumber": record.Sequence(), "endSequenceNumber": record.Sequence(),
			"approximateArrivalOfFirstRecord": now, "approximateArrivalOfLastRecord": now, "batchSize": 1},
	}
}
