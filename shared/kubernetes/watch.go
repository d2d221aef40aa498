package kubernetes

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"

	"portolan/shared/orchestrator"
)

// How long one watch lasts before it is asked for again; through the connector it only
// answers when it is over. reconnectPause keeps a server that closes each watch at once
// from being asked all the time, and glance is how often the time alone is looked at:
// some troubles are one only after a while.
const (
	watchMax       = 5 * time.Minute
	watchConnector = 20 * time.Second
	reconnectPause = time.Second
	glance         = 5 * time.Second
)

// Watch implements orchestrator.Watcher. It makes one request (two in global mode) and two
// watches, of the workload and of its pods. Pods are listed first where one page does not
// hold them.
func (d *Driver) Watch(ctx context.Context, ref orchestrator.ServiceRef, until time.Time) (orchestrator.Observation, error) {
	c, err := d.connect(ctx, ref.Cluster)
	if err != nil {
		return orchestrator.Observation{}, err
	}
	for {
		seen, err := d.listen(ctx, c, ref, until)
		if !errors.Is(err, errTooOld) {
			return seen, err
		}
	}
}

// errTooOld means that the API server does not know any more what happened since we
// looked.
var errTooOld = errors.New("the version to watch from is too old")

// listen looks, and then is told, until the rollout has ended or the time has come.
func (d *Driver) listen(ctx context.Context, c *connection, ref orchestrator.ServiceRef, until time.Time) (orchestrator.Observation, error) {
	w, err := c.service(ctx, ref)
	if err != nil {
		return orchestrator.Observation{}, err
	}
	v := view{workload: w, pods: map[string]core.Pod{}, began: d.config.Now(), within: glance}
	if c.facts.Connector != "" {
		v.within += watchConnector
	}
	version := ""
	if max(w.desired, w.current) > podsPage {
		all, listed, err := c.podsAt(ctx, w.Namespace, w.Name)
		if err != nil {
			return orchestrator.Observation{}, err
		}
		for _, pod := range all {
			v.pods[pod.Name] = pod
		}
		if version = listed; version == "" {
			return v.observation(d.config.Now()), nil
		}
	}
	if seen := v.observation(d.config.Now()); v.ended(seen, d.config.Now()) {
		return seen, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	var followers sync.WaitGroup
	defer followers.Wait()
	defer cancel()
	events := make(chan told)
	for _, s := range []source{
		{w.kind, w.Namespace, "fieldSelector", "metadata.name=" + w.Name, w.ResourceVersion},
		{pods, w.Namespace, "labelSelector", labelService + "=" + w.Name, version},
	} {
		followers.Go(func() { c.follow(ctx, s, events) })
	}
	return d.hear(ctx, ref, &v, events, until)
}

// hear takes in what is told.
func (d *Driver) hear(ctx context.Context, ref orchestrator.ServiceRef, v *view, events <-chan told, until time.Time) (orchestrator.Observation, error) {
	over := time.NewTimer(until.Sub(d.config.Now()))
	defer over.Stop()
	glances := time.NewTicker(glance)
	defer glances.Stop()
	for {
		select {
		case <-ctx.Done():
			return v.observation(d.config.Now()), ctx.Err()
		case <-over.C:
			return v.observation(d.config.Now()), nil
		case <-glances.C:
			if !d.config.Now().Before(until) { // a clock that runs faster than the timers
				return v.observation(d.config.Now()), nil
			}
		case t := <-events:
			if t.err != nil {
				return orchestrator.Observation{}, t.err
			}
			if v.take(t.event); v.workload == nil {
				return orchestrator.Observation{}, notFound(ref)
			}
		}
		if seen := v.observation(d.config.Now()); v.ended(seen, d.config.Now()) {
			return seen, nil
		}
	}
}

// A view is a workload and its pods as they were told last.
type view struct {
	workload *workload
	pods     map[string]core.Pod

	// began is when it was empty, and within how long after that pods are waited for.
	began  time.Time
	within time.Duration
}

// ended says whether there is nothing to wait for. Why a rollout failed is known from
// its pods, of which a watch tells one by one.
func (v *view) ended(seen orchestrator.Observation, now time.Time) bool {
	if seen.Rollout.State == orchestrator.Failed {
		return len(v.pods) >= v.workload.current || now.Sub(v.began) >= v.within
	}
	return seen.Rollout.State == orchestrator.RolledOut
}

func (v *view) observation(now time.Time) orchestrator.Observation {
	all := make([]core.Pod, 0, len(v.pods))
	for _, pod := range v.pods {
		all = append(all, pod)
	}
	return observation(v.workload, all, now)
}

func (v *view) take(event watch.Event) {
	gone := event.Type == watch.Deleted
	switch o := event.Object.(type) {
	case *apps.Deployment:
		if v.workload = deploymentSeen(o); gone {
			v.workload = nil
		}
	case *apps.DaemonSet:
		if v.workload = daemonSetSeen(o); gone {
			v.workload = nil
		}
	case *core.Pod:
		if v.pods[o.Name] = *o; gone {
			delete(v.pods, o.Name)
		}
	}
}

// A source is what is watched, from a version on.
type source struct {
	kind                                kind
	namespace, selector, value, version string
}

// told is an event, or why there are no more.
type told struct {
	event watch.Event
	err   error
}

// follow tells what happens to what a source selects until the context ends, and makes
// a connection again that was lost.
func (c *connection) follow(ctx context.Context, s source, events chan<- told) {
	tell := func(t told) bool {
		select {
		case events <- t:
			return true
		case <-ctx.Done():
			return false
		}
	}
	for ctx.Err() == nil {
		err := c.stream(ctx, &s, func(e watch.Event) bool { return tell(told{event: e}) })
		if err != nil && !temporary(err) {
			tell(told{err: err})
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(reconnectPause):
		}
	}
}

// temporary says whether it is worth asking again.
func temporary(err error) bool {
	var status apierrors.APIStatus
	return !errors.Is(err, errTooOld) && (!errors.As(err, &status) || status.Status().Code >= 500 || status.Status().Code == 429)
}

// stream makes one connection, and notes from which version the next one goes on.
func (c *connection) stream(ctx context.Context, s *source, tell func(watch.Event) bool) error {
	lasts := watchMax
	if c.facts.Connector != "" {
		lasts = watchConnector
	}
	watcher, err := c.client.Get().AbsPath(s.kind.path(s.namespace)...).MaxRetries(0).
		Param("watch", "true").Param(s.selector, s.value).Param("resourceVersion", s.version).
		Param("allowWatchBookmarks", "true").Param("timeoutSeconds", strconv.Itoa(int(lasts/time.Second))).Watch(ctx)
	if err != nil {
		if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
			return errTooOld
		}
		if temporary(err) {
			return err
		}
		return classify(err, "watching "+s.kind.resource(), "watch", s.kind, s.namespace)
	}
	defer watcher.Stop()
	for event := range watcher.ResultChan() {
		if event.Type == watch.Error {
			return failed(event.Object)
		}
		if o, err := meta.Accessor(event.Object); err == nil && o.GetResourceVersion() != "" {
			s.version = o.GetResourceVersion()
		}
		if event.Type != watch.Bookmark && !tell(event) {
			return nil
		}
	}
	return nil
}

// failed is the error that a watch ended with.
func failed(status runtime.Object) error {
	err := apierrors.FromObject(status)
	if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
		return errTooOld
	}
	return err
}
