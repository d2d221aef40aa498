package sweeper_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamodbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"portolan/local"
	"portolan/local/events"
	"portolan/shared/contract"
	"portolan/shared/environment"
	"portolan/shared/model"
	"portolan/shared/store"
)

// A deaf function answers that all is well, and does nothing while it is deaf.
type deaf struct {
	lambda.Handler
	now *atomic.Bool
}

func (d deaf) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	if d.now.Load() {
		return []byte(`{}`), nil
	}
	return d.Handler.Invoke(ctx, payload)
}

// deafen makes a function lose what it is told while the flag is set.
func deafen(function string, now *atomic.Bool) func(*local.Config) {
	return func(c *local.Config) {
		c.Build = func(id string, env *environment.Environment, build local.Builder) lambda.Handler {
			if id != function {
				return build(env)
			}
			return deaf{build(env), now}
		}
	}
}

func TestRecordsOfTheStreamAreLost(t *testing.T) {
	lost := new(atomic.Bool)
	playOn(t, withCluster, deafen("DispatchFunction", lost), func(s *stage) {
		lost.Store(true)
		first := s.ask(http.MethodPut, servicePath, service("1.0", 2))
		time.Sleep(time.Minute)
		if o := s.operation(first.Id); o.Status != contract.OperationPending {
			t.Fatalf("with nobody to start it, it is %s", o.Status)
		}
		lost.Store(false)
		s.succeed(first)
		s.over("service/shop/web")
	})
}

// The record that an operation ended is lost, and another one waits behind it.
func TestNobodyIsToldOfAnEnd(t *testing.T) {
	lost := new(atomic.Bool)
	playOn(t, withService, deafen("DispatchFunction", lost), func(s *stage) {
		first := s.ask(http.MethodPut, servicePath, service("1.0", 3))
		time.Sleep(2 * time.Second)
		second := s.ask(http.MethodPut, servicePath, service("2.0", 3))
		time.Sleep(2 * time.Second)
		lost.Store(true)
		s.succeed(first)
		time.Sleep(time.Second)
		lost.Store(false)
		s.succeed(second)
		s.over("service/shop/web")
	})
}

// A dispatch that dies after it took the lease leaves an operation that runs in
// name only.
func TestTheExecutionWasNeverStarted(t *testing.T) {
	play(t, func(c *local.Config) {
		c.Middleware = append(c.Middleware, refuseOnce("StartExecution"))
	}, func(s *stage) {
		s.succeed(s.ask(http.MethodPost, "/v1/clusters", cluster("shop", 1)))
	})
}

// refuseOnce lets the first call of an operation of an AWS service fail for good.
func refuseOnce(operation string) func(http.Handler) http.Handler {
	var refused atomic.Bool
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.Header.Get("X-Amz-Target"), "."+operation) && refused.CompareAndSwap(false, true) {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

func alarmARN(name string) string {
	return "arn:aws:cloudwatch:" + region + ":" + local.Account + ":alarm:" + name
}

func TestTheEventOfAnAlarmIsLost(t *testing.T) {
	playOn(t, withService, nil, func(s *stage) {
		s.raise("cpu-high", types.StateValueOk)
		s.put(clusterPath+"/policies/out", contract.PolicySpec{Alarm: alarmARN("cpu-high"), Service: "web",
			Adjustment: 1, SizeMin: 1, SizeMax: 4, CooldownSeconds: 60})
		time.Sleep(10 * time.Minute)
		s.lose("alarm")
		s.raise("cpu-high", types.StateValueAlarm)
		time.Sleep(20 * time.Minute)
		var v contract.Service
		s.get(servicePath, &v)
		if v.Replicas != 4 || v.ReplicasObserved != 4 {
			t.Errorf("the service has %d of %d tasks", v.ReplicasObserved, v.Replicas)
		}
		// What is at its limit is looked at once an hour, and no more.
		before := len(s.operations(contract.Target{Cluster: "shop", Policy: "out"}))
		time.Sleep(3 * time.Hour)
		if after := len(s.operations(contract.Target{Cluster: "shop", Policy: "out"})); after-before < 2 || after-before > 3 {
			t.Errorf("in three hours %d operations looked at the alarm", after-before)
		}
	})
}

func (s *stage) raise(alarm string, state types.StateValue) {
	s.Helper()
	client := cloudwatch.NewFromConfig(s.Local.UserConfig())
	_, err := client.PutMetricAlarm(s.Context(), &cloudwatch.PutMetricAlarmInput{
		AlarmName: &alarm, Namespace: aws.String("AWS/ECS"), MetricName: aws.String("CPUUtilization"),
		Statistic: types.StatisticAverage, Period: aws.Int32(60), EvaluationPeriods: aws.Int32(1),
		Threshold: aws.Float64(75), ComparisonOperator: types.ComparisonOperatorGreaterThanThreshold,
	})
	s.do(err)
	_, err = client.SetAlarmState(s.Context(), &cloudwatch.SetAlarmStateInput{
		AlarmName: &alarm, StateValue: state, StateReason: aws.String("told by the test")})
	s.do(err)
}

func (s *stage) put(path string, body any) {
	s.Helper()
	status, err := s.Call(s.Context(), http.MethodPut, path, body, nil)
	s.do(err)
	if status != http.StatusOK {
		s.Fatalf("PUT %s answered %d", path, status)
	}
}

func (s *stage) operations(target contract.Target) []model.Operation {
	s.Helper()
	all, _, err := s.table.Operations(s.Context(), model.TargetKey(target), store.Page{Limit: 100})
	s.do(err)
	return all
}

// A lease runs out under an execution that is still alive, and somebody wants to
// go on: the operation is taken over, and the old execution can write nothing more.
// CloudTrail's events are lost, and everything that they tell of is found.
func TestTheEventsOfChangesByHandAreLost(t *testing.T) {
	playOn(t, withService, nil, func(s *stage) {
		s.lose("trail")
		client := ecs.NewFromConfig(s.Local.UserConfig())
		_, definition := s.onECS()
		web := &ecs.UpdateServiceInput{Cluster: aws.String("shop"), Service: aws.String("web"), DesiredCount: aws.Int32(5)}
		_, err := client.UpdateService(s.Context(), web)
		s.do(err)
		time.Sleep(45 * time.Minute)
		s.runs(2, definition)

		made, err := client.RegisterTaskDefinition(s.Context(), &ecs.RegisterTaskDefinitionInput{Family: aws.String("by-hand"),
			ContainerDefinitions: []ecstypes.ContainerDefinition{{Name: aws.String("web"), Image: aws.String(image + ":2.0"), Memory: aws.Int32(128)}}})
		s.do(err)
		web.DesiredCount, web.TaskDefinition = nil, made.TaskDefinition.TaskDefinitionArn
		_, err = client.UpdateService(s.Context(), web)
		s.do(err)
		time.Sleep(45 * time.Minute)
		s.runs(2, definition)

		_, err = client.DeleteService(s.Context(), &ecs.DeleteServiceInput{Cluster: web.Cluster, Service: web.Service, Force: aws.Bool(true)})
		s.do(err)
		time.Sleep(45 * time.Minute)
		s.runs(2, definition)
		repairs, _, err := s.table.Operations(s.Context(), "service/shop/web", store.Page{Limit: 100})
		s.do(err)
		if len(repairs) != 4 || repairs[0].Kind != contract.KindRepair || repairs[0].Cause.Source != "sweeper" {
			t.Errorf("the operations are %+v", repairs)
		}
		s.over("service/shop/web")
	})
}

// runs checks that the service runs that many tasks of a definition, as it is wanted.
func (s *stage) runs(tasks int, definition string) {
	s.Helper()
	var v contract.Service
	s.get(servicePath, &v)
	if desired, now := s.onECS(); desired != tasks || now != definition || v.Drift != "" || v.ReplicasObserved != tasks || v.Status != contract.ServiceHealthy {
		s.Errorf("ECS wants %d tasks of %s, and the service is %s with %d tasks, drift %q", desired, now, v.Status, v.ReplicasObserved, v.Drift)
	}
}

// The event of a push is lost, found, and comes late after all.
func TestTheEventOfAPushIsLost(t *testing.T) {
	playOn(t, withService, nil, func(s *stage) {
		s.put(clusterPath+"/bindings/web", contract.BindingSpec{Service: "web", Repository: "shop/webapp", Tag: "stable"})
		time.Sleep(time.Minute)
		s.lose("pipeline")
		digest, err := s.Local.ECR.Push(s.Context(), "shop/webapp", "stable", "pushed, and nobody was told")
		s.do(err)
		at := s.Local.Clock.Now()
		time.Sleep(45 * time.Minute)
		released := func() {
			t.Helper()
			var v contract.Service
			s.get(servicePath, &v)
			r, err := s.table.Release(s.Context(), "shop", "web", 2)
			if err != nil || v.Release != 2 || v.ReleaseObserved != 2 || v.Status != contract.ServiceHealthy || r.Image != image+"@"+digest {
				t.Fatalf("the service is %s at release %d of %d: %+v, %v", v.Status, v.ReleaseObserved, v.Release, r, err)
			}
		}
		released()
		bus := eventbridge.NewFromConfig(s.Local.UserConfig())
		_, err = bus.EnableRule(s.Context(), &eventbridge.EnableRuleInput{Name: aws.String("portolan-pipeline")})
		s.do(err)
		s.Local.Events.Emit(s.Context(), events.Event{Source: "aws.ecr", DetailType: "ECR Image Action", Time: at,
			Detail: map[string]any{"result": "SUCCESS", "repository-name": "shop/webapp", "image-digest": digest, "action-type": "PUSH", "image-tag": "stable"}})
		time.Sleep(time.Hour)
		released()
		s.over("service/shop/web")
	})
}

func TestALeaseRunsOut(t *testing.T) {
	playOn(t, withService, nil, func(s *stage) {
		first := s.ask(http.MethodPut, servicePath, service("2.0", 2))
		time.Sleep(5 * time.Second)
		s.setLease("service/shop/web", "expiresAt", &dynamodbtypes.AttributeValueMemberS{Value: "1999-12-31T00:00:00Z"})
		second := s.ask(http.MethodPut, servicePath, service("2.0", 3))
		ended := s.end(first.Id)
		if ended.Attempt != 2 || ended.Status != contract.OperationFailedClean {
			t.Errorf("it ended %s in attempt %d: %s %v", ended.Status, ended.Attempt, ended.Reason, ended.Left)
		}
		s.succeed(second)
		s.over("service/shop/web")
	})
}

// A table that was restored may have a lease and an operation of different
// moments.
func TestALeaseHasAnotherToken(t *testing.T) {
	play(t, nil, func(s *stage) {
		o := s.ask(http.MethodPost, "/v1/clusters", cluster("shop", 1))
		time.Sleep(30 * time.Second)
		s.setLease("cluster/shop", "token", &dynamodbtypes.AttributeValueMemberN{Value: "7"})
		ended := s.end(o.Id)
		if left := s.tagged("shop"); ended.Status != contract.OperationFailedClean || len(left) > 0 {
			t.Errorf("it ended %s: %s, and left %v", ended.Status, ended.Reason, left)
		}
		s.over("cluster/shop")
	})
}

func (s *stage) setLease(target, attribute string, value dynamodbtypes.AttributeValue) {
	s.Helper()
	_, err := dynamodb.NewFromConfig(s.Local.UserConfig()).UpdateItem(s.Context(), &dynamodb.UpdateItemInput{
		TableName: aws.String("portolan-Table"), Key: map[string]dynamodbtypes.AttributeValue{
			"PK": &dynamodbtypes.AttributeValueMemberS{Value: "TARGET#" + target},
			"SK": &dynamodbtypes.AttributeValueMemberS{Value: "LEASE"},
		},
		UpdateExpression: aws.String("SET #a = :v"), ExpressionAttributeNames: map[string]string{"#a": attribute},
		ExpressionAttributeValues: map[string]dynamodbtypes.AttributeValue{":v": value},
	})
	s.do(err)
}

// An execution that is still alive at its operation's deadline is stopped.
func TestADeadlinePasses(t *testing.T) {
	play(t, nil, func(s *stage) {
		o := s.ask(http.MethodPost, "/v1/clusters", cluster("shop", 2))
		time.Sleep(3 * time.Second)
		seen, err := s.table.Operation(s.Context(), o.Id)
		s.do(err)
		seen.Deadline = s.Local.Clock.Now()
		s.do(s.table.Commit(s.Context(), store.UpdateTakenOver(*seen, seen.Token)))
		ended := s.end(o.Id)
		if ended.Status != contract.OperationFailedDirty || !strings.Contains(ended.Reason, "deadline") || len(ended.Left) == 0 {
			t.Errorf("it ended %s: %s %v", ended.Status, ended.Reason, ended.Left)
		}
		arn := "arn:aws:states:" + region + ":" + local.Account + ":execution:portolan-provision:" + o.Id
		execution, err := s.sfn.DescribeExecution(s.Context(), &sfn.DescribeExecutionInput{ExecutionArn: &arn})
		s.do(err)
		if execution.Status != "ABORTED" {
			t.Errorf("its execution is %s", execution.Status)
		}
		s.over("cluster/shop")
		s.succeed(s.ask(http.MethodDelete, clusterPath, nil))
	})
}

// What carries the tag of a cluster that nobody knows is named, and left alone.
func TestOrphansAreNamed(t *testing.T) {
	playOn(t, withCluster, nil, func(s *stage) {
		compute := ec2.NewFromConfig(s.Local.UserConfig())
		made, err := compute.CreateVpc(s.Context(), &ec2.CreateVpcInput{CidrBlock: aws.String("10.9.0.0/16"),
			TagSpecifications: []ec2types.TagSpecification{{ResourceType: ec2types.ResourceTypeVpc,
				Tags: []ec2types.Tag{{Key: aws.String("portolan:cluster"), Value: aws.String("forgotten")}}}}})
		s.do(err)
		time.Sleep(2 * time.Hour)
		found := s.orphans("forgotten")
		if len(found) != 1 || !strings.HasSuffix(found[0].Detail, *made.Vpc.VpcId) || found[0].Region != region {
			t.Errorf("the audit has %+v", found)
		}
		if found := s.orphans("shop"); len(found) > 0 {
			t.Errorf("a cluster that is known has the orphans %v", found)
		}
		if len(s.tagged("forgotten")) != 1 {
			t.Error("the orphan was deleted")
		}
	})
}

// A cluster made again under a name inherits no policies and bindings.
func TestNothingIsInherited(t *testing.T) {
	playOn(t, withService, nil, func(s *stage) {
		s.raise("cpu-high", types.StateValueOk)
		s.put(clusterPath+"/policies/out", contract.PolicySpec{Alarm: alarmARN("cpu-high"), Service: "web",
			Adjustment: 1, SizeMin: 1, SizeMax: 4})
		s.put(clusterPath+"/bindings/web", contract.BindingSpec{Service: "web", Pipeline: "shop-web"})
		s.succeed(s.ask(http.MethodDelete, clusterPath, nil))
		policies, _, err := s.table.Policies(s.Context(), "shop", store.Page{})
		s.do(err)
		bindings, _, err := s.table.Bindings(s.Context(), "shop", store.Page{})
		s.do(err)
		if len(policies) > 0 || len(bindings) > 0 {
			t.Errorf("left are %v and %v", policies, bindings)
		}
		s.makeCluster()
	})
}

// Wishes that come while an operation of their kind waits are remembered on it.
func TestTheCausesOfJoinedWishesAreKept(t *testing.T) {
	playOn(t, withService, nil, func(s *stage) {
		s.ask(http.MethodPut, servicePath, service("1.0", 3))
		time.Sleep(2 * time.Second)
		waiting := s.ask(http.MethodPut, servicePath, service("1.0", 4))
		for replicas := 5; replicas < 20; replicas++ {
			if o := s.ask(http.MethodPut, servicePath, service("1.0", replicas)); o.Id != waiting.Id {
				t.Fatalf("%s did not join %s", o.Id, waiting.Id)
			}
		}
		o := s.operation(waiting.Id)
		if len(o.Joined) != 10 || o.Joined[0].Source != "api" || o.Joined[0].Who == "" {
			t.Errorf("it remembers %d causes: %v", len(o.Joined), o.Joined)
		}
	})
}

// orphans are the audit records of today that tell of resources of a cluster that
// the table does not know.
func (s *stage) orphans(cluster string) []model.AuditRecord {
	s.Helper()
	records, _, err := s.table.Audit(s.Context(), contract.Target{Cluster: cluster},
		store.Day(s.Local.Clock.Now()), store.Page{Limit: 100})
	s.do(err)
	var found []model.AuditRecord
	for _, r := range records {
		if r.What == "portolan:FoundOrphan" {
			found = append(found, r)
		}
	}
	return found
}
