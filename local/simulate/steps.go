package simulate

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"portolan/local"
	"portolan/local/cloudformation"
	"portolan/local/codepipeline"
	"portolan/shared/contract"
	"portolan/shared/model"
)

const repository = account + ".dkr.ecr." + region + ".amazonaws.com/shop/web"

// prepare pushes the images that releases are made of.
func (w *World) prepare() error {
	for _, tag := range images {
		if _, err := w.ECR.Push(w.ctx, "shop/web", tag, "image "+tag); err != nil {
			return err
		}
	}
	return nil
}

func (w *World) do(s Step) error { return w.deeds()[s.Do](s) }

func (w *World) deeds() map[Deed]func(Step) error {
	return map[Deed]func(Step) error{
		CreateCluster: w.createCluster, AdoptCluster: w.adoptCluster, DrainNode: w.drainNode, RetireCluster: w.retireCluster, PutService: w.putService,
		ScaleService: w.scaleService, RetireService: w.retireService, ScalePool: w.scalePool,
		PutPolicy: w.putPolicy, RaiseAlarm: w.raiseAlarm, CalmAlarm: w.calmAlarm,
		BindPipeline: w.bindPipeline, BindRepository: w.bindRepository, PushImage: w.pushImage, RunPipeline: w.runPipeline,
		ChangeByHand: w.changeByHand, ReplaceByHand: w.replaceByHand, DeleteByHand: w.deleteByHand, ResizeByHand: w.resizeByHand,
		ScaleManagers: w.scaleManagers, LoseManager: w.loseManager, StopEngine: w.stopEngine,
		LoseQuorum: w.loseQuorum, RecoverSwarm: w.recoverSwarm, UpgradeCluster: w.upgradeCluster,
		RunJob: w.runJob, StopJob: w.stopJob,
		LoseNode: w.loseNode, FailStack: w.failStack, RefuseDelete: w.refuseDelete,
		StopExecution: w.stopExecution, RunOutLease: w.runOutLease, GiveLeaseAway: w.giveLeaseAway, RepeatOldEvent: w.repeatOldEvent,
	}
}

// api calls the API as a patient client does: again under the same key while it
// is not answered well.
func (w *World) api(method, path string, body any) error {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return err
		}
	}
	w.asked++
	key := fmt.Sprintf("%d-%d", w.Plan.Seed, w.asked)
	for range 5 {
		request := httptest.NewRequestWithContext(w.ctx, method, "http://api.local"+path, bytes.NewReader(text))
		request.Header.Set("Content-Type", "application/json")
		if method != http.MethodGet {
			request.Header.Set("Idempotency-Key", key)
		}
		sum := sha256.Sum256(text)
		err := v4.NewSigner().SignHTTP(w.ctx, local.User, request, hex.EncodeToString(sum[:]), "execute-api", region, time.Now())
		if err != nil {
			return err
		}
		recorder := httptest.NewRecorder()
		w.API.ServeHTTP(recorder, request)
		w.tell("api", "%s %s: %d", method, path, recorder.Code)
		switch {
		case recorder.Code == http.StatusAccepted:
			return w.accepted(recorder.Body.Bytes())
		case recorder.Code < http.StatusInternalServerError && recorder.Code != http.StatusTooManyRequests:
			if recorder.Code >= http.StatusBadRequest {
				w.tell("api", "refused: %s", recorder.Body)
			}
			return nil
		}
		if err := w.Clock.Sleep(w.ctx, 10*time.Second); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s %s is not answered", method, path)
}

// accepted notes an operation that was promised.
func (w *World) accepted(body []byte) error {
	var o contract.Operation
	if err := json.Unmarshal(body, &o); err != nil {
		return err
	}
	w.watch.promised = append(w.watch.promised, o.Id)
	w.tell("api", "operation %s (%s)", o.Id, o.Kind)
	return nil
}

func cluster(s Step) string { return "/v1/clusters/" + s.Cluster }

func service(s Step) string { return cluster(s) + "/services/" + s.Service }

// pool is a cluster's only one.
func pool(s Step) string { return cluster(s) + "/node-pools/nodes" }

// teamOf is the team that owns a cluster.
func teamOf(name string) string { return "team-" + name[len(name)-1:] }

func (w *World) createCluster(s Step) error {
	wish := contract.ClusterSpec{Name: s.Cluster, Team: teamOf(s.Cluster), Orchestrator: contract.Ecs}
	switch s.Text {
	case onSwarm, onOneManager:
		wish.Orchestrator, wish.Swarm = contract.Swarm, swarmWish(s)
	case onEKS:
		// Answers of a connector would pass no turnstile.
		wish.Orchestrator = contract.Kubernetes
		wish.Kubernetes.EndpointAccess, wish.Kubernetes.OpenToTheInternet = contract.EndpointPublic, true
		wish.Kubernetes.PublicAccessCidrs = []string{"0.0.0.0/0"}
	default:
		wish.Ecs = contract.EcsCluster{Capacity: contract.EcsClusterCapacity(s.Text),
			AllowedIngress: []contract.Ingress{{Cidr: "0.0.0.0/0", Port: 80}}}
	}
	if s.Text != "FARGATE" {
		wish.NodePools = []contract.NodePoolSpec{{Name: "nodes", InstanceType: "m6i.xlarge", Size: s.Count, SizeMax: 5}}
	}
	return w.api(http.MethodPost, "/v1/clusters", wish)
}

// adoptCluster lets Portolan do everything there.
func (w *World) adoptCluster(s Step) error {
	return w.api(http.MethodPost, "/v1/clusters", contract.ClusterSpec{Name: s.Cluster, Team: teamOf(s.Cluster),
		Orchestrator: contract.Kubernetes, Adopted: contract.AdoptedCluster{Credentials: w.adopted[s.Cluster].secret,
			Verbs: contract.Verbs{contract.VerbDeploy, contract.VerbScale, contract.VerbDrain, contract.VerbRepair, contract.VerbRun}}})
}

func (w *World) retireCluster(s Step) error { return w.api(http.MethodDelete, cluster(s), nil) }

func (w *World) spec(s Step, replicas *int) contract.ServiceSpec {
	spec := contract.ServiceSpec{Image: repository + ":" + s.Text, Replicas: replicas, Memory: contract.Memory{LimitMiB: 512},
		Cpu: 256, Ports: []contract.Port{{ContainerPort: 8080}}, Role: "arn:aws:iam::" + account + ":role/web",
		Rollout: contract.Rollout{DeadlineSeconds: 600}}
	if s.Service == "web" {
		spec.LoadBalancer = contract.LoadBalancer{ContainerPort: 8080, HealthCheckPath: "/health",
			Rules: []contract.RoutingRule{{Hosts: []string{"web.example.com"}, Paths: []string{"/"}}}}
	}
	if w.ofKubernetes(s.Cluster) {
		spec.Kubernetes.Namespace = "default"
	}
	if w.ofSwarm(s.Cluster) {
		spec.Role = "" // tasks of a swarm have none of their own
	}
	if w.adopted[s.Cluster] != nil {
		spec.Role = "" // nobody there could give it
		spec.Kubernetes.Namespace = namespace
	}
	return spec
}

func (w *World) putService(s Step) error {
	return w.api(http.MethodPut, service(s), w.spec(s, &s.Count))
}

// scaleService describes the service as it is wanted, but for its replicas.
func (w *World) scaleService(s Step) error {
	v, err := w.mirror.service(s.Cluster, s.Service)
	if err != nil {
		return err
	}
	release, err := w.mirror.release(s.Cluster, s.Service, v.Release)
	if err != nil {
		return err
	}
	spec := release.Spec
	spec.Replicas = &s.Count
	return w.api(http.MethodPut, service(s), spec)
}

func (w *World) retireService(s Step) error { return w.api(http.MethodDelete, service(s), nil) }

func (w *World) scalePool(s Step) error {
	return w.api(http.MethodPut, pool(s), contract.NodePoolScale{Size: s.Count})
}

// policy is the name of the policy, and of the alarm, of a service or pool.
func policy(s Step) string {
	if s.Service == "" {
		return s.Cluster + "-nodes"
	}
	return s.Cluster + "-" + s.Service
}

func (w *World) putPolicy(s Step) error {
	name := policy(s)
	_, err := cloudwatch.NewFromConfig(w.UserConfig()).PutMetricAlarm(w.ctx, &cloudwatch.PutMetricAlarmInput{
		AlarmName: &name, Namespace: aws.String("AWS/ECS"), MetricName: aws.String("CPUUtilization"),
		Statistic: cwtypes.StatisticAverage, Period: aws.Int32(60), EvaluationPeriods: aws.Int32(1),
		Threshold: aws.Float64(75), ComparisonOperator: cwtypes.ComparisonOperatorGreaterThanThreshold,
	})
	if err != nil {
		return err
	}
	spec := contract.PolicySpec{Service: s.Service, Adjustment: s.Count, SizeMin: 1, SizeMax: 4, CooldownSeconds: 180,
		Alarm: "arn:aws:cloudwatch:" + region + ":" + account + ":alarm:" + name}
	if s.Service == "" {
		spec.NodePool = "nodes"
	}
	return w.api(http.MethodPut, cluster(s)+"/policies/"+name, spec)
}

func (w *World) setAlarm(name string, state cwtypes.StateValue) error {
	_, err := cloudwatch.NewFromConfig(w.UserConfig()).SetAlarmState(w.ctx, &cloudwatch.SetAlarmStateInput{
		AlarmName: &name, StateValue: state, StateReason: aws.String("drawn by the simulation")})
	return err
}

func (w *World) raiseAlarm(s Step) error { return w.setAlarm(policy(s), cwtypes.StateValueAlarm) }
func (w *World) calmAlarm(s Step) error  { return w.setAlarm(policy(s), cwtypes.StateValueOk) }

// calmAlarms sets all alarms to OK, so that no policy goes on for ever.
func (w *World) calmAlarms() {
	for _, s := range w.Plan.Steps {
		if s.Do == PutPolicy {
			_ = w.setAlarm(policy(s), cwtypes.StateValueOk) // one that was never made needs no calming
		}
	}
}

func (w *World) bindPipeline(s Step) error {
	return w.api(http.MethodPut, cluster(s)+"/bindings/"+s.Service,
		contract.BindingSpec{Service: s.Service, Pipeline: policy(s)})
}

func (w *World) runPipeline(s Step) error {
	w.runs++
	commit := fmt.Sprintf("%040x", w.runs)
	if _, err := w.ECR.Push(w.ctx, "shop/web", s.Text, "image "+s.Text+" of "+commit); err != nil {
		return err
	}
	_, err := w.CodePipeline.Record(w.ctx, codepipeline.Execution{
		Pipeline: policy(s), Status: "Succeeded",
		Revisions: []codepipeline.Revision{{Name: "SourceArtifact", RevisionID: commit}},
		Actions: []codepipeline.Action{{Stage: "Build", Name: "Build", Category: "Build", Provider: "CodeBuild",
			Status: "Succeeded", OutputVariables: map[string]string{"IMAGE_URI": repository + ":" + s.Text}}},
	})
	return err
}

// repositoryOf is the name of the repository that a service's images are pushed to,
// and liveTag the tag that its binding waits for.
func repositoryOf(s Step) string { return s.Cluster + "/" + s.Service }

const liveTag = "live"

func (w *World) bindRepository(s Step) error {
	return w.api(http.MethodPut, cluster(s)+"/bindings/"+s.Service,
		contract.BindingSpec{Service: s.Service, Repository: repositoryOf(s), Tag: liveTag})
}

// pushImage is a build that pushes its image under two tags, the second of which a
// binding may wait for. The first says how the image fares.
func (w *World) pushImage(s Step) error {
	w.runs++
	content := fmt.Sprintf("push %d of %s", w.runs, s.Text)
	if _, err := w.ECR.Push(w.ctx, repositoryOf(s), fmt.Sprintf("%s-%d", s.Text, w.runs), content); err != nil {
		return err
	}
	digest, err := w.ECR.Push(w.ctx, repositoryOf(s), liveTag, content)
	if err == nil {
		w.pushed[model.TargetKey(contract.Target{Cluster: s.Cluster, Service: s.Service})] = push{digest, time.Now()}
	}
	return err
}

// A push is the newest image that was pushed for a service.
type push struct {
	digest string
	at     time.Time
}

func ecsCluster(name string) string { return name }

func (w *World) loseNode(s Step) error {
	if c := w.adopted[s.Cluster]; c != nil {
		id := fmt.Sprintf("i-%s%015d", c.name, 1+s.Count%c.nodes)
		w.tell("step", "instance %s dies, and another one joins", id)
		return errors.Join(c.LoseNode(w.ctx, id), c.join(w.ctx))
	}
	ids := w.watch.instances(s.Cluster)
	if len(ids) == 0 {
		return fmt.Errorf("cluster %s has no nodes", s.Cluster)
	}
	id := ids[s.Count%len(ids)]
	w.tell("step", "instance %s dies", id)
	w.AutoScaling.KillInstance(id)
	return nil
}

// failStack makes a resource of the cluster's next stack fail half way.
func (w *World) failStack(s Step) error {
	kinds := []string{"AWS::EC2::NatGateway", "AWS::AutoScaling::AutoScalingGroup", "AWS::ECS::Cluster",
		"AWS::ElasticLoadBalancingV2::LoadBalancer", "AWS::EC2::SecurityGroup"}
	if w.ofKubernetes(s.Cluster) {
		kinds = []string{"AWS::EC2::NatGateway", "AWS::EKS::Cluster", "AWS::EKS::Nodegroup", "AWS::EKS::Addon", "AWS::IAM::Role"}
	}
	if w.ofSwarm(s.Cluster) {
		kinds = []string{"AWS::EC2::NatGateway", "AWS::AutoScaling::AutoScalingGroup", "AWS::Lambda::Function",
			"AWS::ElasticLoadBalancingV2::LoadBalancer", "AWS::EC2::SecurityGroup"}
	}
	w.Stacks.Fail(cloudformation.Fault{Type: kinds[w.random.IntN(len(kinds))], Action: "create", Times: 1,
		Reason: "Resource handler returned message: \"drawn by the simulation\""})
	return nil
}

// refuseDelete makes the deletion of a resource fail, once or for good.
func (w *World) refuseDelete(s Step) error {
	kind := "AWS::EC2::SecurityGroup"
	if w.ofKubernetes(s.Cluster) {
		kind = "AWS::EKS::Nodegroup"
	}
	for _, name := range w.watch.stacksOf(s.Cluster) {
		w.Stacks.Fail(cloudformation.Fault{StackName: name, Type: kind, Action: "delete",
			Times: w.random.IntN(3), Reason: "resource has a dependent object"})
	}
	return nil
}

func (w *World) repeatOldEvent(s Step) error {
	if len(w.events) == 0 {
		return nil
	}
	old := w.events[s.Count*7919%len(w.events)]
	w.tell("step", "again for %s: %s", old.function.id, brief(old.payload))
	w.again(old.function, old.payload, time.Second)
	return nil
}
