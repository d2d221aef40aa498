package story

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"portolan/shared/contract"
)

// namespace is that of the services in the story of an adopted cluster.
const namespace = "shop"

// runLegacy is what a person did before Portolan came.
func runLegacy(ctx context.Context, s *Stage) error {
	s.in("kubectl create namespace %s; kubectl apply -f legacy.yaml: 2 replicas, in namespace default", namespace)
	if err := s.person.apply(ctx, "/api/v1/namespaces/"+namespace, object{
		"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": namespace},
	}); err != nil {
		return err
	}
	labels := object{"app": "legacy"}
	if err := s.person.apply(ctx, legacyPath, object{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": object{"name": "legacy", "namespace": "default"},
		"spec": object{"replicas": 2, "selector": object{"matchLabels": labels}, "template": object{
			"metadata": object{"labels": labels},
			"spec":     object{"containers": []object{{"name": "app", "image": "legacy:7"}}},
		}},
	}); err != nil {
		return err
	}
	return s.until(ctx, "the old workload runs", func() (bool, error) {
		var seen struct{ Status struct{ ReadyReplicas int } }
		err := s.person.get(ctx, legacyPath, &seen)
		return seen.Status.ReadyReplicas == 2, err
	})
}

const legacyPath = "/apis/apps/v1/namespaces/default/deployments/legacy"

func adopt(ctx context.Context, s *Stage) error {
	before, err := s.person.version(ctx, legacyPath)
	if err != nil {
		return err
	}
	secret, err := secretsmanager.NewFromConfig(s.aws()).CreateSecret(ctx, &secretsmanager.CreateSecretInput{
		Name: aws.String("portolan/storefront/" + cluster), SecretString: aws.String(string(s.Kubeconfig)),
	})
	if err != nil {
		return err
	}
	wish := contract.ClusterSpec{Name: cluster, Team: "storefront", Orchestrator: contract.Kubernetes,
		Adopted: contract.AdoptedCluster{Credentials: aws.ToString(secret.ARN)}}
	s.in("POST /v1/clusters: %s, adopted, by the kubeconfig in %s", wish.Name, *secret.Name)
	var operation contract.Operation
	if err := s.expect(ctx, http.StatusAccepted, http.MethodPost, "/v1/clusters", wish, &operation); err != nil {
		return err
	}
	s.decided("operation %s (%s)", operation.Id, operation.Kind)
	if _, err := s.follow(ctx, operation, contract.OperationSucceeded); err != nil {
		return err
	}
	if err := s.expectWorkload(ctx, "legacy"); err != nil {
		return err
	}
	s.in("PUT %s, while Portolan may only look", servicePath)
	if err := s.expect(ctx, http.StatusConflict, http.MethodPut, servicePath, s.spec(repository+":1.0"), nil); err != nil {
		return err
	}
	s.decided("refused: to deploy is none of the cluster's verbs")
	return s.untouched(ctx, before)
}

// expectWorkload checks that the survey saw a workload, which is none of Portolan's.
func (s *Stage) expectWorkload(ctx context.Context, name string) error {
	var page contract.WorkloadPage
	if err := s.get(ctx, clusterPath+"/workloads?limit=100", &page); err != nil {
		return err
	}
	for _, w := range page.Items {
		if w.Name != name {
			continue
		}
		s.happened("%s %s/%s runs %d of %d tasks of %s, set by %s", w.Kind, w.Namespace, w.Name, w.Ready, w.Replicas,
			strings.Join(w.Images, ", "), strings.Join(w.Managers, ", "))
		if w.Service != "" || w.Ready != 2 {
			return fmt.Errorf("workload %s is service %q with %d tasks", name, w.Service, w.Ready)
		}
		return nil
	}
	return fmt.Errorf("the survey did not see %s", name)
}

// untouched checks that the old workload is as it was.
func (s *Stage) untouched(ctx context.Context, before string) error {
	after, err := s.person.version(ctx, legacyPath)
	if err != nil {
		return err
	}
	if before != after {
		return fmt.Errorf("the old workload was changed: its resourceVersion was %s and is %s", before, after)
	}
	s.happened("the old workload was not touched: its resourceVersion is still %s", after)
	return nil
}

// A view is what a person asks the cluster to show.
type view struct{ command, path string }

// views of the service, and of what belongs to it.
var (
	deployments = view{"kubectl -n " + namespace + " get deployments", "/apis/apps/v1/namespaces/" + namespace + "/deployments"}
	services    = view{"kubectl -n " + namespace + " get services", "/api/v1/namespaces/" + namespace + "/services"}
	ingresses   = view{"kubectl -n " + namespace + " get ingresses", "/apis/networking.k8s.io/v1/namespaces/" + namespace + "/ingresses"}
	replicaSets = view{"kubectl -n " + namespace + " get replicasets", "/apis/apps/v1/namespaces/" + namespace + "/replicasets"}
	images      = view{deployments.command + " -o wide", deployments.path}
)

// shown is a chapter at whose end kubectl shows what came of it.
func shown(tell func(context.Context, *Stage) error, views ...view) func(context.Context, *Stage) error {
	return func(ctx context.Context, s *Stage) error {
		if err := tell(ctx, s); err != nil {
			return err
		}
		for _, v := range views {
			if err := s.person.show(ctx, s, v.command, v.path); err != nil {
				return err
			}
		}
		return nil
	}
}

func takeOver(ctx context.Context, s *Stage) error {
	for _, verbs := range [][]contract.Verb{
		{contract.VerbDeploy},
		{contract.VerbDeploy, contract.VerbScale, contract.VerbDrain, contract.VerbRepair},
	} {
		s.in("PATCH %s: verbs %v", clusterPath, verbs)
		if err := s.expect(ctx, http.StatusOK, http.MethodPatch, clusterPath, contract.ClusterChange{Verbs: verbs}, nil); err != nil {
			return err
		}
	}
	s.in("POST %s/survey", clusterPath)
	var operation contract.Operation
	if err := s.expect(ctx, http.StatusAccepted, http.MethodPost, clusterPath+"/survey", nil, &operation); err != nil {
		return err
	}
	_, err := s.follow(ctx, operation, contract.OperationSucceeded)
	return err
}

func drainNode(ctx context.Context, s *Stage) error {
	node, err := s.person.busiest(ctx)
	if err != nil {
		return err
	}
	for _, drained := range []bool{true, false} {
		s.in("PUT %s/nodes/%s: drained %t", clusterPath, node, drained)
		var operation contract.Operation
		change := contract.NodeChange{Drained: drained}
		if err := s.expect(ctx, http.StatusAccepted, http.MethodPut, clusterPath+"/nodes/"+node, change, &operation); err != nil {
			return err
		}
		s.decided("operation %s (%s)", operation.Id, operation.Kind)
		if _, err := s.follow(ctx, operation, contract.OperationSucceeded); err != nil {
			return err
		}
		if err := s.person.show(ctx, s, "kubectl get node "+node, "/api/v1/nodes/"+node); err != nil {
			return err
		}
		tasks, err := s.person.tasksOn(ctx, node)
		if err != nil {
			return err
		}
		if drained && tasks > 0 {
			return fmt.Errorf("%d tasks are left on node %s", tasks, node)
		}
	}
	s.in("PUT %s/nodes/nobody: drained true", clusterPath)
	var operation contract.Operation
	change := contract.NodeChange{Drained: true}
	if err := s.expect(ctx, http.StatusAccepted, http.MethodPut, clusterPath+"/nodes/nobody", change, &operation); err != nil {
		return err
	}
	if _, err := s.follow(ctx, operation, contract.OperationFailedClean); err != nil {
		return err
	}
	return s.expectService(ctx, 4, 2)
}

// letGo retires the adopted cluster: what Portolan made goes, and all else stays.
func letGo(ctx context.Context, s *Stage) error {
	before, err := s.person.generation(ctx, legacyPath)
	if err != nil {
		return err
	}
	s.in("DELETE %s", clusterPath)
	var operation contract.Operation
	if err := s.expect(ctx, http.StatusAccepted, http.MethodDelete, clusterPath, nil, &operation); err != nil {
		return err
	}
	if _, err := s.follow(ctx, operation, contract.OperationSucceeded); err != nil {
		return err
	}
	left, err := s.person.made(ctx)
	if err != nil {
		return err
	}
	after, err := s.person.generation(ctx, legacyPath)
	if err != nil {
		return err
	}
	s.happened("Portolan's objects in namespace %s: %d; the old workload still has generation %d", namespace, len(left), after)
	if len(left) > 0 || before != after {
		return fmt.Errorf("left: %q; the old workload's generation was %d and is %d", left, before, after)
	}
	return s.person.show(ctx, s, "kubectl get deployments -A", "/apis/apps/v1/deployments")
}
