package simulate

import (
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/moby/moby/api/types/swarm"
)

// changeByHand is a person who changes the number of tasks past the control plane.
func (w *World) changeByHand(s Step) error {
	if w.ofSwarm(s.Cluster) {
		return w.changeInSwarm(s.Cluster, s.Service, func(spec *swarm.ServiceSpec) {
			spec.Mode.Replicated = &swarm.ReplicatedService{Replicas: aws.Uint64(uint64(s.Count))}
		})
	}
	if c := w.kubernetes(s.Cluster); c != nil {
		_, err := c.ask(w.privileged(), http.MethodPatch, c.deployments()+s.Service+"/scale?fieldManager=kubectl",
			fmt.Sprintf(`{"spec":{"replicas":%d}}`, s.Count))
		return err
	}
	_, err := ecs.NewFromConfig(w.UserConfig()).UpdateService(w.ctx, &ecs.UpdateServiceInput{
		Cluster: aws.String(ecsCluster(s.Cluster)), Service: &s.Service, DesiredCount: aws.Int32(int32(s.Count))})
	return err
}

// replaceByHand is a person who lets a service run another image.
func (w *World) replaceByHand(s Step) error {
	image := repository + ":" + s.Text
	if w.ofSwarm(s.Cluster) {
		return w.changeInSwarm(s.Cluster, s.Service, func(spec *swarm.ServiceSpec) { spec.TaskTemplate.ContainerSpec.Image = image })
	}
	if c := w.kubernetes(s.Cluster); c != nil {
		d, ok := c.deployment(w.privileged(), s.Service)
		containers, _ := d.at("spec", "template", "spec", "containers").([]any)
		if !ok || len(containers) == 0 {
			return fmt.Errorf("there is no service %s", s.Service)
		}
		_, err := c.ask(w.privileged(), http.MethodPatch, c.deployments()+s.Service+"?fieldManager=kubectl-set",
			fmt.Sprintf(`{"spec":{"template":{"spec":{"containers":[{"name":%q,"image":%q}]}}}}`, object{containers[0]}.text("name"), image))
		return err
	}
	client := ecs.NewFromConfig(w.UserConfig())
	made, err := client.RegisterTaskDefinition(w.ctx, &ecs.RegisterTaskDefinitionInput{
		Family: aws.String("by-hand"), Cpu: aws.String("256"), Memory: aws.String("512"), NetworkMode: ecstypes.NetworkModeAwsvpc,
		RequiresCompatibilities: []ecstypes.Compatibility{ecstypes.CompatibilityEc2, ecstypes.CompatibilityFargate},
		ContainerDefinitions: []ecstypes.ContainerDefinition{{Name: &s.Service, Image: &image,
			PortMappings: []ecstypes.PortMapping{{ContainerPort: aws.Int32(8080)}}}},
	})
	if err != nil {
		return err
	}
	_, err = client.UpdateService(w.ctx, &ecs.UpdateServiceInput{Cluster: aws.String(ecsCluster(s.Cluster)),
		Service: &s.Service, TaskDefinition: made.TaskDefinition.TaskDefinitionArn})
	return err
}

// deleteByHand is a person who takes a service away.
func (w *World) deleteByHand(s Step) error {
	if w.ofSwarm(s.Cluster) {
		return w.dockerSwarm(s.Cluster).ask(http.MethodDelete, "/services/"+s.Service, nil, nil)
	}
	if c := w.kubernetes(s.Cluster); c != nil {
		_, err := c.ask(w.privileged(), http.MethodDelete, c.deployments()+s.Service, "")
		return err
	}
	_, err := ecs.NewFromConfig(w.UserConfig()).DeleteService(w.ctx, &ecs.DeleteServiceInput{
		Cluster: aws.String(ecsCluster(s.Cluster)), Service: &s.Service, Force: aws.Bool(true)})
	return err
}

// resizeByHand is a person who changes the capacity of a node pool's group.
func (w *World) resizeByHand(s Step) error {
	group, err := w.watch.group(s.Cluster)
	if err != nil {
		return err
	}
	_, err = autoscaling.NewFromConfig(w.UserConfig()).SetDesiredCapacity(w.ctx, &autoscaling.SetDesiredCapacityInput{
		AutoScalingGroupName: &group, DesiredCapacity: aws.Int32(int32(s.Count))})
	return err
}
