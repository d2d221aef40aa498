package local

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/oklog/ulid/v2"

	"portolan/local/access"
	"portolan/local/autoscaling"
	"portolan/local/clock"
	"portolan/local/cloudformation"
	"portolan/local/cloudformation/resources"
	"portolan/local/cloudwatch"
	"portolan/local/codepipeline"
	"portolan/local/disk"
	"portolan/local/dynamodb"
	"portolan/local/ec2"
	"portolan/local/ecr"
	"portolan/local/ecs"
	"portolan/local/eks"
	"portolan/local/elbv2"
	"portolan/local/events"
	"portolan/local/iam"
	"portolan/local/identity"
	invocations "portolan/local/lambda"
	"portolan/local/secretsmanager"
	"portolan/local/sqs"
	"portolan/local/states"
	"portolan/local/states/sdktask"
	"portolan/local/swarm"
	"portolan/local/tagging"
	"portolan/local/trail"
	"portolan/local/unique"
	"portolan/local/wire"
	"portolan/local/workers"
	"portolan/shared/environment"
)

// Account is the number of the account that the embedded AWS has.
const Account = "000000000000"

// Config is how a local control plane starts.
type Config struct {
	// Files are template.yaml, openapi.yaml and statemachines/.
	Files fs.FS

	// Directory keeps all state across restarts; empty keeps nothing.
	Directory string
	Region    string
	Stack     string

	// Speed is how much faster than AWS time passes.
	Speed float64

	// Seed makes ids and chances repeatable.
	Seed uint64
	Log  *slog.Logger

	// Middleware is put around every call of AWS, for faults and for counting.
	Middleware []func(http.Handler) http.Handler

	// Delivered, unless nil, is told of each event that a rule gives a target, which
	// does not pass the middleware.
	Delivered func(targetARN string)

	// Writing, unless nil, is told before each write to Directory, which then holds what
	// a process would leave that is killed at that moment.
	Writing func()

	// Machines run the Docker engines of instances; simulated ones where it is nil.
	Machines Machines

	// Build is put around how the handlers of functions are built; nil builds them
	// as they are deployed. A simulation reaches into functions here.
	Build func(logicalID string, env *environment.Environment, build Builder) lambda.Handler
}

// A Local is a running control plane with its AWS. The services are there for
// whoever sets a scene.
type Local struct {
	// API answers as API Gateway does, and AWS as all services.
	API http.Handler
	AWS *wire.Router

	Clock        *clock.Clock
	DynamoDB     *dynamodb.Server
	States       *states.Server
	Events       *events.Server
	ECS          *ecs.Server
	EKS          *eks.Server
	ECR          *ecr.Server
	AutoScaling  *autoscaling.Server
	CloudWatch   *cloudwatch.Server
	Stacks       *cloudformation.Service
	CodePipeline *codepipeline.Server
	SQS          *sqs.Server
	Secrets      *secretsmanager.Server
	Identity     *identity.Server

	// Engines are the simulated Docker engines of instances; nil where Config has others.
	Engines *swarm.Engines

	// Guard refuses what roles may not do, and knows what they did.
	Guard *access.Guard

	config     Config
	disk       *disk.Disk
	ids        *unique.Source
	deployment *deployment
	runtime    *runtime
	targets    *targets
	fleet      *fleet
	lambda     *invocations.Server
	trail      *trail.Trail
	closers    []func()
	workers    workers.Pool
	release    func() // lets the clock go, once everything is there
	cancel     context.CancelFunc
	wait       sync.WaitGroup
}

// Start starts a control plane. Close stops it.
func Start(config Config) (*Local, error) {
	deployment, err := readDeployment(config.Files, Account, config.Region, config.Stack)
	if err != nil {
		return nil, err
	}
	l := &Local{config: config, deployment: deployment, Clock: clock.New(config.Speed).Ordered(), ids: unique.New(config.Seed)}
	if config.Directory != "" {
		if err := l.openDisk(); err != nil {
			return nil, errors.Join(err, l.disk.Close())
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel, l.release = cancel, l.Clock.Hold()
	for _, start := range []func(context.Context) error{
		l.startAccounts, l.startFunctions, l.startSources, l.startCompute, l.startControlPlane,
	} {
		if err := start(ctx); err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	l.release()
	return l, nil
}

// Close stops everything where it is, and returns once nothing runs any more.
func (l *Local) Close() error {
	l.cancel()
	for _, closer := range l.closers {
		closer()
	}
	l.release()
	l.wait.Wait()
	l.workers.Close()
	return l.disk.Close()
}

// work does something on a goroutine, once everything is there that it may call.
func (l *Local) work(do func()) {
	l.workers.Go(func() {
		_ = l.Clock.Wait(context.Background())
		do()
	})
}

// keyTTL is how long the keys of the functions' own roles last on the machine's
// clock. No process runs that long, so they never have to be renewed.
const keyTTL = 30 * 24 * time.Hour

// User is the person at this machine: the caller whose credentials are printed.
var User = aws.Credentials{AccessKeyID: "AKIAPORTOLANLOCAL000", SecretAccessKey: "portolan-local"}

func (l *Local) startAccounts(context.Context) (err error) {
	l.Identity, err = identity.New(identity.Config{
		Clock: l.Clock, Disk: l.disk, IDs: l.ids.Fork(), Account: Account, Region: l.config.Region,
	})
	if err != nil {
		return err
	}
	if err := l.Identity.AddUser(User.AccessKeyID, User.SecretAccessKey, "you"); err != nil {
		return err
	}
	l.AWS = wire.NewRouter(l.Identity)
	l.AWS.NewRequestID = l.ids.Fork().UUID
	l.AWS.Register("sts", l.Identity)
	return l.startGuard()
}

// Config is the configuration of SDK clients that call the embedded AWS under
// those credentials, without a socket.
func (l *Local) Config(credentials aws.CredentialsProvider) aws.Config {
	return aws.Config{
		Region: l.config.Region, Credentials: credentials, HTTPClient: l.AWS,
		BaseEndpoint: aws.String("http://aws.local"), ServiceOptions: []func(string, any){wire.Unsigned},
	}
}

// UserConfig is the configuration of the person at this machine.
func (l *Local) UserConfig() aws.Config {
	return l.Config(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return User, nil }))
}

// RoleConfig is the configuration of a session of a role, such as a task's.
func (l *Local) RoleConfig(roleARN, session string) (aws.Config, error) {
	credentials, err := l.assume(roleARN, session)
	return l.Config(aws.CredentialsProviderFunc(
		func(context.Context) (aws.Credentials, error) { return credentials, nil })), err
}

// linkedRoleConfig is the configuration of a service of AWS under its service-linked role,
// which is given as SERVICE/NAME.
func (l *Local) linkedRoleConfig(role, session string) (aws.Config, error) {
	return l.RoleConfig("arn:aws:iam::"+Account+":role/aws-service-role/"+role, session)
}

// roleConfig is the configuration of a function or machine under its own role.
func (l *Local) roleConfig(owner string) aws.Config {
	arn := "arn:aws:iam::" + Account + ":role/" + roleName(l.config.Stack, owner)
	return l.Config(aws.NewCredentialsCache(aws.CredentialsProviderFunc(
		func(context.Context) (aws.Credentials, error) { return l.assume(arn, owner) })))
}

func (l *Local) assume(roleARN, session string) (aws.Credentials, error) {
	key, err := l.Identity.AssumeRole(roleARN, session, keyTTL)
	return aws.Credentials{AccessKeyID: key.AccessKeyID, SecretAccessKey: key.SecretAccessKey,
		SessionToken: key.SessionToken}, err
}

// startFunctions starts the runtime of functions, and the bus that calls them.
func (l *Local) startFunctions(context.Context) (err error) {
	entropy := &lockedEntropy{source: ulid.Monotonic(rand.NewChaCha8(ulidSeed(l.config.Seed)), 0)}
	base := environment.Environment{Log: l.config.Log, Now: l.Clock.Now, WrapTransport: l.outward, NewID: func() string {
		return ulid.MustNew(ulid.Timestamp(l.Clock.Now()), entropy).String()
	}}
	if l.runtime, err = newRuntime(l.deployment.functions, l.roleConfig, base, l.config.Build); err != nil {
		return err
	}
	if l.SQS, err = sqs.New(sqs.Config{Clock: l.Clock, Disk: l.disk, IDs: l.ids.Fork(),
		Account: Account, Region: l.config.Region}); err != nil {
		return err
	}
	for _, queue := range l.deployment.queues {
		l.SQS.CreateQueue(queue.name)
	}
	l.AWS.Register("sqs", l.SQS)
	l.targets = &targets{clock: l.Clock, runtime: l.runtime, queues: l.SQS, letters: l.letters(), topics: l.topics()}
	l.targets.async, err = invocations.NewAsync(invocations.AsyncConfig{
		Clock: l.Clock, Disk: l.disk, Invoke: l.targets.invoke, DeadLetter: l.targets.giveUp,
	})
	if err != nil {
		return err
	}
	l.closers = append(l.closers, l.targets.async.Close)
	l.Events, err = events.New(events.Config{
		Clock: l.Clock, Disk: l.disk, IDs: l.ids.Fork(), Account: Account, Region: l.config.Region,
		Deliver: l.deliver, DeadLetter: l.targets.deadLetter, Go: l.work,
	})
	if err != nil {
		return err
	}
	l.closers = append(l.closers, l.Events.Close)
	l.AWS.Register("events", l.Events)
	return nil
}

// deliver tells whoever counts, and hands the event over.
func (l *Local) deliver(ctx context.Context, target events.Target, input []byte) error {
	if l.config.Delivered != nil {
		l.config.Delivered(target.Arn)
	}
	return l.targets.deliver(ctx, target, input)
}

// letters says which queue takes the events that a function could not handle.
func (l *Local) letters() map[string]string {
	out := map[string]string{}
	for _, f := range l.deployment.functions {
		arn, ok := path(f.properties, "DeadLetterQueue", "TargetArn").(string)
		for _, queue := range l.deployment.queues {
			if ok && queue.arn == arn {
				out[f.arn] = queue.name
			}
		}
	}
	return out
}

// topics says which function listens to which topic.
func (l *Local) topics() map[string]string {
	out := map[string]string{}
	for _, f := range l.deployment.functions {
		events, _ := f.properties["Events"].(map[string]any)
		for _, event := range events {
			if topic, ok := path(event, "Properties", "Topic").(string); ok && path(event, "Type") == "SNS" {
				out[topic] = f.arn
			}
		}
	}
	return out
}

func ulidSeed(seed uint64) (out [32]byte) {
	binary.LittleEndian.PutUint64(out[:], seed)
	return out
}

// A lockedEntropy makes monotonic ULIDs for many goroutines.
type lockedEntropy struct {
	mu     sync.Mutex
	source *ulid.MonotonicEntropy
}

func (e *lockedEntropy) Read(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.source.Read(p)
}

// MonotonicRead implements ulid.MonotonicReader.
func (e *lockedEntropy) MonotonicRead(ms uint64, p []byte) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.source.MonotonicRead(ms, p)
}

// startSources starts the services that tell of alarms, images, builds and calls, and
// the one that keeps secrets.
func (l *Local) startSources(context.Context) (err error) {
	l.trail, err = trail.New(trail.Config{Clock: l.Clock, Disk: l.disk, IDs: l.ids.Fork(), Account: Account,
		Region: l.config.Region, Events: l.Events})
	if err != nil {
		return err
	}
	l.closers = append(l.closers, l.trail.Close)
	l.AWS.Use(l.trail.Middleware)
	l.CloudWatch, err = cloudwatch.New(cloudwatch.Config{Clock: l.Clock, Disk: l.disk, Account: Account,
		Region: l.config.Region, Events: l.Events, Act: l.targets.act})
	if err != nil {
		return err
	}
	l.CodePipeline, err = codepipeline.New(codepipeline.Config{Clock: l.Clock, Disk: l.disk, IDs: l.ids.Fork(),
		Account: Account, Region: l.config.Region, Events: l.Events})
	if err != nil {
		return err
	}
	l.ECR, err = ecr.New(ecr.Config{Clock: l.Clock, Disk: l.disk, Account: Account, Region: l.config.Region, Events: l.Events})
	if err != nil {
		return err
	}
	l.Secrets, err = secretsmanager.New(secretsmanager.Config{Clock: l.Clock, Disk: l.disk, IDs: l.ids.Fork(),
		Account: Account, Region: l.config.Region})
	if err != nil {
		return err
	}
	l.AWS.Register("secretsmanager", l.Secrets)
	l.AWS.Register("monitoring", l.CloudWatch)
	l.AWS.Register("codepipeline", l.CodePipeline)
	l.AWS.Register("ecr", l.ECR)
	return nil
}

// startCompute starts the services that clusters are made of.
func (l *Local) startCompute(context.Context) (err error) {
	network, err := ec2.New(ec2.Config{Account: Account, Region: l.config.Region, Clock: l.Clock, Disk: l.disk, IDs: l.ids.Fork()})
	if err != nil {
		return err
	}
	if l.fleet, err = newFleet(network, l.config.Log); err != nil {
		return err
	}
	balancing, err := elbv2.New(elbv2.Config{Account: Account, Region: l.config.Region, Clock: l.Clock, Disk: l.disk,
		IDs: l.ids.Fork(), Subnet: func(id string) (string, string, bool) {
			subnet, ok := network.Subnet(id)
			return subnet.VpcID, subnet.AvailabilityZone, ok
		}})
	if err != nil {
		return err
	}
	roles, err := iam.New(iam.Config{Account: Account, Clock: l.Clock, Disk: l.disk, IDs: l.ids.Fork()})
	if err != nil {
		return err
	}
	l.AWS.Register("ec2", network.Handler())
	l.AWS.Register("elasticloadbalancing", balancing.Handler())
	l.AWS.Register("iam", roles.Handler())
	network.UseInterfaces(interfaces{balancing})
	if err := l.startLambda(network); err != nil {
		return err
	}
	if err := l.startOrchestrators(network); err != nil {
		return err
	}
	l.AWS.Register("tagging", tagging.New(taggedNetwork(network), lister(balancing.TaggedResources),
		lister(l.ECS.TaggedResources), lister(l.EKS.TaggedResources),
		lister(l.lambda.TaggedResources), lister(l.Secrets.TaggedResources), taggedStacks(l.Stacks)).Handler())
	return nil
}

func (l *Local) startOrchestrators(network *ec2.Service) (err error) {
	scheduler, err := l.linkedRoleConfig("ecs.amazonaws.com/AWSServiceRoleForECS", "ecs-service-scheduler")
	if err != nil {
		return err
	}
	l.ECS, err = ecs.New(ecs.Config{
		Clock: l.Clock, Disk: l.disk, IDs: l.ids.Fork(), Account: Account, Region: l.config.Region, Events: l.Events,
		Roles: l.trail, Images: l.ECR, Targets: &balancers{client: elb.NewFromConfig(scheduler), log: l.config.Log},
	})
	if err != nil {
		return err
	}
	l.closers = append(l.closers, l.ECS.Close)
	if err := l.startEngines(); err != nil {
		return err
	}
	if err := l.startEKS(network); err != nil {
		return err
	}
	l.AutoScaling, err = autoscaling.New(autoscaling.Config{
		Clock: l.Clock, Disk: l.disk, IDs: l.ids.Fork(), Account: Account, Region: l.config.Region, Events: l.Events,
		Templates: l.fleet, Instances: l.fleet, Agents: l.ECS, Kubelets: l.fleet,
	})
	if err != nil {
		return err
	}
	l.closers = append(l.closers, l.AutoScaling.Close)
	l.fleet.groups = l.AutoScaling
	l.AWS.Register("ecs", l.ECS)
	l.AWS.Register("autoscaling", l.AutoScaling)
	return l.startStacks()
}

// startStacks starts CloudFormation, which makes its resources by calling the
// other services under the role that it is given for the stacks of clusters.
func (l *Local) startStacks() (err error) {
	l.Stacks, err = cloudformation.New(cloudformation.Config{
		Account: Account, Region: l.config.Region, Clock: l.Clock, Disk: l.disk, IDs: l.ids.Fork(), Events: l.Events,
		Kinds:  resources.New(l.roleConfig("Stack"), nil),
		Source: cloudformation.Source{SSMParameter: machineImage},
	})
	if err != nil {
		return err
	}
	l.closers = append(l.closers, l.Stacks.Close)
	l.AWS.Register("cloudformation", l.Stacks.Handler())
	return nil
}

// machineImage stands for the public parameters with the newest images of nodes.
func machineImage(_ context.Context, name string) (string, error) {
	if !strings.HasPrefix(name, "/aws/service/") {
		return "", fmt.Errorf("parameter %s does not exist", name)
	}
	return "ami-0123456789abcdef0", nil
}

// tableDelay is how long a table that somebody creates by hand is CREATING.
const tableDelay = 500 * time.Millisecond

// startControlPlane starts the table, the state machines, the rules and the API.
func (l *Local) startControlPlane(ctx context.Context) (err error) {
	l.DynamoDB, err = dynamodb.New(dynamodb.Config{Clock: l.Clock, Disk: l.disk, Region: l.config.Region,
		Account: Account, NewID: l.ids.Fork().UUID, CreateDelay: tableDelay})
	if err != nil {
		return err
	}
	l.closers = append(l.closers, l.DynamoDB.Close)
	l.AWS.Register("dynamodb", l.DynamoDB)
	table := l.deployment.table
	_, stream, err := l.DynamoDB.CreateTableFromProperties(table.name, table.properties)
	if err != nil {
		return fmt.Errorf("creating the table: %w", err)
	}
	if err := l.startMachines(); err != nil {
		return err
	}
	if err := l.startRules(ctx); err != nil {
		return err
	}
	for _, middleware := range l.config.Middleware {
		l.AWS.Use(middleware)
	}
	l.API = &gateway{runtime: l.runtime, function: l.functionARN("ApiFunction"), accounts: l.Identity,
		clock: l.Clock, account: Account, newID: l.ids.Fork().UUID}
	return l.startStreams(ctx, stream)
}

func (l *Local) functionARN(logicalID string) string {
	for _, f := range l.deployment.functions {
		if f.logicalID == logicalID {
			return f.arn
		}
	}
	return ""
}

// tasks has the effects of state machines' tasks.
type tasks struct {
	*sdktask.Caller
	runtime *runtime
}

// InvokeFunction implements states.TaskRunner.
func (t *tasks) InvokeFunction(ctx context.Context, name string, payload []byte) ([]byte, error) {
	return t.runtime.invoke(ctx, name, payload)
}

func (l *Local) startMachines() (err error) {
	caller := sdktask.New(sdktask.Config{
		Client: l.AWS.Client(), Endpoint: "http://aws.local", Region: l.config.Region, Now: l.Clock.Now,
		Credentials: l.machineCredentials(),
	})
	l.States, err = states.New(states.Config{
		Clock: l.Clock, Disk: l.disk, Region: l.config.Region, Account: Account, NewID: l.ids.Fork().UUID,
		Rand: rand.New(rand.NewPCG(l.config.Seed, 1)), Tasks: &tasks{caller, l.runtime}, Changed: l.executionChanged,
		Go: l.work,
	})
	if err != nil {
		return err
	}
	l.closers = append(l.closers, func() { _ = l.States.Close() })
	l.AWS.Register("states", l.States)
	for _, m := range l.deployment.machines {
		if err := l.checkMachine(m); err != nil {
			return fmt.Errorf("creating state machine %s: %w", m.name, err)
		}
		err := l.putMachine(states.MachineInput{
			Name: m.name, Definition: m.definition, Type: "STANDARD",
			RoleArn: "arn:aws:iam::" + Account + ":role/" + roleName(l.config.Stack, m.logicalID),
		})
		if err != nil {
			return fmt.Errorf("creating state machine %s: %w", m.name, err)
		}
	}
	return nil
}

// putMachine makes a state machine, or gives the one that a process before made the
// definition of now.
func (l *Local) putMachine(in states.MachineInput) error {
	_, err := l.States.CreateStateMachine(in)
	if refused, ok := errors.AsType[*wire.Error](err); !ok || refused.Code != "StateMachineAlreadyExists" {
		return err
	}
	arn := "arn:aws:states:" + l.config.Region + ":" + Account + ":stateMachine:" + in.Name
	_, err = sfn.NewFromConfig(l.UserConfig()).UpdateStateMachine(context.Background(),
		&sfn.UpdateStateMachineInput{StateMachineArn: &arn, Definition: &in.Definition, RoleArn: &in.RoleArn})
	return err
}

// machineCredentials gives each state machine's role one session.
func (l *Local) machineCredentials() func(context.Context, string) (aws.Credentials, error) {
	var mu sync.Mutex
	sessions := map[string]aws.Credentials{}
	return func(_ context.Context, role string) (aws.Credentials, error) {
		mu.Lock()
		defer mu.Unlock()
		if credentials, ok := sessions[role]; ok {
			return credentials, nil
		}
		credentials, err := l.assume(role, "states")
		if err == nil {
			sessions[role] = credentials
		}
		return credentials, err
	}
}

// executionChanged tells the bus of an execution's status, as Step Functions does.
func (l *Local) executionChanged(ctx context.Context, change states.StatusChange) {
	l.Events.Emit(ctx, events.Event{Source: "aws.states", DetailType: "Step Functions Execution Status Change",
		Resources: []string{change.ExecutionArn}, Detail: change})
}

// startStreams starts the mappings from the table's stream to functions.
func (l *Local) startStreams(ctx context.Context, stream string) error {
	for _, f := range l.deployment.functions {
		if err := l.checkStream(f); err != nil {
			return err
		}
		for _, source := range f.streams {
			reader, err := l.DynamoDB.OpenStream(stream, f.name, false)
			if err != nil {
				return err
			}
			mapped, err := newMapping(mapping{
				source: source, function: f.arn, reader: reader, runtime: l.runtime, clock: l.Clock, log: l.config.Log,
				deadLetter: func(_ context.Context, body []byte) error {
					_, err := l.SQS.Send(l.deployment.queues[0].name, string(body), nil)
					return err
				},
			})
			if err != nil {
				return err
			}
			l.wait.Go(func() { mapped.run(ctx) })
		}
	}
	return nil
}
