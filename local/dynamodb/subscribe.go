package dynamodb

import (
	"context"
	"errors"
	"fmt"

	"portolan/local/disk"
)

const checkpointBucket = "dynamodb/checkpoints"

// A Reader gives a consumer the records of one stream in order, from its
// durable position. It is for one goroutine.
type Reader struct {
	s    *Server
	st   *stream
	name string
	// at is the sequence number of the last record that was given out.
	at uint64
}

// OpenStream returns a reader at the position that the consumer's last Commit
// stored, or else at the oldest record, or with latest behind the newest.
// Records that were given out but not committed come again after a restart.
func (s *Server) OpenStream(streamARN, consumer string, latest bool) (*Reader, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.streams[streamARN]
	if st == nil {
		return nil, fmt.Errorf("dynamodb: there is no stream %s", streamARN)
	}
	r := &Reader{s: s, st: st, name: streamARN + "/" + consumer}
	at, found := s.checkpoints[r.name]
	r.at = at
	if !found && latest {
		// The position is durable from the start, so that a restart before the
		// first Commit loses nothing.
		if last := len(st.records); last > 0 {
			r.at = st.records[last-1].sequence
		}
		return r, r.commit(formatSequence(r.at))
	}
	return r, nil
}

// ErrClosed tells that the server was closed while a reader waited.
var ErrClosed = errors.New("dynamodb: the server is closed")

// Next returns up to limit records behind those it returned before. It waits
// for the first until ctx ends.
func (r *Reader) Next(ctx context.Context, limit int) ([]*Record, error) {
	for {
		r.s.mu.RLock()
		first := r.st.after(r.at)
		records := r.st.records[first:min(first+limit, len(r.st.records))]
		batch := append([]*Record(nil), records...)
		grown, closed := r.st.grown, r.s.closed
		r.s.mu.RUnlock()
		if len(batch) > 0 {
			r.at = batch[len(batch)-1].sequence
			return batch, nil
		}
		if closed {
			return nil, ErrClosed
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Position is the sequence number behind which Next goes on: of the last record
// that it returned, or of the last that was committed. Seek takes it back.
func (r *Reader) Position() string { return formatSequence(r.at) }

// Seek makes Next go on behind a sequence number, for a consumer that takes
// part of a batch again.
func (r *Reader) Seek(sequence string) error {
	at, ok := parseSequence(sequence)
	if !ok {
		return fmt.Errorf("dynamodb: %q is no sequence number", sequence)
	}
	r.at = at
	return nil
}

// Commit stores that all records up to the sequence number are done with.
func (r *Reader) Commit(sequence string) error {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	return r.commit(sequence)
}

func (r *Reader) commit(sequence string) error {
	at, ok := parseSequence(sequence)
	if !ok {
		return fmt.Errorf("dynamodb: %q is no sequence number", sequence)
	}
	if err := r.s.config.Disk.Update(func(tx *disk.Tx) error {
		return tx.Put(checkpointBucket, []byte(r.name), []byte(sequence))
	}); err != nil {
		return fmt.Errorf("storing the position of %s: %w", r.name, err)
	}
	r.s.checkpoints[r.name] = at
	return nil
}

// loadCheckpoints reads the positions of all consumers.
func (s *Server) loadCheckpoints() error {
	return s.config.Disk.Load(checkpointBucket, func(name, sequence []byte) error {
		at, ok := parseSequence(string(sequence))
		if !ok {
			return fmt.Errorf("the position of %s cannot be read", name)
		}
		s.checkpoints[string(name)] = at
		return nil
	})
}

// Subscribe calls handle with batches of up to batchSize records, one after the
// other, until ctx ends or the server is closed; what handle accepts is
// committed. It starts at the consumer's position, and without one at the
// oldest record.
//
// An error of handle ends the subscription: handle is where retries, splitting
// and giving up belong.
func (s *Server) Subscribe(ctx context.Context, streamARN, consumer string, batchSize int,
	handle func(ctx context.Context, records []*Record) error) error {
	r, err := s.OpenStream(streamARN, consumer, false)
	if err != nil {
		return err
	}
	for {
		records, err := r.Next(ctx, batchSize)
		if err != nil {
			return err
		}
		if err := handle(ctx, records); err != nil {
			return fmt.Errorf("handling stream records: %w", err)
		}
		if err := r.Commit(records[len(records)-1].Sequence()); err != nil {
			return err
		}
	}
}
