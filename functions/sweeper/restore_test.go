package sweeper_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"portolan/shared/contract"
	"portolan/shared/restore"
)

// The table is restored to a moment at which much was under way. All of it has
// come to an end since then, and more was done; and all of it comes to an end
// again, and fits what there is.
func TestTheTableIsRestored(t *testing.T) {
	stopped := new(atomic.Bool)
	playOn(t, withService, deafen("DispatchFunction", stopped), func(s *stage) {
		provision := s.ask(http.MethodPost, "/v1/clusters", cluster("books", 1))
		time.Sleep(time.Minute)
		deploy := s.ask(http.MethodPut, servicePath, service("2.0", 2))
		scale := s.ask(http.MethodPut, servicePath, service("2.0", 3)) // waits for its turn
		time.Sleep(2 * time.Second)

		tables := dynamodb.NewFromConfig(s.Local.UserConfig())
		backup, err := tables.CreateBackup(s.Context(), &dynamodb.CreateBackupInput{
			TableName: aws.String("portolan-Table"), BackupName: aws.String("half-way")})
		s.do(err)

		s.succeed(provision)
		s.succeed(deploy)
		s.succeed(scale)
		s.succeed(s.ask(http.MethodPut, servicePath, service("2.0", 1)))
		later := s.ask(http.MethodPost, "/v1/clusters", cluster("later", 1))
		s.succeed(later)

		stopped.Store(true)
		_, err = tables.RestoreTableFromBackup(s.Context(), &dynamodb.RestoreTableFromBackupInput{
			TargetTableName: aws.String("restored"), BackupArn: backup.BackupDetails.BackupArn})
		s.do(err)
		time.Sleep(time.Minute)
		report, err := restore.Copy(s.Context(), tables, "restored", "portolan-Table")
		s.do(err)
		t.Logf("%+v", report)
		stopped.Store(false)

		for _, o := range []contract.Operation{provision, deploy, scale} {
			if before := s.operation(o.Id); !before.EndedAt.IsZero() {
				t.Errorf("%s had ended %s in the backup", o.Kind, before.Status)
			}
		}
		for _, o := range []contract.Operation{provision, deploy, scale} {
			ended := s.end(o.Id)
			t.Logf("%s %s in attempt %d: %s", ended.Kind, ended.Status, ended.Attempt, ended.Reason)
			if ended.Status != contract.OperationSucceeded {
				t.Errorf("%s ended %s: %s, left %v", ended.Kind, ended.Status, ended.Reason, ended.Left)
			}
		}
		s.over("cluster/shop", "cluster/books", "service/shop/web")
		var v contract.Service
		s.get(servicePath, &v)
		if desired, _ := s.onECS(); v.Replicas != 3 || v.ReplicasObserved != 3 || desired != 3 || v.ReleaseObserved != 2 {
			t.Errorf("the table wants %d tasks, saw %d of release %d, and ECS has %d",
				v.Replicas, v.ReplicasObserved, v.ReleaseObserved, desired)
		}
		if status, err := s.Call(s.Context(), http.MethodGet, "/v1/clusters/later", nil, nil); err != nil || status != http.StatusNotFound {
			t.Errorf("a cluster made after the backup answers %d, %v", status, err)
		}
		time.Sleep(time.Hour)
		if len(s.orphans("later")) == 0 || len(s.orphans("books")) > 0 {
			t.Errorf("orphans of the cluster that the table does not know: %d, of the one that it knows: %d",
				len(s.orphans("later")), len(s.orphans("books")))
		}
	})
}

func TestNothingIsRestoredFromAnEmptyTable(t *testing.T) {
	playOn(t, withCluster, nil, func(s *stage) {
		tables := dynamodb.NewFromConfig(s.Local.UserConfig())
		if _, err := restore.Copy(s.Context(), tables, "portolan-Missing", "portolan-Table"); err == nil {
			t.Error("a table that is not there was copied")
		}
		var c contract.Cluster
		s.get(clusterPath, &c)
	})
}
