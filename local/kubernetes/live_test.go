//go:build testbed

package kubernetes_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	testbed "portolan/local/testbed/kubernetes"

	"portolan/local/clock"
	"portolan/local/kubernetes"
	"portolan/local/unique"
)

// A world is a cluster that something happens in: a real one, or the embedded one.
type world struct {
	*testing.T
	namespace string
	address   string
	transport http.RoundTripper
	told      []string
}

// TestWhatHappensIsKubernetessOwn lets the same happen in a real cluster and in the
// embedded one, and compares what both say of it.
func TestWhatHappensIsKubernetessOwn(t *testing.T) {
	cluster, namespace := testbed.ForTest(t)
	address, transport := dial(t, cluster.Kubeconfig())
	real := &world{T: t, namespace: namespace, address: address, transport: transport}
	real.play()
	var embedded *world
	synctest.Test(t, func(t *testing.T) {
		server, err := kubernetes.New(kubernetes.Config{Clock: clock.New(1).Ordered(), IDs: unique.New(1)})
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		for n := range 3 {
			err := server.JoinNode(t.Context(), kubernetes.Registration{Name: fmt.Sprintf("node-%d", n), CPU: 32 << 10, Memory: 256 << 10})
			if err != nil {
				t.Fatal(err)
			}
		}
		embedded = &world{T: t, namespace: namespace, address: "https://embedded", transport: server}
		embedded.do("POST", "/api/v1/namespaces", `{"metadata":{"name":"NS"}}`)
		time.Sleep(time.Minute)
		embedded.play()
	})
	for i := range max(len(real.told), len(embedded.told)) {
		at := func(told []string) string {
			if i < len(told) {
				return told[i]
			}
			return "nothing"
		}
		if at(real.told) != at(embedded.told) {
			t.Errorf("\n  Kubernetes: %s\n  embedded:   %s", at(real.told), at(embedded.told))
		}
	}
}

// do asks, and returns the answer as it is.
func (w *world) do(method, path, body string) map[string]any {
	w.Helper()
	media := ""
	if method == "PATCH" {
		media = asStrategic
	}
	answer := ask(w.T, w.transport, w.address, w.namespace, exchange{method: method, path: path, body: body, media: media, whole: true})
	_, text, _ := strings.Cut(answer, " ")
	var object map[string]any
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		w.Fatalf("%s %s: %s", method, path, answer)
	}
	return object
}

// eventually waits until fn returns something, and tells it.
func (w *world) eventually(what string, fn func() string) {
	w.Helper()
	for begin := time.Now(); ; time.Sleep(200 * time.Millisecond) {
		if told := fn(); told != "" {
			w.told = append(w.told, what+": "+made.ReplaceAllString(told, "$1-SOME"))
			return
		}
		if time.Since(begin) > 5*time.Minute {
			w.Fatalf("never: %s", what)
		}
	}
}

// made are the names that Kubernetes makes of web's.
var made = regexp.MustCompile(`\b(web|once)(-[a-z0-9]{5,10}){1,2}\b`)

// dig follows a path of names into a document.
func dig(value any, path ...string) any {
	for _, name := range path {
		object, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = object[name]
	}
	return value
}

func conditions(o map[string]any) string {
	list, _ := dig(o, "status", "conditions").([]any)
	var all []string
	for _, c := range list {
		all = append(all, fmt.Sprint(dig(c, "type"), "=", dig(c, "status"), " ", dig(c, "reason"), ": ", dig(c, "message")))
	}
	slices.Sort(all)
	return strings.Join(all, "; ")
}

func podJSON(name, spec string) string {
	return `{"metadata":{"name":"` + name + `"},"spec":{` + spec + `"containers":[{"name":"c","image":"i:1"}]}}`
}

func (w *world) play() {
	w.watched()
	w.unplaced()
	w.rollOut()
	w.failRollout()
	w.guard()
	w.jobs()
}

// watched tells what a watch is told of changes that a selection gains and loses.
func (w *world) watched() {
	first := w.do("POST", coreV1+"configmaps", `{"metadata":{"name":"first"}}`)
	from := fmt.Sprint(dig(first, "metadata", "resourceVersion"))
	w.do("POST", coreV1+"configmaps", `{"metadata":{"name":"mine","labels":{"app":"x"}}}`)
	for _, patch := range []string{`{"data":{"a":"b"}}`, `{"data":{"a":"b"}}`, `{"metadata":{"labels":{"app":"y"}}}`,
		`{"metadata":{"labels":{"app":"x"}}}`} {
		w.do("PATCH", coreV1+"configmaps/mine", patch)
	}
	w.do("DELETE", coreV1+"configmaps/mine", "")
	for _, query := range []string{"labelSelector=app%3Dx&resourceVersion=" + from, "fieldSelector=metadata.name%3Dfirst",
		"fieldSelector=metadata.name%3Dfirst&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan"} {
		answer := ask(w.T, w.transport, w.address, w.namespace, exchange{method: "GET", whole: true,
			path: coreV1 + "configmaps?watch=true&timeoutSeconds=1&" + query})
		_, lines, _ := strings.Cut(answer, " ")
		var events []string
		for _, line := range strings.Split(strings.TrimSpace(lines), "\n") {
			var e map[string]any
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				w.Fatalf("%s: %s", query, lines)
			}
			events = append(events, fmt.Sprint(e["type"], " ", dig(e, "object", "kind"), " ", dig(e, "object", "metadata", "name"), " ",
				dig(e, "object", "metadata", "labels"), dig(e, "object", "data"), dig(e, "object", "metadata", "annotations")))
		}
		w.told = append(w.told, query[:12]+" is told: "+strings.Join(events, "; "))
	}
}

// unplaced tells why pods are on no node.
func (w *world) unplaced() {
	w.do("POST", coreV1+"persistentvolumeclaims", `{"metadata":{"name":"never"},"spec":{"storageClassName":"none",`+
		`"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}}}}`)
	for _, p := range []struct{ name, body string }{
		{"cpu", `{"metadata":{"name":"cpu"},"spec":{"containers":[{"name":"c","image":"i:1","resources":{"requests":{"cpu":"100"}}}]}}`},
		{"both", `{"metadata":{"name":"both"},"spec":{"containers":[{"name":"c","image":"i:1","resources":{"requests":{"cpu":"100","memory":"1Ti"}}}]}}`},
		{"selector", podJSON("selector", `"nodeSelector":{"no":"where"},`)},
		{"claim", podJSON("claim", `"volumes":[{"name":"d","persistentVolumeClaim":{"claimName":"none"}}],`)},
		{"unbound", podJSON("unbound", `"volumes":[{"name":"d","persistentVolumeClaim":{"claimName":"never"}}],`)},
		{"apart", podJSON("apart", `"topologySpreadConstraints":[{"maxSkew":1,"topologyKey":"nothing","whenUnsatisfiable":"DoNotSchedule",`+
			`"labelSelector":{"matchLabels":{"a":"b"}}}],`)},
	} {
		w.do("POST", coreV1+"pods", p.body)
		w.eventually("why "+p.name+" is on no node", func() string {
			for _, c := range w.items(w.do("GET", coreV1+"pods/"+p.name, ""), "status", "conditions") {
				if dig(c, "type") == "PodScheduled" && dig(c, "reason") == "Unschedulable" {
					return fmt.Sprint(dig(c, "message"))
				}
			}
			return ""
		})
	}
	for n := range 3 {
		w.do("PATCH", fmt.Sprintf("/api/v1/nodes/node-%d", n), `{"spec":{"unschedulable":true}}`)
	}
	w.do("POST", coreV1+"pods", podJSON("cordoned", ""))
	w.eventually("why no cordoned node takes a pod", func() string {
		for _, c := range w.items(w.do("GET", coreV1+"pods/cordoned", ""), "status", "conditions") {
			if dig(c, "type") == "PodScheduled" && dig(c, "reason") == "Unschedulable" {
				return fmt.Sprint(dig(c, "message"))
			}
		}
		return ""
	})
	for n := range 3 {
		w.do("PATCH", fmt.Sprintf("/api/v1/nodes/node-%d", n), `{"spec":{"unschedulable":null}}`)
	}
	for _, name := range []string{"cpu", "both", "selector", "claim", "unbound", "apart", "cordoned"} {
		w.do("DELETE", coreV1+"pods/"+name, "")
	}
}

func (w *world) items(o map[string]any, path ...string) []any {
	list, _ := dig(o, path...).([]any)
	return list
}

func webJSON(image string, replicas int) string {
	return fmt.Sprintf(`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","annotations":{"a":"b"}},"spec":{"replicas":%d,"progressDeadlineSeconds":5,`+
		`"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},"spec":{"terminationGracePeriodSeconds":1,`+
		`"containers":[{"name":"c","image":%q}]}}}}`, replicas, image)
}

// status is a deployment's, once its rollout has ended in some way.
func (w *world) status(generation float64, reason string) string {
	d := w.do("GET", appsV1+"deployments/web", "")
	if dig(d, "status", "observedGeneration") != generation || !strings.Contains(conditions(d), reason) ||
		dig(d, "status", "terminatingReplicas") != 0.0 {
		return ""
	}
	counts, _ := dig(d, "status").(map[string]any)
	delete(counts, "conditions")
	raw, err := json.Marshal(counts)
	if err != nil {
		w.Fatal(err)
	}
	return string(raw) + " " + conditions(map[string]any{"status": dig(w.do("GET", appsV1+"deployments/web", ""), "status")})
}

func (w *world) rollOut() {
	w.do("POST", appsV1+"deployments", webJSON("i:1", 3))
	w.eventually("rolled out", func() string { return w.status(1, "NewReplicaSetAvailable") })
	w.do("PATCH", appsV1+"deployments/web", `{"spec":{"template":{"spec":{"containers":[{"name":"c","image":"i:2"}]}}}}`)
	w.eventually("rolled out again", func() string { return w.status(2, "NewReplicaSetAvailable") })
	w.eventually("the replica sets", func() string { return w.sets() })
}

// sets are the replica sets with what is written on them.
func (w *world) sets() string {
	var all []string
	for _, set := range w.items(w.do("GET", appsV1+"replicasets", ""), "items") {
		raw, err := json.Marshal(map[string]any{"annotations": dig(set, "metadata", "annotations"), "replicas": dig(set, "spec", "replicas"),
			"status": dig(set, "status")})
		if err != nil {
			w.Fatal(err)
		}
		all = append(all, string(raw))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func (w *world) failRollout() {
	w.do("PATCH", appsV1+"deployments/web", `{"spec":{"template":{"spec":{"containers":[{"name":"c","image":"i:fail-pull"}]}}}}`)
	w.eventually("given up", func() string { return w.status(3, "ProgressDeadlineExceeded") })
	w.do("PATCH", appsV1+"deployments/web", `{"spec":{"template":{"spec":{"containers":[{"name":"c","image":"i:2"}]}}}}`)
	w.eventually("rolled back", func() string { return w.status(4, "NewReplicaSetAvailable") })
	w.eventually("the replica sets after it", func() string { return w.sets() })
}

// guard tells what a disruption budget allows.
func (w *world) guard() {
	w.do("POST", policyV1+"poddisruptionbudgets", `{"metadata":{"name":"web"},"spec":{"minAvailable":3,"selector":{"matchLabels":{"app":"web"}}}}`)
	w.eventually("the budget", func() string {
		b := w.do("GET", policyV1+"poddisruptionbudgets/web", "")
		if dig(b, "status", "currentHealthy") != 3.0 {
			return ""
		}
		counts, _ := dig(b, "status").(map[string]any)
		delete(counts, "conditions")
		raw, err := json.Marshal(counts)
		if err != nil {
			w.Fatal(err)
		}
		return string(raw) + conditions(b)
	})
	pods := w.items(w.do("GET", coreV1+"pods?labelSelector=app%3Dweb", ""), "items")
	name := fmt.Sprint(dig(pods[0], "metadata", "name"))
	w.eventually("a refused eviction", func() string {
		return ask(w.T, w.transport, w.address, w.namespace, exchange{method: "POST", path: coreV1 + "pods/" + name + "/eviction",
			body: `{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"` + name + `"}}`})
	})
	w.do("DELETE", policyV1+"poddisruptionbudgets/web", "")
	w.eventually("an eviction", func() string {
		return ask(w.T, w.transport, w.address, w.namespace, exchange{method: "POST", path: coreV1 + "pods/" + name + "/eviction",
			body: `{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"` + name + `"}}`})
	})
	w.do("DELETE", appsV1+"deployments/web", "")
}

func (w *world) jobs() {
	for _, image := range []string{"i:1", "i:fail-exit"} {
		w.do("POST", batchV1+"jobs", fmt.Sprintf(`{"metadata":{"name":"once"},"spec":{"backoffLimit":0,"template":{"spec":{"restartPolicy":"Never",`+
			`"containers":[{"name":"c","image":%q}]}}}}`, image))
		w.eventually("a job of "+image, func() string {
			j := w.do("GET", batchV1+"jobs/once", "")
			if !strings.Contains(conditions(j), "Complete=True") && !strings.Contains(conditions(j), "Failed=True") {
				return ""
			}
			return fmt.Sprint(dig(j, "status", "succeeded"), " ", dig(j, "status", "failed"), " ", conditions(j))
		})
		w.do("DELETE", batchV1+"jobs/once", `{"kind":"DeleteOptions","apiVersion":"v1","propagationPolicy":"Background"}`)
		w.eventually("it goes", func() string {
			if w.do("GET", batchV1+"jobs/once", "")["code"] == 404.0 {
				return "gone"
			}
			return ""
		})
	}
}
