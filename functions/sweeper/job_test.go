package sweeper_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"portolan/shared/contract"
)

const jobPath = clusterPath + "/jobs/migrate"

func job(image string, retries int) contract.JobSpec {
	return contract.JobSpec{Image: image, Memory: contract.Memory{LimitMiB: 128}, Retries: retries, DeadlineSeconds: 900}
}

func (s *stage) job() contract.Job {
	s.Helper()
	var j contract.Job
	s.get(jobPath, &j)
	return j
}

// tasksOfJobs are all tasks that ECS knows which run for no service.
func (s *stage) tasksOfJobs() []string {
	s.Helper()
	client := ecs.NewFromConfig(s.Local.UserConfig())
	var all []string
	for _, status := range []types.DesiredStatus{types.DesiredStatusRunning, types.DesiredStatusStopped} {
		list, err := client.ListTasks(s.Context(), &ecs.ListTasksInput{Cluster: aws.String("shop"), DesiredStatus: status,
			Family: aws.String("portolan-shop__migrate")})
		s.do(err)
		all = append(all, list.TaskArns...)
	}
	return all
}

// Whenever the execution of a job dies, another one goes on with it, and the job's task
// is started once.
func TestAJobWhoseExecutionDiesRunsOnce(t *testing.T) {
	stopped(t, withCluster, func(s *stage) contract.Operation {
		return s.ask(http.MethodPut, jobPath, job("exit-0:1", 0))
	}, func(s *stage, ended contract.Operation) {
		if j := s.job(); ended.Status != contract.OperationSucceeded || j.Status != contract.JobSucceeded || j.ExitCode == nil || *j.ExitCode != 0 {
			s.Errorf("it ended %s: %s; the job is %+v", ended.Status, ended.Reason, j)
		}
		if tasks := s.tasksOfJobs(); len(tasks) != 1 {
			s.Errorf("its tasks are %v", tasks)
		}
		s.over("job/shop/migrate")
	})
}

func TestAJobThatFails(t *testing.T) {
	playOn(t, withCluster, nil, func(s *stage) {
		o := s.end(s.ask(http.MethodPut, jobPath, job("exit-1:1", 1)).Id)
		j := s.job()
		if o.Status != contract.OperationFailedClean || !strings.Contains(o.Reason, "exited with code 1") {
			t.Errorf("it ended %s: %s", o.Status, o.Reason)
		}
		if j.Status != contract.JobFailed || j.ExitCode == nil || *j.ExitCode != 1 || j.TasksFailed != 2 || len(s.tasksOfJobs()) != 2 {
			t.Errorf("the job is %+v", j)
		}
		out, err := ecs.NewFromConfig(s.Local.UserConfig()).ListTaskDefinitions(s.Context(), &ecs.ListTaskDefinitionsInput{
			FamilyPrefix: aws.String("portolan-shop__migrate")})
		if err != nil || len(out.TaskDefinitionArns) > 0 {
			t.Errorf("left are %v, %v", out.TaskDefinitionArns, err)
		}
	})
}

// A job that does not end is stopped at its deadline, or when its team says so.
func TestAJobThatDoesNotEnd(t *testing.T) {
	for name, stop := range map[string]time.Duration{"deadline": 0, "stopped": 3 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			playOn(t, withCluster, nil, func(s *stage) {
				o := s.ask(http.MethodPut, jobPath, job("endless:1", 3))
				status := contract.JobFailed
				if stop > 0 {
					time.Sleep(stop)
					if again := s.ask(http.MethodDelete, jobPath, nil); again.Id != o.Id {
						t.Errorf("it is stopped by %s", again.Id)
					}
					status = contract.JobStopped
				}
				ended := s.end(o.Id)
				took := ended.EndedAt.Sub(ended.CreatedAt)
				if ended.Status != contract.OperationFailedClean || took > 22*time.Minute {
					t.Errorf("after %s it ended %s: %s", took, ended.Status, ended.Reason)
				}
				if j := s.job(); j.Status != status || len(s.tasksOfJobs()) != 1 {
					t.Errorf("the job is %+v with tasks %v", j, s.tasksOfJobs())
				}
			})
		})
	}
}
