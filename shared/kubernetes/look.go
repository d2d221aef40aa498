package kubernetes

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// podsPage is how many pods one request lists, and podsPages how many requests look at
// the pods of one service at most.
const (
	podsPage  = 250
	podsPages = 8
)

// workload returns what a service is on the cluster: a Deployment or a DaemonSet of
// ours, or else what somebody else made of that kind and name; nil when there is none.
// It makes one request for a Deployment of ours and two otherwise.
func (c *connection) workload(ctx context.Context, ref orchestrator.ServiceRef, of kind) (*workload, error) {
	var theirs *workload
	for _, read := range []func(context.Context, orchestrator.ServiceRef) (*workload, error){c.deployment, c.daemonSet} {
		w, err := read(ctx, ref)
		switch {
		case fault.IsNotFound(err):
		case err != nil:
			return nil, err
		case w.ours():
			return w, nil
		case w.kind == of:
			theirs = w
		}
	}
	return theirs, nil
}

func (c *connection) deployment(ctx context.Context, ref orchestrator.ServiceRef) (*workload, error) {
	var deployment apps.Deployment
	err := c.get(ctx, deployments, namespaceOf(ref), ref.Name, &deployment)
	return deploymentSeen(&deployment), err
}

func (c *connection) daemonSet(ctx context.Context, ref orchestrator.ServiceRef) (*workload, error) {
	var daemonSet apps.DaemonSet
	err := c.get(ctx, daemonSets, namespaceOf(ref), ref.Name, &daemonSet)
	return daemonSetSeen(&daemonSet), err
}

// service returns the workload of a service of ours. NotFound when there is none.
func (c *connection) service(ctx context.Context, ref orchestrator.ServiceRef) (*workload, error) {
	w, err := c.workload(ctx, ref, deployments)
	if err != nil {
		return nil, err
	}
	if w == nil || !w.ours() {
		return nil, notFound(ref)
	}
	return w, nil
}

// metadata reads an object's metadata; nil when there is no such object.
func (c *connection) metadata(ctx context.Context, k kind, namespace, name string) (*meta.ObjectMeta, error) {
	ctx, cancel := context.WithTimeout(ctx, requestDeadline)
	defer cancel()
	raw, err := c.client.Get().AbsPath(k.path(namespace, name)...).MaxRetries(retries).DoRaw(ctx)
	if err != nil {
		return nil, fault.IgnoreNotFound(classify(err, "reading "+k.say(namespace, name), "get", k, namespace))
	}
	var partial meta.PartialObjectMetadata
	if err := json.Unmarshal(raw, &partial); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "reading %s", k.say(namespace, name))
	}
	return &partial.ObjectMeta, nil
}

// podsOf lists the pods of a service, to a bound.
func (c *connection) podsOf(ctx context.Context, namespace, service string) ([]core.Pod, error) {
	all, _, err := c.podsAt(ctx, namespace, service)
	return all, err
}

// podsAt returns the version of the list, too, from where it can be watched.
func (c *connection) podsAt(ctx context.Context, namespace, service string) ([]core.Pod, string, error) {
	var all []core.Pod
	s := selection{labels: labelService + "=" + service, limit: podsPage}
	for range podsPages {
		var page core.PodList
		if err := c.list(ctx, pods, namespace, s, &page); err != nil {
			return nil, "", err
		}
		all = append(all, page.Items...)
		if s.next = page.Continue; s.next == "" {
			return all, page.ResourceVersion, nil
		}
	}
	return all, "", nil
}

// newest says whether a pod is of a template, by what the template says of it. A
// change by hand leaves the annotations and changes an image.
func newest(pod *core.Pod, template *core.PodTemplateSpec) bool {
	for name, value := range template.Annotations {
		if pod.Annotations[name] != value {
			return false
		}
	}
	for _, container := range template.Spec.Containers {
		same := func(c core.Container) bool { return c.Name == container.Name && c.Image == container.Image }
		if !slices.ContainsFunc(pod.Spec.Containers, same) {
			return false
		}
	}
	return true
}

// foreign says what runs in place of the release when somebody changed the workload
// past Portolan; empty otherwise.
func (w *workload) foreign() string {
	if !w.ours() || untouched(w.ObjectMeta) && releaseOf(w.template.Annotations) == releaseOf(w.Annotations) {
		return ""
	}
	var images []string
	for _, container := range w.template.Spec.Containers {
		if container.Image == w.Annotations[annotationImage] {
			if said := changes(w.ManagedFields); said != "" {
				return said
			}
			return "fields of its " + w.kind.name + " were changed"
		}
		images = append(images, container.Image)
	}
	return strings.Join(images, ", ")
}
