package simulate

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cftypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	db "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"portolan/local/dynamodb"
	"portolan/shared/contract"
	"portolan/shared/model"
)

// A promise is one of the eight, as far as it can be checked: before each call
// that a function or machine makes, at each change of the table, and at the end.
type promise struct {
	number int
	call   func(o *oracle, c *call)
	change func(o *oracle, before, after *state)
	end    func(o *oracle)
}

var promises = []promise{ends, oneAtATime, onceOnly, intended, drained, rolledBack, attributed, owned}

// An oracle knows what the table says and what was true before, and collects
// where a promise was broken.
type oracle struct {
	w          *World
	reader     *dynamodb.Reader
	now        context.Context // which is over: who reads the stream in it does not wait
	violations []string
	promised   []string // ids of operations that the API accepted
	clusters   []string // of the plan
	ids        []string // of all operations, oldest first

	// again are those of them that were asked for once the faults had stopped, because
	// what was asked for before ended dirty.
	again map[string]bool

	state
	before  state                // what the table said when its changes were last looked at
	started map[string]time.Time // when an operation was first seen at work
	quiet   time.Time            // when the table last changed
}

// A state is what the table says of operations and leases.
type state struct {
	leases     map[string]model.Lease
	operations map[string]model.Operation

	// written are the keys that were written since the changes were last looked at.
	written struct{ leases, operations []string }
}

func newState() state {
	return state{leases: map[string]model.Lease{}, operations: map[string]model.Operation{}}
}

func newOracle(w *World) *oracle {
	now, cancel := context.WithCancel(context.Background())
	cancel()
	return &oracle{w: w, now: now, clusters: clustersOf(w.Plan), again: map[string]bool{}, started: map[string]time.Time{},
		state: newState(), before: newState()}
}

// catchUp makes s say what now says, and forgets what of that was new.
func (s *state) catchUp(now *state) {
	for _, key := range now.written.leases {
		s.leases[key] = now.leases[key]
	}
	for _, key := range now.written.operations {
		s.operations[key] = now.operations[key]
	}
	now.written.leases, now.written.operations = nil, nil
}

// open begins to read the table's stream.
func (o *oracle) open() error {
	table, err := db.NewFromConfig(o.w.UserConfig()).DescribeTable(o.ctx(), &db.DescribeTableInput{TableName: &o.w.table})
	if err != nil {
		return fmt.Errorf("looking for the table's stream: %w", err)
	}
	o.reader, err = o.w.DynamoDB.OpenStream(*table.Table.LatestStreamArn, "oracle", false)
	return err
}

func (o *oracle) ctx() context.Context { return o.w.privileged() }

// broken notes that a promise was broken.
func (o *oracle) broken(number int, format string, args ...any) {
	text := fmt.Sprintf("promise %d: %s", number, fmt.Sprintf(format, args...))
	if slices.Contains(o.violations, text) {
		return
	}
	o.violations = append(o.violations, text)
	o.w.tell("BROKEN", "%s", text)
}

// called is told of each call before its effect.
func (o *oracle) called(c *call) {
	if o.reader == nil {
		return
	}
	o.settle()
	for _, p := range promises {
		if p.call != nil {
			p.call(o, c)
		}
	}
}

// changes looks at what a call changed in the table. A call's changes are looked
// at before the next call is made.
func (o *oracle) changes(c *call) {
	if o.reader == nil || c != nil && c.service != "dynamodb" {
		return
	}
	wrote, changed := false, false
	for {
		records, err := o.reader.Next(o.now, 100)
		if err != nil {
			break
		}
		if !wrote {
			wroteFenced(o, c, &o.before)
			wrote = true
		}
		for _, r := range records {
			changed = o.read(r) || changed
		}
	}
	if !changed {
		return
	}
	o.quiet = time.Now()
	for _, p := range promises {
		if p.change != nil {
			p.change(o, &o.before, &o.state)
		}
	}
	o.before.catchUp(&o.state)
}

// read takes over what a record says, and says whether that is a change: not when it only
// tells that something was done.
func (o *oracle) read(r *dynamodb.Record) bool {
	key := keyOf(r)
	o.w.mirror.take(key, r)
	switch kept := r.EventName() != "REMOVE"; {
	case kept && (strings.HasPrefix(key.partition, "SEEN#") || strings.HasPrefix(key.partition, "AUDIT#")):
		return false
	case kept && key.sort == "OPERATION":
		operation := *as[model.Operation](r)
		if at, known := slices.BinarySearch(o.ids, operation.ID); !known {
			o.ids = slices.Insert(o.ids, at, operation.ID)
		}
		o.operations[operation.ID] = operation
		o.written.operations = append(o.written.operations, operation.ID)
		if _, seen := o.started[operation.ID]; !seen && operation.Status == contract.OperationRunning {
			o.started[operation.ID] = time.Now()
		}
	case kept && key.sort == "LEASE":
		lease := *as[model.Lease](r)
		o.leases[lease.Target] = lease
		o.written.leases = append(o.written.leases, lease.Target)
	}
	return true
}

// settle reads what is left of the stream.
func (o *oracle) settle() { o.changes(nil) }

// busy says whether operations are open, or the table still changes.
func (o *oracle) busy() bool {
	for _, operation := range o.operations {
		if !operation.Ended() {
			return true
		}
	}
	return time.Since(o.quiet) < rest/2
}

// end has everything checked that has to hold in the end.
func (o *oracle) end() {
	for _, p := range promises {
		if p.end != nil {
			p.end(o)
		}
	}
}

// sorted are all operations, oldest first.
func (o *oracle) sorted() []model.Operation {
	out := make([]model.Operation, len(o.ids))
	for i, id := range o.ids {
		out[i] = o.operations[id]
	}
	return out
}

// newest is the newest operation on a target.
func (o *oracle) newest(target string) (model.Operation, bool) {
	for _, id := range slices.Backward(o.ids) {
		if operation := o.operations[id]; model.TargetKey(operation.Target) == target {
			return operation, true
		}
	}
	return model.Operation{}, false
}

// clusterNames are the clusters of the plan.
func (o *oracle) clusterNames() []string { return o.clusters }

func clustersOf(plan Plan) (names []string) {
	for _, s := range plan.Steps {
		if (s.Do == CreateCluster || s.Do == AdoptCluster) && !slices.Contains(names, s.Cluster) {
			names = append(names, s.Cluster)
		}
	}
	return names
}

// stacksOf are the stacks that the table knows of a cluster.
func (o *oracle) stacksOf(name string) []string {
	c, err := o.w.mirror.cluster(name)
	if err != nil {
		return nil
	}
	return c.Stacks
}

// stacks are all stacks that AWS has, by name.
func (o *oracle) stacks() []cftypes.Stack {
	out, err := cloudformation.NewFromConfig(o.w.UserConfig()).DescribeStacks(o.ctx(), &cloudformation.DescribeStacksInput{})
	if err != nil {
		o.broken(0, "stacks cannot be described: %v", err)
		return nil
	}
	return out.Stacks
}

// group is the name of a cluster's Auto Scaling group.
func (o *oracle) group(name string) (string, error) {
	return o.groupOf(name, nodesPool)
}

// nodesPool is the name of each cluster's pool; a swarm has one of its managers, too.
const nodesPool = "nodes"

// groupOf is the name of the Auto Scaling group of a cluster's node pool.
func (o *oracle) groupOf(name, pool string) (string, error) {
	c, err := o.w.mirror.cluster(name)
	if err != nil {
		return "", err
	}
	switch ecs, kubernetes, swarm := c.Facts.ECS, c.Facts.Kubernetes, c.Facts.Swarm; {
	case swarm != nil && swarm.AutoScalingGroups[pool] != "":
		return swarm.AutoScalingGroups[pool], nil
	case pool != nodesPool:
	case ecs != nil && ecs.AutoScalingGroup != "":
		return ecs.AutoScalingGroup, nil
	case kubernetes != nil && kubernetes.AutoScalingGroups["nodes"] != "":
		return kubernetes.AutoScalingGroups["nodes"], nil
	}
	return "", fmt.Errorf("cluster %s has no Auto Scaling group", name)
}

// pool is the size that a cluster's Auto Scaling group was told to have, and its
// live instances.
func (o *oracle) pool(name string) (capacity int, instances []string, found bool) {
	return o.poolOf(name, nodesPool)
}

func (o *oracle) poolOf(name, pool string) (capacity int, instances []string, found bool) {
	name, err := o.groupOf(name, pool)
	if err != nil {
		return 0, nil, false
	}
	out, err := autoscaling.NewFromConfig(o.w.UserConfig()).DescribeAutoScalingGroups(o.ctx(),
		&autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{name}})
	if err != nil || len(out.AutoScalingGroups) == 0 {
		return 0, nil, false
	}
	group := out.AutoScalingGroups[0]
	for _, i := range group.Instances {
		if i.LifecycleState == "InService" {
			instances = append(instances, *i.InstanceId)
		}
	}
	slices.Sort(instances)
	return int(*group.DesiredCapacity), instances, true
}

func (o *oracle) instances(name string) []string {
	_, ids, _ := o.pool(name)
	return ids
}

// A running is a service as its orchestrator has it.
type running struct {
	found            bool
	desired, running int
	release          string // of the tags of its task definition
	image            string
}

func (o *oracle) running(name, service string) running {
	if c := o.w.kubernetes(name); c != nil {
		return o.runningThere(c, service)
	}
	if o.w.ofSwarm(name) {
		return o.runningInSwarm(name, service)
	}
	client := ecs.NewFromConfig(o.w.UserConfig())
	out, err := client.DescribeServices(o.ctx(), &ecs.DescribeServicesInput{Cluster: aws.String(ecsCluster(name)), Services: []string{service}})
	if err != nil || len(out.Services) == 0 || aws.ToString(out.Services[0].Status) != "ACTIVE" {
		return running{}
	}
	s := out.Services[0]
	seen := running{found: true, desired: int(s.DesiredCount), running: int(s.RunningCount)}
	definition, err := client.DescribeTaskDefinition(o.ctx(), &ecs.DescribeTaskDefinitionInput{
		TaskDefinition: s.TaskDefinition, Include: []ecstypes.TaskDefinitionField{ecstypes.TaskDefinitionFieldTags}})
	if err != nil {
		return seen
	}
	for _, tag := range definition.Tags {
		if aws.ToString(tag.Key) == "portolan:release" {
			seen.release = aws.ToString(tag.Value)
		}
	}
	seen.image = aws.ToString(definition.TaskDefinition.ContainerDefinitions[0].Image)
	return seen
}
