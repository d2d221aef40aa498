package simulate

import (
	"encoding/json"
	"net/http"
	"strings"

	"portolan/shared/contract"
)

// Marks that Portolan makes on what is its own, which are part of what it promises.
const (
	partOf        = "app.kubernetes.io/part-of"
	serviceLabel  = "portolan.dev/service"
	releaseOfPods = "portolan.dev/release"
)

// runningThere is a service as its cluster of Kubernetes has it.
func (o *oracle) runningThere(c *apiServer, service string) running {
	d, ok := c.deployment(o.ctx(), service)
	if !ok || d.label(serviceLabel) != service {
		return running{}
	}
	seen := running{found: true, desired: d.number("spec", "replicas"), running: d.number("status", "readyReplicas"),
		release: d.annotation(releaseOfPods)}
	if containers, _ := d.at("spec", "template", "spec", "containers").([]any); len(containers) > 0 {
		seen.image = object{containers[0]}.text("image")
	}
	return seen
}

// A change is what a call asks a cluster of Kubernetes to make of a service.
type change struct {
	service  string
	replicas *int
}

// deploymentChange reads a call that changes a Deployment.
func (c *call) deploymentChange() (change, bool) {
	method, uri, _ := strings.Cut(c.operation, " ")
	rest, ok := strings.CutPrefix(uri, deployments)
	if c.service != kubernetesService || method != http.MethodPatch || !ok {
		return change{}, false
	}
	name, _, _ := strings.Cut(rest, "?")
	out := change{service: strings.TrimSuffix(name, "/scale")}
	var body struct{ Spec struct{ Replicas *int } }
	if json.Unmarshal(c.body, &body) == nil {
		out.replicas = body.Spec.Replicas
	}
	return out, true
}

// changesCluster says whether a call changes a cluster of Kubernetes.
func (c *call) changesCluster() bool {
	return c.service == kubernetesService && !strings.HasPrefix(c.operation, "GET ") &&
		!strings.Contains(c.operation, "/apis/authorization.k8s.io/")
}

// intendedThere checks that what becomes of a Deployment is made for a service that the
// table has.
func intendedThere(o *oracle, c *call) {
	change, ok := c.deploymentChange()
	if !ok {
		return
	}
	v, err := o.w.store.Service(o.ctx(), c.cluster, change.service)
	if err != nil || v.Status == contract.ServiceRetired {
		o.broken(4, "service %s is changed on %s, which the table does not know as intended", change.service, c.cluster)
	}
}

// kinds are the collections in which a service may leave something.
var kinds = []string{
	"/apis/apps/v1/namespaces/" + namespace + "/deployments", "/apis/apps/v1/namespaces/" + namespace + "/replicasets",
	"/api/v1/namespaces/" + namespace + "/pods", "/api/v1/namespaces/" + namespace + "/services",
	"/api/v1/namespaces/" + namespace + "/serviceaccounts", "/apis/networking.k8s.io/v1/namespaces/" + namespace + "/ingresses",
	"/apis/policy/v1/namespaces/" + namespace + "/poddisruptionbudgets",
}

// leftThere is what carries the name of a cluster that was let go.
func (o *oracle) leftThere(c *apiServer) (left []string) {
	for _, path := range kinds {
		all, err := c.list(o.ctx(), path)
		if err != nil {
			o.broken(0, "cluster %s cannot be looked at: %v", c.name, err)
		}
		for _, each := range all {
			if each.label(partOf) == c.name {
				left = append(left, path[strings.LastIndex(path, "/")+1:]+"/"+each.name())
			}
		}
	}
	return left
}

// cordonedThere checks that a node takes no new tasks before those that it has are
// asked to leave, and that none is deleted with tasks.
func cordonedThere(o *oracle, c *call) {
	if c.service != kubernetesService {
		return
	}
	method, path, _ := strings.Cut(c.operation, " ")
	cluster := o.w.kubernetes(c.cluster)
	switch name := path[strings.LastIndex(path, "/")+1:]; {
	case method == http.MethodDelete && strings.HasPrefix(path, "/api/v1/nodes/"):
		if left := o.tasksOn(cluster, name); len(left) > 0 {
			o.broken(5, "node %s of %s is deleted with %v", name, c.cluster, left)
		}
	case method == http.MethodPost && name == "eviction":
		p, err := cluster.ask(o.ctx(), http.MethodGet, strings.TrimSuffix(path, "/eviction"), "")
		pod := object{p}
		if err != nil || pod.text("spec", "nodeName") == "" {
			return
		}
		if node := pod.text("spec", "nodeName"); !o.cordoned(cluster, node) {
			o.broken(5, "pod %s of %s is evicted from node %s, which takes tasks", pod.name(), c.cluster, node)
		}
	}
}

func (o *oracle) cordoned(c *apiServer, node string) bool {
	n, err := c.ask(o.ctx(), http.MethodGet, "/api/v1/nodes/"+node, "")
	return err != nil || object{n}.at("spec", "unschedulable") == true
}

func (o *oracle) tasksOn(c *apiServer, node string) (names []string) {
	all, err := c.list(o.ctx(), "/api/v1/pods?fieldSelector=spec.nodeName="+node)
	if err != nil {
		o.broken(0, "the pods of node %s of %s cannot be listed: %v", node, c.name, err)
	}
	for _, pod := range all {
		if phase := pod.text("status", "phase"); phase != "Succeeded" && phase != "Failed" {
			names = append(names, pod.name())
		}
	}
	return names
}

// nodesThere are the nodes of a cluster of Kubernetes.
func (o *oracle) nodesThere(c *apiServer) (out []node) {
	all, err := c.list(o.ctx(), "/api/v1/nodes")
	if err != nil {
		o.broken(0, "the nodes of %s cannot be listed: %v", c.name, err)
	}
	for _, n := range all {
		out = append(out, node{n.name(), n.at("spec", "unschedulable") == true, len(o.tasksOn(c, n.name()))})
	}
	return out
}
