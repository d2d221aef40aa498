package kubernetes_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	applyapps "k8s.io/client-go/applyconfigurations/apps/v1"
	applycore "k8s.io/client-go/applyconfigurations/core/v1"
	applymeta "k8s.io/client-go/applyconfigurations/meta/v1"
	client "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"portolan/local/clock"
	"portolan/local/kubernetes"
	"portolan/local/unique"
)

// A bench is a cluster with a client of client-go's, in a bubble of virtual time.
type bench struct {
	*testing.T
	server *kubernetes.Server
	client *client.Clientset
	ctx    context.Context
}

// configOf is a client's configuration that calls a handler in process.
func configOf(handler http.RoundTripper, token string) *rest.Config {
	return &rest.Config{Host: "https://cluster.example.com", BearerToken: token, QPS: -1, WarningHandler: rest.NoWarnings{},
		ContentConfig: rest.ContentConfig{ContentType: "application/json"},
		WrapTransport: func(http.RoundTripper) http.RoundTripper { return handler }}
}

// inCluster runs a test in a cluster of so many nodes with 4 cores and 16 GiB each.
func inCluster(t *testing.T, nodes int, test func(*bench)) {
	t.Helper()
	withConfig(t, nodes, kubernetes.Config{}, test)
}

func withConfig(t *testing.T, nodes int, config kubernetes.Config, test func(*bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		config.Clock, config.IDs, config.Name = clock.New(1).Ordered(), unique.New(1), "shop"
		server, err := kubernetes.New(config)
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		b := &bench{T: t, server: server, ctx: t.Context()}
		if b.client, err = client.NewForConfig(configOf(server, "")); err != nil {
			t.Fatal(err)
		}
		b.join(nodes)
		test(b)
	})
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// join adds nodes and waits until they are ready.
func (b *bench) join(count int) {
	b.Helper()
	zones := []string{"eu-west-1a", "eu-west-1b", "eu-west-1c"}
	for n := range count {
		digit := string(rune('1' + n))
		b.must(b.server.JoinNode(b.ctx, kubernetes.Registration{Name: "node-" + digit, EC2InstanceID: "i-0000000000000000" + digit,
			Zone: zones[n%3], InstanceType: "m5.xlarge", CPU: 4096, Memory: 16384}))
	}
	b.wait(time.Minute)
}

// wait lets virtual time pass.
func (b *bench) wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// within waits until something holds, looking every second.
func (b *bench) within(limit time.Duration, what string, holds func() bool) {
	b.Helper()
	for begin := time.Now(); !holds(); b.wait(time.Second) {
		if time.Since(begin) > limit {
			b.Fatalf("not within %s: %s", limit, what)
		}
	}
}

// web is the description of a deployment as a client applies it.
func web(image string, replicas int32) *applyapps.DeploymentApplyConfiguration {
	labels := map[string]string{"app.kubernetes.io/name": "web"}
	return applyapps.Deployment("web", "default").WithLabels(labels).WithAnnotations(map[string]string{"portolan.dev/release": "1"}).
		WithSpec(applyapps.DeploymentSpec().WithReplicas(replicas).
			WithSelector(applymeta.LabelSelector().WithMatchLabels(labels)).
			WithTemplate(applycore.PodTemplateSpec().WithLabels(labels).
				WithSpec(applycore.PodSpec().WithContainers(applycore.Container().WithName("web").WithImage(image).
					WithPorts(applycore.ContainerPort().WithContainerPort(8080))))))
}

func (b *bench) apply(d *applyapps.DeploymentApplyConfiguration) *appsv1.Deployment {
	b.Helper()
	made, err := b.client.AppsV1().Deployments("default").Apply(b.ctx, d, metav1.ApplyOptions{FieldManager: "portolan"})
	b.must(err)
	return made
}

func (b *bench) deployment() *appsv1.Deployment {
	b.Helper()
	d, err := b.client.AppsV1().Deployments("default").Get(b.ctx, "web", metav1.GetOptions{})
	b.must(err)
	return d
}

func (b *bench) pods(selector string) []corev1.Pod {
	b.Helper()
	list, err := b.client.CoreV1().Pods("default").List(b.ctx, metav1.ListOptions{LabelSelector: selector})
	b.must(err)
	return list.Items
}

func (b *bench) progressing() string {
	for _, c := range b.deployment().Status.Conditions {
		if c.Type == appsv1.DeploymentProgressing {
			return c.Reason
		}
	}
	return ""
}

// rolledOut waits until so many pods run what was applied.
func (b *bench) rolledOut(replicas int32) {
	b.Helper()
	b.within(3*time.Minute, "rolled out", func() bool {
		d := b.deployment()
		s := d.Status
		return s.ObservedGeneration == d.Generation && s.Replicas == replicas && s.UpdatedReplicas == replicas &&
			s.AvailableReplicas == replicas && b.progressing() == "NewReplicaSetAvailable"
	})
}

func strategy(of appsv1.DeploymentStrategyType) *applyapps.DeploymentStrategyApplyConfiguration {
	return applyapps.DeploymentStrategy().WithType(of)
}

// registration is of one more node.
func registration(name string) kubernetes.Registration {
	return kubernetes.Registration{Name: name, EC2InstanceID: "i-of-" + name, Zone: "eu-west-1a", InstanceType: "m5.xlarge",
		CPU: 4096, Memory: 16384}
}
