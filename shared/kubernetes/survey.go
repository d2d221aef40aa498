package kubernetes

import (
	"cmp"
	"context"
	"slices"

	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"portolan/shared/contract"
	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// surveyed are the kinds of workloads, those first that own others.
var surveyed = []kind{deployments, statefulSets, daemonSets, cronJobs, replicaSets, pods}

// Bounds of a survey: how many objects one request lists, and how many requests there
// are for each kind. Beyond them workloads are counted as the API server says.
const (
	surveyPage  = 250
	surveyPages = 20
)

// Survey implements orchestrator.Surveyor. It makes some 13 requests for a small
// cluster and 180 at most to look, and one for each right that the verbs take, some 60, unless
// the credentials are an administrator's.
func (d *Driver) Survey(ctx context.Context, cluster orchestrator.ClusterRef, verbs []contract.Verb) (orchestrator.Survey, error) {
	c, err := d.connect(ctx, cluster)
	if err != nil {
		return orchestrator.Survey{}, err
	}
	s := orchestrator.Survey{}
	if s.Version, err = c.version(ctx); err != nil {
		return orchestrator.Survey{}, err
	}
	namespace := namespaceOf(orchestrator.ServiceRef{Cluster: cluster})
	if s.Missing, err = c.missing(ctx, namespace, needs(verbs)); err != nil {
		return orchestrator.Survey{}, err
	}
	if s.Nodes, err = c.countNodes(ctx); err != nil && !denied(err) {
		return orchestrator.Survey{}, err
	}
	for _, k := range surveyed {
		if err := c.survey(ctx, k, namespace, &s); err != nil {
			return orchestrator.Survey{}, err
		}
	}
	if s.Blockers, err = c.inTheWay(ctx, s.Version); err != nil {
		return orchestrator.Survey{}, err
	}
	if more := len(s.Workloads) - orchestrator.WorkloadsMax; more > 0 {
		s.Workloads, s.More = s.Workloads[:orchestrator.WorkloadsMax], s.More+more
	}
	slices.SortFunc(s.Workloads, func(a, b orchestrator.Workload) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return s, nil
}

// denied says whether a right is missing, which the survey tells by itself.
func denied(err error) bool { return fault.KindOf(err) == fault.Internal }

// survey adds the workloads of a kind, of all namespaces, or of the one that services
// go to where the credentials see no others.
func (c *connection) survey(ctx context.Context, k kind, namespace string, into *orchestrator.Survey) error {
	for _, where := range []string{"", namespace} {
		found, more, err := c.workloadsOf(ctx, k, where)
		if err == nil {
			into.Workloads, into.More = append(into.Workloads, found...), into.More+more
			return nil
		}
		if !denied(err) {
			return err
		}
	}
	return nil
}

// workloadsOf lists the workloads of a kind.
func (c *connection) workloadsOf(ctx context.Context, k kind, namespace string) (found []orchestrator.Workload, more int, err error) {
	s := selection{limit: surveyPage}
	for range surveyPages {
		list := surveyLists[k.name]()
		if err := c.list(ctx, k, namespace, s, list.(runtime.Object)); err != nil {
			return nil, 0, err
		}
		for _, w := range workloadsIn(list) {
			found = append(found, w.described(k, c.cluster.Name))
		}
		more = 0
		if rest := list.GetRemainingItemCount(); rest != nil {
			more = int(*rest)
		}
		if s.next = list.GetContinue(); s.next == "" || len(found) >= orchestrator.WorkloadsMax {
			break
		}
	}
	return found, more, nil
}

var surveyLists = map[string]func() meta.ListInterface{
	deployments.name:  func() meta.ListInterface { return &apps.DeploymentList{} },
	statefulSets.name: func() meta.ListInterface { return &apps.StatefulSetList{} },
	daemonSets.name:   func() meta.ListInterface { return &apps.DaemonSetList{} },
	cronJobs.name:     func() meta.ListInterface { return &batch.CronJobList{} },
	replicaSets.name:  func() meta.ListInterface { return &apps.ReplicaSetList{} },
	pods.name:         func() meta.ListInterface { return &core.PodList{} },
}
