package eks_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"portolan/local/disk"
)

// token signs a token for a cluster as aws eks get-token does.
func token(t *testing.T, key aws.Credentials, cluster string) string {
	t.Helper()
	client := sts.NewPresignClient(sts.New(sts.Options{Region: "eu-west-1",
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return key, nil })}))
	signed, err := client.PresignGetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}, func(o *sts.PresignOptions) {
		o.ClientOptions = append(o.ClientOptions, sts.WithAPIOptions(
			smithyhttp.SetHeaderValue("x-k8s-aws-id", cluster), smithyhttp.SetHeaderValue("X-Amz-Expires", "60")))
	})
	if err != nil {
		t.Fatal(err)
	}
	return "k8s-aws-v1." + base64.RawURLEncoding.EncodeToString([]byte(signed.URL))
}

// call sends a request to the API server by a way, and returns the status.
func (b *bench) call(way http.RoundTripper, method, path, bearer string, body any) (int, string, error) {
	b.Helper()
	out, err := b.DescribeCluster(b.Context(), &sdk.DescribeClusterInput{Name: aws.String("demo")})
	if err != nil {
		b.Fatal(err)
	}
	text, err := json.Marshal(body)
	if err != nil {
		b.Fatal(err)
	}
	r, err := http.NewRequestWithContext(b.Context(), method, *out.Cluster.Endpoint+path, bytes.NewReader(text))
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+bearer)
	r.Header.Set("Content-Type", "application/json")
	response, err := way.RoundTrip(r)
	if err != nil {
		return 0, "", err
	}
	answer, err := io.ReadAll(response.Body)
	return response.StatusCode, string(answer), err
}

func (b *bench) inVPC() http.RoundTripper { return b.server.VPC("vpc-1", http.DefaultTransport) }

// enter lets ada in, with one of EKS's policies.
func (b *bench) enter(policy string) {
	b.Helper()
	principal := aws.String("arn:aws:iam::111122223333:user/ada")
	_, err := b.CreateAccessEntry(b.Context(), &sdk.CreateAccessEntryInput{ClusterName: aws.String("demo"), PrincipalArn: principal})
	if err == nil {
		_, err = b.AssociateAccessPolicy(b.Context(), &sdk.AssociateAccessPolicyInput{ClusterName: aws.String("demo"), PrincipalArn: principal,
			PolicyArn: aws.String("arn:aws:eks::aws:cluster-access-policy/" + policy), AccessScope: &types.AccessScope{Type: types.AccessScopeTypeCluster}})
	}
	if err != nil {
		b.Fatal(err)
	}
}

func TestWhoGetsIn(t *testing.T) {
	inEKS(t, nil, func(b *bench) {
		b.cluster()
		namespace := map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "x"}}
		good := token(b.T, ada, "demo")
		if code, _, err := b.call(b.inVPC(), http.MethodGet, "/api/v1/nodes", good, nil); code != http.StatusUnauthorized {
			b.Errorf("without an entry: %d, %v", code, err)
		}
		b.enter("AmazonEKSAdminViewPolicy")
		for name, test := range map[string]struct {
			bearer string
			want   int
		}{
			"good": {good, http.StatusOK}, "of another cluster": {token(b.T, ada, "other"), http.StatusUnauthorized},
			"signed with another key": {token(b.T, aws.Credentials{AccessKeyID: "AKIATEST", SecretAccessKey: "guess"}, "demo"), http.StatusUnauthorized},
			"of nobody":               {token(b.T, aws.Credentials{AccessKeyID: "AKIANONE", SecretAccessKey: "x"}, "demo"), http.StatusUnauthorized},
			"none":                    {"k8s-aws-v1.x", http.StatusUnauthorized},
		} {
			if code, _, err := b.call(b.inVPC(), http.MethodGet, "/api/v1/nodes", test.bearer, nil); code != test.want {
				b.Errorf("a token that is %s: %d, %v", name, code, err)
			}
		}
		if code, _, _ := b.call(b.inVPC(), http.MethodPost, "/api/v1/namespaces", good, namespace); code != http.StatusForbidden {
			b.Errorf("who may look makes a namespace: %d", code)
		}
		time.Sleep(20 * time.Minute)
		if code, _, _ := b.call(b.inVPC(), http.MethodGet, "/api/v1/nodes", good, nil); code != http.StatusUnauthorized {
			b.Errorf("a token of long ago: %d", code)
		}
	})
}

// A private endpoint is reached from its VPC only, and nobody but EKS is behind it.
func TestPrivateEndpoints(t *testing.T) {
	inEKS(t, nil, func(b *bench) {
		b.cluster()
		b.enter("AmazonEKSClusterAdminPolicy")
		good := token(b.T, ada, "demo")
		if _, _, err := b.call(b.server.Internet(http.DefaultTransport), http.MethodGet, "/version", good, nil); err == nil {
			b.Error("a private endpoint answers the internet")
		}
		if _, _, err := b.call(b.server.VPC("vpc-2", http.DefaultTransport), http.MethodGet, "/version", good, nil); err == nil {
			b.Error("a private endpoint answers another VPC")
		}
		if code, _, err := b.call(b.inVPC(), http.MethodGet, "/version", good, nil); code != http.StatusOK {
			b.Errorf("from within: %d, %v", code, err)
		}
	})
}

func (b *bench) update(id, group *string) *types.Update {
	b.Helper()
	out, err := b.DescribeUpdate(b.Context(), &sdk.DescribeUpdateInput{Name: aws.String("demo"), UpdateId: id, NodegroupName: group})
	if err != nil {
		b.Fatal(err)
	}
	return out.Update
}

func TestVersionsGoUpOneByOne(t *testing.T) {
	d, err := disk.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	inEKS(t, d, func(b *bench) {
		b.cluster()
		b.pool()
		time.Sleep(5 * time.Minute)
		name, group := aws.String("demo"), aws.String("web")
		var invalid *types.InvalidParameterException
		if _, err := b.UpdateClusterVersion(b.Context(), &sdk.UpdateClusterVersionInput{Name: name, Version: aws.String("1.36")}); !errors.As(err, &invalid) {
			b.Errorf("two versions at once: %v", err)
		}
		_, err := b.UpdateNodegroupVersion(b.Context(), &sdk.UpdateNodegroupVersionInput{ClusterName: name, NodegroupName: group, Version: aws.String("1.35")})
		if !errors.As(err, &invalid) {
			b.Errorf("nodes before the control plane: %v", err)
		}
		out, err := b.UpdateClusterVersion(b.Context(), &sdk.UpdateClusterVersionInput{Name: name, Version: aws.String("1.35"), ClientRequestToken: aws.String("t")})
		if err != nil || b.update(out.Update.Id, nil).Status != types.UpdateStatusInProgress {
			b.Fatalf("got %+v, %v", out, err)
		}
		time.Sleep(15 * time.Minute)
		if u := b.update(out.Update.Id, nil); u.Status != types.UpdateStatusSuccessful {
			b.Errorf("the control plane's update is %s", u.Status)
		}
		rolled, err := b.UpdateNodegroupVersion(b.Context(), &sdk.UpdateNodegroupVersionInput{ClusterName: name, NodegroupName: group})
		if err != nil {
			b.Fatal(err)
		}
		time.Sleep(30 * time.Minute)
		if u := b.update(rolled.Update.Id, group); u.Status != types.UpdateStatusSuccessful || *b.group().Version != "1.35" {
			b.Errorf("the node group's update is %+v, its version %s", u, *b.group().Version)
		}
		b.enter("AmazonEKSAdminViewPolicy")
		_, nodes, err := b.call(b.inVPC(), http.MethodGet, "/api/v1/nodes", token(b.T, ada, "demo"), nil)
		if strings.Count(nodes, `"kubeletVersion":"v1.35`) != 2 || strings.Contains(nodes, `"kubeletVersion":"v1.34`) {
			b.Errorf("the nodes are %s, %v", nodes, err)
		}
	})
}

// A node group's size is what its Auto Scaling group gets, some time later.
func TestANodeGroupIsResized(t *testing.T) {
	inEKS(t, nil, func(b *bench) {
		b.cluster()
		b.pool()
		time.Sleep(5 * time.Minute)
		in := &sdk.UpdateNodegroupConfigInput{ClusterName: aws.String("demo"), NodegroupName: aws.String("web"),
			ScalingConfig: &types.NodegroupScalingConfig{DesiredSize: aws.Int32(4)}}
		var invalid *types.InvalidParameterException
		if _, err := b.UpdateNodegroupConfig(b.Context(), in); !errors.As(err, &invalid) {
			b.Errorf("more than the maximum: %v", err)
		}
		in.ScalingConfig.MaxSize = aws.Int32(5)
		out, err := b.UpdateNodegroupConfig(b.Context(), in)
		if err != nil || out.Update.Type != types.UpdateTypeConfigUpdate || b.group().Status != types.NodegroupStatusUpdating {
			b.Fatalf("got %+v, %v", out, err)
		}
		in.ClientRequestToken = nil // the client keeps the one that it made
		var busy *types.ResourceInUseException
		if _, err := b.UpdateNodegroupConfig(b.Context(), in); !errors.As(err, &busy) {
			b.Errorf("while it is updated: %v", err)
		}
		time.Sleep(time.Minute)
		if u := b.update(out.Update.Id, in.NodegroupName); u.Status != types.UpdateStatusSuccessful || b.group().Status != types.NodegroupStatusActive {
			b.Errorf("the update is %+v, the group %s", u, b.group().Status)
		}
		b.enter("AmazonEKSAdminViewPolicy")
		time.Sleep(5 * time.Minute)
		_, nodes, err := b.call(b.inVPC(), http.MethodGet, "/api/v1/nodes", token(b.T, ada, "demo"), nil)
		if strings.Count(nodes, `"kubeletVersion":`) != 4 || *b.group().ScalingConfig.MinSize != 0 {
			b.Errorf("the nodes are %s, %v", nodes, err)
		}
	})
}

// What no budget lets go keeps its node, and the update fails.
func TestABudgetFailsTheUpdateOfItsNode(t *testing.T) {
	inEKS(t, nil, func(b *bench) {
		b.cluster()
		b.pool()
		b.enter("AmazonEKSClusterAdminPolicy")
		time.Sleep(5 * time.Minute)
		post := func(path string, body map[string]any) {
			if code, answer, err := b.call(b.inVPC(), http.MethodPost, path, token(b.T, ada, "demo"), body); code != http.StatusCreated {
				b.Fatalf("%s: %d %s, %v", path, code, answer, err)
			}
		}
		labels := map[string]any{"app": "x"}
		post("/apis/apps/v1/namespaces/default/deployments", map[string]any{"apiVersion": "apps/v1", "kind": "Deployment",
			"metadata": map[string]any{"name": "x"}, "spec": map[string]any{"replicas": 2, "selector": map[string]any{"matchLabels": labels},
				"template": map[string]any{"metadata": map[string]any{"labels": labels},
					"spec": map[string]any{"containers": []any{map[string]any{"name": "x", "image": "x"}}}}}})
		post("/apis/policy/v1/namespaces/default/poddisruptionbudgets", map[string]any{"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
			"metadata": map[string]any{"name": "x"}, "spec": map[string]any{"maxUnavailable": 0, "selector": map[string]any{"matchLabels": labels}}})
		time.Sleep(2 * time.Minute)
		group := aws.String("web")
		out, err := b.UpdateNodegroupVersion(b.Context(), &sdk.UpdateNodegroupVersionInput{ClusterName: aws.String("demo"), NodegroupName: group})
		if err != nil {
			b.Fatal(err)
		}
		time.Sleep(40 * time.Minute)
		u := b.update(out.Update.Id, group)
		if u.Status != types.UpdateStatusFailed || len(u.Errors) != 1 || u.Errors[0].ErrorCode != types.ErrorCodePodEvictionFailure ||
			b.group().Status != types.NodegroupStatusActive {
			b.Errorf("got %+v, and the group is %s", u, b.group().Status)
		}
	})
}

func TestInsightsNameWhoUsesWhatIsGone(t *testing.T) {
	inEKS(t, nil, func(b *bench) {
		old := wish()
		old.Version = aws.String("1.31")
		if _, err := b.CreateCluster(b.Context(), old); err != nil {
			b.Fatal(err)
		}
		time.Sleep(15 * time.Minute)
		b.enter("AmazonEKSClusterAdminPolicy")
		filter := &types.InsightsFilter{KubernetesVersions: []string{"1.32"}, Statuses: []types.InsightStatusValue{types.InsightStatusValueError}}
		list := func() []types.InsightSummary {
			out, err := b.ListInsights(b.Context(), &sdk.ListInsightsInput{ClusterName: aws.String("demo"), Filter: filter})
			if err != nil {
				b.Fatal(err)
			}
			return out.Insights
		}
		if found := list(); len(found) != 0 {
			b.Errorf("before anybody asked: %+v", found)
		}
		code, _, err := b.call(b.inVPC(), http.MethodGet, "/apis/flowcontrol.apiserver.k8s.io/v1beta3/flowschemas", token(b.T, ada, "demo"), nil)
		if found := list(); code != http.StatusOK || len(found) != 1 {
			b.Fatalf("got %+v after %d, %v", found, code, err)
		}
		out, err := b.DescribeInsight(b.Context(), &sdk.DescribeInsightInput{ClusterName: aws.String("demo"), Id: list()[0].Id})
		if err != nil || len(out.Insight.CategorySpecificSummary.DeprecationDetails) != 1 ||
			*out.Insight.CategorySpecificSummary.DeprecationDetails[0].StopServingVersion != "1.32" {
			b.Errorf("got %+v, %v", out, err)
		}
	})
}
