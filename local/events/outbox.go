package events

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"time"

	"portolan/local/disk"
)

// An Outbox keeps the events of a service on disk together with the changes that they
// tell of, until they were emitted: a process that is killed between the two leaves
// them to the next one. An event that was emitted just before may come twice.
//
// A service adds an event with its lock held, keeps it in the transaction that writes
// the change, and sends it afterwards.
type Outbox struct {
	disk   *disk.Disk
	bucket string
	to     Emitter

	mu    sync.Mutex
	last  uint64
	added []*Outgoing
}

// An Outgoing is an event on its way to the bus.
type Outgoing struct {
	key   string
	event Event
	kept  bool
}

// kept is an event as it is on disk.
type kept struct {
	Source     string          `json:"source"`
	DetailType string          `json:"detailType"`
	Account    string          `json:"account,omitempty"`
	Region     string          `json:"region,omitempty"`
	Time       time.Time       `json:"time"`
	Resources  []string        `json:"resources,omitempty"`
	Detail     json.RawMessage `json:"detail"`
}

// OpenOutbox emits what the process before kept in the bucket and did not emit. An
// outbox without an emitter takes events and tells nobody.
func OpenOutbox(d *disk.Disk, bucket string, to Emitter) (*Outbox, error) {
	o := &Outbox{disk: d, bucket: bucket, to: to}
	var left []*Outgoing
	err := disk.LoadJSON(d, bucket, func(key string, k *kept) {
		if n, err := strconv.ParseUint(key, 10, 64); err == nil {
			o.last = max(o.last, n)
		}
		left = append(left, &Outgoing{key: key, kept: true, event: Event{Source: k.Source, DetailType: k.DetailType,
			Account: k.Account, Region: k.Region, Time: k.Time, Resources: k.Resources, Detail: k.Detail}})
	})
	if err != nil {
		return nil, fmt.Errorf("loading events that were not sent: %w", err)
	}
	for _, e := range left {
		o.Send(context.Background(), e)
	}
	return o, nil
}

// Add takes an event that the next transaction has to keep. The service's lock is
// held.
func (o *Outbox) Add(e Event) *Outgoing {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last++
	out := &Outgoing{key: fmt.Sprintf("%020d", o.last), event: e}
	if o.to != nil {
		o.added = append(o.added, out)
	}
	return out
}

// Waiting says whether events were added since the last transaction.
func (o *Outbox) Waiting() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.added) > 0
}

// Keep writes what was added with the change that it tells of.
func (o *Outbox) Keep(tx *disk.Tx) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	added := o.added
	o.added = nil
	if !tx.Keeps() {
		return nil
	}
	for _, out := range added {
		e := out.event
		detail, err := json.Marshal(e.Detail)
		if err != nil {
			return fmt.Errorf("encoding a %s: %w", e.DetailType, err)
		}
		err = tx.PutJSON(o.bucket, out.key, kept{e.Source, e.DetailType, e.Account, e.Region, e.Time, e.Resources, detail})
		if err != nil {
			return err
		}
		out.kept = true
	}
	return nil
}

// Send emits an event, and forgets it.
func (o *Outbox) Send(ctx context.Context, out *Outgoing) {
	if o.to == nil {
		return
	}
	o.to.Emit(ctx, out.event)
	if out.kept {
		// What the disk refuses to forget comes once more after a restart.
		_ = o.disk.Update(func(tx *disk.Tx) error { return tx.Delete(o.bucket, []byte(out.key)) })
	}
}
