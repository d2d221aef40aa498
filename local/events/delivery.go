package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"portolan/local/disk"
)

// A delivery is one event on its way to one target.
type delivery struct {
	Sequence uint64
	Rule     string
	RuleARN  string
	Target   Target
	EventID  string
	Input    []byte
	Since    time.Time
	Attempts int
	Due      time.Time // of the next attempt; zero for the first
}

func (d *delivery) key() string { return fmt.Sprintf("%020d", d.Sequence) }

// queue names the line in which the delivery stands.
func (d *delivery) queue() string { return d.Rule + "\x00" + d.Target.ID }

// What EventBridge does unless the target's retry policy says otherwise.
const (
	retryAttempts = 185
	retryFor      = 24 * time.Hour
	retryFirst    = time.Second
	retryLongest  = 5 * time.Minute
)

// enqueue puts the delivery in its target's line, or notes it for when it is
// due. Only first attempts stand in line: one that fails is tried again later
// by itself, so that it blocks nothing behind it. s.mu must be held.
func (s *Server) enqueue(d *delivery) {
	if s.closed {
		return
	}
	if !d.Due.IsZero() {
		s.agenda.At(d.key(), d.Due, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			d.Due = time.Time{}
			s.enqueue(d)
		})
		return
	}
	line, running := s.queues[d.queue()]
	s.queues[d.queue()] = append(line, d)
	if !running {
		s.work.Add(1)
		s.config.Go(func() { s.drain(d.queue()) })
	}
}

// drain delivers a target's line in order, and ends when it is empty.
func (s *Server) drain(queue string) {
	defer s.work.Done()
	for {
		s.mu.Lock()
		line := s.queues[queue]
		if len(line) == 0 || s.closed {
			delete(s.queues, queue)
			s.mu.Unlock()
			return
		}
		d := line[0]
		s.queues[queue] = line[1:]
		s.mu.Unlock()
		s.attempt(d)
	}
}

func (s *Server) attempt(d *delivery) {
	err := error(&Undeliverable{"NO_TARGET", "nothing delivers to targets"})
	if s.config.Deliver != nil {
		err = s.config.Deliver(s.ctx, d.Target, d.Input)
	}
	if err != nil && s.ctx.Err() != nil {
		return // Closing: the delivery stays on disk.
	}
	exhausted := ""
	if err != nil {
		if exhausted = s.retry(d, err); exhausted == "" {
			return
		}
		s.bury(d, err, exhausted)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.deliveries, d.key())
	// A delivery that stays on disk is delivered once more after a restart, which
	// at least once allows.
	_ = s.config.Disk.Update(func(tx *disk.Tx) error { return tx.Delete(deliveryBucket, []byte(d.key())) })
}

// retry notes the next attempt, or tells why there is none.
func (s *Server) retry(d *delivery, err error) (exhausted string) {
	if _, final := errors.AsType[*Undeliverable](err); final {
		return "Permanent"
	}
	attempts, age := retryAttempts, retryFor
	if p := d.Target.RetryPolicy; p != nil {
		if p.MaximumRetryAttempts != nil {
			attempts = int(*p.MaximumRetryAttempts)
		}
		if p.MaximumEventAgeInSeconds != nil {
			age = time.Duration(*p.MaximumEventAgeInSeconds) * time.Second
		}
	}
	if d.Attempts >= attempts {
		return "MaximumRetryAttempts"
	}
	now := s.config.Clock.Now()
	wait := min(retryFirst<<min(d.Attempts, 16), retryLongest)
	if now.Add(wait).Sub(d.Since) > age {
		return "MaximumEventAgeInSeconds"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d.Attempts++
	d.Due = now.Add(s.config.IDs.Between(wait/2, wait))
	// Without the new due time on disk, a restart only tries too early.
	_ = s.config.Disk.Update(func(tx *disk.Tx) error { return tx.PutJSON(deliveryBucket, d.key(), d) })
	s.enqueue(d)
	return ""
}

// bury sends the delivery to the target's dead-letter queue with the attributes
// that EventBridge documents.
func (s *Server) bury(d *delivery, err error, exhausted string) {
	if d.Target.DeadLetterConfig == nil || s.config.DeadLetter == nil {
		return
	}
	code, message := "SDK_CLIENT_ERROR", err.Error()
	if final, ok := errors.AsType[*Undeliverable](err); ok {
		code, message = final.Code, final.Message
	}
	attributes := map[string]string{
		"RULE_ARN": d.RuleARN, "TARGET_ARN": d.Target.Arn, "ERROR_CODE": code, "ERROR_MESSAGE": message,
		"RETRY_ATTEMPTS": strconv.Itoa(d.Attempts),
	}
	if exhausted != "Permanent" {
		attributes["EXHAUSTED_RETRY_CONDITION"] = exhausted
	}
	// EventBridge drops what even the dead-letter queue refuses.
	_ = s.config.DeadLetter(s.ctx, d.Target.DeadLetterConfig.Arn, d.Input, attributes)
}

// Pending is how many deliveries have not reached their target yet.
func (s *Server) Pending() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.deliveries)
}

func decodeEvent(raw []byte) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var members map[string]any
	err := decoder.Decode(&members)
	return members, err
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
