package decide

import (
	"fmt"
	"strings"

	"portolan/shared/contract"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
)

// ServiceDrift says how a service differs from what is wanted, or nothing when it
// does not. seen is nil when the orchestrator does not know the service.
func ServiceDrift(s *model.Service, seen *orchestrator.Observation) string {
	if s.Status == contract.ServiceRetired || s.Status == contract.ServiceRetiring {
		return ""
	}
	if seen == nil {
		return "the service is gone"
	}
	var parts []string
	if !s.Global && seen.Scaler == "" && seen.Desired != s.Replicas {
		parts = append(parts, fmt.Sprintf("%d tasks are asked for, and %d are wanted", seen.Desired, s.Replicas))
	}
	switch {
	case seen.Foreign != "":
		parts = append(parts, fmt.Sprintf("%s runs in place of release %d", seen.Foreign, s.Release))
	case seen.Rollout.Release != s.Release:
		parts = append(parts, fmt.Sprintf("release %d is applied, and %d is wanted", seen.Rollout.Release, s.Release))
	}
	return strings.Join(parts, "; ")
}

// PoolGroups are the Auto Scaling groups whose size is that of a node pool and nothing
// else, by node pool: the one of a cluster on ECS, and those of the node groups in EKS.
func PoolGroups(c *model.Cluster) map[string]string {
	switch ecs, kubernetes := c.Facts.ECS, c.Facts.Kubernetes; {
	case ecs != nil && ecs.AutoScalingGroup != "" && len(c.NodePools) == 1:
		return map[string]string{c.NodePools[0].Name: ecs.AutoScalingGroup}
	case kubernetes != nil:
		return kubernetes.AutoScalingGroups
	}
	return nil
}

// PoolDrift says how the size of a node pool differs from what is wanted, or
// nothing when it does not.
func PoolDrift(pool model.NodePool, size int) string {
	if size == pool.Size {
		return ""
	}
	return fmt.Sprintf("node pool %s has a desired capacity of %d, and %d is wanted", pool.Name, size, pool.Size)
}

// DriftAnswer is what is done about a drift. Keep says whether the text replaces
// the one that is kept, and Repair whether an operation is asked for.
type DriftAnswer struct {
	Drift  string
	Keep   bool
	Repair bool
	Reason string
}

// AnswerDrift decides what is done about a drift. kept is the text of the last
// look, and busy says whether an operation is at work on the target or waits to
// be: it converges to what is wanted, and what it has not done yet is no drift.
func AnswerDrift(c *model.Cluster, drift, kept string, busy bool) DriftAnswer {
	out := DriftAnswer{Drift: drift, Keep: drift != kept}
	switch {
	case drift == "":
		out.Reason = "what runs is what is wanted"
	case busy:
		out = DriftAnswer{Drift: kept, Reason: "an operation is at work: " + drift}
	case c.Status != contract.ClusterReady:
		out.Reason = fmt.Sprintf("drift is only reported, as the cluster is %s: %s", c.Status, drift)
	case Refusal(c, contract.KindRepair) != "":
		out.Reason = "drift is reported, as " + Refusal(c, contract.KindRepair) + ": " + drift
	case c.Spec.Drift == contract.Report:
		out.Reason = "drift is reported, as the cluster's setting says: " + drift
	default:
		out.Repair = true
		out.Reason = "drift is repaired, as the cluster's setting says: " + drift
	}
	return out
}

// AnswerFound decides what is done about a drift that nobody told of. It is
// AnswerDrift's decision, but that a service on which the newest operation ended
// dirty is only reported: what that operation could not reach is no drift, and
// another attempt is its team's decision. last is nil when there was none.
func AnswerFound(c *model.Cluster, drift, kept string, busy bool, last *model.Operation) DriftAnswer {
	out := AnswerDrift(c, drift, kept, busy)
	if out.Repair && last != nil && last.Status == contract.OperationFailedDirty {
		out.Repair = false
		out.Reason = fmt.Sprintf("drift is only reported, as operation %s ended %s: %s", last.ID, last.Status, drift)
	}
	return out
}
