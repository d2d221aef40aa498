package kinds

import (
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"portolan/local/kubernetes/store"
)

// All are the kinds that there are, in the order of discovery.
var All = []*Kind{
	configMaps, events, namespaces, nodes, volumeClaims, volumes, pods, secrets, serviceAccounts, services,
	daemonSets, deployments, replicaSets, statefulSets,
	cronJobs, jobs,
	ingresses,
	budgets,
	storageClasses,
}

// ByResource is the kind of that resource, and nil when there is none.
func ByResource(group, version, resource string) *Kind {
	for _, k := range All {
		if k.Group == group && k.Version == version && k.Resource == resource {
			return k
		}
	}
	return nil
}

// Types are the kinds as a store wants to know them.
func Types() []store.Type {
	var types []store.Type
	for _, k := range All {
		types = append(types, store.Type{Resource: k.Resource, New: k.New})
	}
	return types
}

var all = []string{"all"}

func core(kind string) schema.GroupVersionKind { return corev1.SchemeGroupVersion.WithKind(kind) }
func apps(kind string) schema.GroupVersionKind { return appsv1.SchemeGroupVersion.WithKind(kind) }

var configMaps = define(Kind{GroupVersionKind: core("ConfigMap"), Resource: "configmaps", Singular: "configmap",
	Short: []string{"cm"}, Namespaced: true, New: func() store.Object { return &corev1.ConfigMap{} }}, behaviour[*corev1.ConfigMap]{compare: immutableConfigMap})

var events = define(Kind{GroupVersionKind: core("Event"), Resource: "events", Singular: "event", Short: []string{"ev"},
	Namespaced: true, New: func() store.Object { return &corev1.Event{} }},
	behaviour[*corev1.Event]{check: checkEvent})

var namespaces = define(Kind{GroupVersionKind: core("Namespace"), Resource: "namespaces", Singular: "namespace",
	Short: []string{"ns"}, New: func() store.Object { return &corev1.Namespace{} }, HasStatus: true,
	named: validation.ValidateNamespaceName},
	behaviour[*corev1.Namespace]{create: createNamespace, change: changeNamespace})

var nodes = define(Kind{GroupVersionKind: core("Node"), Resource: "nodes", Singular: "node", Short: []string{"no"},
	New: func() store.Object { return &corev1.Node{} }, HasStatus: true},
	behaviour[*corev1.Node]{create: createNode, compare: compareNodes})

var volumeClaims = define(Kind{GroupVersionKind: core("PersistentVolumeClaim"), Resource: "persistentvolumeclaims",
	Singular: "persistentvolumeclaim", Short: []string{"pvc"}, Namespaced: true,
	New: func() store.Object { return &corev1.PersistentVolumeClaim{} }, HasStatus: true},
	behaviour[*corev1.PersistentVolumeClaim]{defaults: defaultClaim, create: createClaim, check: checkClaim,
		compare: compareClaims})

var volumes = define(Kind{GroupVersionKind: core("PersistentVolume"), Resource: "persistentvolumes",
	Singular: "persistentvolume", Short: []string{"pv"}, New: func() store.Object { return &corev1.PersistentVolume{} },
	HasStatus: true}, behaviour[*corev1.PersistentVolume]{defaults: defaultVolume, create: createVolume})

var pods = define(Kind{GroupVersionKind: core("Pod"), Resource: "pods", Singular: "pod", Short: []string{"po"},
	Categories: all, Namespaced: true, New: func() store.Object { return &corev1.Pod{} }, HasStatus: true,
	generation: true},
	behaviour[*corev1.Pod]{defaults: defaultPod, create: createPod, check: checkPod, compare: comparePods})

var secrets = define(Kind{GroupVersionKind: core("Secret"), Resource: "secrets", Singular: "secret", Namespaced: true,
	New: func() store.Object { return &corev1.Secret{} }},
	behaviour[*corev1.Secret]{defaults: defaultSecret, compare: compareSecrets})

var serviceAccounts = define(Kind{GroupVersionKind: core("ServiceAccount"), Resource: "serviceaccounts",
	Singular: "serviceaccount", Short: []string{"sa"}, Namespaced: true,
	New: func() store.Object { return &corev1.ServiceAccount{} }}, behaviour[*corev1.ServiceAccount]{})

var services = define(Kind{GroupVersionKind: core("Service"), Resource: "services", Singular: "service",
	Short: []string{"svc"}, Categories: all, Namespaced: true, New: func() store.Object { return &corev1.Service{} },
	HasStatus: true, named: validation.NameIsDNSLabel},
	behaviour[*corev1.Service]{defaults: defaultService, create: createService, change: changeService, check: checkService,
		compare: compareServices})

var daemonSets = define(Kind{GroupVersionKind: apps("DaemonSet"), Resource: "daemonsets", Singular: "daemonset",
	Short: []string{"ds"}, Categories: all, Namespaced: true, New: func() store.Object { return &appsv1.DaemonSet{} },
	HasStatus: true, generation: true},
	behaviour[*appsv1.DaemonSet]{defaults: defaultDaemonSet, change: changeDaemonSet, check: checkDaemonSet, compare: compareDaemonSets})

var deployments = define(Kind{GroupVersionKind: apps("Deployment"), Resource: "deployments", Singular: "deployment",
	Short: []string{"deploy"}, Categories: all, Namespaced: true, New: func() store.Object { return &appsv1.Deployment{} },
	HasStatus: true, HasScale: true, generation: true},
	behaviour[*appsv1.Deployment]{defaults: defaultDeployment, check: checkDeployment, compare: compareDeployments})

var replicaSets = define(Kind{GroupVersionKind: apps("ReplicaSet"), Resource: "replicasets", Singular: "replicaset",
	Short: []string{"rs"}, Categories: all, Namespaced: true, New: func() store.Object { return &appsv1.ReplicaSet{} },
	HasStatus: true, HasScale: true, generation: true},
	behaviour[*appsv1.ReplicaSet]{defaults: defaultReplicaSet, check: checkReplicaSet, compare: compareReplicaSets})

var statefulSets = define(Kind{GroupVersionKind: apps("StatefulSet"), Resource: "statefulsets", Singular: "statefulset",
	Short: []string{"sts"}, Categories: all, Namespaced: true, New: func() store.Object { return &appsv1.StatefulSet{} },
	HasStatus: true, HasScale: true, generation: true},
	behaviour[*appsv1.StatefulSet]{defaults: defaultStatefulSet, check: checkStatefulSet, compare: compareStatefulSets})

var cronJobs = define(Kind{GroupVersionKind: batchv1.SchemeGroupVersion.WithKind("CronJob"), Resource: "cronjobs",
	Singular: "cronjob", Short: []string{"cj"}, Categories: all, Namespaced: true,
	New: func() store.Object { return &batchv1.CronJob{} }, HasStatus: true, generation: true},
	behaviour[*batchv1.CronJob]{defaults: defaultCronJob, check: checkCronJob})

var jobs = define(Kind{GroupVersionKind: batchv1.SchemeGroupVersion.WithKind("Job"), Resource: "jobs", Singular: "job",
	Categories: all, Namespaced: true, New: func() store.Object { return &batchv1.Job{} }, HasStatus: true,
	generation: true},
	behaviour[*batchv1.Job]{defaults: defaultJob, create: createJob, check: checkJob, compare: compareJobs})

var ingresses = define(Kind{GroupVersionKind: networkingv1.SchemeGroupVersion.WithKind("Ingress"), Resource: "ingresses",
	Singular: "ingress", Short: []string{"ing"}, Namespaced: true,
	New: func() store.Object { return &networkingv1.Ingress{} }, HasStatus: true, generation: true}, behaviour[*networkingv1.Ingress]{check: checkIngress})

var budgets = define(Kind{GroupVersionKind: policyv1.SchemeGroupVersion.WithKind("PodDisruptionBudget"),
	Resource: "poddisruptionbudgets", Singular: "poddisruptionbudget", Short: []string{"pdb"}, Namespaced: true,
	New: func() store.Object { return &policyv1.PodDisruptionBudget{} }, HasStatus: true, generation: true}, behaviour[*policyv1.PodDisruptionBudget]{check: checkBudget})

var storageClasses = define(Kind{GroupVersionKind: storagev1.SchemeGroupVersion.WithKind("StorageClass"),
	Resource: "storageclasses", Singular: "storageclass", Short: []string{"sc"},
	New: func() store.Object { return &storagev1.StorageClass{} }},
	behaviour[*storagev1.StorageClass]{defaults: defaultStorageClass})
