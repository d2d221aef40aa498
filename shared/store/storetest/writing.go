package storetest

import (
	"fmt"
	"reflect"
	"sync"
	"time"

	"portolan/shared/contract"
	"portolan/shared/fault"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
	"portolan/shared/store"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 123456000, time.UTC)

// same fails unless what was read is what was written.
func same(t *table, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read    %+v\nwritten %+v", got, want)
	}
}

// roundTrips uses values that are lost easily: zeroes behind pointers, times with
// microseconds, text beyond ASCII, numbers past 53 bits.
func (t *table) roundTrips() {
	zero := 0
	c := cluster("demo")
	c.Spec.Ecs = contract.EcsCluster{Capacity: contract.EC2, AllowedIngress: []contract.Ingress{{Cidr: "10.0.0.0/8", Port: 22}}}
	c.NodePools = []model.NodePool{{Name: "main", Size: 2, SizeMax: 6}}
	c.Stacks, c.Reason, c.Generation = []string{"portolan-demo"}, "größer", 1<<60+1
	c.Facts.ECS = &orchestrator.ECSFacts{VPC: "vpc-1", Subnets: []string{"subnet-1"}}
	t.commits(store.CreateCluster(c))
	c.Version = 1
	same(t, must(t.store.Cluster(t.ctx(), "demo"))(t), &c)

	v := service("web")
	t.commits(store.CreateService(v))
	v.Version = 1
	same(t, must(t.store.Service(t.ctx(), "demo", "web"))(t), &v)

	r := model.Release{
		Cluster: "demo", Service: "web", Number: 7, Image: "shop/web@sha256:0", Commit: "c0ffee",
		Spec: contract.ServiceSpec{
			Image: "shop/web", Memory: contract.Memory{LimitMiB: 64}, Environment: map[string]string{"EMPTY": "", "ä": "ö"},
			Rollout: contract.Rollout{HealthyPercentMin: &zero}, Command: []string{"run", ""},
		},
		Status: contract.ReleasePending, Cause: contract.Cause{Who: "jo"}, CreatedAt: noon,
	}
	t.commits(store.CreateRelease(r))
	same(t, must(t.store.Release(t.ctx(), "demo", "web", 7))(t), &r)

	p, b := policy("high", "arn:high"), binding("main", "pipe", "")
	p.ScaledAt = noon
	t.commits(store.PutPolicy(p), store.PutBinding(b))
	p.Version, b.Version = 1, 1
	same(t, must(t.store.Policy(t.ctx(), "demo", "high"))(t), &p)
	same(t, must(t.store.Binding(t.ctx(), "demo", "main"))(t), &b)

	o := operation("01", contract.Target{Cluster: "demo", Service: "web"})
	o.Left, o.NodePool, o.Release, o.Parent = []string{"arn:left"}, "main", 7, "00"
	t.commits(store.CreateOperation(o)...)
	same(t, must(t.store.Operation(t.ctx(), "01"))(t), &o)
}

func (t *table) notFound() {
	_, errCluster := t.store.Cluster(t.ctx(), "demo")
	_, errService := t.store.Service(t.ctx(), "demo", "web")
	_, errRelease := t.store.Release(t.ctx(), "demo", "web", 3)
	_, errPolicy := t.store.Policy(t.ctx(), "demo", "high")
	_, errBinding := t.store.Binding(t.ctx(), "demo", "main")
	_, errOperation := t.store.Operation(t.ctx(), "01")
	_, errTask := t.store.TaskRole(t.ctx(), "0b69")
	_, errWait := t.store.Wait(t.ctx(), "stack/x")
	_, errAnswer := t.store.Answer(t.ctx(), "jo", "k")
	for text, err := range map[string]error{
		"cluster demo does not exist":                             errCluster,
		"service web of cluster demo does not exist":              errService,
		"release 3 of service web of cluster demo does not exist": errRelease,
		"policy high of cluster demo does not exist":              errPolicy,
		"binding main of cluster demo does not exist":             errBinding,
		"operation 01 does not exist":                             errOperation,
		"task 0b69 does not exist":                                errTask,
		"a wait for stack/x does not exist":                       errWait,
		"an answer to a request with that key does not exist":     errAnswer,
	} {
		if !fault.IsNotFound(err) || err.Error() != text {
			t.Errorf("got %v, not %s", err, text)
		}
	}
}

// load reads what there is, and names the first thing that there is not.
func (t *table) load() {
	t.commits(store.CreateCluster(cluster("demo")), store.CreateService(service("web")))
	var c model.Cluster
	var v, none model.Service
	var p model.Policy
	var l model.Lease
	reads := []store.Read{
		store.ReadService("demo", "web", &v), store.ReadLease(leased, &l), store.ReadCluster("demo", &c),
	}
	if err := t.store.Load(t.ctx(), reads...); err != nil {
		t.Error(err)
	}
	same(t, c, *must(t.store.Cluster(t.ctx(), "demo"))(t))
	same(t, v, *must(t.store.Service(t.ctx(), "demo", "web"))(t))
	same(t, l, model.Lease{Target: leased})

	c, reads = model.Cluster{}, append(reads, store.ReadPolicy("demo", "high", &p), store.ReadService("demo", "api", &none))
	err := t.store.Load(t.ctx(), reads...)
	if !fault.IsNotFound(err) || err.Error() != "policy high of cluster demo does not exist" {
		t.Errorf("got %v", err)
	}
	if c.Name() != "demo" || none.Name != "" {
		t.Errorf("read %+v and %+v", c, none)
	}
}

func (t *table) names() {
	t.commits(store.CreateCluster(cluster("demo")), store.CreateService(service("web")))
	t.refuses(fault.Conflict, "cluster demo exists already; choose another name", store.CreateCluster(cluster("demo")))
	t.refuses(fault.Conflict, "service web of cluster demo exists already", store.CreateService(service("web")))
	r := model.Release{Cluster: "demo", Service: "web", Number: 1}
	t.refuses(fault.NotFound, "release 1 of service web does not exist", store.UpdateRelease(r))
	t.commits(store.CreateRelease(r))
	t.refuses(fault.Conflict, "service web of cluster demo was changed meanwhile; read it again", store.CreateRelease(r))
	r.Status = contract.ReleaseActive
	t.commits(store.UpdateRelease(r))

	gone := must(t.store.Cluster(t.ctx(), "demo"))(t)
	gone.Status = contract.ClusterRetired
	t.commits(store.UpdateCluster(*gone))
	t.commits(store.CreateCluster(cluster("demo"))) // a retired cluster's name is free
}

func (t *table) versions() {
	t.commits(store.CreateCluster(cluster("demo")), store.CreateService(service("web")),
		store.PutPolicy(policy("high", "arn:high")), store.PutBinding(binding("main", "pipe", "")))
	c, v := must(t.store.Cluster(t.ctx(), "demo"))(t), must(t.store.Service(t.ctx(), "demo", "web"))(t)
	p, b := must(t.store.Policy(t.ctx(), "demo", "high"))(t), must(t.store.Binding(t.ctx(), "demo", "main"))(t)
	t.commits(store.UpdateCluster(*c), store.UpdateService(*v), store.PutPolicy(*p), store.PutBinding(*b))
	for what, write := range map[string]store.Write{
		"cluster demo": store.UpdateCluster(*c), "service web of cluster demo": store.UpdateService(*v),
		"policy high of cluster demo": store.PutPolicy(*p), "binding main of cluster demo": store.PutBinding(*b),
	} {
		t.refuses(fault.Conflict, what+" was changed meanwhile; read it again", write)
	}
	t.refuses(fault.Conflict, "policy high of cluster demo was changed meanwhile; read it again",
		store.PutPolicy(policy("high", "arn:high"))) // a new one, where there is one
	if got := must(t.store.Cluster(t.ctx(), "demo"))(t); got.Version != 2 {
		t.Errorf("after two writes the version is %d", got.Version)
	}
}

func (t *table) guards() {
	t.refuses(fault.Conflict, "cluster demo is not ready to be changed", store.ClusterTakesChanges("demo"))
	c := cluster("demo")
	c.Status = contract.ClusterProvisioning
	t.commits(store.CreateCluster(c))
	t.refuses(fault.Conflict, "cluster demo is not ready to be changed",
		store.ClusterTakesChanges("demo"), store.CreateService(service("web")))
	c.Status, c.Version = contract.ClusterReady, 1
	t.commits(store.UpdateCluster(c))
	t.commits(store.ClusterTakesChanges("demo"), store.CreateService(service("web")))
}

func (t *table) operations() {
	o := operation("01", contract.Target{Cluster: "demo"})
	t.commits(store.CreateOperation(o)...)
	t.refuses(fault.Conflict, "operation 01 exists already", store.CreateOperation(o)...)
	read, changed := o, "operation 01 has started, or was asked for more meanwhile"
	for o.Wishes < 2 {
		o.Generation, o.Wishes = o.Generation+1, o.Wishes+1
		t.commits(store.JoinOperation(o))
		t.refuses(fault.Conflict, changed, store.JoinOperation(o))
	}
	t.refuses(fault.Conflict, changed, store.StartOperation(read))
	o.Status = contract.OperationRunning
	t.commits(store.StartOperation(o))
	t.refuses(fault.Conflict, changed, store.StartOperation(o))
	o.Wishes++
	t.refuses(fault.Conflict, changed, store.JoinOperation(o))
	o.Status = contract.OperationSucceeded
	t.commits(store.EndOperation(o)...)
	t.refuses(fault.Halted, "operation 01 has ended", store.EndOperation(o)...)
	if got := must(t.store.Operation(t.ctx(), "01"))(t); !got.Ended() || got.Generation != read.Generation+2 {
		t.Errorf("the operation is %+v", got)
	}
}

func (t *table) queue() {
	target := contract.Target{Cluster: "demo", Service: "web"}
	key := model.TargetKey(target)
	for _, id := range []string{"03", "01", "02"} {
		t.commits(store.CreateOperation(operation(id, target))...)
	}
	t.commits(store.CreateOperation(operation("00", contract.Target{Cluster: "demo", Service: "web2"}))...)
	same(t, must(t.store.Queue(t.ctx(), key))(t), store.Queue{Lease: model.Lease{Target: key}, Operations: []string{"01", "02", "03"}})

	lease, take := store.TakeLease(model.Lease{Target: key}, "01", noon)
	t.commits(take)
	ended := operation("01", target)
	ended.Status = contract.OperationFailedClean
	t.commits(append(store.EndOperation(ended), store.Holds(key, "01", lease.Token))...)
	same(t, must(t.store.Queue(t.ctx(), key))(t), store.Queue{Lease: lease, Operations: []string{"02", "03"}})
}

const leased = "service/demo/web"

func (t *table) lease() {
	free := must(t.store.Queue(t.ctx(), leased))(t).Lease
	same(t, free, model.Lease{Target: leased})
	first, take := store.TakeLease(free, "01", noon)
	t.commits(take)
	same(t, must(t.store.Queue(t.ctx(), leased))(t).Lease, first)
	t.refuses(fault.Conflict, "the lease of "+leased+" was taken meanwhile", take)

	t.refuses(fault.Halted, "operation 02 no longer holds the lease of "+leased, store.ReleaseLease(leased, "02", first.Token))
	t.commits(store.ReleaseLease(leased, "01", first.Token))
	given := must(t.store.Queue(t.ctx(), leased))(t).Lease
	if !given.Free(noon.AddDate(-1, 0, 0)) || given.Token != first.Token {
		t.Errorf("the lease that was given back is %+v", given)
	}
	second, take := store.TakeLease(given, "02", noon)
	t.commits(take)
	if second.Token != first.Token+1 {
		t.Errorf("the tokens are %d and %d", first.Token, second.Token)
	}
}

func (t *table) race() {
	free := must(t.store.Queue(t.ctx(), leased))(t).Lease
	var group sync.WaitGroup
	results := make([]error, 8)
	for i := range results {
		group.Go(func() {
			_, take := store.TakeLease(free, fmt.Sprint("operation", i), noon)
			results[i] = t.store.Commit(t.ctx(), take)
		})
	}
	group.Wait()
	won := 0
	for _, err := range results {
		if err == nil {
			won++
		} else if !fault.IsConflict(err) {
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d took the lease", won)
	}
}

func (t *table) fence() {
	t.commits(store.CreateCluster(cluster("demo")))
	old, take := store.TakeLease(model.Lease{Target: leased}, "01", noon)
	t.commits(take)
	c := must(t.store.Cluster(t.ctx(), "demo"))(t)
	t.commits(store.Holds(leased, "01", old.Token), store.UpdateCluster(*c))

	_, takeOver := store.TakeLease(old, "02", noon.AddDate(0, 0, 1))
	t.commits(takeOver)
	c = must(t.store.Cluster(t.ctx(), "demo"))(t)
	t.refuses(fault.Halted, "operation 01 no longer holds the lease of "+leased,
		store.Holds(leased, "01", old.Token), store.UpdateCluster(*c))
	if got := must(t.store.Cluster(t.ctx(), "demo"))(t); got.Version != c.Version {
		t.Error("who lost the lease changed the cluster")
	}
}

func (t *table) seen() {
	mark := store.Seen("alarm", "event", noon)
	t.commits(mark, store.CreateCluster(cluster("demo")))
	t.isSeen(mark, store.CreateCluster(cluster("demo2")))
	t.isSeen(store.Seen("alarm", "event", noon), store.CreateCluster(cluster("demo"))) // the first refusal tells
	t.commits(store.Seen("trail", "event", noon))
	if _, err := t.store.Cluster(t.ctx(), "demo2"); !fault.IsNotFound(err) {
		t.Errorf("an event was handled twice: %v", err)
	}
}

func (t *table) answers() {
	a := store.Answer{Request: "sum", Status: 202, Location: "/v1/operations/01", Body: []byte(`{"id":"01"}`)}
	t.commits(store.Answered("jo", "k", a, noon))
	same(t, must(t.store.Answer(t.ctx(), "jo", "k"))(t), &a)
	t.isSeen(store.Answered("jo", "k", store.Answer{}, noon))
	t.commits(store.Answered("jo", "k2", store.Answer{Status: 204}, noon), store.Answered("al", "k", store.Answer{}, noon))
}

func (t *table) atomic() {
	t.commits(store.CreateService(service("web")))
	t.refuses(fault.Conflict, "service web of cluster demo exists already",
		store.CreateCluster(cluster("demo")), store.CreateService(service("web")), store.CreateService(service("api")))
	for _, err := range []error{
		second(t.store.Cluster(t.ctx(), "demo")), second(t.store.Service(t.ctx(), "demo", "api")),
	} {
		if !fault.IsNotFound(err) {
			t.Errorf("a part of a refused transaction was written: %v", err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func (t *table) deletes() {
	t.commits(store.PutPolicy(policy("high", "arn:high")), store.PutBinding(binding("main", "", "repo")))
	for range 2 {
		t.commits(store.DeletePolicy("demo", "high"), store.DeleteBinding("demo", "main"))
	}
	items, _ := rows(t.store.PoliciesOfAlarm(t.ctx(), "arn:high", all))(t)
	if len(items) != 0 {
		t.Errorf("the alarm still has %+v", items)
	}
	if err := t.store.ForgetWait(t.ctx(), "stack/x", "token"); err != nil {
		t.Errorf("forgetting what was forgotten: %v", err)
	}
}

func (t *table) tasks() {
	task := contract.TaskRole{Task: "0b69", Cluster: "demo", Service: "web", Release: 2, StartedAt: noon}
	t.commits(store.PutTaskRole(task, 5))
	task.StoppedAt = noon.Add(time.Minute)
	late := task
	late.Commit = "late"
	t.commits(store.PutTaskRole(task, 6))
	t.isSeen(store.PutTaskRole(late, 5))
	t.isSeen(store.PutTaskRole(late, 6))
	t.isSeen(store.ClaimTaskRole("0b69", "arn:role", false, noon))
	same(t, must(t.store.TaskRole(t.ctx(), "0b69"))(t), &task)

	t.commits(store.ClaimTaskRole("0b70", "arn:role", false, noon))
	t.commits(store.ClaimTaskRole("0b70", "arn:execution", true, noon))
	claimed := contract.TaskRole{Task: "0b70", Role: "arn:role", ExecutionRole: "arn:execution"}
	same(t, must(t.store.TaskRole(t.ctx(), "0b70"))(t), &claimed)
	task.Task = "0b70"
	t.commits(store.PutTaskRole(task, 1))
	same(t, must(t.store.TaskRole(t.ctx(), "0b70"))(t), &task)
}
