package asl

import (
	"fmt"
	"strings"

	"portolan/local/states/value"
)

func (d *decoder) task(s *State, f *fields) {
	f.require("Resource")
	s.Resource, _ = f.text("Resource")
	if f.has("Resource") && !strings.HasPrefix(s.Resource, "arn:") {
		d.schema(f.at("Resource"), "Value is not a valid resource ARN")
	}
	s.Credentials = f.template("Credentials")
	s.TimeoutSeconds, _ = f.whole("TimeoutSeconds", 1)
	s.HeartbeatSeconds, _ = f.whole("HeartbeatSeconds", 1)
	s.TimeoutPath = f.expr("TimeoutSecondsPath")
	s.HeartbeatPath = f.expr("HeartbeatSecondsPath")
	f.exclusive("TimeoutSeconds", "TimeoutSecondsPath")
	f.exclusive("HeartbeatSeconds", "HeartbeatSecondsPath")
	if s.TimeoutSeconds > 0 && s.HeartbeatSeconds >= s.TimeoutSeconds {
		d.schema(f.location, "HeartbeatSeconds must be smaller than TimeoutSeconds")
	}
}

func (d *decoder) wait(s *State, f *fields) {
	f.exactlyOne("Seconds", "Timestamp", "SecondsPath", "TimestampPath")
	if n, ok := f.whole("Seconds", 0); ok {
		s.Seconds = &n
	}
	timestamp, ok := f.text("Timestamp")
	if _, err := ParseTimestamp(timestamp); ok && err != nil {
		d.schema(f.at("Timestamp"), "Value is not a valid ISO-8601 extended offset date-time")
	}
	s.Timestamp = timestamp
	s.SecondsPath = f.expr("SecondsPath")
	s.TimestampPath = f.expr("TimestampPath")
}

func (d *decoder) failing(s *State, f *fields) {
	if text, ok := f.text("Error"); ok {
		s.Error = &text
	}
	if text, ok := f.text("Cause"); ok {
		s.Cause = &text
	}
	s.ErrorPath = f.expr("ErrorPath")
	s.CausePath = f.expr("CausePath")
	f.exclusive("Error", "ErrorPath")
	f.exclusive("Cause", "CausePath")
}

func (d *decoder) parallel(s *State, f *fields) {
	f.require("Branches")
	branches, ok := f.list("Branches")
	if ok && len(branches) == 0 {
		d.schema(f.at("Branches"), "There must be at least one branch")
	}
	for i, v := range branches {
		location := fmt.Sprintf("%s/Branches[%d]", f.location, i)
		branch, ok := v.(*value.Object)
		if !ok {
			d.schema(location, "Expected value of type Object")
			continue
		}
		inner := d.fields(branch, location)
		inner.text("Comment")
		inner.queryLanguage()
		s.Branches = append(s.Branches, d.flow(inner))
		inner.unknown()
	}
}

func (d *decoder) mapping(s *State, f *fields) {
	d.processor(s, f)
	s.ItemsPath = f.expr("ItemsPath")
	s.ItemSelector = f.template("ItemSelector")
	f.exclusive("ItemSelector", "Parameters")
	if s.Parameters != nil {
		// The old name: a Map has no Parameters of its own.
		s.ItemSelector, s.Parameters = s.Parameters, nil
	}
	s.MaxConcurrency, _ = f.whole("MaxConcurrency", 0)
	s.MaxConcurrencyPath = f.count("MaxConcurrencyPath")
	f.exclusive("MaxConcurrency", "MaxConcurrencyPath")
	d.tolerance(s, f)
	f.text("Label")
	for _, name := range []string{"ItemReader", "ItemBatcher", "ResultWriter"} {
		if f.has(name) {
			f.get(name)
			d.schema(f.at(name), "%s belongs to the distributed Map, "+
				"which the embedded Step Functions does not support", name)
		}
	}
}

// processor reads ItemProcessor, or Iterator as it was called before.
func (d *decoder) processor(s *State, f *fields) {
	f.exactlyOne("ItemProcessor", "Iterator")
	inner, ok := f.object("ItemProcessor")
	if !ok {
		inner, ok = f.object("Iterator")
	}
	if !ok {
		return
	}
	inner.text("Comment")
	if config, ok := inner.object("ProcessorConfig"); ok {
		mode, _ := config.text("Mode")
		config.text("ExecutionType")
		config.unknown()
		s.Distributed = mode == "DISTRIBUTED"
		if s.Distributed && !d.dialect.DistributedMap {
			d.schema(config.at("Mode"), "Distributed Map (Mode DISTRIBUTED) is not supported "+
				"by the embedded Step Functions: use INLINE")
		}
	}
	s.Processor = d.flow(inner)
	inner.unknown()
}

func (d *decoder) tolerance(s *State, f *fields) {
	const count, percentage = "ToleratedFailureCount", "ToleratedFailurePercentage"
	s.ToleratedCount, _ = f.whole(count, 0)
	s.ToleratedCountPath = f.count(count + "Path")
	s.ToleratedPercentage, _ = f.number(percentage, 0)
	s.ToleratedPercentagePath = f.count(percentage + "Path")
	if s.ToleratedPercentage > 100 {
		d.schema(f.at(percentage), "Maximum value is 100.0")
	}
	f.exclusive(count, count+"Path")
	f.exclusive(percentage, percentage+"Path")
	for _, name := range []string{count, count + "Path", percentage, percentage + "Path"} {
		s.HasTolerance = s.HasTolerance || f.has(name)
	}
}
