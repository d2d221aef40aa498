package dynamodb

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"portolan/local/disk"
)

const tableBucket = "dynamodb/tables"

func itemBucket(id string) string { return "dynamodb/items/" + id }

// A savedTable is what the disk keeps of a table beside its items.
type savedTable struct {
	Spec     tableSpec
	ID       string
	Created  time.Time
	ActiveAt time.Time
	Streams  []savedStream
}

type savedStream struct {
	ARN, Label, View string
	Enabled          bool
}

// keepTable writes a table's definition to disk.
func (s *Server) keepTable(t *table) *apiError {
	saved := savedTable{Spec: t.spec, ID: t.id, Created: t.created, ActiveAt: t.activeAt}
	for _, st := range append(t.streams[:len(t.streams):len(t.streams)], t.stream) {
		if st != nil {
			saved.Streams = append(saved.Streams, savedStream{st.arn, st.label, st.view, st.enabled})
		}
	}
	data, err := json.Marshal(saved)
	if err != nil {
		return internal(fmt.Errorf("encoding table %s: %w", t.spec.TableName, err))
	}
	if err := s.config.Disk.Update(func(tx *disk.Tx) error {
		return tx.Put(tableBucket, []byte(t.spec.TableName), data)
	}); err != nil {
		return internal(fmt.Errorf("writing table %s to disk: %w", t.spec.TableName, err))
	}
	return nil
}

// load reads everything back.
func (s *Server) load() error {
	var saved []savedTable
	err := s.config.Disk.Load(tableBucket, func(name, data []byte) error {
		var one savedTable
		if err := json.Unmarshal(data, &one); err != nil {
			return fmt.Errorf("reading table %s: %w", name, err)
		}
		saved = append(saved, one)
		return nil
	})
	if err != nil {
		return err
	}
	for _, one := range saved {
		if err := s.loadTable(one); err != nil {
			return err
		}
	}
	if err := s.loadBackups(); err != nil {
		return err
	}
	if err := s.loadCheckpoints(); err != nil {
		return err
	}
	return s.loadTokens()
}

func (s *Server) loadTable(saved savedTable) error {
	t := newTable(saved.Spec)
	t.id, t.created, t.activeAt = saved.ID, saved.Created, saved.ActiveAt
	if err := s.config.Disk.Load(itemBucket(t.id), func(place, data []byte) error {
		it, err := readItem(data)
		if err == nil {
			t.replace(string(place), nil, it)
		}
		return err
	}); err != nil {
		return fmt.Errorf("reading the items of table %s: %w", t.spec.TableName, err)
	}
	for _, one := range saved.Streams {
		if err := s.loadStream(t, one); err != nil {
			return err
		}
	}
	s.tables[t.spec.TableName] = t
	return nil
}

// readItem reads what appendItem wrote.
func readItem(data []byte) (item, error) {
	d := decoder{data: string(data)}
	var it attributes
	d.attributes(asField, &it)
	if d.err != nil {
		return nil, d.err
	}
	if it.problem != "" {
		return nil, errors.New(it.problem)
	}
	return it.item, nil
}

func (s *Server) loadStream(t *table, saved savedStream) error {
	st := &stream{
		arn: saved.ARN, label: saved.Label, view: saved.View, enabled: saved.Enabled,
		region: s.config.Region, table: t.spec.TableName, keys: t.schema,
		grown: make(chan struct{}),
	}
	if err := s.config.Disk.Load(streamBucket(st.arn), func(key, data []byte) error {
		r, err := st.readRecord(key, data)
		if err == nil {
			st.records = append(st.records, r)
			s.sequence = max(s.sequence, r.sequence)
		}
		return err
	}); err != nil {
		return err
	}
	s.streams[st.arn] = st
	if st.enabled {
		t.stream = st
	} else {
		t.streams = append(t.streams, st)
	}
	return nil
}
