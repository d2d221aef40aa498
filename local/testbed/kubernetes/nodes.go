package kubernetes

import (
	"context"
	"fmt"
	"net/http"
)

// createNodes makes the nodes that kwok plays: with 32 CPUs and 256 GiB each, in three
// zones in turns.
func (a *api) createNodes(ctx context.Context, count int) error {
	for i := range count {
		if err := a.create(ctx, "/api/v1/nodes", node(i)); err != nil {
			return fmt.Errorf("creating a node: %w", err)
		}
	}
	return nil
}

func node(number int) object {
	name := fmt.Sprintf("node-%d", number)
	resources := object{"cpu": "32", "memory": "256Gi", "pods": "110", "ephemeral-storage": "100Gi"}
	return object{
		"apiVersion": "v1", "kind": "Node",
		"metadata": object{"name": name, "labels": object{
			"kubernetes.io/hostname":        name,
			"kubernetes.io/os":              "linux",
			"kubernetes.io/arch":            "amd64",
			"topology.kubernetes.io/region": "testbed",
			"topology.kubernetes.io/zone":   fmt.Sprintf("testbed-%c", 'a'+number%3),
		}},
		"status": object{"capacity": resources, "allocatable": resources},
	}
}

// nodesUsable returns nil when so many nodes are ready and take pods.
func (a *api) nodesUsable(ctx context.Context, count int) error {
	var nodes struct {
		Items []struct {
			Spec   struct{ Taints []object }
			Status struct {
				Conditions []struct{ Type, Status string }
			}
		}
	}
	if err := a.do(ctx, http.MethodGet, "/api/v1/nodes", nil, &nodes); err != nil {
		return err
	}
	usable := 0
	for _, node := range nodes.Items {
		for _, condition := range node.Status.Conditions {
			if condition.Type == "Ready" && condition.Status == "True" && len(node.Spec.Taints) == 0 {
				usable++
			}
		}
	}
	if usable < count {
		return fmt.Errorf("%d of %d nodes are usable", usable, count)
	}
	return nil
}

// createStorageClass makes the default class, whose claims kwok binds.
func (a *api) createStorageClass(ctx context.Context) error {
	return a.create(ctx, "/apis/storage.k8s.io/v1/storageclasses", object{
		"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
		"metadata": object{"name": "testbed", "annotations": object{
			"storageclass.kubernetes.io/is-default-class": "true",
		}},
		"provisioner": "testbed/volumes", "reclaimPolicy": "Delete", "volumeBindingMode": "Immediate",
	})
}
