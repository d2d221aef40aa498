package states

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	"portolan/local/disk"
)

// The buckets. A history has one of its own, so that it is dropped as a whole:
// its keys are the ids of the first event of each write, its values arrays.
const (
	machinesBucket   = "states/machines"
	revisionsBucket  = "states/revisions"
	executionsBucket = "states/executions"
	namesBucket      = "states/names"
	historyBucket    = "states/history/"
)

// touch notes that the execution has to be saved.
func (s *Server) touch(x *execution) {
	if !x.dirty {
		x.dirty = true
		s.dirty = append(s.dirty, x)
	}
}

// save writes what changed since the last save, all or nothing.
func (s *Server) save() error {
	dirty, forgotten := s.dirty, s.forgotten
	s.dirty, s.forgotten = nil, nil
	for _, x := range dirty {
		x.dirty = false
	}
	if s.config.Disk == nil || len(dirty)+len(forgotten) == 0 {
		return nil
	}
	err := s.config.Disk.Update(func(tx *disk.Tx) error {
		for _, x := range dirty {
			if err := s.saveExecution(tx, x); err != nil {
				return fmt.Errorf("saving %s: %w", x.arn, err)
			}
		}
		for _, x := range forgotten {
			if err := s.deleteExecution(tx, x); err != nil {
				return fmt.Errorf("forgetting %s: %w", x.arn, err)
			}
		}
		return nil
	})
	if err != nil {
		for _, x := range dirty {
			s.touch(x)
		}
		s.forgotten = append(forgotten, s.forgotten...)
		return err
	}
	for _, x := range dirty {
		x.onDisk = x.lastEvent
		if !x.open() {
			x.history = nil
		}
	}
	return nil
}

func (s *Server) saveExecution(tx *disk.Tx, x *execution) error {
	if err := put(tx, executionsBucket, []byte(x.arn), x.save()); err != nil {
		return err
	}
	chunk := []byte{'['}
	for _, e := range x.history {
		if e.id > x.onDisk {
			chunk = append(e.append(chunk), ',')
		}
	}
	if len(chunk) == 1 {
		return nil
	}
	chunk[len(chunk)-1] = ']'
	return tx.Put(historyBucket+x.arn, binary.BigEndian.AppendUint64(nil, uint64(x.onDisk)), chunk)
}

// deleteExecution keeps nothing but the name, which stays taken.
func (s *Server) deleteExecution(tx *disk.Tx, x *execution) error {
	if t := s.names[x.revision.machineARN][x.name]; t != nil && t.Execution == x.arn {
		key := []byte(x.revision.machineARN + "|" + x.name)
		if err := put(tx, namesBucket, key, t); err != nil {
			return err
		}
	}
	if err := tx.Delete(executionsBucket, []byte(x.arn)); err != nil {
		return err
	}
	return tx.Drop(historyBucket + x.arn)
}

func put(tx *disk.Tx, bucket string, key []byte, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return tx.Put(bucket, key, text)
}

// events are the history of an execution, the oldest first.
func (s *Server) events(x *execution) ([]json.RawMessage, error) {
	all := make([]json.RawMessage, 0, x.lastEvent)
	if len(x.history) < int(x.lastEvent) && s.config.Disk != nil {
		err := s.config.Disk.Load(historyBucket+x.arn, func(_, v []byte) error {
			var chunk []json.RawMessage
			if err := json.Unmarshal(v, &chunk); err != nil {
				return err
			}
			all = append(all, chunk...)
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("reading the history of %s: %w", x.arn, err)
		}
	}
	read := int64(len(all))
	for _, e := range x.history {
		if e.id > read {
			all = append(all, e.text())
		}
	}
	return all, nil
}

func (s *Server) saveMachine(m *machine) error {
	return s.config.Disk.Update(func(tx *disk.Tx) error {
		if err := put(tx, revisionsBucket, []byte(m.revision.id), m.revision.save()); err != nil {
			return err
		}
		return put(tx, machinesBucket, []byte(m.arn), m.save())
	})
}

func (s *Server) deleteMachine(m *machine) error {
	return s.config.Disk.Update(func(tx *disk.Tx) error {
		return tx.Delete(machinesBucket, []byte(m.arn))
	})
}
