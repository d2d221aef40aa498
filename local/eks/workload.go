package eks

import "strings"

// replicas is how many pods a Deployment of an add-on has.
const replicas = 2

// workloads are what the add-ons run in kube-system: Deployments, and DaemonSets, whose
// names begin with a star.
var workloads = map[string][]string{
	"vpc-cni":                {"*aws-node"},
	"kube-proxy":             {"*kube-proxy"},
	"eks-pod-identity-agent": {"*eks-pod-identity-agent"},
	"coredns":                {"coredns"},
	"aws-ebs-csi-driver":     {"ebs-csi-controller", "*ebs-csi-node"},
}

// accounts are the service accounts of workloads, where they are not named after them.
var accounts = map[string]string{"ebs-csi-controller": "ebs-csi-controller-sa", "ebs-csi-node": "ebs-csi-node-sa"}

// object is an object of Kubernetes that an add-on applies.
type object struct {
	APIVersion string         `json:"apiVersion"`
	Kind       string         `json:"kind"`
	Metadata   map[string]any `json:"metadata"`
	Spec       map[string]any `json:"spec,omitempty"`
}

var paths = map[string]string{"Deployment": "/apis/apps/v1", "DaemonSet": "/apis/apps/v1", "ServiceAccount": "/api/v1",
	"PodDisruptionBudget": "/apis/policy/v1"}

// path is where the object is.
func (o object) path() string {
	name, _ := o.Metadata["name"].(string)
	return paths[o.Kind] + "/namespaces/kube-system/" + strings.ToLower(o.Kind) + "s/" + name
}

// objectsOf are the objects of an add-on.
func objectsOf(addon string) []object {
	var out []object
	for _, workload := range workloads[addon] {
		name, onEachNode := strings.CutPrefix(workload, "*")
		metadata := map[string]any{"name": name, "namespace": "kube-system"}
		account := name
		if other, ok := accounts[name]; ok {
			account = other
		}
		out = append(out, object{"v1", "ServiceAccount", map[string]any{"name": account, "namespace": "kube-system"}, nil})
		labels := map[string]any{"k8s-app": name}
		pod := map[string]any{
			"serviceAccountName": account,
			"containers":         []any{map[string]any{"name": name, "image": "602401143452.dkr.ecr.amazonaws.com/eks/" + name + ":v1"}},
		}
		spec := map[string]any{"selector": map[string]any{"matchLabels": labels},
			"template": map[string]any{"metadata": map[string]any{"labels": labels}, "spec": pod}}
		if onEachNode {
			pod["tolerations"] = []any{map[string]any{"operator": "Exists"}}
			out = append(out, object{"apps/v1", "DaemonSet", metadata, spec})
			continue
		}
		spec["replicas"] = replicas
		out = append(out, object{"apps/v1", "Deployment", metadata, spec},
			object{"policy/v1", "PodDisruptionBudget", metadata,
				map[string]any{"maxUnavailable": 1, "selector": map[string]any{"matchLabels": labels}}})
	}
	return out
}
