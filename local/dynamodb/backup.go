package dynamodb

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"portolan/local/disk"
)

const backupBucket = "dynamodb/backups"

func backupItems(arn string) string { return "dynamodb/backup/" + arn }

// A backup is a table as it was at one moment. It outlives the table.
type backup struct {
	ARN     string
	Name    string
	Created time.Time
	TableID string
	Spec    tableSpec
	Bytes   int
	Count   int
	// TableCreated is when the table of the backup was made.
	TableCreated time.Time

	items []stored
}

type stored struct {
	place string
	item  item
}

func (b *backup) details() object {
	return object{
		"BackupArn": b.ARN, "BackupName": b.Name, "BackupSizeBytes": b.Bytes,
		"BackupStatus": "AVAILABLE", "BackupType": "USER", "BackupCreationDateTime": seconds(b.Created),
	}
}

func (s *Server) describeBackupOf(b *backup) object {
	source := object{
		"TableName": b.Spec.TableName, "TableId": b.TableID, "KeySchema": b.Spec.KeySchema,
		"TableArn": s.arn("table/" + b.Spec.TableName), "TableSizeBytes": b.Bytes,
		"ItemCount": b.Count, "TableCreationDateTime": seconds(b.TableCreated),
		"ProvisionedThroughput": describeThroughput(b.Spec.ProvisionedThroughput),
		"BillingMode":           b.Spec.BillingMode,
	}
	features := object{}
	if len(b.Spec.LocalSecondaryIndexes) > 0 {
		features["LocalSecondaryIndexes"] = b.Spec.LocalSecondaryIndexes
	}
	if len(b.Spec.GlobalSecondaryIndexes) > 0 {
		features["GlobalSecondaryIndexes"] = b.Spec.GlobalSecondaryIndexes
	}
	return object{
		"BackupDetails": b.details(), "SourceTableDetails": source,
		"SourceTableFeatureDetails": features,
	}
}

func (s *Server) createBackup(
	_ context.Context, in *struct{ TableName, BackupName string },
) (any, *apiError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.namedForBackup(in.TableName)
	if err != nil {
		return nil, err
	}
	var v violations
	v.tableName(text{in.BackupName != "", in.BackupName}, "backupName")
	if err := v.err(); err != nil {
		return nil, err
	}
	now := s.now()
	b := &backup{
		ARN:  s.tableARN(t) + "/backup/" + fmt.Sprintf("%014d-%08x", now.UnixMilli(), len(s.backups)+1),
		Name: in.BackupName, Created: now, TableID: t.id, TableCreated: t.created,
		Bytes: t.bytes, Count: t.items.size, Spec: t.spec,
	}
	t.items.ascend("", func(place string, it item) bool {
		b.items = append(b.items, stored{place, it})
		return true
	})
	if err := s.keepBackup(b); err != nil {
		return nil, err
	}
	s.backups[b.ARN] = b
	return object{"BackupDetails": b.details()}, nil
}

func (s *Server) keepBackup(b *backup) *apiError {
	data, err := json.Marshal(b)
	if err != nil {
		return internal(fmt.Errorf("encoding backup %s: %w", b.Name, err))
	}
	if err := s.config.Disk.Update(func(tx *disk.Tx) error {
		for _, one := range b.items {
			if err := tx.Put(backupItems(b.ARN), []byte(one.place), appendItem(nil, one.item)); err != nil {
				return err
			}
		}
		return tx.Put(backupBucket, []byte(b.ARN), data)
	}); err != nil {
		return internal(fmt.Errorf("writing backup %s to disk: %w", b.Name, err))
	}
	return nil
}

// loadBackups reads the backups back.
func (s *Server) loadBackups() error {
	if err := s.config.Disk.Load(backupBucket, func(arn, data []byte) error {
		b := &backup{}
		if err := json.Unmarshal(data, b); err != nil {
			return fmt.Errorf("reading backup %s: %w", arn, err)
		}
		s.backups[b.ARN] = b
		return nil
	}); err != nil {
		return err
	}
	for _, arn := range s.backupARNs() {
		b := s.backups[arn]
		if err := s.config.Disk.Load(backupItems(arn), func(place, data []byte) error {
			it, err := readItem(data)
			b.items = append(b.items, stored{string(place), it})
			return err
		}); err != nil {
			return fmt.Errorf("reading the items of backup %s: %w", b.Name, err)
		}
	}
	return nil
}

func (s *Server) backupARNs() []string {
	arns := make([]string, 0, len(s.backups))
	for arn := range s.backups {
		arns = append(arns, arn)
	}
	slices.Sort(arns)
	return arns
}

type backupName struct{ BackupArn string }

func (s *Server) backupNamed(arn string) (*backup, *apiError) {
	b := s.backups[arn]
	if b == nil {
		return nil, failure("BackupNotFoundException", "Backup not found: "+arn)
	}
	return b, nil
}

func (s *Server) describeBackup(_ context.Context, in *backupName) (any, *apiError) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b, err := s.backupNamed(in.BackupArn)
	if err != nil {
		return nil, err
	}
	return object{"BackupDescription": s.describeBackupOf(b)}, nil
}

func (s *Server) listBackups(_ context.Context, in *tableName) (any, *apiError) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	summaries := []object{}
	for _, arn := range s.backupARNs() {
		b := s.backups[arn]
		if in.TableName != "" && in.TableName != b.Spec.TableName {
			continue
		}
		summary := b.details()
		summary["TableName"], summary["TableId"] = b.Spec.TableName, b.TableID
		summary["TableArn"] = s.arn("table/" + b.Spec.TableName)
		summaries = append(summaries, summary)
	}
	return object{"BackupSummaries": summaries}, nil
}

func (s *Server) deleteBackup(_ context.Context, in *backupName) (any, *apiError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.backupNamed(in.BackupArn)
	if err != nil {
		return nil, err
	}
	if err := s.config.Disk.Update(func(tx *disk.Tx) error {
		if err := tx.Drop(backupItems(b.ARN)); err != nil {
			return err
		}
		return tx.Delete(backupBucket, []byte(b.ARN))
	}); err != nil {
		return nil, internal(fmt.Errorf("deleting backup %s from disk: %w", b.Name, err))
	}
	delete(s.backups, b.ARN)
	description := s.describeBackupOf(b)
	description["BackupDetails"].(object)["BackupStatus"] = "DELETED"
	return object{"BackupDescription": description}, nil
}

// restoreBackup makes a new table of a backup. As with AWS, it has the items,
// keys and indexes, and neither stream, time to live, tags nor recovery.
func (s *Server) restoreBackup(
	_ context.Context, in *struct{ TargetTableName, BackupArn string },
) (any, *apiError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.backupNamed(in.BackupArn)
	if err != nil {
		return nil, err
	}
	if s.tables[in.TargetTableName] != nil {
		return nil, failure("TableAlreadyExistsException",
			"Table already exists: "+in.TargetTableName)
	}
	spec := b.Spec
	spec.TableName = in.TargetTableName
	spec.StreamSpecification, spec.TimeToLive, spec.Tags = nil, nil, nil
	spec.PointInTimeRecovery, spec.RecoverableSince = false, 0
	t, err := s.addTable(spec, s.config.CreateDelay)
	if err != nil {
		return nil, err
	}
	changes := make([]change, len(b.items))
	for i, one := range b.items {
		changes[i] = change{t: t, place: one.place, changed: one.item}
	}
	if err := s.commit(changes, nil); err != nil {
		return nil, err
	}
	description := s.describe(t)
	description["RestoreSummary"] = object{
		"SourceBackupArn": b.ARN, "RestoreDateTime": seconds(s.now()), "RestoreInProgress": true,
		"SourceTableArn": s.arn("table/" + b.Spec.TableName),
	}
	return object{"TableDescription": description}, nil
}
