package trail_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	asgclient "github.com/aws/aws-sdk-go-v2/service/autoscaling"
	ecsclient "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"portolan/local/autoscaling"
	"portolan/local/clock"
	"portolan/local/ecs"
	"portolan/local/events"
	"portolan/local/identity"
	"portolan/local/trail"
	"portolan/local/unique"
	"portolan/local/wire"
)

type bench struct {
	// calls orders what the trail emits and what a test reads: only one goroutine of
	// a bubble runs at a time, which the race detector does not know.
	calls atomic.Int64

	config  aws.Config
	records []map[string]any
	sources []string
}

func (b *bench) Emit(_ context.Context, e events.Event) {
	b.calls.Add(1)
	raw, _ := json.Marshal(e.Detail)
	var record map[string]any
	if err := json.Unmarshal(raw, &record); err != nil {
		panic(err)
	}
	b.records = append(b.records, record)
	b.sources = append(b.sources, e.Source)
}

// inAWS runs fn in a bubble with STS, ECS and Auto Scaling behind a trail.
func inAWS(t *testing.T, fn func(*testing.T, *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b, c, ids := &bench{}, clock.New(1), unique.New(1)
		must := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		const account, region = "111122223333", "eu-west-1"
		accounts, err := identity.New(identity.Config{Clock: c, IDs: ids.Fork(), Account: account, Region: region})
		must(err)
		must(accounts.AddUser("AKIDTEST", "secret", "ada"))
		recorder, err := trail.New(trail.Config{Clock: c, IDs: ids.Fork(), Account: account, Region: region, Events: b})
		must(err)
		defer recorder.Close()
		containers, err := ecs.New(ecs.Config{Clock: c, IDs: ids.Fork(), Account: account, Region: region, Roles: recorder})
		must(err)
		defer containers.Close()
		groups, err := autoscaling.New(autoscaling.Config{Clock: c, IDs: ids.Fork(), Account: account, Region: region})
		must(err)
		defer groups.Close()
		router := wire.NewRouter(accounts)
		for name, h := range map[string]http.Handler{"sts": accounts, "ecs": containers, "autoscaling": groups} {
			router.Register(name, h)
		}
		router.Use(recorder.Middleware)
		b.config = aws.Config{Region: region, HTTPClient: router.Client(), BaseEndpoint: aws.String("http://aws.local"),
			RetryMaxAttempts: 1, Credentials: credentials("AKIDTEST")}
		fn(t, b)
	})
}

func credentials(key string) aws.CredentialsProviderFunc {
	return func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: key, SecretAccessKey: "x"}, nil
	}
}

// at follows a path of member names through a record.
func at(record any, path ...string) any {
	for _, name := range path {
		members, _ := record.(map[string]any)
		record = members[name]
	}
	return record
}

func TestAChangeIsRecordedWithItsCaller(t *testing.T) {
	inAWS(t, func(t *testing.T, b *bench) {
		session, err := sts.NewFromConfig(b.config).AssumeRole(t.Context(), &sts.AssumeRoleInput{
			RoleArn: aws.String("arn:aws:iam::111122223333:role/deployer"), RoleSessionName: aws.String("op-1")})
		if err != nil {
			t.Fatal(err)
		}
		config := b.config.Copy()
		config.Credentials = credentials(*session.Credentials.AccessKeyId)
		client := ecsclient.NewFromConfig(config)
		if _, err = client.CreateCluster(t.Context(), &ecsclient.CreateClusterInput{ClusterName: aws.String("shop")}); err != nil {
			t.Fatal(err)
		}
		if _, err = client.ListClusters(t.Context(), &ecsclient.ListClustersInput{}); err != nil {
			t.Fatal(err)
		}
		_, err = client.UpdateService(t.Context(), &ecsclient.UpdateServiceInput{Cluster: aws.String("shop"),
			Service: aws.String("none"), DesiredCount: aws.Int32(0)})
		if err == nil {
			t.Fatal("a service that does not exist was updated")
		}
		synctest.Wait()
		if len(b.records) != 0 {
			t.Error("records come at once")
		}
		b.calls.Add(1)
		time.Sleep(time.Minute)
		synctest.Wait()
		byName := map[string]map[string]any{}
		for _, r := range b.records {
			byName[r["eventName"].(string)] = r
		}
		if len(b.records) != 3 {
			t.Fatalf("%d records: %v", len(b.records), byName)
		}
		created := byName["CreateCluster"]
		for want, path := range map[any][]string{
			"ecs.amazonaws.com": {"eventSource"}, "AssumedRole": {"userIdentity", "type"},
			"arn:aws:sts::111122223333:assumed-role/deployer/op-1": {"userIdentity", "arn"},
			"arn:aws:iam::111122223333:role/deployer":              {"userIdentity", "sessionContext", "sessionIssuer", "arn"},
			"shop":         {"requestParameters", "clusterName"},
			"AwsApiCall":   {"eventType"},
			"ACTIVE":       {"responseElements", "cluster", "status"},
			nil:            {"errorCode"},
			"127.0.0.1":    {"sourceIPAddress"},
			"111122223333": {"recipientAccountId"},
		} {
			if got := at(created, path...); got != want {
				t.Errorf("%s = %v, want %v", strings.Join(path, "."), got, want)
			}
		}
		failed := byName["UpdateService"]
		if failed["errorCode"] != "ServiceNotFoundException" || failed["responseElements"] != nil ||
			at(failed, "requestParameters", "desiredCount") != 0.0 {
			t.Errorf("a failed call: %v", failed)
		}
		assumed := byName["AssumeRole"]
		raw, _ := json.Marshal(assumed)
		if strings.Contains(string(raw), *session.Credentials.SecretAccessKey) || strings.Contains(string(raw), *session.Credentials.SessionToken) {
			t.Errorf("the record tells credentials: %s", raw)
		}
		if at(assumed, "requestParameters", "roleSessionName") != "op-1" || assumed["readOnly"] != true {
			t.Errorf("AssumeRole: %s", raw)
		}
	})
}

func TestAQueryCallIsRecordedWithTypes(t *testing.T) {
	inAWS(t, func(t *testing.T, b *bench) {
		_, err := asgclient.NewFromConfig(b.config).SetDesiredCapacity(t.Context(), &asgclient.SetDesiredCapacityInput{
			AutoScalingGroupName: aws.String("mambo-ecs-cluster"), DesiredCapacity: aws.Int32(0)})
		if err == nil {
			t.Fatal("a group that does not exist was scaled")
		}
		b.calls.Add(1)
		time.Sleep(time.Minute)
		synctest.Wait()
		r := b.records[0]
		want := map[string]any{"autoScalingGroupName": "mambo-ecs-cluster", "desiredCapacity": 0.0}
		if got := fmt.Sprint(r["requestParameters"]); got != fmt.Sprint(want) {
			t.Errorf("parameters: %s, want %v", got, want)
		}
		if r["errorCode"] != "ValidationException" || r["errorMessage"] != "AutoScalingGroup name not found - null" ||
			at(r, "userIdentity", "userName") != "ada" || b.sources[0] != "aws.autoscaling" {
			t.Errorf("record: %v", r)
		}
	})
}

func TestATasksRolesAreRecorded(t *testing.T) {
	inAWS(t, func(t *testing.T, b *bench) {
		client := ecsclient.NewFromConfig(b.config)
		role := "arn:aws:iam::111122223333:role/webapp"
		_, err := client.CreateCluster(t.Context(), &ecsclient.CreateClusterInput{ClusterName: aws.String("shop")})
		if err == nil {
			_, err = client.RegisterTaskDefinition(t.Context(), &ecsclient.RegisterTaskDefinitionInput{Family: aws.String("job"),
				TaskRoleArn: &role, Cpu: aws.String("256"), Memory: aws.String("512"), NetworkMode: types.NetworkModeAwsvpc,
				RequiresCompatibilities: []types.Compatibility{types.CompatibilityFargate},
				ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("c"), Image: aws.String("i"),
					Environment: []types.KeyValuePair{{Name: aws.String("PASSWORD"), Value: aws.String("hunter2")}}}}})
		}
		if err != nil {
			t.Fatal(err)
		}
		out, err := client.RunTask(t.Context(), &ecsclient.RunTaskInput{Cluster: aws.String("shop"), TaskDefinition: aws.String("job"),
			LaunchType: types.LaunchTypeFargate, NetworkConfiguration: &types.NetworkConfiguration{
				AwsvpcConfiguration: &types.AwsVpcConfiguration{Subnets: []string{"subnet-1"}}}})
		if err != nil {
			t.Fatal(err)
		}
		b.calls.Add(1)
		time.Sleep(time.Minute)
		synctest.Wait()
		arn := *out.Tasks[0].TaskArn
		id := arn[strings.LastIndexByte(arn, '/')+1:]
		found := false
		for _, r := range b.records {
			raw, _ := json.Marshal(r)
			if strings.Contains(string(raw), "hunter2") {
				t.Errorf("a record tells an environment variable: %s", raw)
			}
			found = found || at(r, "requestParameters", "roleSessionName") == id && at(r, "requestParameters", "roleArn") == role &&
				at(r, "userIdentity", "invokedBy") == "ecs-tasks.amazonaws.com"
		}
		if !found {
			t.Errorf("no AssumeRole for task %s among %v", id, b.records)
		}
	})
}
