package kubernetes_test

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestADeploymentIsRolledOutAndOut(t *testing.T) {
	inCluster(t, 3, func(b *bench) {
		b.apply(web("shop/web:1", 4))
		b.rolledOut(4)
		on := map[string]int{}
		for _, p := range b.pods("") {
			on[p.Spec.NodeName]++
		}
		if len(on) != 3 {
			b.Errorf("pods are on %v, not on each node", on)
		}
		b.apply(web("shop/web:2", 4))
		b.rolledOut(4)
		b.wait(30 * time.Second) // the last old pods end
		for _, p := range b.pods("") {
			if p.Spec.Containers[0].Image != "shop/web:2" {
				b.Errorf("%s runs %s", p.Name, p.Spec.Containers[0].Image)
			}
		}
		sets, err := b.client.AppsV1().ReplicaSets("default").List(b.ctx, metav1.ListOptions{})
		b.must(err)
		if len(sets.Items) != 2 {
			b.Errorf("there are %d replica sets", len(sets.Items))
		}
		for _, set := range sets.Items {
			if set.Annotations["portolan.dev/release"] != "1" {
				b.Errorf("%s has the annotations %v", set.Name, set.Annotations)
			}
		}
	})
}

func TestABadReleaseStopsAtItsDeadline(t *testing.T) {
	for _, image := range []string{"shop/web:fail-pull", "shop/web:crash", "shop/web:fail-ready", "shop/web:unhealthy"} {
		inCluster(t, 3, func(b *bench) {
			b.apply(web("shop/web:1", 4))
			b.rolledOut(4)
			bad := web(image, 4)
			bad.Spec.WithProgressDeadlineSeconds(60)
			b.apply(bad)
			b.within(5*time.Minute, image+" is given up", func() bool { return b.progressing() == "ProgressDeadlineExceeded" })
			if d := b.deployment(); d.Status.AvailableReplicas != 3 || d.Status.UpdatedReplicas != 2 {
				b.Errorf("%s: %d are available, and %d updated", image, d.Status.AvailableReplicas, d.Status.UpdatedReplicas)
			}
			b.apply(web("shop/web:1", 4))
			b.rolledOut(4)
			if got := b.deployment().Annotations["deployment.kubernetes.io/revision"]; got != "3" {
				b.Errorf("the revision after the rollback is %s", got)
			}
		})
	}
}

func TestRecreateEndsTheOldPodsFirst(t *testing.T) {
	inCluster(t, 1, func(b *bench) {
		recreate := func(image string) {
			d := web(image, 3)
			d.Spec.WithStrategy(strategy(appsv1.RecreateDeploymentStrategyType))
			b.apply(d)
		}
		recreate("shop/web:1")
		b.rolledOut(3)
		recreate("shop/web:2")
		images := map[string]bool{}
		for range 60 {
			for _, p := range b.pods("") {
				images[p.Spec.Containers[0].Image] = true
			}
			if len(images) == 2 && len(b.pods("")) > 3 {
				b.Fatal("old and new pods ran at once")
			}
			b.wait(time.Second)
		}
		b.rolledOut(3)
	})
}
