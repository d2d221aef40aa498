package dynamodb

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"portolan/local/disk"
)

// tableOperation is an operation on tables or streams. They are rare, so their
// answers go through encoding/json.
func tableOperation[In any](do func(*Server, context.Context, *In) (any, *apiError)) operation {
	return func(s *Server, ctx context.Context, body string, out []byte) ([]byte, *apiError) {
		in := new(In)
		d := decoder{data: body}
		if d.peek() != '{' {
			return out, serialization("")
		}
		d.structure(reflect.ValueOf(in).Elem(), asField, "")
		if d.err == nil && d.peek() != 0 {
			d.fail("")
		}
		if d.err != nil {
			return out, d.err
		}
		answer, failed := do(s, ctx, in)
		if failed != nil {
			return out, failed
		}
		encoded, err := json.Marshal(answer)
		if err != nil {
			return out, internal(fmt.Errorf("encoding the answer: %w", err))
		}
		return append(out, encoded...), nil
	}
}

type object = map[string]any

// CreateTableFromProperties makes a table of the properties of a template's
// AWS::DynamoDB::Table, which can be used at once. An existing table with the
// same keys is kept with its items, and takes over stream, time to live and
// indexes, so that a restart finds its table. It returns the table's ARN, and
// that of its stream, if it has one.
func (s *Server) CreateTableFromProperties(name string, properties map[string]any) (
	tableARN, streamARN string, err error) {
	spec, err := specFromProperties(name, properties)
	if err != nil {
		return "", "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tables[name]
	var failed *apiError
	switch {
	case t == nil:
		t, failed = s.addTable(*spec, 0)
	case !slices.Equal(t.spec.KeySchema, spec.KeySchema):
		return "", "", fmt.Errorf("table %s exists with another key", name)
	default:
		failed = s.redefine(t, *spec)
	}
	if failed != nil {
		return "", "", fmt.Errorf("creating table %s: %w", name, failed)
	}
	if t.stream != nil && t.stream.enabled {
		streamARN = t.stream.arn
	}
	return s.tableARN(t), streamARN, nil
}

// specFromProperties reads a template's properties, where numbers and booleans
// may be texts.
func specFromProperties(name string, properties map[string]any) (*tableSpec, error) {
	data, err := json.Marshal(retype(properties))
	if err != nil {
		return nil, fmt.Errorf("encoding the properties of table %s: %w", name, err)
	}
	var in struct {
		tableSpec
		TimeToLiveSpecification          *timeToLive
		PointInTimeRecoverySpecification struct{ PointInTimeRecoveryEnabled bool }
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return nil, fmt.Errorf("reading the properties of table %s: %w", name, err)
	}
	spec := in.tableSpec
	spec.TableName = name
	spec.TimeToLive = nil
	if ttl := in.TimeToLiveSpecification; ttl != nil && ttl.Enabled {
		spec.TimeToLive = ttl
	}
	spec.PointInTimeRecovery = in.PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled
	if st := spec.StreamSpecification; st != nil {
		st.StreamEnabled = st.StreamViewType != ""
	}
	if spec.BillingMode == "" && spec.ProvisionedThroughput == nil {
		spec.BillingMode = "PAY_PER_REQUEST"
	}
	return &spec, nil
}

// retype gives the values of a template that may be texts their types: an
// intrinsic function, or YAML with quotes, makes a text of a number or a boolean.
func retype(v any) any {
	switch v := v.(type) {
	case map[string]any:
		typed := make(map[string]any, len(v))
		for name, inner := range v {
			typed[name] = retype(inner)
			text, isText := inner.(string)
			if !isText {
				continue
			}
			switch {
			case strings.HasSuffix(name, "Enabled"):
				typed[name] = text == "true"
			case strings.HasSuffix(name, "CapacityUnits"):
				typed[name] = json.Number(text)
			}
		}
		return typed
	case []any:
		typed := make([]any, len(v))
		for i, inner := range v {
			typed[i] = retype(inner)
		}
		return typed
	}
	return v
}

// addTable makes a table and keeps it. The lock is held.
func (s *Server) addTable(spec tableSpec, delay time.Duration) (*table, *apiError) {
	if err := spec.check(); err != nil {
		return nil, err
	}
	now := s.now()
	t := newTable(spec)
	t.id, t.created, t.activeAt = s.config.NewID(), now, now.Add(delay)
	if spec.PointInTimeRecovery {
		t.spec.RecoverableSince = seconds(now)
	}
	if st := spec.StreamSpecification; st != nil && st.StreamEnabled {
		s.openStream(t, st.StreamViewType)
	}
	if err := s.keepTable(t); err != nil {
		return nil, err
	}
	s.tables[spec.TableName] = t
	return t, nil
}

func newTable(spec tableSpec) *table {
	t := &table{spec: spec, schema: spec.schemaOf(spec.KeySchema)}
	for _, x := range spec.LocalSecondaryIndexes {
		t.indexes = append(t.indexes, spec.indexOf(x, false))
	}
	for _, x := range spec.GlobalSecondaryIndexes {
		t.indexes = append(t.indexes, spec.indexOf(x, true))
	}
	return t
}

// streamLabel is the form of a stream's label, the time at which it was enabled.
const streamLabel = "2006-01-02T15:04:05.000"

// openStream gives the table a new stream. The lock is held.
func (s *Server) openStream(t *table, view string) {
	at := s.now()
	label := at.Format(streamLabel)
	for s.streams[s.tableARN(t)+"/stream/"+label] != nil {
		at = at.Add(time.Millisecond)
		label = at.Format(streamLabel)
	}
	st := &stream{
		arn: s.tableARN(t) + "/stream/" + label, label: label, view: view,
		region: s.config.Region, table: t.spec.TableName, keys: t.schema, enabled: true,
		grown: make(chan struct{}),
	}
	t.stream = st
	s.streams[st.arn] = st
}

func (s *Server) tableARN(t *table) string { return s.arn("table/" + t.spec.TableName) }

// redefine gives a table what may change of its definition. The lock is held.
func (s *Server) redefine(t *table, spec tableSpec) *apiError {
	if err := spec.check(); err != nil {
		return err
	}
	if ttl := t.spec.TimeToLive; spec.TimeToLive == nil && ttl != nil || spec.TimeToLive != nil &&
		(ttl == nil || *ttl != *spec.TimeToLive) {
		t.spec.TimeToLive = spec.TimeToLive
		t.indexExpiry()
		s.armExpiry()
	}
	if spec.PointInTimeRecovery && spec.RecoverableSince == 0 {
		spec.RecoverableSince = seconds(s.now())
		if t.spec.PointInTimeRecovery {
			spec.RecoverableSince = t.spec.RecoverableSince
		}
	}
	s.restream(t, spec.StreamSpecification)
	t.reindex(spec)
	t.spec = spec
	return s.keepTable(t)
}

// restream switches a table's stream on or off, or leaves it.
func (s *Server) restream(t *table, wanted *streamSpec) {
	on := t.stream != nil && t.stream.enabled
	want := wanted != nil && wanted.StreamEnabled
	switch {
	case on && want && t.stream.view == wanted.StreamViewType:
		return
	case on:
		t.stream.enabled = false
		t.streams = append(t.streams, t.stream)
	}
	if want {
		s.openStream(t, wanted.StreamViewType)
	}
}

// reindex keeps the indexes that stay and fills those that are new.
func (t *table) reindex(spec tableSpec) {
	fresh := newTable(spec)
	for i, x := range fresh.indexes {
		if old := t.index(x.name); old != nil && old.schema == x.schema {
			x.entries = old.entries
			continue
		}
		t.items.ascend("", func(_ string, it item) bool {
			fresh.indexes[i].replace(t, nil, it)
			return true
		})
	}
	t.indexes = fresh.indexes
}

func (s *Server) createTable(_ context.Context, in *tableSpec) (any, *apiError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := in.check(); err != nil {
		return nil, err
	}
	if s.tables[in.TableName] != nil {
		return nil, failure("ResourceInUseException", "Table already exists: "+in.TableName)
	}
	in.TimeToLive, in.PointInTimeRecovery = nil, false
	t, err := s.addTable(*in, s.config.CreateDelay)
	if err != nil {
		return nil, err
	}
	return object{"TableDescription": s.describe(t)}, nil
}

type tableName struct{ TableName string }

// checkTableName checks the name as the operations on tables word it, which
// differ from those on items.
func checkTableName(name string) *apiError {
	switch {
	case name == "":
		return validation("The parameter 'TableName' is required but was not present in the request")
	case strings.HasPrefix(name, arnPrefix):
		return nil
	case len(name) < 3 || len(name) > 255:
		return validation("TableName must be at least 3 characters long and at most 255 " +
			"characters long")
	}
	var v violations
	v.name(text{true, name}, "tableName")
	return v.err()
}

// named finds the table that a request on tables names.
func (s *Server) named(name string) (*table, *apiError) {
	if err := checkTableName(name); err != nil {
		return nil, err
	}
	t := s.find(name)
	if t == nil {
		return nil, tableNotFound(name)
	}
	return t, nil
}

func (s *Server) describeTable(_ context.Context, in *tableName) (any, *apiError) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t, err := s.named(in.TableName)
	if err != nil {
		return nil, err
	}
	return object{"Table": s.describe(t)}, nil
}

func (s *Server) listTables(_ context.Context, in *struct {
	ExclusiveStartTableName string
	Limit                   *int
}) (any, *apiError) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	limit := 100
	if in.Limit != nil {
		limit = *in.Limit
		if limit < 1 || limit > 100 {
			return nil, validation("1 validation error detected: Value '" + itoa(limit) +
				"' at 'limit' failed to satisfy constraint: Member must have value less than or " +
				"equal to 100")
		}
	}
	names := slices.DeleteFunc(s.tableNames(), func(name string) bool {
		return name <= in.ExclusiveStartTableName && in.ExclusiveStartTableName != ""
	})
	answer := object{"TableNames": names}
	if len(names) > limit {
		answer["TableNames"] = names[:limit]
		answer["LastEvaluatedTableName"] = names[limit-1]
	}
	return answer, nil
}

func (s *Server) deleteTable(_ context.Context, in *tableName) (any, *apiError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.named(in.TableName)
	if err != nil {
		return nil, err
	}
	if s.now().Before(t.activeAt) {
		return nil, failure("ResourceInUseException",
			"Attempt to change a resource which is still in use: Table is being created: "+
				t.spec.TableName)
	}
	if t.spec.DeletionProtectionEnabled {
		return nil, validation("Resource cannot be deleted as it is currently protected against " +
			"deletion. Disable deletion protection first.")
	}
	if err := s.removeTable(t); err != nil {
		return nil, err
	}
	description := s.describe(t)
	description["TableStatus"] = "DELETING"
	for _, hidden := range []string{"KeySchema", "AttributeDefinitions", "CreationDateTime"} {
		delete(description, hidden)
	}
	return object{"TableDescription": description}, nil
}

// DeleteTable removes a table with its items, for a stack that is deleted. A
// table that is not there is no error.
func (s *Server) DeleteTable(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tables[name]
	if t == nil {
		return nil
	}
	if err := s.removeTable(t); err != nil {
		return fmt.Errorf("deleting table %s: %w", name, err)
	}
	return nil
}

func (s *Server) removeTable(t *table) *apiError {
	if err := s.config.Disk.Update(func(tx *disk.Tx) error {
		for _, st := range append(t.streams, t.stream) {
			if st == nil {
				continue
			}
			if err := tx.Drop(streamBucket(st.arn)); err != nil {
				return err
			}
		}
		if err := tx.Drop(itemBucket(t.id)); err != nil {
			return err
		}
		return tx.Delete(tableBucket, []byte(t.spec.TableName))
	}); err != nil {
		return internal(fmt.Errorf("deleting table %s from disk: %w", t.spec.TableName, err))
	}
	delete(s.tables, t.spec.TableName)
	if t.stream != nil {
		t.stream.enabled = false
		t.stream.wake()
	}
	for arn := range s.streams {
		if strings.HasPrefix(arn, s.tableARN(t)+"/stream/") {
			delete(s.streams, arn)
		}
	}
	s.armExpiry()
	return nil
}
