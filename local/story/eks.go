package story

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"k8s.io/client-go/rest"

	"portolan/shared/contract"
)

func askForEKS(ctx context.Context, s *Stage) error {
	wish := contract.ClusterSpec{
		Name: cluster, Team: "storefront", Orchestrator: contract.Kubernetes,
		NodePools: []contract.NodePoolSpec{
			{Name: "nodes", InstanceType: "m6i.xlarge", Size: 2, SizeMax: 3},
			{Name: "batch", InstanceType: "c7g.large", Size: 1, SizeMax: 4, Spot: true},
		},
		Kubernetes: contract.KubernetesCluster{Version: "1.34"},
	}
	s.in("POST /v1/clusters: %s, Kubernetes %s with 2 nodes of %s and one Spot node of %s, in a new VPC, its API private",
		wish.Name, wish.Kubernetes.Version, wish.NodePools[0].InstanceType, wish.NodePools[1].InstanceType)
	if err := s.makeCluster(ctx, wish); err != nil {
		return err
	}
	if err := s.enterCluster(ctx); err != nil {
		return err
	}
	return s.person.show(ctx, s, "kubectl get nodes", "/api/v1/nodes")
}

// inEKS is the cluster's name there.
const inEKS = "portolan-" + cluster

// enterCluster lets the person who tells the story work on the cluster as with kubectl:
// by an access entry, and from a machine in its VPC, for from elsewhere nobody gets there.
func (s *Stage) enterCluster(ctx context.Context) error {
	client := eks.NewFromConfig(s.aws())
	you := "arn:aws:iam::" + account + ":user/you"
	if _, err := client.CreateAccessEntry(ctx, &eks.CreateAccessEntryInput{ClusterName: aws.String(inEKS), PrincipalArn: &you}); err != nil {
		return err
	}
	if _, err := client.AssociateAccessPolicy(ctx, &eks.AssociateAccessPolicyInput{ClusterName: aws.String(inEKS), PrincipalArn: &you,
		PolicyArn:   aws.String("arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"),
		AccessScope: &types.AccessScope{Type: types.AccessScopeTypeCluster}}); err != nil {
		return err
	}
	found, err := client.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: aws.String(inEKS)})
	if err != nil {
		return err
	}
	at := func(way http.RoundTripper) (*person, error) {
		return personWith(&rest.Config{Host: aws.ToString(found.Cluster.Endpoint), Transport: &signing{s, way}})
	}
	outside, err := at(s.Local.EKS.Internet(nobody{}))
	if err != nil {
		return err
	}
	if err := outside.get(ctx, "/version", &struct{}{}); err == nil {
		return errors.New("the private API answers requests from the internet")
	}
	s.happened("the API is private: nobody reaches it from the internet, and Portolan by the connector in its VPC")
	s.person, err = at(s.Local.EKS.VPC(aws.ToString(found.Cluster.ResourcesVpcConfig.VpcId), nobody{}))
	return err
}

// nobody is what there is behind EKS's endpoints.
type nobody struct{}

// RoundTrip implements http.RoundTripper.
func (nobody) RoundTrip(r *http.Request) (*http.Response, error) {
	return nil, errors.New("no such host: " + r.URL.Host)
}

// signing signs requests as aws eks get-token does.
type signing struct {
	stage *Stage
	next  http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *signing) RoundTrip(r *http.Request) (*http.Response, error) {
	client := sts.NewPresignClient(sts.NewFromConfig(t.stage.aws()))
	signed, err := client.PresignGetCallerIdentity(r.Context(), &sts.GetCallerIdentityInput{}, func(o *sts.PresignOptions) {
		o.ClientOptions = append(o.ClientOptions, sts.WithAPIOptions(
			smithyhttp.SetHeaderValue("x-k8s-aws-id", inEKS), smithyhttp.SetHeaderValue("X-Amz-Expires", "60")))
	})
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer k8s-aws-v1."+base64.RawURLEncoding.EncodeToString([]byte(signed.URL)))
	return t.next.RoundTrip(r)
}

const deploymentPath = "/apis/apps/v1/namespaces/default/deployments/" + service

func repairKubernetesDrift(ctx context.Context, s *Stage) error {
	s.in("kubectl scale deployment %s --replicas=1", service)
	if err := s.person.client.Patch("application/merge-patch+json").AbsPath(deploymentPath).Param("fieldManager", "kubectl-scale").
		Body([]byte(`{"spec":{"replicas":1}}`)).Do(ctx).Error(); err != nil {
		return err
	}
	operation, err := s.newest(ctx, "service", contract.KindRepair, 1)
	if err != nil {
		return err
	}
	s.decided("%s", operation.Cause.Why)
	if _, err := s.follow(ctx, operation, contract.OperationSucceeded); err != nil {
		return err
	}
	if err := s.expectService(ctx, 4, 2); err != nil {
		return err
	}
	if err := s.settle(ctx); err != nil {
		return err
	}
	return s.tracePod(ctx)
}

// tracePod leads from the role session of a pod back to the commit.
func (s *Stage) tracePod(ctx context.Context) error {
	var pods struct {
		Items []metadata `json:"items"`
	}
	if err := s.person.get(ctx, "/api/v1/namespaces/default/pods?labelSelector=app.kubernetes.io/managed-by=portolan", &pods); err != nil {
		return err
	}
	for _, pod := range pods.Items {
		session, ok := s.Local.EKS.SessionOf(inEKS, "default", pod.Metadata.Name)
		if !ok {
			return fmt.Errorf("pod %s has no role", pod.Metadata.Name)
		}
		var origin contract.TaskRole
		if err := s.get(ctx, "/v1/audit/tasks/"+session, &origin); err != nil {
			return err
		}
		if origin.Release != 0 {
			s.happened("pod %s has its role by EKS Pod Identity", pod.Metadata.Name)
			return s.traceRole(ctx, origin, session)
		}
	}
	return fmt.Errorf("no session of %d pods leads to a release", len(pods.Items))
}

// upgrade is refused while a disruption budget lets nothing go, and then goes through
// while the service stays healthy.
func upgrade(ctx context.Context, s *Stage) error {
	budget := "/apis/policy/v1/namespaces/default/poddisruptionbudgets/never"
	s.in("kubectl create poddisruptionbudget never --selector=app.kubernetes.io/name=%s --max-unavailable=0", service)
	if err := s.person.apply(ctx, budget, object{
		"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": object{"name": "never", "namespace": "default"},
		"spec": object{"maxUnavailable": 0, "selector": object{"matchLabels": object{"app.kubernetes.io/name": service}}},
	}); err != nil {
		return err
	}
	if err := s.settle(ctx); err != nil {
		return err
	}
	ended, err := s.upgradeTo(ctx, "1.35", contract.OperationFailedClean)
	if err != nil {
		return err
	}
	if !strings.Contains(ended.Reason, "default/never") {
		return fmt.Errorf("the reason does not name the budget: %q", ended.Reason)
	}
	s.in("kubectl delete poddisruptionbudget never")
	if err := s.person.remove(ctx, budget); err != nil {
		return err
	}
	if _, err := s.upgradeTo(ctx, "1.35", contract.OperationSucceeded); err != nil {
		return err
	}
	var made contract.Cluster
	if err := s.get(ctx, clusterPath, &made); err != nil {
		return err
	}
	if !strings.HasPrefix(made.Version, "v1.35") {
		return fmt.Errorf("the cluster has version %s", made.Version)
	}
	if err := s.settle(ctx); err != nil {
		return err
	}
	if err := s.person.show(ctx, s, "kubectl get nodes", "/api/v1/nodes"); err != nil {
		return err
	}
	return s.expectVersions(ctx, "v1.35")
}

// upgradeTo asks for a version, and watches that the service keeps its tasks meanwhile.
func (s *Stage) upgradeTo(ctx context.Context, version string, want contract.OperationStatus) (contract.Operation, error) {
	s.in("PUT %s/version: %s", clusterPath, version)
	var operation contract.Operation
	if err := s.expect(ctx, http.StatusAccepted, http.MethodPut, clusterPath+"/version", contract.ClusterVersion{Version: version}, &operation); err != nil {
		return operation, err
	}
	s.decided("operation %s (%s), to end by %s", operation.Id, operation.Kind, operation.Deadline.Format("15:04"))
	fewest := 4
	ended, err := s.followWhile(ctx, operation, want, func() error {
		var seen struct {
			Status struct{ AvailableReplicas int }
		}
		err := s.person.get(ctx, deploymentPath, &seen)
		fewest = min(fewest, seen.Status.AvailableReplicas)
		return err
	})
	if err != nil {
		return ended, err
	}
	s.happened("service %s had never fewer than %d of 4 tasks meanwhile", service, fewest)
	if fewest < 3 {
		return ended, fmt.Errorf("only %d tasks were left", fewest)
	}
	return ended, s.expectService(ctx, 4, 2)
}

// expectVersions checks that all nodes have a version.
func (s *Stage) expectVersions(ctx context.Context, version string) error {
	var nodes struct {
		Items []struct {
			metadata
			Status struct {
				NodeInfo struct{ KubeletVersion string }
			}
		}
	}
	if err := s.person.get(ctx, "/api/v1/nodes", &nodes); err != nil {
		return err
	}
	if len(nodes.Items) != 3 {
		return fmt.Errorf("the cluster has %d nodes", len(nodes.Items))
	}
	for _, node := range nodes.Items {
		if !strings.HasPrefix(node.Status.NodeInfo.KubeletVersion, version) {
			return fmt.Errorf("node %s has version %s", node.Metadata.Name, node.Status.NodeInfo.KubeletVersion)
		}
	}
	return nil
}
