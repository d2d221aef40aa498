package kubernetes_test

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func quantity(text string) resource.Quantity { return resource.MustParse(text) }

func template(app, image string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": app}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: image}}}}
}

func TestADaemonSetHasAPodOnEachNode(t *testing.T) {
	inCluster(t, 3, func(b *bench) {
		sets := b.client.AppsV1().DaemonSets("default")
		_, err := sets.Create(b.ctx, &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: "agent"}, Spec: appsv1.DaemonSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "agent"}}, Template: template("agent", "agent:1")}},
			metav1.CreateOptions{})
		b.must(err)
		arrived := func(nodes int32) func() bool {
			return func() bool {
				d, err := sets.Get(b.ctx, "agent", metav1.GetOptions{})
				b.must(err)
				s := d.Status
				return s.ObservedGeneration == d.Generation && s.DesiredNumberScheduled == nodes && s.UpdatedNumberScheduled == nodes &&
					s.NumberAvailable == nodes
			}
		}
		b.within(2*time.Minute, "one on each", arrived(3))
		b.cordon("node-1") // which keeps no daemon away
		b.must(b.server.JoinNode(b.ctx, registration("node-4")))
		b.within(2*time.Minute, "one on the new node too", arrived(4))
		_, err = sets.Patch(b.ctx, "agent", types.StrategicMergePatchType,
			[]byte(`{"spec":{"template":{"spec":{"containers":[{"name":"c","image":"agent:2"}]}}}}`), metav1.PatchOptions{})
		b.must(err)
		least := 4
		b.within(5*time.Minute, "rolled out one by one", func() bool {
			ready := 0
			for _, p := range b.pods("app=agent") {
				if len(p.Status.ContainerStatuses) > 0 && p.Status.ContainerStatuses[0].Ready && p.DeletionTimestamp == nil {
					ready++
				}
			}
			least = min(least, ready)
			return arrived(4)()
		})
		if least != 3 {
			b.Errorf("at the least %d were ready", least)
		}
	})
}

func TestAJobSucceedsOrFails(t *testing.T) {
	for image, want := range map[string]string{"job:1": "CompletionsReached", "job:crash": "BackoffLimitExceeded",
		"job:fail-exit": "BackoffLimitExceeded", "job:fail-pull": "DeadlineExceeded"} {
		inCluster(t, 1, func(b *bench) {
			limit, deadline, pods := int32(2), int64(120), template("job", image)
			pods.Spec.RestartPolicy = corev1.RestartPolicyNever
			jobs := b.client.BatchV1().Jobs("default")
			_, err := jobs.Create(b.ctx, &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "once"}, Spec: batchv1.JobSpec{
				BackoffLimit: &limit, ActiveDeadlineSeconds: &deadline, Template: pods}}, metav1.CreateOptions{})
			b.must(err)
			var job *batchv1.Job
			b.within(5*time.Minute, image+" ends", func() bool {
				job, err = jobs.Get(b.ctx, "once", metav1.GetOptions{})
				b.must(err)
				return len(job.Status.Conditions) == 2
			})
			if got := job.Status.Conditions[1].Reason; got != want {
				b.Errorf("%s ended with %s", image, got)
			}
			if failed := job.Status.Failed; want == "BackoffLimitExceeded" && failed != 3 || want == "CompletionsReached" && failed != 0 {
				b.Errorf("%s: %d pods failed", image, failed)
			}
			b.must(jobs.Delete(b.ctx, "once", metav1.DeleteOptions{}))
			b.wait(time.Minute)
			if image == "job:1" && len(b.pods("")) != 1 {
				b.Error("a job's pods go with it, though nobody said so")
			}
		})
	}
}

func TestAStatefulSetComesUpInOrderWithItsVolumes(t *testing.T) {
	inCluster(t, 2, func(b *bench) {
		three := int32(3)
		_, err := b.client.AppsV1().StatefulSets("default").Create(b.ctx, &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Name: "db"},
			Spec: appsv1.StatefulSetSpec{Replicas: &three, ServiceName: "db", Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "db"}},
				Template: template("db", "db:1"), VolumeClaimTemplates: []corev1.PersistentVolumeClaim{{ObjectMeta: metav1.ObjectMeta{Name: "data"},
					Spec: corev1.PersistentVolumeClaimSpec{AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
						Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{"storage": quantity("1Gi")}}}}}}},
			metav1.CreateOptions{})
		b.must(err)
		most := 0
		b.within(5*time.Minute, "three are ready", func() bool {
			ready, all := 0, b.pods("app=db")
			for _, p := range all {
				if len(p.Status.ContainerStatuses) > 0 && p.Status.ContainerStatuses[0].Ready {
					ready++
				}
			}
			most = max(most, len(all)-ready)
			return ready == 3
		})
		if most != 1 {
			b.Errorf("%d came up at once", most)
		}
		claim, err := b.client.CoreV1().PersistentVolumeClaims("default").Get(b.ctx, "data-db-2", metav1.GetOptions{})
		b.must(err)
		if claim.Status.Phase != corev1.ClaimBound {
			b.Errorf("the claim is %s", claim.Status.Phase)
		}
		_, err = b.client.AppsV1().StatefulSets("default").Patch(b.ctx, "db", types.MergePatchType, []byte(`{"spec":{"replicas":1}}`), metav1.PatchOptions{})
		b.must(err)
		b.within(time.Minute, "only the first is left", func() bool {
			left := b.pods("app=db")
			return len(left) == 1 && left[0].Name == "db-0"
		})
	})
}

func TestAClaimAndItsVolume(t *testing.T) {
	inCluster(t, 1, func(b *bench) {
		claims := b.client.CoreV1().PersistentVolumeClaims("default")
		_, err := claims.Create(b.ctx, &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "data"},
			Spec: corev1.PersistentVolumeClaimSpec{AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
				Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{"storage": quantity("5Gi")}}}}, metav1.CreateOptions{})
		b.must(err)
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "user"}, Spec: template("", "i:1").Spec}
		p.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}}}}
		_, err = b.client.CoreV1().Pods("default").Create(b.ctx, p, metav1.CreateOptions{})
		b.must(err)
		b.within(time.Minute, "the pod runs", func() bool {
			p, err := b.client.CoreV1().Pods("default").Get(b.ctx, "user", metav1.GetOptions{})
			b.must(err)
			return p.Status.Phase == corev1.PodRunning
		})
		b.must(claims.Delete(b.ctx, "data", metav1.DeleteOptions{}))
		b.wait(time.Minute)
		if _, err := claims.Get(b.ctx, "data", metav1.GetOptions{}); err != nil {
			b.Errorf("a claim that is used is gone: %v", err)
		}
		b.must(b.client.CoreV1().Pods("default").Delete(b.ctx, "user", metav1.DeleteOptions{}))
		b.wait(time.Minute)
		if _, err := claims.Get(b.ctx, "data", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			b.Errorf("the claim that nobody uses: %v", err)
		}
		volumes, err := b.client.CoreV1().PersistentVolumes().List(b.ctx, metav1.ListOptions{})
		b.must(err)
		if len(volumes.Items) > 0 {
			b.Errorf("its volume is left: %v", volumes.Items)
		}
	})
}

func TestWhatAPodNeedsAndIsNotThereIsNamed(t *testing.T) {
	inCluster(t, 1, func(b *bench) {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "needy"}, Spec: template("", "i:1").Spec}
		p.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "KEY", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: "key"}, Key: "a"}}}}
		_, err := b.client.CoreV1().Pods("default").Create(b.ctx, p, metav1.CreateOptions{})
		b.must(err)
		waiting := func() *corev1.ContainerStateWaiting {
			p, err := b.client.CoreV1().Pods("default").Get(b.ctx, "needy", metav1.GetOptions{})
			b.must(err)
			return p.Status.ContainerStatuses[0].State.Waiting
		}
		b.wait(30 * time.Second)
		if w := waiting(); w == nil || w.Reason != "CreateContainerConfigError" || w.Message != `secret "key" not found` {
			b.Fatalf("it waits for %+v", w)
		}
		_, err = b.client.CoreV1().Secrets("default").Create(b.ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "key"},
			StringData: map[string]string{"a": "b"}}, metav1.CreateOptions{})
		b.must(err)
		b.within(time.Minute, "it runs", func() bool { return waiting() == nil })
	})
}

func TestANamespaceIsEmptiedBeforeItGoes(t *testing.T) {
	inCluster(t, 1, func(b *bench) {
		namespaces := b.client.CoreV1().Namespaces()
		_, err := namespaces.Create(b.ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}, metav1.CreateOptions{})
		b.must(err)
		b.wait(time.Second)
		two := int32(2)
		_, err = b.client.AppsV1().Deployments("shop").Create(b.ctx, &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "web"},
			Spec: appsv1.DeploymentSpec{Replicas: &two, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
				Template: template("web", "i:1")}}, metav1.CreateOptions{})
		b.must(err)
		b.wait(time.Minute)
		b.must(namespaces.Delete(b.ctx, "shop", metav1.DeleteOptions{}))
		n, err := namespaces.Get(b.ctx, "shop", metav1.GetOptions{})
		b.must(err)
		if n.Status.Phase != corev1.NamespaceTerminating {
			b.Errorf("the namespace is %s", n.Status.Phase)
		}
		_, err = b.client.CoreV1().Secrets("shop").Create(b.ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "late"}}, metav1.CreateOptions{})
		if !apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
			b.Errorf("something new in it: %v", err)
		}
		b.within(2*time.Minute, "it is gone", func() bool {
			_, err := namespaces.Get(b.ctx, "shop", metav1.GetOptions{})
			return apierrors.IsNotFound(err)
		})
	})
}
