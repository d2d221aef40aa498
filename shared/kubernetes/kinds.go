package kubernetes

import (
	"strings"
	"sync"

	apps "k8s.io/api/apps/v1"
	authorization "k8s.io/api/authorization/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
)

// A kind is a kind of objects and where the API has them.
type kind struct {
	name, version, plural string

	// everywhere kinds are in no namespace.
	everywhere bool
}

var (
	deployments  = kind{name: "Deployment", version: "apps/v1", plural: "deployments"}
	daemonSets   = kind{name: "DaemonSet", version: "apps/v1", plural: "daemonsets"}
	statefulSets = kind{name: "StatefulSet", version: "apps/v1", plural: "statefulsets"}
	replicaSets  = kind{name: "ReplicaSet", version: "apps/v1", plural: "replicasets"}
	jobs         = kind{name: "Job", version: "batch/v1", plural: "jobs"}
	cronJobs     = kind{name: "CronJob", version: "batch/v1", plural: "cronjobs"}
	services     = kind{name: "Service", version: "v1", plural: "services"}
	ingresses    = kind{name: "Ingress", version: "networking.k8s.io/v1", plural: "ingresses"}
	budgets      = kind{name: "PodDisruptionBudget", version: "policy/v1", plural: "poddisruptionbudgets"}
	accounts     = kind{name: "ServiceAccount", version: "v1", plural: "serviceaccounts"}
	claims       = kind{name: "PersistentVolumeClaim", version: "v1", plural: "persistentvolumeclaims"}
	volumes      = kind{name: "PersistentVolume", version: "v1", plural: "persistentvolumes", everywhere: true}
	pods         = kind{name: "Pod", version: "v1", plural: "pods"}
	nodes        = kind{name: "Node", version: "v1", plural: "nodes", everywhere: true}
	reviews      = kind{name: "SelfSubjectAccessReview", version: "authorization.k8s.io/v1", plural: "selfsubjectaccessreviews",
		everywhere: true}
)

// path is where the objects of a kind are, or one of them, or a part of it. An empty
// namespace stands for all.
func (k kind) path(namespace string, rest ...string) []string {
	path := []string{"/apis", k.version}
	if !strings.Contains(k.version, "/") {
		path[0] = "/api"
	}
	if !k.everywhere && namespace != "" {
		path = append(path, "namespaces", namespace)
	}
	return append(append(path, k.plural), rest...)
}

// group is the API group of a kind; empty for the oldest.
func (k kind) group() string {
	group, _, found := strings.Cut(k.version, "/")
	if !found {
		return ""
	}
	return group
}

// part is a part of the objects of a kind that has rights of its own.
func (k kind) part(name string) kind {
	k.plural += "/" + name
	return k
}

// resource is the kind in the words of rights, such as deployments.apps/scale.
func (k kind) resource() string {
	plural, part, _ := strings.Cut(k.plural, "/")
	if group := k.group(); group != "" {
		plural += "." + group
	}
	if part != "" {
		plural += "/" + part
	}
	return plural
}

// say names an object of the kind.
func (k kind) say(namespace, name string) string {
	if k.everywhere {
		return k.name + " " + name
	}
	return k.name + " " + namespace + "/" + name
}

// codecs know the groups that the driver uses, and are made when the first connection
// is: knowing all of Kubernetes's would cost each start of a function milliseconds.
var codecs = sync.OnceValue(func() serializer.CodecFactory {
	scheme := runtime.NewScheme()
	meta.AddToGroupVersion(scheme, core.SchemeGroupVersion)
	for _, add := range []func(*runtime.Scheme) error{
		core.AddToScheme, apps.AddToScheme, batch.AddToScheme, networking.AddToScheme, policy.AddToScheme,
		authorization.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			panic(err) // two types of one name, which compiling did not see
		}
	}
	return serializer.NewCodecFactory(scheme)
})
