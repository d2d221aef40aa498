package decide

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"portolan/shared/fault"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
)

// engineVersion is the form of an engine's version.
var engineVersion = regexp.MustCompile(`^[0-9]{2}\.[0-9]{1,2}\.[0-9]{1,2}(-[a-z]+\.[0-9]{1,2})?$`)

// upgradeSwarm returns the cluster with another engine wanted, or nil when it has that
// one already, and what is wrong with the wish.
func upgradeSwarm(c model.Cluster, version string) (*model.Cluster, []fault.Field) {
	has := EngineVersion(c.Spec)
	if c.OrchestratorVersion == "" {
		c.OrchestratorVersion = has // the wish takes its place, and may fail
	}
	switch {
	case !engineVersion.MatchString(version):
		return nil, []fault.Field{{Pointer: "/version", Detail: fmt.Sprintf("%q is no version of a Docker engine; 28.5.1 would be", version)}}
	case version == has && version == c.OrchestratorVersion:
		return nil, nil
	case older(version, has):
		return nil, []fault.Field{{Pointer: "/version", Detail: fmt.Sprintf("must not be older than %s, which the cluster has: "+
			"an older engine may not understand what the managers have written", has)}}
	}
	c.Spec.Swarm.EngineVersion = version
	c.Generation++
	return &c, nil
}

// older compares the numbers of two versions, without what is behind a hyphen.
func older(a, b string) bool {
	x, y := numbersOf(a), numbersOf(b)
	return slices.Compare(x, y) < 0
}

func numbersOf(version string) []int {
	version, _, _ = strings.Cut(version, "-")
	var numbers []int
	for _, part := range strings.Split(version, ".") {
		n, _ := strconv.Atoi(part) // the form was checked
		numbers = append(numbers, n)
	}
	return numbers
}

// PoolStackName is the stack of a node pool.
func PoolStackName(cluster, pool string) string { return poolStack(cluster, pool) }

// SwarmUpgradeParameters are those of a pool's stack that an upgrade changes. Its size is
// that of now: a stack that is updated sets it again.
func SwarmUpgradeParameters(c *model.Cluster, pool string) map[string]string {
	p := c.Pool(pool)
	most := p.SizeMax
	if pool == orchestrator.SwarmManagersPool {
		most = ManagersCapacityMax(p.Size)
	}
	return map[string]string{
		"EngineChannel": string(Channel(c.Spec)), "EngineVersion": EngineVersion(c.Spec),
		"NodesDesired": strconv.Itoa(p.Size), "NodesMax": strconv.Itoa(most),
	}
}

// An UpgradeAction is what brings a swarm nearer to nodes of one version: UpgradeSurge
// gives the managers' group one more, UpgradeJoin lets it in, UpgradeReplace takes old
// nodes out through the gate, and UpgradeWait looks again once the groups have launched
// what they are to have.
type UpgradeAction string

// The actions of an upgrade.
const (
	UpgradeSurge   UpgradeAction = "Surge"
	UpgradeJoin    UpgradeAction = "Join"
	UpgradeReplace UpgradeAction = "Replace"
	UpgradeWait    UpgradeAction = "Wait"
	UpgradeDone    UpgradeAction = "Done"
)

// A SwarmPool is a node pool with what its group was told to have and has, and the
// instances that were launched before the upgrade.
type SwarmPool struct {
	Name, Group               string
	Size, Capacity, Instances int
	Outdated                  []string
}

// A SwarmUpgradePlan is the next thing to do, and why.
type SwarmUpgradePlan struct {
	Action  UpgradeAction
	Group   string
	Desired int
	Nodes   []NodeID
	Shrink  bool
	Reason  string
}

// How many workers an upgrade replaces at a time: one of 25, and no more than 20, so that
// a thousand are done within the time of one operation and the events of one execution.
const (
	upgradeShare = 25
	upgradeMost  = 20
)

// PlanSwarmUpgrade picks who is replaced next: the managers one after the other, each
// after a new one has joined, so that there are never fewer than wanted; then the workers,
// of a large pool some at a time, each of which its group replaces. Nobody goes while
// somebody is on the way in, a group has fewer instances than it is to have, or a manager
// cannot be reached.
func PlanSwarmUpgrade(pools []SwarmPool, view SwarmView) SwarmUpgradePlan {
	if plan := PlanSwarm(view); plan.Action != SwarmDone {
		return SwarmUpgradePlan{Action: UpgradeJoin, Reason: plan.Reason}
	}
	nodes := map[string]orchestrator.Node{}
	for _, node := range view.Nodes {
		nodes[node.Instance] = node
	}
	for _, pool := range pools {
		managers := pool.Name == orchestrator.SwarmManagersPool
		switch {
		case len(pool.Outdated) == 0 && pool.Capacity > pool.Size && managers:
			return SwarmUpgradePlan{Action: UpgradeSurge, Group: pool.Group, Desired: pool.Size, Reason: "the managers are as many as wanted"}
		case len(pool.Outdated) == 0:
			continue
		case pool.Instances < pool.Capacity:
			return SwarmUpgradePlan{Action: UpgradeWait, Reason: fmt.Sprintf("pool %s has %d of %d instances", pool.Name, pool.Instances,
				pool.Capacity)}
		case managers && pool.Capacity <= pool.Size:
			return SwarmUpgradePlan{Action: UpgradeSurge, Group: pool.Group, Desired: pool.Size + 1,
				Reason: fmt.Sprintf("%d managers are left, and a new one comes first", len(pool.Outdated))}
		}
		count := 1
		if !managers {
			count = min(max(1, pool.Size/upgradeShare), upgradeMost, len(pool.Outdated))
		}
		next := leastHarm(count, pool.Outdated, nodes)
		return SwarmUpgradePlan{Action: UpgradeReplace, Group: pool.Group, Nodes: next, Shrink: managers,
			Reason: fmt.Sprintf("%d nodes of pool %s are left", len(pool.Outdated), pool.Name)}
	}
	return SwarmUpgradePlan{Action: UpgradeDone, Reason: "all nodes have the engine that is wanted"}
}
