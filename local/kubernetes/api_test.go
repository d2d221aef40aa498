package kubernetes_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/informers"
	client "k8s.io/client-go/kubernetes"

	"portolan/local/clock"
	"portolan/local/disk"
	"portolan/local/kubernetes"
	"portolan/local/unique"
)

func (b *bench) configMap(name string, labels map[string]string) *corev1.ConfigMap {
	b.Helper()
	made, err := b.client.CoreV1().ConfigMaps("default").Create(b.ctx,
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}, metav1.CreateOptions{})
	b.must(err)
	return made
}

func TestAWatchTellsWhatASelectionGainsAndLoses(t *testing.T) {
	inCluster(t, 0, func(b *bench) {
		maps := b.client.CoreV1().ConfigMaps("default")
		before := b.configMap("before", map[string]string{"app": "web"})
		w, err := maps.Watch(b.ctx, metav1.ListOptions{LabelSelector: "app=web", ResourceVersion: before.ResourceVersion,
			TimeoutSeconds: pointer(int64(3600)), AllowWatchBookmarks: true})
		b.must(err)
		b.configMap("other", map[string]string{"app": "other"})
		b.configMap("mine", map[string]string{"app": "web"})
		for _, patch := range []string{`{"data":{"a":"b"}}`, `{"metadata":{"labels":{"app":"gone"}}}`, `{"metadata":{"labels":{"app":"web"}}}`} {
			_, err := maps.Patch(b.ctx, "mine", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
			b.must(err)
		}
		b.must(maps.Delete(b.ctx, "mine", metav1.DeleteOptions{}))
		var told []string
		for len(told) < 6 {
			e := <-w.ResultChan()
			o := e.Object.(*corev1.ConfigMap)
			told = append(told, string(e.Type)+" "+o.Name)
		}
		want := []string{"ADDED mine", "MODIFIED mine", "DELETED mine", "ADDED mine", "DELETED mine", "BOOKMARK "}
		if !slices.Equal(told, want) {
			b.Errorf("told %q, want %q", told, want)
		}
		begin := time.Now()
		for range w.ResultChan() { // the watch ends by itself
		}
		if took := time.Since(begin); took < 50*time.Minute || took > time.Hour {
			b.Errorf("it ended after %s", took)
		}
	})
}

var everything = labels.Everything()

func pointer[T any](v T) *T { return &v }

func TestAWatchOfARevisionThatIsForgottenIsGone(t *testing.T) {
	inCluster(t, 0, func(b *bench) {
		first := b.configMap("first", nil)
		maps := b.client.CoreV1().ConfigMaps("default")
		for n := range 2100 {
			_, err := maps.Patch(b.ctx, "first", types.MergePatchType, fmt.Appendf(nil, `{"data":{"n":"%d"}}`, n), metav1.PatchOptions{})
			b.must(err)
		}
		w, err := maps.Watch(b.ctx, metav1.ListOptions{ResourceVersion: first.ResourceVersion})
		b.must(err)
		defer w.Stop()
		e := <-w.ResultChan()
		if e.Type != watch.Error || !apierrors.IsResourceExpired(apierrors.FromObject(e.Object)) {
			b.Errorf("it was told %s %+v", e.Type, e.Object)
		}
	})
}

func TestPagesAreOfOneMoment(t *testing.T) {
	inCluster(t, 0, func(b *bench) {
		for n := range 25 {
			b.configMap(fmt.Sprintf("map-%02d", n), nil)
		}
		maps := b.client.CoreV1().ConfigMaps("default")
		var names []string
		options := metav1.ListOptions{Limit: 10}
		for page := 1; ; page++ {
			list, err := maps.List(b.ctx, options)
			b.must(err)
			for _, m := range list.Items {
				names = append(names, m.Name)
			}
			if page == 1 {
				if left := list.RemainingItemCount; left == nil || *left != 15 {
					b.Errorf("%v remain after the first page", left)
				}
				b.must(maps.Delete(b.ctx, "map-20", metav1.DeleteOptions{}))
				b.configMap("map-15a", nil)
			}
			if options.Continue = list.Continue; options.Continue == "" {
				break
			}
		}
		if len(names) != 25 || !slices.Contains(names, "map-20") || slices.Contains(names, "map-15a") {
			b.Errorf("the pages had %v", names)
		}
	})
}

func TestAnInformerFollows(t *testing.T) {
	inCluster(t, 2, func(b *bench) {
		ctx, cancel := context.WithCancel(b.ctx)
		factory := informers.NewSharedInformerFactory(b.client, 0)
		lister := factory.Core().V1().Pods().Lister()
		factory.Core().V1().Pods().Informer()
		factory.Start(ctx.Done())
		factory.WaitForCacheSync(ctx.Done())
		b.apply(web("shop/web:1", 3))
		b.rolledOut(3)
		b.wait(time.Second)
		known, err := lister.Pods("default").List(everything)
		b.must(err)
		if len(known) != 3 {
			b.Errorf("the informer knows %d pods", len(known))
		}
		cancel()
		factory.Shutdown()
	})
}

func TestOnlyOneOfTwoWritersWins(t *testing.T) {
	inCluster(t, 0, func(b *bench) {
		made := b.configMap("shared", nil)
		maps := b.client.CoreV1().ConfigMaps("default")
		one, two := made.DeepCopy(), made.DeepCopy()
		one.Data, two.Data = map[string]string{"who": "one"}, map[string]string{"who": "two"}
		first, err := maps.Update(b.ctx, one, metav1.UpdateOptions{})
		b.must(err)
		if _, err := maps.Update(b.ctx, two, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
			b.Errorf("the second: %v", err)
		}
		again, err := maps.Update(b.ctx, first.DeepCopy(), metav1.UpdateOptions{})
		b.must(err)
		if again.ResourceVersion != first.ResourceVersion {
			b.Error("an update that changes nothing makes a revision")
		}
	})
}

func TestWhoOwnsFieldsIsTold(t *testing.T) {
	inCluster(t, 0, func(b *bench) {
		b.apply(web("shop/web:1", 1))
		deployments := b.client.AppsV1().Deployments("default")
		_, err := deployments.Patch(b.ctx, "web", types.StrategicMergePatchType,
			[]byte(`{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"shop/web:hand"}]}}}}`), metav1.PatchOptions{FieldManager: "kubectl-edit"})
		b.must(err)
		_, err = deployments.Apply(b.ctx, web("shop/web:2", 1), metav1.ApplyOptions{FieldManager: "portolan"})
		if want := `Apply failed with 1 conflict: conflict with "kubectl-edit" using apps/v1: ` +
			`.spec.template.spec.containers[name="web"].image`; err == nil || err.Error() != want {
			b.Errorf("the conflict: %v", err)
		}
		_, err = deployments.Apply(b.ctx, web("shop/web:2", 1), metav1.ApplyOptions{FieldManager: "portolan", Force: true})
		b.must(err)
		scale, err := deployments.GetScale(b.ctx, "web", metav1.GetOptions{})
		b.must(err)
		scale.Spec.Replicas = 5
		_, err = deployments.UpdateScale(b.ctx, "web", scale, metav1.UpdateOptions{FieldManager: "kubectl"})
		b.must(err)
		_, err = deployments.Apply(b.ctx, web("shop/web:2", 2), metav1.ApplyOptions{FieldManager: "portolan"})
		if !apierrors.IsConflict(err) || !strings.Contains(err.Error(), ".spec.replicas") {
			b.Errorf("the conflict with a scale: %v", err)
		}
	})
}

func TestWhoMayDoWhat(t *testing.T) {
	var heard []string
	config := kubernetes.Config{
		Tokens: map[string]kubernetes.User{"root": {Name: "root", Groups: []string{"system:masters"}}, "viewer": {Name: "viewer"}},
		Authenticate: func(token string) (string, []string, error) {
			if token != "aws" {
				return "", nil, errors.New("unknown")
			}
			return "arn:aws:iam::111122223333:role/portolan", []string{"portolan"}, nil
		},
		Allow: func(_ string, groups []string, verb, _, resource, namespace string) bool {
			return slices.Contains(groups, "portolan") || verb == "list" && resource == "pods" && namespace == "default"
		},
		Audit: func(user, verb, resource, namespace, name string, code int) {
			heard = append(heard, fmt.Sprintf("%s %s %s %s/%s %d", user, verb, resource, namespace, name, code))
		},
	}
	withConfig(t, 0, config, func(b *bench) {
		as := func(token string) *client.Clientset {
			c, err := client.NewForConfig(configOf(b.server, token))
			b.must(err)
			return c
		}
		_, err := as("viewer").CoreV1().Pods("default").List(b.ctx, metav1.ListOptions{})
		b.must(err)
		_, err = as("viewer").CoreV1().Nodes().List(b.ctx, metav1.ListOptions{})
		if want := `nodes is forbidden: User "viewer" cannot list resource "nodes" in API group "" at the cluster scope`; err == nil || err.Error() != want {
			b.Errorf("nodes: %v", err)
		}
		err = as("viewer").AppsV1().Deployments("default").Delete(b.ctx, "web", metav1.DeleteOptions{})
		if want := `deployments.apps "web" is forbidden: User "viewer" cannot delete resource "deployments" in API group "apps" in the ` +
			`namespace "default"`; err == nil || err.Error() != want {
			b.Errorf("delete: %v", err)
		}
		_, err = as("aws").CoreV1().Nodes().List(b.ctx, metav1.ListOptions{})
		b.must(err)
		if _, err = as("nobody").CoreV1().Nodes().List(b.ctx, metav1.ListOptions{}); !apierrors.IsUnauthorized(err) {
			b.Errorf("an unknown token: %v", err)
		}
		_, err = as("").CoreV1().Nodes().List(b.ctx, metav1.ListOptions{})
		if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), `User "system:anonymous"`) {
			b.Errorf("no token: %v", err)
		}
		version, err := as("").Discovery().ServerVersion()
		b.must(err)
		if version.GitVersion != "v1.34.1" || version.Minor != "34" {
			b.Errorf("the version is %+v", version)
		}
		want := "arn:aws:iam::111122223333:role/portolan list nodes / 200"
		if !slices.Contains(heard, want) || !slices.Contains(heard, "viewer delete deployments default/web 403") {
			b.Errorf("the audit heard %q", heard)
		}
	})
}

func TestDiscoveryNamesWhatIsServed(t *testing.T) {
	inCluster(t, 0, func(b *bench) {
		_, lists, err := b.client.Discovery().ServerGroupsAndResources()
		b.must(err)
		var names []string
		for _, l := range lists {
			for _, r := range l.APIResources {
				names = append(names, l.GroupVersion+" "+r.Name)
			}
		}
		for _, want := range []string{"v1 pods/eviction", "apps/v1 deployments/scale", "batch/v1 cronjobs", "policy/v1 poddisruptionbudgets",
			"authorization.k8s.io/v1 selfsubjectaccessreviews", "networking.k8s.io/v1 ingresses"} {
			if !slices.Contains(names, want) {
				b.Errorf("%s is not served", want)
			}
		}
		request, err := http.NewRequest(http.MethodGet, "https://x/apis/example.com/v1/things", nil)
		b.must(err)
		response, err := b.server.RoundTrip(request)
		b.must(err)
		if response.StatusCode != http.StatusNotFound {
			b.Errorf("what is not served: %d", response.StatusCode)
		}
	})
}

func TestWhatBelongsToSomethingGoesWithIt(t *testing.T) {
	for policy, left := range map[metav1.DeletionPropagation]int{metav1.DeletePropagationBackground: 0,
		metav1.DeletePropagationForeground: 0, metav1.DeletePropagationOrphan: 3} {
		inCluster(t, 2, func(b *bench) {
			b.apply(web("shop/web:1", 3))
			b.rolledOut(3)
			deployments := b.client.AppsV1().Deployments("default")
			b.must(deployments.Delete(b.ctx, "web", metav1.DeleteOptions{PropagationPolicy: &policy}))
			_, err := deployments.Get(b.ctx, "web", metav1.GetOptions{})
			if there := err == nil; there != (policy != metav1.DeletePropagationBackground) {
				b.Errorf("%s: it is there still: %t", policy, there)
			}
			b.wait(time.Minute)
			if _, err := deployments.Get(b.ctx, "web", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
				b.Errorf("%s: it is not gone: %v", policy, err)
			}
			if n := len(b.pods("")); n != left {
				b.Errorf("%s: %d pods are left", policy, n)
			}
			if policy == metav1.DeletePropagationOrphan { // and found again
				b.apply(web("shop/web:1", 3))
				before := b.pods("")
				b.rolledOut(3)
				if after := b.pods(""); after[0].UID != before[0].UID || len(after) != 3 {
					b.Errorf("the pods that were left are not taken on again")
				}
			}
		})
	}
}

// A typed client of client-go's own defaults sends protobuf, and takes JSON.
func TestAClientMaySendProtobuf(t *testing.T) {
	inCluster(t, 1, func(b *bench) {
		config := configOf(b.server, "")
		config.ContentType = ""
		c, err := client.NewForConfig(config)
		b.must(err)
		_, err = c.CoreV1().Pods("default").Create(b.ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "lone"},
			Spec: template("", "i:1").Spec}, metav1.CreateOptions{})
		b.must(err)
		b.wait(time.Minute)
		b.must(c.CoreV1().Pods("default").Delete(b.ctx, "lone", metav1.DeleteOptions{GracePeriodSeconds: pointer(int64(0))}))
		if left := b.pods(""); len(left) > 0 {
			b.Errorf("%s is left though it had no time", left[0].Name)
		}
	})
}

// history plays a rollout, a lost node and a bad release, and tells all changes of pods.
func history(t *testing.T, seed uint64) (told string) {
	synctest.Test(t, func(t *testing.T) {
		server, err := kubernetes.New(kubernetes.Config{Clock: clock.New(1).Ordered(), IDs: unique.New(seed)})
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		b := &bench{T: t, server: server, ctx: t.Context()}
		b.client, err = client.NewForConfig(configOf(server, ""))
		b.must(err)
		ctx, cancel := context.WithCancel(b.ctx)
		w, err := b.client.CoreV1().Pods("").Watch(ctx, metav1.ListOptions{})
		b.must(err)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for e := range w.ResultChan() {
				p := e.Object.(*corev1.Pod)
				told += fmt.Sprintln(time.Now().Unix(), e.Type, p.Name, p.UID, p.Spec.NodeName, p.Status.Phase, p.ResourceVersion)
			}
		}()
		b.join(3)
		b.apply(web("shop/web:1", 6))
		b.wait(time.Minute)
		b.apply(web("shop/web:crash", 6))
		b.wait(20 * time.Second)
		b.must(server.LoseNode(b.ctx, "i-00000000000000002"))
		b.wait(time.Hour)
		cancel()
		<-done
	})
	return told
}

func TestTheSameSeedTellsTheSameStory(t *testing.T) {
	first, second := history(t, 7), history(t, 7)
	if first != second {
		t.Error("the same calls at the same times told different stories")
	}
	if len(first) < 5_000 {
		t.Errorf("the story is only %d bytes long", len(first))
	}
	if other := history(t, 8); other == first {
		t.Error("another seed tells the same story")
	}
}

func TestAClusterOutlivesItsProcess(t *testing.T) {
	dir := t.TempDir()
	var uid types.UID
	synctest.Test(t, func(t *testing.T) {
		open := func() (*bench, func()) {
			file, err := disk.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			server, err := kubernetes.New(kubernetes.Config{Clock: clock.New(1).Ordered(), IDs: unique.New(uint64(time.Now().UnixNano())),
				Disk: file, Name: "shop"})
			if err != nil {
				t.Fatal(err)
			}
			b := &bench{T: t, server: server, ctx: t.Context()}
			b.client, err = client.NewForConfig(configOf(server, ""))
			b.must(err)
			return b, func() {
				server.Close()
				b.must(file.Close())
			}
		}
		b, stop := open()
		b.join(2)
		early := b.apply(web("shop/web:1", 4)).ResourceVersion
		b.rolledOut(4)
		b.apply(web("shop/web:2", 4))
		b.wait(3 * time.Second) // in the midst of a rollout
		before := b.deployment()
		uid = before.UID
		stop()
		b, stop = open()
		after := b.deployment()
		if after.UID != uid || after.Generation != before.Generation {
			b.Errorf("it came back as %+v", after.ObjectMeta)
		}
		b.rolledOut(4)
		b.wait(time.Minute)
		for _, p := range b.pods("") {
			if p.Spec.Containers[0].Image != "shop/web:2" {
				b.Errorf("%s runs %s", p.Name, p.Spec.Containers[0].Image)
			}
		}
		if _, err := b.client.CoreV1().Pods("").List(b.ctx, metav1.ListOptions{ResourceVersion: early,
			ResourceVersionMatch: metav1.ResourceVersionMatchExact}); !apierrors.IsResourceExpired(err) {
			b.Errorf("a revision from before the restart: %v", err)
		}
		b.must(b.server.Destroy())
		stop()
		b, stop = open()
		defer stop()
		if _, err := b.client.AppsV1().Deployments("default").Get(b.ctx, "web", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			b.Errorf("the cluster was destroyed, and has still: %v", err)
		}
	})
}
