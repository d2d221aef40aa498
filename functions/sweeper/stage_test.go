package sweeper_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"portolan"
	"portolan/local"
	"portolan/local/story"
	"portolan/shared/contract"
	"portolan/shared/model"
	"portolan/shared/store"
)

const (
	region = "us-east-1"
	image  = "000000000000.dkr.ecr.us-east-1.amazonaws.com/shop/webapp"
)

// A stage is a control plane on one machine, in virtual time.
type stage struct {
	*testing.T
	*story.Stage
	table *store.Store
	sfn   *sfn.Client

	// before is the task definition that the service had before a test changed it.
	before string
}

// A scene is a stage with what was made on it already. It is made once, and kept as
// the disk of its control plane, which each test goes on from a copy of.
type scene struct {
	make func(*stage)
	once sync.Once
	disk []byte
}

var (
	empty       = &scene{}
	withCluster = &scene{make: (*stage).makeCluster}
	withService = &scene{make: (*stage).makeService}
)

// diskFile is the file in which a control plane keeps its state.
const diskFile = "aws.db"

// directory is a new copy of the scene's disk.
func (sc *scene) directory(t *testing.T) string {
	t.Helper()
	sc.once.Do(func() {
		directory := t.TempDir()
		perform(t, func(c *local.Config) { c.Directory = directory }, func(s *stage) {
			s.pushImages()
			sc.make(s)
			time.Sleep(10 * time.Minute) // until nothing is under way
		})
		var err error
		if sc.disk, err = os.ReadFile(filepath.Join(directory, diskFile)); err != nil {
			t.Fatal(err)
		}
	})
	if len(sc.disk) == 0 {
		t.Fatal("the scene could not be made; another test tells why")
	}
	directory := t.TempDir()
	if err := os.WriteFile(filepath.Join(directory, diskFile), sc.disk, 0o600); err != nil {
		t.Fatal(err)
	}
	return directory
}

// play runs a test on an empty stage of its own, beside others.
func play(t *testing.T, configure func(*local.Config), act func(*stage)) {
	t.Helper()
	t.Parallel()
	perform(t, configure, func(s *stage) {
		s.pushImages()
		act(s)
	})
}

// playOn runs a test on a stage of its own with a scene, beside others.
func playOn(t *testing.T, sc *scene, configure func(*local.Config), act func(*stage)) {
	t.Helper()
	if sc == empty {
		play(t, configure, act)
		return
	}
	t.Parallel()
	directory := sc.directory(t)
	perform(t, func(c *local.Config) {
		// Ids must not come again that the scene's control plane gave already.
		c.Directory, c.Seed = directory, c.Seed+1
		if configure != nil {
			configure(c)
		}
	}, act)
}

// perform starts a control plane in virtual time, acts, and stops it.
func perform(t *testing.T, configure func(*local.Config), act func(*stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		config := local.Config{Files: portolan.Files, Region: region, Stack: "portolan", Seed: 1,
			Log: slog.New(slog.DiscardHandler)}
		if testing.Verbose() {
			config.Log = slog.New(slog.NewJSONHandler(t.Output(), nil))
		}
		if configure != nil {
			configure(&config)
		}
		l, err := local.Start(config)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		}()
		act(&stage{T: t, Stage: &story.Stage{Local: l, Out: io.Discard}, sfn: sfn.NewFromConfig(l.UserConfig()),
			table: store.New(dynamodb.NewFromConfig(l.UserConfig()), "portolan-Table")})
	})
}

func (s *stage) pushImages() {
	s.Helper()
	for _, tag := range []string{"1.0", "2.0"} {
		_, err := s.Local.ECR.Push(s.Context(), "shop/webapp", tag, "made for the test")
		s.do(err)
	}
}

func (s *stage) do(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// ask sends a request that asks for an operation.
func (s *stage) ask(method, path string, body any) contract.Operation {
	s.Helper()
	var o contract.Operation
	status, err := s.Call(s.Context(), method, path, body, &o)
	s.do(err)
	if status != http.StatusAccepted {
		s.Fatalf("%s %s answered %d", method, path, status)
	}
	return o
}

func (s *stage) get(path string, out any) {
	s.Helper()
	status, err := s.Call(s.Context(), http.MethodGet, path, nil, out)
	s.do(err)
	if status != http.StatusOK {
		s.Fatalf("GET %s answered %d", path, status)
	}
}

func (s *stage) operation(id string) contract.Operation {
	s.Helper()
	var o contract.Operation
	s.get("/v1/operations/"+id, &o)
	return o
}

// end waits for an operation's end, at most until so long after its deadline as
// the sweeper needs.
func (s *stage) end(id string) contract.Operation {
	s.Helper()
	for {
		o := s.operation(id)
		if !o.EndedAt.IsZero() {
			return o
		}
		if s.Local.Clock.Now().After(o.Deadline.Add(10 * time.Minute)) {
			s.Fatalf("operation %s (%s) is %s ten minutes past its deadline", id, o.Kind, o.Status)
		}
		time.Sleep(10 * time.Second)
	}
}

// succeed waits for an end that has to be good.
func (s *stage) succeed(o contract.Operation) {
	s.Helper()
	if ended := s.end(o.Id); ended.Status != contract.OperationSucceeded {
		s.Fatalf("%s ended %s: %s (left: %v)", o.Kind, ended.Status, ended.Reason, ended.Left)
	}
}

// stop stops the execution of an operation's attempt, as a person would, and says
// whether it ran.
func (s *stage) stop(o contract.Operation, attempt int) bool {
	s.Helper()
	m := model.Operation{ID: o.Id, Attempt: attempt}
	arn := fmt.Sprintf("arn:aws:states:%s:%s:execution:portolan-%s:%s", region, local.Account, o.Kind, m.ExecutionName())
	seen, err := s.sfn.DescribeExecution(s.Context(), &sfn.DescribeExecutionInput{ExecutionArn: &arn})
	if err != nil || seen.Status != "RUNNING" {
		return false
	}
	_, err = s.sfn.StopExecution(s.Context(), &sfn.StopExecutionInput{ExecutionArn: &arn, Cause: aws.String("stopped by hand")})
	s.do(err)
	return true
}

// lose turns a rule off, so that its events are lost.
func (s *stage) lose(rule string) {
	s.Helper()
	_, err := eventbridge.NewFromConfig(s.Local.UserConfig()).DisableRule(s.Context(),
		&eventbridge.DisableRuleInput{Name: aws.String("portolan-" + rule)})
	s.do(err)
}

func cluster(name string, nodes int) contract.ClusterSpec {
	return contract.ClusterSpec{
		Name: name, Team: "storefront", Orchestrator: contract.Ecs,
		NodePools: []contract.NodePoolSpec{{Name: "nodes", InstanceType: "m6i.xlarge", Size: nodes, SizeMax: 4}},
		Ecs:       contract.EcsCluster{Capacity: contract.EC2},
	}
}

func service(tag string, replicas int) contract.ServiceSpec {
	return contract.ServiceSpec{Container: "webapp", Image: image + ":" + tag, Replicas: &replicas,
		Memory: contract.Memory{LimitMiB: 512}, Ports: []contract.Port{{ContainerPort: 8080}},
		Rollout: contract.Rollout{DeadlineSeconds: 600}}
}

const (
	clusterPath = "/v1/clusters/shop"
	servicePath = clusterPath + "/services/web"
)

func (s *stage) makeCluster() {
	s.Helper()
	s.succeed(s.ask(http.MethodPost, "/v1/clusters", cluster("shop", 1)))
}

func (s *stage) makeService() {
	s.Helper()
	s.makeCluster()
	s.succeed(s.ask(http.MethodPut, servicePath, service("1.0", 2)))
}

// tagged are the resources that still carry the cluster's tag, but for those that
// AWS shows after their end.
func (s *stage) tagged(cluster string) []string {
	s.Helper()
	out, err := resourcegroupstaggingapi.NewFromConfig(s.Local.UserConfig()).GetResources(s.Context(),
		&resourcegroupstaggingapi.GetResourcesInput{
			TagFilters: []types.TagFilter{{Key: aws.String("portolan:cluster"), Values: []string{cluster}}},
			ResourceTypeFilters: []string{"cloudformation:stack", "ecs:cluster", "ecs:service", "elasticloadbalancing",
				"ec2:vpc", "ec2:subnet", "ec2:security-group", "ec2:launch-template"},
		})
	s.do(err)
	var arns []string
	for _, r := range out.ResourceTagMappingList {
		arns = append(arns, *r.ResourceARN)
	}
	return arns
}

// onECS is the service as ECS has it: its tasks wanted, and the task definition.
func (s *stage) onECS() (desired int, definition string) {
	s.Helper()
	out, err := ecs.NewFromConfig(s.Local.UserConfig()).DescribeServices(s.Context(), &ecs.DescribeServicesInput{
		Cluster: aws.String("shop"), Services: []string{"web"}})
	s.do(err)
	for _, service := range out.Services {
		if aws.ToString(service.Status) == "ACTIVE" {
			return int(service.DesiredCount), (*service.TaskDefinition)[strings.LastIndex(*service.TaskDefinition, "/")+1:]
		}
	}
	return 0, ""
}

// over checks that nothing is open any more, and no lease is held.
func (s *stage) over(targets ...string) {
	s.Helper()
	agenda, _, err := s.table.Agenda(s.Context(), store.Page{})
	s.do(err)
	if len(agenda.Operations) > 0 {
		s.Errorf("still open: %v", agenda.Operations)
	}
	for _, target := range targets {
		queue, err := s.table.Queue(s.Context(), target)
		s.do(err)
		if queue.Lease.Holder != "" || len(queue.Operations) > 0 {
			s.Errorf("%s has the queue %+v", target, queue)
		}
	}
}

func isEnd(status contract.OperationStatus) bool {
	return slices.Contains([]contract.OperationStatus{contract.OperationSucceeded, contract.OperationFailedClean,
		contract.OperationFailedDirty}, status)
}
