package cost

import (
	"context"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"portolan/local"
	"portolan/local/codepipeline"
	"portolan/shared/contract"
)

const (
	cluster  = "shop"
	service  = "wildfly"
	pipeline = "shop-web"

	repository = local.Account + ".dkr.ecr." + region + ".amazonaws.com/shop/webapp"

	clusterPath = "/v1/clusters/" + cluster
	servicePath = clusterPath + "/services/" + service
)

// A scene is one kind of operation, and what has to be so before.
type scene struct {
	title, what string
	prepare, do func(context.Context, *run) error
}

// scenes are in the order of a cluster's life.
var scenes = []scene{
	{"provision", "a cluster with two EC2 nodes in a new VPC", nil,
		request(http.StatusAccepted, http.MethodPost, "/v1/clusters", contract.ClusterSpec{
			Name: cluster, Team: "storefront", Orchestrator: contract.Ecs,
			NodePools: []contract.NodePoolSpec{{Name: "nodes", InstanceType: "m6i.xlarge", Size: 2, SizeMax: 3}},
			Ecs:       contract.EcsCluster{Capacity: contract.EC2},
		})},
	{"API read", "one `GET` of a cluster", nil, request(http.StatusOK, http.MethodGet, clusterPath, nil)},
	{"deploy", "the first release of a service with two tasks and a load balancer", nil,
		request(http.StatusAccepted, http.MethodPut, servicePath, described(":1.0", 2))},
	{"put, unchanged", "the same description again", nil,
		request(http.StatusOK, http.MethodPut, servicePath, described(":1.0", 2))},
	{"deploy, rolled back", "a release whose tasks crash", nil,
		request(http.StatusAccepted, http.MethodPut, servicePath, described(":crash", 2))},
	{"pipeline event", "a succeeded execution: its image is looked up and rolled out", bindPipeline, succeed("1.1", "1")},
	{"pipeline event, unbound", "the same of a pipeline that no binding names", nil, succeedElsewhere},
	{"scale a service out", "from two tasks to four", putRelease,
		request(http.StatusAccepted, http.MethodPut, servicePath, described(":2.0", 4))},
	{"scale a service in", "from four tasks to two", nil,
		request(http.StatusAccepted, http.MethodPut, servicePath, described(":2.0", 2))},
	{"scale nodes out", "from two nodes to three", nil,
		request(http.StatusAccepted, http.MethodPut, clusterPath+"/node-pools/nodes", contract.NodePoolScale{Size: 3})},
	{"scale nodes in", "from three nodes to two: one is cordoned, drained and ended", nil,
		request(http.StatusAccepted, http.MethodPut, clusterPath+"/node-pools/nodes", contract.NodePoolScale{Size: 2})},
	{"autoscale", "an alarm for ten minutes: two tasks to four to six, which is the maximum", bindAlarm, alarmFor(10 * time.Minute)},
	{"alarm at the maximum", "an alarm for an hour, and nothing that may still grow", nil, alarmFor(time.Hour)},
	{"alarm event, unbound", "an alarm that no policy names", makeUnboundAlarm, setAlarm("unbound", types.StateValueAlarm)},
	{"repair", "somebody changed the number of tasks by hand", nil, changeByHand},
	{"an hour of nothing", "a cluster with a service at rest", nil, rest},
	{"retire a service", "its tasks are drained", nil, request(http.StatusAccepted, http.MethodDelete, servicePath, nil)},
	{"retire a cluster", "its stacks are deleted, and a sweep finds nothing left", nil,
		request(http.StatusAccepted, http.MethodDelete, clusterPath, nil)},
}

// request is one call of the API.
func request(status int, method, path string, body any) func(context.Context, *run) error {
	return func(ctx context.Context, r *run) error { return r.call(ctx, status, method, path, body) }
}

func described(tag string, replicas int) contract.ServiceSpec {
	return contract.ServiceSpec{
		Container: "webapp", Image: repository + tag, Replicas: &replicas,
		Memory: contract.Memory{LimitMiB: 1024}, Ports: []contract.Port{{ContainerPort: 8080}},
		LoadBalancer: contract.LoadBalancer{ContainerPort: 8080, HealthCheckPath: "/health",
			Rules: []contract.RoutingRule{{Paths: []string{"/*"}}}},
		Rollout: contract.Rollout{DeadlineSeconds: 600},
	}
}

// putRelease makes the service's release one that the API described, so that only
// the scale changes after it.
func putRelease(ctx context.Context, r *run) error {
	return r.call(ctx, http.StatusAccepted, http.MethodPut, servicePath, described(":2.0", 2))
}

func bindPipeline(ctx context.Context, r *run) error {
	return r.call(ctx, http.StatusOK, http.MethodPut, clusterPath+"/bindings/web",
		contract.BindingSpec{Service: service, Pipeline: pipeline})
}

// succeed lets the pipeline succeed with an image of that tag.
func succeed(tag, id string) func(context.Context, *run) error {
	return func(ctx context.Context, r *run) error {
		if _, err := r.stage.Local.ECR.Push(ctx, "shop/webapp", tag, "built"); err != nil {
			return err
		}
		return r.pipelineSucceeds(ctx, pipeline, tag, id)
	}
}

func succeedElsewhere(ctx context.Context, r *run) error {
	return r.pipelineSucceeds(ctx, "another", "1.1", "2")
}

func (r *run) pipelineSucceeds(ctx context.Context, name, tag, id string) error {
	_, err := r.stage.Local.CodePipeline.Record(ctx, codepipeline.Execution{
		ID: "00000000-0000-4000-8000-00000000000" + id, Pipeline: name, Status: "Succeeded", Version: 1,
		Revisions: []codepipeline.Revision{{Name: "Source", RevisionID: "8cf40f2d7b1e4a6c9f03b5d8e1a2c4f60789abcd"}},
		Actions: []codepipeline.Action{{Stage: "Build", Name: "Build", Category: "Build", Provider: "CodeBuild",
			Status: "Succeeded", OutputVariables: map[string]string{"IMAGE_URI": repository + ":" + tag}}},
	})
	return err
}

// alarmName is the alarm that the policy names.
const alarmName = "cpu-high"

func makeAlarm(ctx context.Context, r *run, name string) error {
	_, err := cloudwatch.NewFromConfig(r.stage.Local.UserConfig()).PutMetricAlarm(ctx, &cloudwatch.PutMetricAlarmInput{
		AlarmName: &name, Namespace: aws.String("AWS/ECS"), MetricName: aws.String("CPUUtilization"),
		Statistic: types.StatisticAverage, Period: aws.Int32(60), EvaluationPeriods: aws.Int32(1),
		Threshold: aws.Float64(75), ComparisonOperator: types.ComparisonOperatorGreaterThanThreshold,
	})
	return err
}

func makeUnboundAlarm(ctx context.Context, r *run) error { return makeAlarm(ctx, r, "unbound") }

func bindAlarm(ctx context.Context, r *run) error {
	if err := makeAlarm(ctx, r, alarmName); err != nil {
		return err
	}
	return r.call(ctx, http.StatusOK, http.MethodPut, clusterPath+"/policies/"+alarmName, contract.PolicySpec{
		Alarm:   "arn:aws:cloudwatch:" + region + ":" + local.Account + ":alarm:" + alarmName,
		Service: service, Adjustment: 2, SizeMin: 2, SizeMax: 6, CooldownSeconds: 120,
	})
}

func setAlarm(name string, state types.StateValue) func(context.Context, *run) error {
	return func(ctx context.Context, r *run) error {
		_, err := cloudwatch.NewFromConfig(r.stage.Local.UserConfig()).SetAlarmState(ctx, &cloudwatch.SetAlarmStateInput{
			AlarmName: &name, StateValue: state, StateReason: aws.String("Threshold Crossed"),
		})
		return err
	}
}

// alarmFor keeps the policy's alarm in ALARM for so long.
func alarmFor(d time.Duration) func(context.Context, *run) error {
	return func(ctx context.Context, r *run) error {
		if err := setAlarm(alarmName, types.StateValueAlarm)(ctx, r); err != nil {
			return err
		}
		if err := r.stage.Local.Clock.Sleep(ctx, d); err != nil {
			return err
		}
		return setAlarm(alarmName, types.StateValueOk)(ctx, r)
	}
}

func changeByHand(ctx context.Context, r *run) error {
	_, err := ecs.NewFromConfig(r.stage.Local.UserConfig()).UpdateService(ctx, &ecs.UpdateServiceInput{
		Cluster: aws.String(cluster), Service: aws.String(service), DesiredCount: aws.Int32(1),
	})
	return err
}

// rest waits for an hour, together with the wait for calm after it.
func rest(ctx context.Context, r *run) error { return r.stage.Local.Clock.Sleep(ctx, time.Hour-2*calm) }
