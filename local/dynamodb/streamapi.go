package dynamodb

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
)

// shardOf is the name of a stream's only shard.
func (st *stream) shard() string {
	label := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, st.label)
	return "shardId-" + (label + "0000000000000000000000000")[:20] + "-00000001"
}

func (s *Server) listStreams(_ context.Context, in *struct {
	TableName               string
	ExclusiveStartStreamArn string
	Limit                   int
}) (any, *apiError) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var arns []string
	for arn, st := range s.streams {
		if (in.TableName == "" || st.table == in.TableName) && arn > in.ExclusiveStartStreamArn {
			arns = append(arns, arn)
		}
	}
	slices.Sort(arns)
	answer := object{}
	if in.Limit > 0 && len(arns) > in.Limit {
		arns = arns[:in.Limit]
		answer["LastEvaluatedStreamArn"] = arns[in.Limit-1]
	}
	streams := []object{}
	for _, arn := range arns {
		st := s.streams[arn]
		streams = append(streams, object{"StreamArn": arn, "TableName": st.table,
			"StreamLabel": st.label})
	}
	answer["Streams"] = streams
	return answer, nil
}

func (s *Server) streamNamed(arn string) (*stream, *apiError) {
	st := s.streams[arn]
	if st == nil {
		return nil, failure("ResourceNotFoundException",
			"Requested resource not found: Stream: "+arn+" not found")
	}
	return st, nil
}

func (s *Server) describeStream(
	_ context.Context, in *struct{ StreamArn string },
) (any, *apiError) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	st, err := s.streamNamed(in.StreamArn)
	if err != nil {
		return nil, err
	}
	status := "ENABLED"
	numbers := object{"StartingSequenceNumber": formatSequence(0)}
	if !st.enabled {
		status = "DISABLED"
		numbers["EndingSequenceNumber"] = formatSequence(s.sequence)
	}
	elements := []keyElement{{st.keys.hash.name, "HASH"}}
	if st.keys.sort.name != "" {
		elements = append(elements, keyElement{st.keys.sort.name, "RANGE"})
	}
	description := object{
		"StreamArn": st.arn, "StreamLabel": st.label, "StreamStatus": status,
		"StreamViewType": st.view, "TableName": st.table, "KeySchema": elements,
		"Shards": []object{{"ShardId": st.shard(), "SequenceNumberRange": numbers}},
	}
	for _, t := range s.tables {
		if t.spec.TableName == st.table {
			description["CreationRequestDateTime"] = seconds(t.created)
		}
	}
	return object{"StreamDescription": description}, nil
}

// An iterator is the stream's ARN and the sequence number behind which it goes
// on.
func (st *stream) iterator(sequence uint64) string {
	return st.arn + "|1|" + formatSequence(sequence)
}

func (s *Server) getShardIterator(_ context.Context, in *struct {
	StreamArn, ShardId, ShardIteratorType, SequenceNumber string
}) (any, *apiError) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	st, err := s.streamNamed(in.StreamArn)
	if err != nil {
		return nil, err
	}
	if in.ShardId != st.shard() {
		return nil, failure("ResourceNotFoundException",
			"Requested resource not found: Shard does not exist")
	}
	at := uint64(0)
	switch in.ShardIteratorType {
	case "TRIM_HORIZON":
	case "LATEST":
		at = s.sequence
	case "AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER":
		number, ok := parseSequence(in.SequenceNumber)
		if !ok {
			return nil, validation("The sequence number is invalid: " + in.SequenceNumber)
		}
		at = number
		if in.ShardIteratorType == "AT_SEQUENCE_NUMBER" && at > 0 {
			at--
		}
	default:
		var v violations
		v.oneOf(text{true, in.ShardIteratorType}, "shardIteratorType",
			"AT_SEQUENCE_NUMBER, TRIM_HORIZON, LATEST, AFTER_SEQUENCE_NUMBER")
		return nil, v.err()
	}
	return object{"ShardIterator": st.iterator(at)}, nil
}

// rawRecord is a record as GetRecords gives it.
type rawRecord struct{ *Record }

func (r rawRecord) MarshalJSON() ([]byte, error) {
	return append(r.appendFields([]byte(`{`)), '}'), nil
}

var _ json.Marshaler = rawRecord{}

func (s *Server) getRecords(_ context.Context, in *struct {
	ShardIterator string
	Limit         int
}) (any, *apiError) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	arn, number, _ := strings.Cut(in.ShardIterator, "|1|")
	at, ok := parseSequence(number)
	if !ok {
		return nil, validation("Invalid ShardIterator")
	}
	st, err := s.streamNamed(arn)
	if err != nil {
		return nil, err
	}
	limit := in.Limit
	if limit <= 0 || limit > 1000 {
		limit = 1000
	}
	first := st.after(at)
	records := []rawRecord{}
	for _, r := range st.records[first:min(first+limit, len(st.records))] {
		records = append(records, rawRecord{r})
		at = r.sequence
	}
	answer := object{"Records": records}
	if st.enabled || first+limit < len(st.records) {
		answer["NextShardIterator"] = st.iterator(at)
	}
	return answer, nil
}
