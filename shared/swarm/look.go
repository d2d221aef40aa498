package swarm

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"

	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// service returns what a service is on the swarm, or nil when there is nothing of its
// name.
func (c *connection) service(ctx context.Context, ref orchestrator.ServiceRef) (*swarm.Service, error) {
	ctx, cancel := context.WithTimeout(ctx, requestDeadline)
	defer cancel()
	out, err := c.client.ServiceInspect(ctx, ref.Name, client.ServiceInspectOptions{})
	if err := classify(err, "looking at service "+ref.Name); err != nil {
		return nil, fault.IgnoreNotFound(err)
	}
	// The engine takes an id or the beginning of one, too.
	if out.Service.Spec.Name != ref.Name {
		return nil, nil
	}
	return &out.Service, nil
}

// ours returns a service of Portolan's. NotFound when there is none.
func (c *connection) ours(ctx context.Context, ref orchestrator.ServiceRef) (*swarm.Service, error) {
	s, err := c.service(ctx, ref)
	if err != nil {
		return nil, err
	}
	if s == nil || !isOurs(s, ref) {
		return nil, fault.New(fault.NotFound, "cluster %q has no service %q", ref.Cluster.Name, ref.Name)
	}
	return s, nil
}

func isOurs(s *swarm.Service, ref orchestrator.ServiceRef) bool {
	return s.Spec.Labels[labelService] == ref.Name && s.Spec.Labels[labelCluster] == ref.Cluster.Name
}

func removing(s *swarm.Service) bool { return s.Spec.Labels[labelRemoving] != "" }

func isGlobal(s *swarm.Service) bool {
	return s.Spec.Mode.Global != nil || s.Spec.Mode.GlobalJob != nil
}

// replicasOf is the number of tasks that the swarm was told to run; of a service in
// global mode it is not known from its description.
func replicasOf(s *swarm.Service) int {
	if r := s.Spec.Mode.Replicated; r != nil && r.Replicas != nil {
		return int(*r.Replicas)
	}
	return 0
}

// releaseOf is the release that labels name, and 0 when they name none.
func releaseOf(labels map[string]string) int64 {
	number, _ := strconv.ParseInt(labels[labelRelease], 10, 64)
	return number
}

func containerLabels(t *swarm.TaskSpec) map[string]string {
	if t.ContainerSpec == nil {
		return nil
	}
	return t.ContainerSpec.Labels
}

// foreign says what runs in place of the release when somebody changed the service past
// Portolan; empty otherwise.
func foreign(s *swarm.Service) string {
	if s.Spec.Labels[labelHash] == hash(&s.Spec) {
		return ""
	}
	if c := s.Spec.TaskTemplate.ContainerSpec; c != nil && c.Image != s.Spec.Labels[labelImage] {
		return c.Image
	}
	return "its description was changed"
}

// tasksOf lists the tasks of a service, which has none when it does not exist.
func (c *connection) tasksOf(ctx context.Context, ref orchestrator.ServiceRef) ([]swarm.Task, error) {
	all, err := c.tasks(ctx, client.Filters{}.Add("service", ref.Name))
	return slices.DeleteFunc(all, func(task swarm.Task) bool {
		labels := containerLabels(&task.Spec)
		return labels[labelService] != ref.Name || labels[labelCluster] != ref.Cluster.Name
	}), fault.IgnoreNotFound(err)
}

// current says whether a task is of the description that the service has now.
func current(task *swarm.Task, s *swarm.Service) bool {
	is, wanted := task.Spec.ContainerSpec, s.Spec.TaskTemplate.ContainerSpec
	return is != nil && wanted != nil && is.Image == wanted.Image && maps.Equal(is.Labels, wanted.Labels)
}

// update changes the description of a service, from the version that was looked at.
func (c *connection) update(ctx context.Context, s *swarm.Service, spec swarm.ServiceSpec) error {
	ctx, cancel := context.WithTimeout(ctx, requestDeadline)
	defer cancel()
	_, err := c.client.ServiceUpdate(ctx, s.ID, client.ServiceUpdateOptions{Version: s.Version, Spec: spec})
	return explainRefusal(classify(err, "changing service "+s.Spec.Name), &spec)
}

// copyOf is the description of a service with labels and constraints that can be changed.
func copyOf(s *swarm.Service) swarm.ServiceSpec {
	spec := s.Spec
	spec.Labels = maps.Clone(s.Spec.Labels)
	if spec.Labels == nil {
		spec.Labels = map[string]string{}
	}
	placement := swarm.Placement{}
	if s.Spec.TaskTemplate.Placement != nil {
		placement = *s.Spec.TaskTemplate.Placement
	}
	placement.Constraints = append([]string(nil), placement.Constraints...)
	spec.TaskTemplate.Placement = &placement
	return spec
}

// settled says whether the time has come by which the rollout was decided on.
func settled(s *swarm.Service, now time.Time) bool {
	until, err := time.Parse(time.RFC3339, s.Spec.Labels[labelSettles])
	return err == nil && now.After(until)
}
