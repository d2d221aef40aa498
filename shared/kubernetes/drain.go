package kubernetes

import (
	"context"
	"encoding/json"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	policy "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// movesMax bounds how many pods one call of Drain or Uncordon moves.
const movesMax = 40

// templateHash is the label by which a ReplicaSet knows its pods.
const templateHash = apps.DefaultDeploymentUniqueLabelKey

// Drain implements orchestrator.Nodes. It makes one request to cordon, one to list, one
// for each service with tasks there, and at most 40 to move them.
//
// Kubernetes evicts first and replaces afterwards. A task of a service that may run more
// tasks than its replicas in a rollout is therefore taken from its ReplicaSet first,
// which makes another one elsewhere; it serves on until that is healthy, and is evicted
// by a later call. The task of a job stays until it ends. All others are evicted at once. A budget that refuses an eviction is
// heeded, and the eviction tried again by the next call.
func (d *Driver) Drain(ctx context.Context, ref orchestrator.NodeRef) error {
	err := d.mark(ctx, ref, map[string]any{
		"spec":     map[string]any{"unschedulable": true},
		"metadata": map[string]any{"annotations": map[string]any{annotationDraining: "true"}},
	})
	if err != nil {
		return err
	}
	c, err := d.connect(ctx, ref.Cluster)
	if err != nil {
		return err
	}
	found, err := c.podsOn(ctx, ref.ID)
	if err != nil {
		return err
	}
	m := mover{connection: c, rooms: map[string]*room{}, moving: map[string]int{}}
	for _, pod := range found {
		if pod.Labels[labelMoving] != "" {
			m.moving[pod.Namespace+"/"+pod.Labels[labelService]]++
		}
	}
	for i := range found {
		if m.moves >= movesMax {
			return nil
		}
		if err := m.move(ctx, &found[i]); err != nil {
			return err
		}
	}
	return nil
}

// A mover moves the pods of one node.
type mover struct {
	*connection
	rooms map[string]*room
	moves int

	// moving counts the tasks of each service that were taken from it and are there still.
	moving map[string]int
}

// A room is what a service allows: whether its tasks are replaced before they stop, and
// then how many it may run beyond those that it asks for; and whether all of these are
// healthy.
type room struct {
	surges, healthy bool
	more            int
}

func (m *mover) move(ctx context.Context, pod *core.Pod) error {
	if pod.DeletionTimestamp != nil || ofJob(pod) {
		return nil // what a job has begun nobody can go on with elsewhere
	}
	r, err := m.roomOf(ctx, pod)
	if err != nil {
		return err
	}
	switch {
	case pod.Labels[labelMoving] != "" && !r.healthy:
		return nil // its replacement is on its way
	case pod.Labels[labelMoving] == "" && r.more > 0 && pod.Labels[templateHash] != "":
		r.more--
		r.healthy = false
		m.moves++
		return m.release(ctx, pod)
	case pod.Labels[labelMoving] == "" && r.surges:
		return nil // there is room for no more at a time
	}
	m.moves++
	return m.evict(ctx, pod)
}

// roomOf looks at the Deployment of a pod, once. A pod that is none of ours, or whose
// Deployment runs no task beyond its replicas, is evicted.
func (m *mover) roomOf(ctx context.Context, pod *core.Pod) (*room, error) {
	evicted := &room{healthy: true}
	service := pod.Labels[labelService]
	if service == "" || pod.Labels[labelManagedBy] != manager {
		return evicted, nil
	}
	key := pod.Namespace + "/" + service
	if known := m.rooms[key]; known != nil {
		return known, nil
	}
	var deployment apps.Deployment
	err := m.get(ctx, deployments, pod.Namespace, service, &deployment)
	if fault.IgnoreNotFound(err) != nil {
		return nil, err
	}
	m.rooms[key] = evicted
	if err == nil {
		m.rooms[key] = roomIn(&deployment, m.moving[key])
	}
	return m.rooms[key], nil
}

func roomIn(d *apps.Deployment, moving int) *room {
	w := deploymentSeen(d)
	r := &room{healthy: w.observed && w.available >= w.desired}
	rolling := d.Spec.Strategy.RollingUpdate
	if rolling == nil || rolling.MaxSurge == nil || w.removing() {
		return r
	}
	surge, err := intstr.GetScaledValueFromIntOrPercent(rolling.MaxSurge, w.desired, true)
	if err != nil || surge == 0 {
		return r
	}
	r.surges, r.more = true, max(0, surge-moving-max(0, w.current-w.desired))
	return r
}

// release takes a pod from its ReplicaSet and leaves it in its Service. The budget counts
// it beyond what is wanted, so that it may be evicted as soon as its replacement is
// healthy.
func (m *mover) release(ctx context.Context, pod *core.Pod) error {
	return m.label(ctx, pod, map[string]any{labelMoving: pod.Labels[templateHash], templateHash: nil})
}

func (c *connection) label(ctx context.Context, pod *core.Pod, labels map[string]any) error {
	body := map[string]any{"metadata": map[string]any{"uid": pod.UID, "labels": labels}}
	return fault.IgnoreNotFound(c.patch(ctx, pods, pod.Namespace, pod.Name, "", body, nil))
}

// evict asks for a pod to be moved. A budget's refusal is no error.
func (m *mover) evict(ctx context.Context, pod *core.Pod) error {
	body, err := json.Marshal(policy.Eviction{
		TypeMeta:      meta.TypeMeta{APIVersion: "policy/v1", Kind: "Eviction"},
		ObjectMeta:    meta.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name},
		DeleteOptions: &meta.DeleteOptions{Preconditions: &meta.Preconditions{UID: &pod.UID}},
	})
	if err != nil {
		return fault.Wrap(fault.Internal, err, "writing the eviction of %s", pods.say(pod.Namespace, pod.Name))
	}
	ctx, cancel := context.WithTimeout(ctx, requestDeadline)
	defer cancel()
	// The next call of Drain tries again, and not the client.
	err = m.client.Post().AbsPath(pods.path(pod.Namespace, pod.Name, "eviction")...).SetHeader("Content-Type", asJSON).
		MaxRetries(0).Body(body).Do(ctx).Error()
	if apierrors.IsTooManyRequests(err) || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return classify(err, "evicting "+pods.say(pod.Namespace, pod.Name), "create", pods.part("eviction"), pod.Namespace)
}

// Uncordon implements orchestrator.Nodes. It makes one request to list, one for each
// task that Drain took from its ReplicaSet and that is still there, and one to uncordon.
// The tasks are given back, and the ReplicaSet ends as many as there are too many.
func (d *Driver) Uncordon(ctx context.Context, ref orchestrator.NodeRef) error {
	c, err := d.connect(ctx, ref.Cluster)
	if err != nil {
		return err
	}
	found, err := c.podsOn(ctx, ref.ID)
	if err != nil {
		return err
	}
	for i := range found {
		hash := found[i].Labels[labelMoving]
		if hash == "" || found[i].DeletionTimestamp != nil {
			continue
		}
		if err := c.label(ctx, &found[i], map[string]any{labelMoving: nil, templateHash: hash}); err != nil {
			return err
		}
	}
	return d.mark(ctx, ref, map[string]any{
		"spec":     map[string]any{"unschedulable": nil},
		"metadata": map[string]any{"annotations": map[string]any{annotationDraining: nil}},
	})
}
