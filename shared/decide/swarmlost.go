package decide

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"portolan/shared/contract"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
)

// DownMost is for how long a node may be down whose machine lives, before it is replaced:
// longer than a machine takes to start again, and its engine with it.
const DownMost = 10 * time.Minute

// downKnown bounds of how many nodes it is kept since when they are down.
const downKnown = 20

// KeepDown returns since when each of a plan's nodes is down, of which since tells what was
// known before. Managers come first where there are too many.
func KeepDown(plan SwarmPlan, since map[string]time.Time, now time.Time) map[string]time.Time {
	kept := map[string]time.Time{}
	for _, node := range managersFirst(plan.Down) {
		if len(kept) == downKnown {
			break
		}
		kept[node.ID] = now
		if before, known := since[node.ID]; known {
			kept[node.ID] = before
		}
	}
	return kept
}

// ReplaceDown turns a plan that waits for nodes that are down into one that replaces the
// first of them, managers before workers, when it was so for too long. One goes at a time,
// and a manager only where the majority holds without it.
func ReplaceDown(plan SwarmPlan, nodes []orchestrator.Node, since map[string]time.Time, now time.Time) SwarmPlan {
	if plan.Action != SwarmWait {
		return plan
	}
	for _, node := range managersFirst(plan.Down) {
		began, known := since[node.ID]
		if !known || now.Sub(began) < DownMost {
			continue
		}
		plan.Action, plan.Nodes = SwarmReplace, []orchestrator.Node{node.Node}
		plan.Reason = fmt.Sprintf("node %s has been down for %v, and its instance %s runs: another takes its place", node.ID,
			now.Sub(began).Round(time.Second), node.Instance)
		if quorum := quorumOf(nodes); node.Manager && !withoutLost(quorum).Kept() {
			plan.Action, plan.Nodes = SwarmLost, nil
			plan.Reason = fmt.Sprintf("manager %s is down, and without it %d of %d managers could be reached, which is no majority; "+
				"`portolan cluster recover` makes a swarm of what is left", node.ID, quorum.Reachable, quorum.Managers-1)
		}
		return plan
	}
	return plan
}

// withoutLost is the quorum without a manager that cannot be reached. The majority has to
// hold before, too: who is without one decides nothing.
func withoutLost(q orchestrator.Quorum) orchestrator.Quorum {
	if !q.Kept() {
		return orchestrator.Quorum{}
	}
	return orchestrator.Quorum{Managers: q.Managers - 1, Reachable: q.Reachable}
}

// managersFirst are the managers among the nodes, and then the workers, each by id.
func managersFirst(nodes []DownNode) []DownNode {
	return slices.SortedFunc(slices.Values(nodes), func(a, b DownNode) int {
		if a.Manager != b.Manager && a.Manager {
			return -1
		}
		if a.Manager != b.Manager {
			return 1
		}
		return strings.Compare(a.ID, b.ID)
	})
}

// NodesDown is not empty where nodes of a swarm are down whose machines live: their engines
// ended, and nothing tells of that.
func NodesDown(nodes []orchestrator.Node, instances []string) string {
	var down []string
	for _, node := range nodes {
		if !heardOf(node) && slices.Contains(instances, node.Instance) {
			down = append(down, node.Instance)
		}
	}
	if len(down) == 0 {
		return ""
	}
	return fmt.Sprintf("%d nodes are down though their instances run, such as %s", len(down), slices.Min(down))
}

// AnswerDown decides what is done about nodes that are down. That is nobody's change by
// hand, of which a team may have wished only to be told.
func AnswerDown(c *model.Cluster, down string, busy bool, last *model.Operation) DriftAnswer {
	repaired := *c
	repaired.Spec.Drift = contract.Repair
	answer := AnswerFound(&repaired, down, "", busy, last)
	if answer.Repair {
		answer.Reason = down
	}
	return answer
}
