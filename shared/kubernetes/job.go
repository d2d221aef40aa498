package kubernetes

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"portolan/shared/contract"
	"portolan/shared/fault"
	"portolan/shared/kubernetes/kubernetesspec"
	"portolan/shared/orchestrator"
)

// jobKept is how long Kubernetes keeps a job that ended, should nobody remove it. It is
// longer than any operation on a job lasts, so that none of them finds it gone and starts
// it again.
const jobKept = 7 * 24 * time.Hour

// jobRef is who a job is among services: no service has a dot in its name, so what is
// made for the one is never taken for the other's.
func jobRef(job orchestrator.Job) orchestrator.ServiceRef {
	return orchestrator.ServiceRef{Cluster: job.Cluster, Name: jobPrefix + job.Name, Namespace: job.Namespace()}
}

const jobPrefix = "job."

// ofJob says whether a pod is the task of a job of ours.
func ofJob(pod *core.Pod) bool {
	return pod.Labels[labelManagedBy] == manager && strings.HasPrefix(pod.Labels[labelService], jobPrefix)
}

// RunJob implements orchestrator.Jobs. It makes one request to look for the job and one
// to make it, and one more with 3 calls of EKS for a role. Kubernetes itself starts
// another task when one failed.
func (d *Driver) RunJob(ctx context.Context, job orchestrator.Job) error {
	facts, err := factsOf(job.Cluster)
	if err != nil {
		return err
	}
	spec := orchestrator.AsService(job.Spec)
	cluster := kubernetesspec.Cluster{EKS: facts.EKSCluster != ""}
	if fields := kubernetesspec.Check(cluster, job.Name, spec); len(fields) > 0 {
		return fault.NewInvalid(fields, "Kubernetes cannot run job %s", job.Name)
	}
	c, err := d.connect(ctx, job.Cluster)
	if err != nil {
		return err
	}
	if existing, err := c.job(ctx, job); existing != nil || err != nil {
		return err
	}
	if err := d.jobRole(ctx, c, facts, job); err != nil {
		return err
	}
	body, err := json.Marshal(jobOf(job))
	if err != nil {
		return fault.Wrap(fault.Internal, err, "writing job %s", job.Name)
	}
	namespace := namespaceOf(jobRef(job))
	request := c.client.Post().AbsPath(jobs.path(namespace)...).SetHeader("Content-Type", asJSON).
		Param("fieldManager", manager).Body(body)
	return c.do(ctx, request, nil, "making "+jobs.say(namespace, job.Name), "create", jobs, namespace)
}

// job returns the job as it is on the cluster; nil when there is none, and a Conflict
// when it is somebody else's.
func (c *connection) job(ctx context.Context, job orchestrator.Job) (*batch.Job, error) {
	ref := jobRef(job)
	var found batch.Job
	if err := c.get(ctx, jobs, namespaceOf(ref), job.Name, &found); err != nil {
		return nil, fault.IgnoreNotFound(err)
	}
	if !belongs(&found.ObjectMeta, ref) || found.Annotations[annotationOperation] != job.Operation {
		return nil, fault.New(fault.Conflict, "%s is there, and operation %s did not make it",
			jobs.say(found.Namespace, found.Name), job.Operation)
	}
	return &found, nil
}

// jobRole makes a service account of the job's own with the role that it asks for.
func (d *Driver) jobRole(ctx context.Context, c *connection, facts orchestrator.KubernetesFacts, job orchestrator.Job) error {
	if job.Spec.Role == "" {
		return nil
	}
	ref := jobRef(job)
	w, err := wishFor(ref, namespaceOf(ref), object{accounts, ref.Name, core.ServiceAccount{AutomountServiceAccountToken: new(false)}})
	if err != nil {
		return err
	}
	w.set("annotations", map[string]string{annotationMade: "true", annotationOperation: job.Operation})
	if err := c.apply(ctx, w, false, nil); err != nil {
		return err
	}
	return d.giveRole(ctx, facts, orchestrator.Release{
		Service: ref, Spec: contract.ServiceSpec{Role: job.Spec.Role}, Operation: job.Operation,
	})
}

// jobOf says a job in Kubernetes's words. A pod that failed is not started again where
// it is: each try is a pod of its own, and keeps its end.
func jobOf(job orchestrator.Job) batch.Job {
	ref, spec := jobRef(job), orchestrator.AsService(job.Spec)
	if spec.Container == "" {
		spec.Container = job.Name
	}
	template := podTemplate(orchestrator.Release{Service: ref, Spec: spec, Image: spec.Image}, "")
	delete(template.Annotations, annotationRelease)
	template.Annotations[annotationOperation] = job.Operation
	template.Labels[labelName] = job.Name
	template.Spec.RestartPolicy = core.RestartPolicyNever
	if job.Spec.Role == "" && spec.Kubernetes.ServiceAccount == "" {
		template.Spec.ServiceAccountName = ""
	}
	made := batch.Job{
		TypeMeta: meta.TypeMeta{APIVersion: jobs.version, Kind: jobs.name},
		ObjectMeta: meta.ObjectMeta{
			Name: job.Name, Namespace: namespaceOf(ref), Labels: labels(ref),
			Annotations: map[string]string{annotationMade: "true", annotationOperation: job.Operation},
		},
		Spec: batch.JobSpec{
			BackoffLimit: new(int32(job.Spec.Retries)), ActiveDeadlineSeconds: new(int64(job.Deadline() / time.Second)),
			TTLSecondsAfterFinished: new(int32(jobKept / time.Second)), Template: template,
		},
	}
	made.Labels[labelName] = job.Name
	return made
}

// ObserveJob implements orchestrator.Jobs. It makes two requests.
func (d *Driver) ObserveJob(ctx context.Context, job orchestrator.Job) (orchestrator.JobObservation, error) {
	c, err := d.connect(ctx, job.Cluster)
	if err != nil {
		return orchestrator.JobObservation{}, err
	}
	found, err := c.job(ctx, job)
	if err != nil {
		return orchestrator.JobObservation{}, err
	}
	ref := jobRef(job)
	if found == nil {
		return orchestrator.JobObservation{}, fault.New(fault.NotFound, "cluster %q has no job %q in namespace %s",
			job.Cluster.Name, job.Name, namespaceOf(ref))
	}
	all, err := c.podsOf(ctx, namespaceOf(ref), ref.Name)
	return jobSeen(found, all, d.config.Now()), err
}

// jobSeen says how far a job has come, by what its controller says and what its pods
// went through.
func jobSeen(job *batch.Job, all []core.Pod, now time.Time) orchestrator.JobObservation {
	seen := orchestrator.JobObservation{State: orchestrator.JobRunning, Failed: int(job.Status.Failed)}
	var newest *core.Pod
	for i := range all {
		if newest == nil || newest.CreationTimestamp.Before(&all[i].CreationTimestamp) {
			newest = &all[i]
		}
		if code := exitCode(&all[i]); code != nil && (all[i].Status.Phase == core.PodSucceeded || seen.ExitCode == nil) {
			seen.ExitCode = code
		}
	}
	if job.Status.StartTime != nil {
		seen.StartedAt = job.Status.StartTime.Time
	}
	var t trouble
	if newest != nil {
		seen.Task = newest.Name
		t = troubleOf(newest, now)
		if newest.Status.Phase == core.PodFailed {
			seen.ExitCode = exitCode(newest)
		}
	}
	seen.Reason = t.reason
	switch ended := jobEnd(job); {
	case ended == nil && t.hopeless && newest.Status.Phase == core.PodPending:
		seen.State = orchestrator.JobFailed // its task can never start, and Kubernetes would try on
	case ended == nil:
	case ended.Type == batch.JobComplete:
		seen.State, seen.Reason, seen.EndedAt = orchestrator.JobSucceeded, "", ended.LastTransitionTime.Time
	default:
		seen.State, seen.EndedAt = orchestrator.JobFailed, ended.LastTransitionTime.Time
		if ended.Reason == batch.JobReasonDeadlineExceeded {
			seen.Reason = "it did not end by its deadline"
		} else if seen.Reason == "" {
			seen.Reason = ended.Message
		}
	}
	return seen
}

// jobEnd is what a job's controller says of its end; nil before.
func jobEnd(job *batch.Job) *batch.JobCondition {
	for i := range job.Status.Conditions {
		c := &job.Status.Conditions[i]
		if c.Status == core.ConditionTrue && (c.Type == batch.JobComplete || c.Type == batch.JobFailed) {
			return c
		}
	}
	return nil
}

// exitCode is that of a pod's container; nil while it has none.
func exitCode(pod *core.Pod) *int {
	for _, status := range pod.Status.ContainerStatuses {
		if ended := lastEnd(status); ended != nil {
			return new(int(ended.ExitCode))
		}
	}
	return nil
}

// RemoveJob implements orchestrator.Jobs. It makes some 5 requests, and 3 calls of EKS
// where there was a role. Kubernetes deletes the pods after the job.
func (d *Driver) RemoveJob(ctx context.Context, job orchestrator.Job) (left []string, err error) {
	facts, err := factsOf(job.Cluster)
	if err != nil {
		return nil, fault.IgnoreNotFound(err)
	}
	c, err := d.connect(ctx, job.Cluster)
	if err != nil {
		return nil, err
	}
	ref := jobRef(job)
	found, err := c.job(ctx, job)
	if fault.IsConflict(err) {
		return nil, nil // somebody else's of that name, and nothing of ours
	}
	if err != nil {
		return nil, err
	}
	if found != nil && found.DeletionTimestamp == nil {
		if err := c.delete(ctx, jobs, found.ObjectMeta, meta.DeletePropagationForeground); err != nil {
			return nil, err
		}
	}
	if found != nil {
		left = append(left, jobs.say(found.Namespace, found.Name))
	}
	all, err := c.podsOf(ctx, namespaceOf(ref), ref.Name)
	if err != nil {
		return nil, err
	}
	for _, pod := range all {
		left = append(left, pods.say(pod.Namespace, pod.Name))
	}
	if len(left) > 0 || job.Spec.Role == "" {
		return left, nil
	}
	rest, err := c.removeKind(ctx, accounts, ref)
	if err != nil || facts.EKSCluster == "" {
		return rest, err
	}
	existing, err := d.association(ctx, facts, ref)
	if err == nil && existing != nil {
		err = d.dissociate(ctx, facts, existing, ref)
	}
	return rest, fault.IgnoreNotFound(err)
}
