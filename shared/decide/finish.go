package decide

import (
	"portolan/shared/contract"
	"portolan/shared/model"
)

// FinishCluster is what the end of an operation on a cluster means for it. A
// cluster that could not be made, and of which nothing is left, frees its name.
func FinishCluster(c model.Cluster, o model.Operation) model.Cluster {
	succeeded := o.Status == contract.OperationSucceeded
	if succeeded {
		c.Observed = max(c.Observed, o.Generation)
	}
	made := o.Kind == contract.KindProvision || o.Kind == contract.KindAdopt
	switch {
	case made && succeeded:
		c.Status, c.Reason = contract.ClusterReady, ""
	case o.Kind == contract.KindRetire && succeeded:
		c.Status, c.Reason = contract.ClusterRetired, ""
	case made && o.Status == contract.OperationFailedClean:
		c.Status, c.Reason = contract.ClusterRetired, o.Reason
	case makesOrEnds(o.Kind):
		c.Status, c.Reason = contract.ClusterFailed, o.Reason
	default:
		c.Reason = o.Reason
	}
	return c
}

// FinishService is what the end of an operation on a service means for it. The
// steps of a rollout have written what they saw already.
func FinishService(s model.Service, o model.Operation) model.Service {
	succeeded := o.Status == contract.OperationSucceeded
	if succeeded {
		s.Observed = max(s.Observed, o.Generation)
	}
	switch {
	case o.Kind == contract.KindRetire && succeeded:
		s.Status, s.Reason, s.Release, s.ReleaseObserved = contract.ServiceRetired, "", 0, 0
		s.ReplicasObserved, s.Drift = 0, ""
	case o.Kind != contract.KindRetire && s.Status == contract.ServiceRetiring:
		// Its retirement was asked for meanwhile, and waits for its turn.
	case o.Status == contract.OperationFailedDirty:
		s.Status, s.Reason = contract.ServiceUnhealthy, o.Reason
	}
	return s
}
