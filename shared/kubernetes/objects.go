package kubernetes

import (
	"encoding/json"

	core "k8s.io/api/core/v1"

	"portolan/shared/contract"
	"portolan/shared/fault"
	"portolan/shared/kubernetes/kubernetesspec"
	"portolan/shared/orchestrator"
)

// An object is what is wanted of one object of the API: a struct of its kind in which
// what is not set is left to others.
type object struct {
	kind    kind
	name    string
	content any
}

// companions are what a release needs beside its workload, in the order in which they
// are made.
func companions(release orchestrator.Release, namespace string) []object {
	spec, name := release.Spec, release.Service.Name
	var result []object
	if spec.Kubernetes.ServiceAccount == "" {
		result = append(result, object{accounts, name, core.ServiceAccount{AutomountServiceAccountToken: new(false)}})
	}
	result = append(result, volumeObjects(release, namespace)...)
	if len(spec.Ports) > 0 {
		result = append(result, object{services, name, serviceOf(release)})
	}
	if spec.LoadBalancer.ContainerPort > 0 {
		result = append(result, object{ingresses, name, ingressOf(release)})
	}
	if spec.Mode != contract.Global && !kubernetesspec.Exclusive(spec) {
		result = append(result, object{budgets, name, budgetOf(release)})
	}
	return result
}

// A wish is an object as it is sent: all that is ours in it, and nothing else.
type wish struct {
	kind            kind
	namespace, name string
	body            map[string]any

	// hash stands for the body but for annotations that come later, fields for the names
	// of the fields below its spec.
	hash, fields string

	// made says that the object was made just now, and needs nothing more.
	made bool
}

// wishFor makes an object ours by its labels, and leaves out what is not set.
func wishFor(ref orchestrator.ServiceRef, namespace string, o object) (wish, error) {
	w := wish{kind: o.kind, namespace: namespace, name: o.name}
	if o.kind.everywhere {
		w.namespace = ""
	}
	raw, err := json.Marshal(o.content)
	if err != nil {
		return w, fault.Wrap(fault.Internal, err, "writing %s", o.kind.say(namespace, o.name))
	}
	if err := json.Unmarshal(raw, &w.body); err != nil {
		return w, fault.Wrap(fault.Internal, err, "reading %s", o.kind.say(namespace, o.name))
	}
	delete(w.body, "status")
	withoutUnset(w.body)
	w.body["apiVersion"], w.body["kind"] = o.kind.version, o.kind.name
	metadata := w.metadata()
	metadata["name"] = o.name
	if w.namespace != "" {
		metadata["namespace"] = w.namespace
	}
	w.set("labels", labels(ref))
	content, err := json.Marshal(w.body)
	if err != nil {
		return w, fault.Wrap(fault.Internal, err, "hashing %s", o.kind.say(namespace, o.name))
	}
	w.hash, w.fields = digest(string(content)), fieldsDigest(fieldsOf(w.body))
	w.set("annotations", map[string]string{annotationHash: w.hash, annotationFields: w.fields})
	return w, nil
}

func (w *wish) metadata() map[string]any {
	metadata, ok := w.body["metadata"].(map[string]any)
	if !ok {
		metadata = map[string]any{}
		w.body["metadata"] = metadata
	}
	return metadata
}

// set adds labels or annotations.
func (w *wish) set(what string, values map[string]string) {
	all, ok := w.metadata()[what].(map[string]any)
	if !ok {
		all = map[string]any{}
		w.metadata()[what] = all
	}
	for name, value := range values {
		if value != "" {
			all[name] = value
		}
	}
}

func (w *wish) say() string { return w.kind.say(w.namespace, w.name) }

// withoutUnset takes away null and what holds nothing, as the API's types write what
// nobody set. A field that is sent becomes ours, even with nothing in it.
func withoutUnset(value any) (empty bool) {
	switch v := value.(type) {
	case nil:
		return true
	case map[string]any:
		for key, field := range v {
			if withoutUnset(field) {
				delete(v, key)
			}
		}
		return len(v) == 0
	case []any:
		for _, item := range v {
			withoutUnset(item)
		}
	}
	return false
}
