package simulate

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// A Profile says how much of what befalls a run.
type Profile struct {
	Clusters int `json:"clusters"`
	Hours    int `json:"hours"`

	// EKS lets new clusters that are on instances be in Amazon EKS, and not in ECS.
	EKS bool `json:"eks,omitempty"`

	// Swarm lets them be Docker swarms.
	Swarm bool `json:"swarm,omitempty"`

	// Steps is how much happens in those hours, beside making what it happens to.
	Steps int `json:"steps"`

	// Errors is the chance that a call of AWS goes wrong, Kills that an invocation
	// dies on its way, and Events that an event does not come once and in time.
	Errors float64 `json:"errors"`
	Kills  float64 `json:"kills"`
	Events float64 `json:"events"`

	// Skew is how far the clock of a function may be off.
	Skew time.Duration `json:"skew"`

	// Stops is the chance that a step of the workload is followed by an execution
	// that is stopped by hand, and Leases that one is by a lease that runs out.
	Stops  float64 `json:"stops"`
	Leases float64 `json:"leases"`

	// Refusals is the chance that the delete of a cluster is refused.
	Refusals float64 `json:"refusals,omitempty"`

	// Takeovers is the chance that a step is followed by a lease that is given to
	// another operation under the holder's hands.
	Takeovers float64 `json:"takeovers"`
}

// A Plan is the workload of a seed. What it leaves to chance, its seed decides.
type Plan struct {
	Seed    uint64  `json:"seed"`
	Profile Profile `json:"profile"`
	Steps   []Step  `json:"steps"`
}

// A Step is one thing that somebody does, or that happens, at a time after the
// start. Which of Count, Text and Service mean something depends on Do.
type Step struct {
	At      time.Duration `json:"at"`
	Do      Deed          `json:"do"`
	Cluster string        `json:"cluster"`
	Service string        `json:"service,omitempty"`
	Count   int           `json:"count,omitempty"`
	Text    string        `json:"text,omitempty"`
}

func (s Step) String() string {
	return fmt.Sprintf("%v %s %s/%s %d %s", s.At, s.Do, s.Cluster, s.Service, s.Count, s.Text)
}

// A Deed is what a step does.
type Deed string

// Deeds of teams, of people past the control plane, and of fate.
const (
	CreateCluster  Deed = "create cluster"
	AdoptCluster   Deed = "adopt cluster"
	DrainNode      Deed = "drain node"
	RetireCluster  Deed = "retire cluster"
	PutService     Deed = "put service"
	ScaleService   Deed = "scale service"
	RetireService  Deed = "retire service"
	ScalePool      Deed = "scale pool"
	PutPolicy      Deed = "put policy"
	RaiseAlarm     Deed = "raise alarm"
	CalmAlarm      Deed = "calm alarm"
	BindPipeline   Deed = "bind pipeline"
	RunPipeline    Deed = "run pipeline"
	BindRepository Deed = "bind repository"
	PushImage      Deed = "push image"
	ChangeByHand   Deed = "change by hand"
	ReplaceByHand  Deed = "replace by hand"
	DeleteByHand   Deed = "delete by hand"
	ResizeByHand   Deed = "resize by hand"
	LoseNode       Deed = "lose node"
	FailStack      Deed = "fail stack"
	RefuseDelete   Deed = "refuse delete"
	StopExecution  Deed = "stop execution"
	RunOutLease    Deed = "run out lease"
	GiveLeaseAway  Deed = "give lease away"
	RepeatOldEvent Deed = "repeat old event"
	RunJob         Deed = "run job"
	StopJob        Deed = "stop job"

	// Of swarms only.
	ScaleManagers Deed = "scale managers"
	LoseManager   Deed = "lose manager"
	LoseQuorum    Deed = "lose quorum"
	RecoverSwarm  Deed = "recover swarm"

	// Of swarms and clusters in EKS; others refuse it.
	UpgradeCluster Deed = "upgrade cluster"
	StopEngine     Deed = "stop engine"
)

// images are what releases are made of; the last three never get healthy.
var images = []string{"1.0", "1.1", "1.2", "2.0", "crash", "pull-fail", "unhealthy"}

const goodImages = 4

// Draw draws the plan of a seed.
func Draw(seed uint64, p Profile) Plan {
	d := &draw{random: rand.New(rand.NewPCG(seed, 1)), plan: Plan{Seed: seed, Profile: p}, kinds: map[string]string{}}
	for i := range p.Clusters {
		d.cluster(i)
	}
	for range p.Steps {
		d.step()
	}
	for range p.Steps / stepsOfAJob {
		d.job()
	}
	slices.SortStableFunc(d.plan.Steps, func(a, b Step) int { return int(a.At - b.At) })
	return d.plan
}

type draw struct {
	random   *rand.Rand
	plan     Plan
	clusters []string
	kinds    map[string]string // what each of them is on
}

func (d *draw) add(s Step) { d.plan.Steps = append(d.plan.Steps, s) }

// between draws a time in seconds.
func (d *draw) between(low, high time.Duration) time.Duration {
	return low + time.Duration(d.random.Int64N(int64((high-low)/time.Second)))*time.Second
}

func (d *draw) image() string {
	if d.random.IntN(5) == 0 {
		return images[goodImages+d.random.IntN(len(images)-goodImages)]
	}
	return images[d.random.IntN(goodImages)]
}

// services are the names of a cluster's services.
var services = []string{"web", "api"}

// made is when a cluster that was asked for first can be used.
const made = 45 * time.Minute

// cluster draws the making of a cluster with its services. One in six is made to
// fail half way.
func (d *draw) cluster(i int) {
	name := fmt.Sprintf("c%d", i)
	d.clusters = append(d.clusters, name)
	at := d.between(0, 10*time.Minute)
	if d.random.IntN(3) == 0 {
		d.kinds[name] = adopted
		adopt := Step{At: at, Do: AdoptCluster, Cluster: name, Count: 2 + d.random.IntN(3)}
		d.add(adopt)
		d.disturb(adopt, 2*time.Minute)
	} else {
		d.create(name, at)
	}
	for _, service := range services[:1+d.random.IntN(len(services))] {
		at := made + d.between(0, 10*time.Minute)
		d.add(Step{At: at, Do: PutService, Cluster: name, Service: service, Count: 1 + d.random.IntN(3),
			Text: images[d.random.IntN(goodImages)]})
		d.add(Step{At: at + 5*time.Minute, Do: PutPolicy, Cluster: name, Service: service, Count: 1})
		bind := Step{At: at + 6*time.Minute, Do: BindPipeline, Cluster: name, Service: service}
		if d.random.IntN(3) == 0 {
			bind.Do = BindRepository
		}
		d.add(bind)
	}
	d.add(Step{At: made + 5*time.Minute, Do: PutPolicy, Cluster: name, Count: 1})
	if d.random.IntN(3) == 0 {
		end := time.Duration(d.plan.Profile.Hours) * time.Hour
		if d.random.Float64() < d.plan.Profile.Refusals {
			d.add(Step{At: end - 30*time.Minute, Do: RefuseDelete, Cluster: name})
		}
		retire := Step{At: end - d.between(10*time.Minute, 30*time.Minute), Do: RetireCluster, Cluster: name}
		d.add(retire)
		d.disturb(retire, 10*time.Minute)
	}
}

// What clusters are on.
const (
	onInstances = "EC2"
	onFargate   = "FARGATE"
	onEKS       = "EKS"
	onSwarm     = "SWARM" // with three managers

	// onOneManager is only said of a swarm that is to be made.
	onOneManager = "SWARM-1"
	adopted      = "adopted"
)

// create draws the making of a cluster.
func (d *draw) create(name string, at time.Duration) {
	if d.random.IntN(6) == 0 {
		d.add(Step{At: at, Do: FailStack, Cluster: name, Text: "create"})
	}
	d.kinds[name] = onInstances
	if d.plan.Profile.EKS {
		d.kinds[name] = onEKS
	}
	if d.plan.Profile.Swarm {
		d.kinds[name] = onSwarm
	}
	if d.random.IntN(4) == 0 {
		d.kinds[name] = onFargate
	}
	create := Step{At: at, Do: CreateCluster, Cluster: name, Count: 1 + d.random.IntN(3), Text: d.kinds[name]}
	if create.Text == onSwarm && d.random.IntN(4) == 0 {
		create.Text = onOneManager
	}
	d.add(create)
	d.disturb(create, 10*time.Minute)
}

// A chance is a deed that a step may be, and its weight.
type chance struct {
	deed   Deed
	weight int
}

// chances are the deeds of all seeds.
var chances = []chance{
	{PutService, 6}, {ScaleService, 5}, {ScalePool, 3}, {RaiseAlarm, 5}, {CalmAlarm, 4}, {RunPipeline, 4}, {PushImage, 3},
	{ChangeByHand, 4}, {ReplaceByHand, 1}, {DeleteByHand, 1}, {ResizeByHand, 1}, {LoseNode, 2}, {RetireService, 1}, {RepeatOldEvent, 3}, {CreateCluster, 1}, {DrainNode, 2},
}

// swarmChances are those that there are where there are swarms, too.
var swarmChances = []chance{{ScaleManagers, 4}, {LoseManager, 6}, {StopEngine, 4}, {LoseQuorum, 4}, {UpgradeCluster, 5}}

// eksChances are those that there are where clusters are in EKS, too.
var eksChances = []chance{{UpgradeCluster, 8}}

func (d *draw) step() {
	total, chances := 0, chances
	if d.plan.Profile.Swarm {
		chances = slices.Concat(chances, swarmChances)
	}
	if d.plan.Profile.EKS {
		chances = slices.Concat(chances, eksChances)
	}
	for _, c := range chances {
		total += c.weight
	}
	n := d.random.IntN(total)
	s := Step{
		At:      d.between(made+15*time.Minute, time.Duration(d.plan.Profile.Hours)*time.Hour),
		Cluster: d.clusters[d.random.IntN(len(d.clusters))],
		Service: services[d.random.IntN(len(services))],
		Count:   1 + d.random.IntN(4), Text: d.image(),
	}
	for _, c := range chances {
		if n -= c.weight; n < 0 {
			s.Do = c.deed
			break
		}
	}
	switch s.Do {
	case ScalePool, ResizeByHand, UpgradeCluster:
		s.Service = ""
	case CreateCluster:
		s.Service, s.Text = "", onInstances
		switch d.kinds[s.Cluster] {
		case adopted:
			s.Do = AdoptCluster
		case onEKS, onSwarm:
			s.Text = d.kinds[s.Cluster]
		}
	case ScaleManagers, LoseManager, StopEngine, LoseQuorum:
		s.Service, s.Text = "", ""
		if d.kinds[s.Cluster] != onSwarm {
			s.Do = LoseNode
		}
	case DrainNode:
		s.Service, s.Text = "", "drain"
	case RaiseAlarm, CalmAlarm:
		if d.random.IntN(3) == 0 {
			s.Service = "" // that of the node pool
		}
	}
	d.add(s)
	if s.Do == PutService && d.random.IntN(3) == 0 {
		meanwhile := s
		meanwhile.At, meanwhile.Do, meanwhile.Count = s.At+d.between(time.Minute, 3*time.Minute), ChangeByHand, s.Count+1
		d.add(meanwhile)
	}
	if s.Do == DrainNode {
		again := s
		again.At, again.Text = s.At+d.between(10*time.Minute, time.Hour), "take back"
		d.add(again)
	}
	if s.Do == LoseQuorum {
		found := s
		found.At, found.Do = s.At+d.between(time.Minute, 40*time.Minute), RecoverSwarm
		d.add(found)
		d.disturb(found, 5*time.Minute)
	}
	d.disturb(s, 2*time.Minute)
}

// disturb draws what befalls the operation of a step, which may take so long.
func (d *draw) disturb(s Step, within time.Duration) {
	p := d.plan.Profile
	for _, each := range []struct {
		deed   Deed
		chance float64
	}{{StopExecution, p.Stops}, {RunOutLease, p.Leases}, {GiveLeaseAway, p.Takeovers}} {
		after := s
		after.At, after.Do = s.At+d.between(time.Second, within), each.deed
		if d.random.Float64() < each.chance {
			d.add(after)
		}
	}
}
