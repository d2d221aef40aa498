package simulate

import (
	"net/http"

	"portolan/shared/contract"
	"portolan/shared/model"
)

// askAgain is a team that finds out what became of its wishes, and asks again for each
// that ended dirty: by the same description of a service, the same size of a node pool,
// or by deleting once more. It must not be told that there is nothing to do. It says whether it asked for anything.
func (w *World) askAgain() (asked bool, err error) {
	for _, name := range w.watch.clusterNames() {
		c, err := w.mirror.cluster(name)
		if err != nil {
			continue // it was never made
		}
		if c.Status == contract.ClusterFailed {
			asked = true
			if err := w.insist(contract.Target{Cluster: name}, http.MethodDelete, cluster(Step{Cluster: name}), nil); err != nil {
				return asked, err
			}
		}
		if c.Status != contract.ClusterReady {
			continue
		}
		for _, pool := range c.NodePools {
			if pool.SizeObserved == pool.Size {
				continue
			}
			asked = true
			path, size := cluster(Step{Cluster: name})+"/node-pools/"+pool.Name, contract.NodePoolScale{Size: pool.Size}
			if err := w.insist(contract.Target{Cluster: name}, http.MethodPut, path, size); err != nil {
				return asked, err
			}
		}
		versioned, err := w.askForVersion(c)
		if err != nil {
			return asked, err
		}
		asked = asked || versioned
		for _, j := range w.mirror.jobs(name) {
			again, err := w.askForJob(name, j)
			if err != nil {
				return asked, err
			}
			asked = asked || again
		}
		for _, service := range services {
			again, err := w.askForService(name, service)
			if err != nil {
				return asked, err
			}
			asked = asked || again
		}
	}
	return asked, nil
}

func (w *World) askForService(cluster, name string) (asked bool, err error) {
	target := contract.Target{Cluster: cluster, Service: name}
	last, ok := w.watch.newest(model.TargetKey(target))
	if !ok {
		return false, nil
	}
	endedDirty := last.Status == contract.OperationFailedDirty
	path := service(Step{Cluster: cluster, Service: name})
	if endedDirty && last.Kind == contract.KindRetire {
		return true, w.insist(target, http.MethodDelete, path, nil)
	}
	v, err := w.mirror.service(cluster, name)
	if err != nil {
		return false, err
	}
	// A deploy that ended dirty leaves its release wanted, also when the service was scaled since.
	isBehind := v.Status == contract.ServiceUnhealthy && v.Release != v.ReleaseObserved
	if !endedDirty && !isBehind {
		return false, nil
	}
	release, err := w.mirror.release(cluster, name, v.Release)
	if err != nil {
		return false, err
	}
	spec := release.Spec
	spec.Replicas = &v.Replicas
	return true, w.insist(target, http.MethodPut, path, spec)
}

// insist asks the API for what has to lead to an operation.
func (w *World) insist(target contract.Target, method, path string, body any) error {
	before := len(w.watch.promised)
	if err := w.api(method, path, body); err != nil {
		return err
	}
	if len(w.watch.promised) == before {
		w.watch.broken(6, "what ended dirty on %s is asked for again, and %s %s leads to nothing",
			model.TargetKey(target), method, path)
		return nil
	}
	w.watch.again[w.watch.promised[before]] = true
	return nil
}
