package simulate

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
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

var deploymentPatch = regexp.MustCompile(`^PATCH /apis/apps/v1/namespaces/[^/]+/deployments/([^/?]+)`)

// deploymentChange reads a call that changes a Deployment.
func (c *call) deploymentChange() (change, bool) {
	if c.service != kubernetesService {
		return change{}, false
	}
	patched := deploymentPatch.FindStringSubmatch(c.operation)
	if patched == nil {
		return change{}, false
	}
	out := change{service: patched[1]}
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
	v, err := o.w.mirror.service(c.cluster, change.service)
	if err != nil || v.Status == contract.ServiceRetired {
		o.broken(4, "service %s is changed on %s, which the table does not know as intended", change.service, c.cluster)
	}
}

// kinds are those of which a service may leave something.
var kinds = map[string][]string{
	"/apis/apps/v1":              {"deployments", "replicasets"},
	"/apis/batch/v1":             {"jobs"},
	"/api/v1":                    {"pods", "services", "serviceaccounts"},
	"/apis/networking.k8s.io/v1": {"ingresses"},
	"/apis/policy/v1":            {"poddisruptionbudgets"},
}

// leftThere is what carries the name of a cluster that was let go.
func (o *oracle) leftThere(c *apiServer) (left []string) {
	for group, names := range kinds {
		for _, kind := range names {
			all, err := c.list(o.ctx(), group+"/namespaces/"+c.namespace+"/"+kind)
			if err != nil {
				o.broken(0, "cluster %s cannot be looked at: %v", c.name, err)
			}
			for _, each := range all {
				if each.label(partOf) == c.name {
					left = append(left, kind+"/"+each.name())
				}
			}
		}
	}
	slices.Sort(left)
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

// tasksOn are the tasks of services on a node.
func (o *oracle) tasksOn(c *apiServer, node string) (names []string) {
	all, err := c.list(o.ctx(), "/api/v1/pods?fieldSelector=spec.nodeName="+node)
	if err != nil {
		o.broken(0, "the pods of node %s of %s cannot be listed: %v", node, c.name, err)
	}
	for _, pod := range all {
		if phase := pod.text("status", "phase"); pod.label(serviceLabel) != "" && phase != "Succeeded" && phase != "Failed" {
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

// emptyThere checks that an instance which is about to end is a node that takes no tasks
// and has none.
func (o *oracle) emptyThere(c *apiServer, instance string) {
	all, err := c.list(o.ctx(), "/api/v1/nodes")
	if err != nil {
		o.broken(0, "the nodes of %s cannot be listed: %v", c.name, err)
	}
	for _, n := range all {
		if !strings.HasSuffix(n.text("spec", "providerID"), "/"+instance) || !ready(n) {
			continue
		}
		left := o.tasksOn(c, n.name())
		switch {
		case n.at("spec", "unschedulable") != true:
			o.broken(5, "node %s of %s is terminated while it takes tasks", n.name(), c.name)
		case len(left) > 0 && !o.retiring(c.name):
			o.broken(5, "node %s of %s is terminated with %v", n.name(), c.name, left)
		}
	}
}

// ready says whether a node's kubelet tells that it serves.
func ready(n object) bool {
	conditions, _ := n.at("status", "conditions").([]any)
	return slices.ContainsFunc(conditions, func(c any) bool {
		return object{c}.text("type") == "Ready" && object{c}.text("status") == "True"
	})
}
