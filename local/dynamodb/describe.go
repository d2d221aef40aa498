package dynamodb

import (
	"context"
	"slices"
	"time"
)

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// describe is a table as DescribeTable gives it. The lock is held.
func (s *Server) describe(t *table) object {
	status := "ACTIVE"
	if s.now().Before(t.activeAt) {
		status = "CREATING"
	}
	answer := object{
		"TableName": t.spec.TableName, "TableArn": s.tableARN(t), "TableId": t.id,
		"TableStatus": status, "CreationDateTime": seconds(t.created),
		"AttributeDefinitions": t.spec.AttributeDefinitions, "KeySchema": t.spec.KeySchema,
		"ItemCount": t.items.size, "TableSizeBytes": t.bytes,
		"ProvisionedThroughput":     describeThroughput(t.spec.ProvisionedThroughput),
		"DeletionProtectionEnabled": t.spec.DeletionProtectionEnabled,
	}
	if t.spec.onDemand() {
		answer["BillingModeSummary"] = object{
			"BillingMode": "PAY_PER_REQUEST", "LastUpdateToPayPerRequestDateTime": seconds(t.created),
		}
	}
	if t.spec.TableClass != "" {
		answer["TableClassSummary"] = object{"TableClass": t.spec.TableClass}
	}
	if t.spec.SSESpecification["SSEEnabled"] == true {
		answer["SSEDescription"] = object{"Status": "ENABLED", "SSEType": "KMS"}
	}
	if list := s.describeIndexes(t, t.spec.LocalSecondaryIndexes, ""); list != nil {
		answer["LocalSecondaryIndexes"] = list
	}
	if list := s.describeIndexes(t, t.spec.GlobalSecondaryIndexes, status); list != nil {
		answer["GlobalSecondaryIndexes"] = list
	}
	if st := t.stream; st != nil {
		if st.enabled {
			answer["StreamSpecification"] = streamSpec{true, st.view}
		}
		answer["LatestStreamArn"], answer["LatestStreamLabel"] = st.arn, st.label
	}
	return answer
}

func describeThroughput(t *throughput) object {
	if t == nil {
		t = &throughput{}
	}
	return object{"NumberOfDecreasesToday": 0, "ReadCapacityUnits": t.ReadCapacityUnits,
		"WriteCapacityUnits": t.WriteCapacityUnits}
}

// describeIndexes describes local indexes, or with a status global ones.
func (s *Server) describeIndexes(t *table, specs []indexSpec, status string) []object {
	var answer []object
	for _, spec := range specs {
		x := t.index(spec.IndexName)
		size := 0
		x.entries.ascend("", func(_ string, it item) bool {
			size += x.view(t, it).size()
			return true
		})
		one := object{
			"IndexName": spec.IndexName, "IndexArn": s.tableARN(t) + "/index/" + spec.IndexName,
			"KeySchema": spec.KeySchema, "Projection": spec.Projection,
			"ItemCount": x.entries.size, "IndexSizeBytes": size,
		}
		if status != "" {
			one["IndexStatus"] = status
			one["ProvisionedThroughput"] = describeThroughput(spec.ProvisionedThroughput)
		}
		answer = append(answer, one)
	}
	return answer
}

func (s *Server) updateTimeToLive(_ context.Context, in *struct {
	TableName               string
	TimeToLiveSpecification *timeToLive
}) (any, *apiError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.named(in.TableName)
	if err != nil {
		return nil, err
	}
	wanted := in.TimeToLiveSpecification
	if wanted == nil {
		return nil, validation("1 validation error detected: Value null at " +
			"'timeToLiveSpecification' failed to satisfy constraint: Member must not be null")
	}
	switch current := t.spec.TimeToLive; {
	case wanted.Enabled && current != nil:
		return nil, validation("TimeToLive is already enabled")
	case !wanted.Enabled && current == nil:
		return nil, validation("TimeToLive is already disabled")
	case wanted.Enabled:
		t.spec.TimeToLive = wanted
	default:
		t.spec.TimeToLive = nil
	}
	t.indexExpiry()
	s.armExpiry()
	return object{"TimeToLiveSpecification": wanted}, s.keepTable(t)
}

func (s *Server) describeTimeToLive(_ context.Context, in *tableName) (any, *apiError) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t, err := s.named(in.TableName)
	if err != nil {
		return nil, err
	}
	description := object{"TimeToLiveStatus": "DISABLED"}
	if ttl := t.spec.TimeToLive; ttl != nil {
		description = object{"TimeToLiveStatus": "ENABLED", "AttributeName": ttl.AttributeName}
	}
	return object{"TimeToLiveDescription": description}, nil
}

func (s *Server) updateBackups(_ context.Context, in *struct {
	TableName                        string
	PointInTimeRecoverySpecification struct{ PointInTimeRecoveryEnabled bool }
}) (any, *apiError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.namedForBackup(in.TableName)
	if err != nil {
		return nil, err
	}
	on := in.PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled
	if on && !t.spec.PointInTimeRecovery {
		t.spec.RecoverableSince = seconds(s.now())
	}
	t.spec.PointInTimeRecovery = on
	if err := s.keepTable(t); err != nil {
		return nil, err
	}
	return s.continuousBackups(t), nil
}

func (s *Server) namedForBackup(name string) (*table, *apiError) {
	t, err := s.named(name)
	if t == nil && name != "" && err.kind == model+"ResourceNotFoundException" {
		err = failure("TableNotFoundException", "Table not found: "+name)
	}
	return t, err
}

func (s *Server) describeBackups(_ context.Context, in *tableName) (any, *apiError) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t, err := s.namedForBackup(in.TableName)
	if err != nil {
		return nil, err
	}
	return s.continuousBackups(t), nil
}

func (s *Server) continuousBackups(t *table) object {
	recovery := object{"PointInTimeRecoveryStatus": "DISABLED"}
	if t.spec.PointInTimeRecovery {
		recovery = object{
			"PointInTimeRecoveryStatus": "ENABLED", "RecoveryPeriodInDays": 35,
			"EarliestRestorableDateTime": t.spec.RecoverableSince,
			"LatestRestorableDateTime":   seconds(s.now().Add(-5 * time.Minute)),
		}
	}
	return object{"ContinuousBackupsDescription": object{
		"ContinuousBackupsStatus":        "ENABLED",
		"PointInTimeRecoveryDescription": recovery,
	}}
}

type taggedResource struct {
	ResourceArn string
	Tags        []tag
	TagKeys     []string
}

func (s *Server) tagged(arn string) (*table, *apiError) {
	if t := s.find(arn); t != nil && s.tableARN(t) == arn {
		return t, nil
	}
	return nil, failure("ResourceNotFoundException", "Requested resource not found: ResourcArn: "+
		arn+" not found")
}

func (s *Server) tagResource(_ context.Context, in *taggedResource) (any, *apiError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.tagged(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	tags := slices.DeleteFunc(slices.Clone(t.spec.Tags), func(old tag) bool {
		return slices.ContainsFunc(in.Tags, func(fresh tag) bool { return fresh.Key == old.Key })
	})
	t.spec.Tags = append(tags, in.Tags...)
	return object{}, s.keepTable(t)
}

func (s *Server) untagResource(_ context.Context, in *taggedResource) (any, *apiError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.tagged(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	t.spec.Tags = slices.DeleteFunc(slices.Clone(t.spec.Tags), func(old tag) bool {
		return slices.Contains(in.TagKeys, old.Key)
	})
	return object{}, s.keepTable(t)
}

func (s *Server) listTags(_ context.Context, in *taggedResource) (any, *apiError) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t, err := s.tagged(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	tags := t.spec.Tags
	if tags == nil {
		tags = []tag{}
	}
	return object{"Tags": tags}, nil
}

// These are the quotas of a new account.
func (s *Server) describeLimits(context.Context, *struct{}) (any, *apiError) {
	return object{
		"AccountMaxReadCapacityUnits": 80000, "AccountMaxWriteCapacityUnits": 80000,
		"TableMaxReadCapacityUnits": 40000, "TableMaxWriteCapacityUnits": 40000,
	}, nil
}

func (s *Server) describeEndpoints(context.Context, *struct{}) (any, *apiError) {
	return object{"Endpoints": []object{{
		"Address":              "dynamodb." + s.config.Region + ".amazonaws.com",
		"CachePeriodInMinutes": 1440,
	}}}, nil
}
