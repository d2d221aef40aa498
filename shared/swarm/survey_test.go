package swarm_test

import (
	"testing"

	swarmtypes "github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"
)

func TestSurvey(t *testing.T) {
	inSwarm(t, 1, 1, func(b *bench) {
		b.apply(b.release("web", 1, nil))
		b.healthy("web", 1)
		three := uint64(3)
		for name, mode := range map[string]swarmtypes.ServiceMode{
			"shop_db": {Replicated: &swarmtypes.ReplicatedService{Replicas: &three}}, "agent": {Global: &swarmtypes.GlobalService{}},
		} {
			spec := swarmtypes.ServiceSpec{Annotations: swarmtypes.Annotations{Name: name, Labels: map[string]string{}}, Mode: mode,
				TaskTemplate: swarmtypes.TaskSpec{ContainerSpec: &swarmtypes.ContainerSpec{Image: name + ":1"}}}
			if name == "shop_db" {
				spec.Labels["com.docker.stack.namespace"] = "shop"
			}
			if _, err := b.by(0).ServiceCreate(b.Context(), client.ServiceCreateOptions{Spec: spec}); err != nil {
				b.Fatal(err)
			}
		}
		s, err := b.driver.Survey(b.Context(), b.ref, nil)
		if err != nil || s.Version != "20.10.24" || s.Nodes != 2 || len(s.Workloads) != 3 || s.More != 0 || len(s.Missing) != 0 {
			b.Fatalf("got %+v, %v", s, err)
		}
		agent, web, db := s.Workloads[0], s.Workloads[1], s.Workloads[2]
		if agent.Kind != "GlobalService" || agent.Service != "" || agent.Managers != nil {
			b.Errorf("got %+v", agent)
		}
		if web.Service != "web" || web.Replicas != 2 || web.Ready != 2 || web.Managers[0] != "portolan" {
			b.Errorf("got %+v", web)
		}
		if db.Namespace != "shop" || db.Managers[0] != "docker stack" || db.Images[0] != "shop_db:1" || db.Replicas != 3 {
			b.Errorf("got %+v", db)
		}
	})
}
