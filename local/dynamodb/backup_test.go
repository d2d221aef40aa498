package dynamodb

import (
	"encoding/json"
	"testing"

	"portolan/local/disk"
)

func TestABackupOutlivesItsTableAndARestart(t *testing.T) {
	dir := t.TempDir()
	d, err := disk.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, d)
	must(t, s, "CreateTable", rangeTable)
	must(t, s, "PutItem", `{"TableName":"range","Item":{"a":{"S":"p"},"b":{"N":"1"},"c":{"S":"x"}}}`)
	var created struct{ BackupDetails struct{ BackupArn string } }
	if err := json.Unmarshal([]byte(must(t, s, "CreateBackup", `{"TableName":"range","BackupName":"nightly"}`)), &created); err != nil {
		t.Fatal(err)
	}
	arn := created.BackupDetails.BackupArn
	must(t, s, "DeleteItem", `{"TableName":"range","Key":{"a":{"S":"p"},"b":{"N":"1"}}}`)
	must(t, s, "DeleteTable", `{"TableName":"range"}`)
	s.Close()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}

	if d, err = disk.Open(dir); err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	s = newServer(t, d)
	must(t, s, "RestoreTableFromBackup", `{"TargetTableName":"restored","BackupArn":"`+arn+`"}`)
	sameJSON(t, must(t, s, "Query", `{"TableName":"restored","IndexName":"global","KeyConditionExpression":"c = :c",
		"ExpressionAttributeValues":{":c":{"S":"x"}}}`),
		`{"Count":1,"ScannedCount":1,"Items":[{"a":{"S":"p"},"b":{"N":"1"},"c":{"S":"x"}}]}`)
	must(t, s, "DescribeBackup", `{"BackupArn":"`+arn+`"}`)
	must(t, s, "DeleteBackup", `{"BackupArn":"`+arn+`"}`)
	sameJSON(t, must(t, s, "ListBackups", `{}`), `{"BackupSummaries":[]}`)
}

func TestTextsOfATemplateGetTheirTypes(t *testing.T) {
	s := newServer(t, nil)
	if _, _, err := s.CreateTableFromProperties("texts", map[string]any{
		"AttributeDefinitions":      []any{map[string]any{"AttributeName": "pk", "AttributeType": "S"}},
		"KeySchema":                 []any{map[string]any{"AttributeName": "pk", "KeyType": "HASH"}},
		"ProvisionedThroughput":     map[string]any{"ReadCapacityUnits": "5", "WriteCapacityUnits": "6"},
		"DeletionProtectionEnabled": "true",
		"TimeToLiveSpecification":   map[string]any{"AttributeName": "ttl", "Enabled": "true"},
	}); err != nil {
		t.Fatal(err)
	}
	sameJSON(t, must(t, s, "DescribeTimeToLive", `{"TableName":"texts"}`),
		`{"TimeToLiveDescription":{"TimeToLiveStatus":"ENABLED","AttributeName":"ttl"}}`)
	if status, _ := call(t, s, "DeleteTable", `{"TableName":"texts"}`); status == 200 {
		t.Error("a protected table was deleted")
	}
}
