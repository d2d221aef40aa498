package simulate

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/moby/moby/api/types/swarm"

	"portolan/shared/contract"
	"portolan/shared/model"
)

// jobImages are what jobs are made of: they end well or badly, or never begin. The last one
// runs on where images of services do.
var jobImages = []string{"exit-0", "exit-0", "crash", "pull-fail", "1.0"}

// stepsOfAJob is for how many drawn steps of a seed there is a job.
const stepsOfAJob = 7

// job draws a job, which somebody may stop.
func (d *draw) job() {
	run := Step{Do: RunJob, At: d.between(made, time.Duration(d.plan.Profile.Hours)*time.Hour),
		Cluster: d.clusters[d.random.IntN(len(d.clusters))], Count: 1 + d.random.IntN(3), Text: jobImages[d.random.IntN(len(jobImages))]}
	d.add(run)
	d.disturb(run, 2*time.Minute)
	if d.random.IntN(3) == 0 {
		stop := run
		stop.At, stop.Do = run.At+d.between(time.Second, 10*time.Minute), StopJob
		d.add(stop)
	}
}

// jobName is the name of a step's job: one that was taken by another description is refused.
func jobName(s Step) string { return fmt.Sprintf("job-%d", s.Count) }

func jobPath(cluster, name string) string { return "/v1/clusters/" + cluster + "/jobs/" + name }

func (w *World) runJob(s Step) error {
	spec := contract.JobSpec{Image: "example.com/batch:" + s.Text, Memory: contract.Memory{LimitMiB: 512}, Cpu: 256,
		Retries: s.Count - 1, DeadlineSeconds: 600}
	switch {
	case w.adopted[s.Cluster] != nil:
		spec.Kubernetes.Namespace = namespace
	case w.ofKubernetes(s.Cluster):
		spec.Kubernetes.Namespace = "default"
	}
	return w.api(http.MethodPut, jobPath(s.Cluster, jobName(s)), spec)
}

func (w *World) stopJob(s Step) error {
	return w.api(http.MethodDelete, jobPath(s.Cluster, jobName(s)), nil)
}

func jobEnded(j *model.Job) bool {
	return slices.Contains([]contract.JobStatus{contract.JobSucceeded, contract.JobFailed, contract.JobStopped}, j.Status)
}

// jobOf is a target's job as the table has it, or nil.
func (o *oracle) jobOf(target string) *model.Job {
	t, err := model.ParseTarget(target)
	if err != nil || t.Job == "" {
		return nil
	}
	j, err := o.w.mirror.job(t.Cluster, t.Job)
	if err != nil {
		return nil
	}
	return j
}

// startsJob says whether a call starts a job or its next task.
func (c *call) startsJob() bool {
	switch {
	case c.service == "ecs":
		return c.operation == "RunTask"
	case c.service == kubernetesService:
		return strings.HasPrefix(c.operation, "POST /apis/batch/v1/") && strings.Contains(c.operation, "/jobs")
	}
	return c.engine != nil && c.engine.Method == http.MethodPost && strings.Contains(c.engine.URL, "/services/create") &&
		strings.Contains(string(c.engine.Body), jobInSwarm)
}

// runsOnce checks that a job is started for one that the table has, and not once more behind
// an end that was known when the step began.
func runsOnce(o *oracle, c *call) {
	if !c.startsJob() || c.invocation == nil {
		return
	}
	switch was := c.invocation.job; {
	case was == nil:
		o.broken(4, "%s starts a job that the table does not know as intended", c.invocation.step.Target)
	case jobEnded(was):
		o.broken(3, "%s is started again, and is %s", c.invocation.step.Target, was.Status)
	}
}

// jobsEnded checks that each job has its end, and that nothing of it is left.
func jobsEnded(o *oracle) {
	for _, name := range o.clusterNames() {
		c, err := o.w.mirror.cluster(name)
		if err != nil || c.Status != contract.ClusterReady {
			continue
		}
		jobs := o.w.mirror.jobs(name)
		if len(jobs) == 0 {
			continue
		}
		left := o.jobsThere(name)
		for _, j := range jobs {
			last, ok := o.newest(model.TargetKey(contract.Target{Cluster: name, Job: j.Name}))
			switch {
			case ok && last.Status == contract.OperationFailedDirty && !o.again[last.ID]:
				// Its end says what is left.
			case !jobEnded(j) || j.Team != teamOf(name):
				o.broken(1, "job %s of %s is %s and of team %q, and its operation ended %s: %s", j.Name, name, j.Status, j.Team,
					last.Status, last.Reason)
			case slices.Contains(left, j.Name):
				o.broken(4, "job %s of %s is %s, and something of it is left", j.Name, name, j.Status)
			}
		}
	}
}

// jobsThere are the jobs that a cluster's orchestrator knows.
func (o *oracle) jobsThere(cluster string) (names []string) {
	if c := o.w.kubernetes(cluster); c != nil {
		all, err := c.list(o.ctx(), "/apis/batch/v1/namespaces/"+c.namespace+"/jobs")
		if err != nil {
			o.broken(0, "the jobs of %s cannot be listed: %v", cluster, err)
		}
		for _, j := range all {
			names = append(names, j.name())
		}
		return names
	}
	if o.w.ofSwarm(cluster) {
		var all []swarm.Service
		_ = o.w.dockerSwarm(cluster).ask(http.MethodGet, "/services", nil, &all) // a swarm that is not there has none
		for _, s := range all {
			names = append(names, s.Spec.Labels[jobInSwarm])
		}
		return names
	}
	client := ecs.NewFromConfig(o.w.UserConfig())
	listed, err := client.ListTasks(o.ctx(), &ecs.ListTasksInput{Cluster: aws.String(ecsCluster(cluster))})
	if err != nil || len(listed.TaskArns) == 0 {
		return nil
	}
	out, err := client.DescribeTasks(o.ctx(), &ecs.DescribeTasksInput{Cluster: aws.String(ecsCluster(cluster)), Tasks: listed.TaskArns})
	if err != nil {
		return nil
	}
	for _, t := range out.Tasks {
		operation, _, _ := strings.Cut(aws.ToString(t.StartedBy), "/")
		names = append(names, o.operations[operation].Target.Job)
	}
	return names
}

// askForJob asks again that a job be stopped whose operation ended dirty.
func (w *World) askForJob(cluster string, j *model.Job) (asked bool, err error) {
	target := contract.Target{Cluster: cluster, Job: j.Name}
	last, ok := w.watch.newest(model.TargetKey(target))
	if !ok || last.Status != contract.OperationFailedDirty {
		return false, nil
	}
	return true, w.insist(target, http.MethodDelete, jobPath(cluster, j.Name), nil)
}
