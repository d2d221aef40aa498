package kinds

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/intstr"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func checkEvent(e *corev1.Event) field.ErrorList {
	if e.InvolvedObject.Namespace != "" && e.InvolvedObject.Namespace != e.Namespace {
		return field.ErrorList{field.Invalid(field.NewPath("involvedObject", "namespace"), e.InvolvedObject.Namespace,
			"does not match event.namespace")}
	}
	return nil
}

func compareNodes(updated, old *corev1.Node) field.ErrorList {
	if old.Spec.ProviderID != "" && updated.Spec.ProviderID != old.Spec.ProviderID {
		return field.ErrorList{field.Forbidden(spec.Child("providerID"),
			"node updates may not change providerID except from \"\" to valid")}
	}
	return nil
}

func immutableConfigMap(updated, old *corev1.ConfigMap) field.ErrorList {
	if old.Immutable == nil || !*old.Immutable {
		return nil
	}
	return validation.ValidateImmutableField(updated.Data, old.Data, field.NewPath("data"))
}

func compareSecrets(updated, old *corev1.Secret) field.ErrorList {
	all := validation.ValidateImmutableField(updated.Type, old.Type, field.NewPath("type"))
	if old.Immutable != nil && *old.Immutable {
		all = append(all, validation.ValidateImmutableField(updated.Data, old.Data, field.NewPath("data"))...)
	}
	return all
}

func checkClaim(c *corev1.PersistentVolumeClaim) field.ErrorList {
	var all field.ErrorList
	if len(c.Spec.AccessModes) == 0 {
		all = append(all, field.Required(spec.Child("accessModes"), "at least 1 access mode is required"))
	}
	storage, ok := c.Spec.Resources.Requests[corev1.ResourceStorage]
	if path := spec.Child("resources"); !ok {
		all = append(all, field.Required(path.Key(string(corev1.ResourceStorage)), ""))
	} else if storage.Sign() <= 0 {
		all = append(all, field.Invalid(path.Child("requests").Key(string(corev1.ResourceStorage)), storage.String(),
			"must be greater than zero"))
	}
	return all
}

func compareClaims(updated, old *corev1.PersistentVolumeClaim) field.ErrorList {
	munged := updated.Spec.DeepCopy()
	munged.Resources.Requests, munged.VolumeName = old.Spec.Resources.Requests, old.Spec.VolumeName
	munged.VolumeAttributesClassName = old.Spec.VolumeAttributesClassName
	if len(validation.ValidateImmutableField(*munged, old.Spec, spec)) == 0 {
		return nil
	}
	return field.ErrorList{field.Forbidden(spec, "spec is immutable after creation except resources.requests and "+
		"volumeAttributesClassName for bound claims")}
}

func checkService(s *corev1.Service) field.ErrorList {
	var all field.ErrorList
	headless := s.Spec.ClusterIP == corev1.ClusterIPNone
	if len(s.Spec.Ports) == 0 && !headless && s.Spec.Type != corev1.ServiceTypeExternalName {
		all = append(all, field.Required(spec.Child("ports"), ""))
	}
	names := map[string]bool{}
	for i, p := range s.Spec.Ports {
		at := spec.Child("ports").Index(i)
		if p.Name == "" && len(s.Spec.Ports) > 1 {
			all = append(all, field.Required(at.Child("name"), ""))
		} else if p.Name != "" {
			all = append(all, checkLabel(p.Name, at.Child("name"))...)
			if names[p.Name] {
				all = append(all, field.Duplicate(at.Child("name"), p.Name))
			}
			names[p.Name] = true
		}
		for _, message := range utilvalidation.IsValidPortNum(int(p.Port)) {
			all = append(all, field.Invalid(at.Child("port"), p.Port, message))
		}
	}
	all = append(all, metavalidation.ValidateLabels(s.Spec.Selector, spec.Child("selector"))...)
	switch s.Spec.Type {
	case corev1.ServiceTypeClusterIP, corev1.ServiceTypeNodePort, corev1.ServiceTypeLoadBalancer, corev1.ServiceTypeExternalName:
		return all
	}
	return append(all, field.NotSupported(spec.Child("type"), s.Spec.Type, []corev1.ServiceType{corev1.ServiceTypeClusterIP,
		corev1.ServiceTypeExternalName, corev1.ServiceTypeLoadBalancer, corev1.ServiceTypeNodePort}))
}

func compareServices(updated, old *corev1.Service) field.ErrorList {
	if old.Spec.ClusterIP == "" || updated.Spec.ClusterIP == old.Spec.ClusterIP ||
		updated.Spec.Type == corev1.ServiceTypeExternalName {
		return nil
	}
	return field.ErrorList{field.Invalid(spec.Child("clusterIPs").Index(0), updated.Spec.ClusterIPs,
		"may not change once set")}
}

func checkIngress(i *networkingv1.Ingress) field.ErrorList {
	var all field.ErrorList
	if len(i.Spec.Rules) == 0 && i.Spec.DefaultBackend == nil {
		all = append(all, field.Invalid(spec, i.Spec.Rules, "either `defaultBackend` or `rules` must be specified"))
	}
	if i.Spec.DefaultBackend != nil {
		all = append(all, checkBackend(i.Spec.DefaultBackend, spec.Child("defaultBackend"))...)
	}
	for n, rule := range i.Spec.Rules {
		at := spec.Child("rules").Index(n)
		all = append(all, checkHost(rule.Host, at.Child("host"))...)
		if rule.HTTP == nil {
			continue
		}
		for m := range rule.HTTP.Paths {
			all = append(all, checkPath(&rule.HTTP.Paths[m], at.Child("http", "paths").Index(m))...)
		}
	}
	return all
}

func checkHost(host string, path *field.Path) field.ErrorList {
	var messages []string
	switch {
	case host == "":
		return nil
	case strings.Contains(host, "*"):
		messages = utilvalidation.IsWildcardDNS1123Subdomain(host)
	default:
		messages = utilvalidation.IsDNS1123Subdomain(host)
	}
	var all field.ErrorList
	for _, message := range messages {
		all = append(all, field.Invalid(path, host, message))
	}
	return all
}

func checkPath(p *networkingv1.HTTPIngressPath, path *field.Path) field.ErrorList {
	var all field.ErrorList
	if p.PathType == nil {
		return field.ErrorList{field.Required(path.Child("pathType"), "pathType must be specified")}
	}
	switch *p.PathType {
	case networkingv1.PathTypeExact, networkingv1.PathTypePrefix:
		if !strings.HasPrefix(p.Path, "/") {
			all = append(all, field.Invalid(path.Child("path"), p.Path, "must be an absolute path"))
		}
	case networkingv1.PathTypeImplementationSpecific:
	default:
		all = append(all, field.NotSupported(path.Child("pathType"), *p.PathType,
			[]string{"Exact", "ImplementationSpecific", "Prefix"}))
	}
	return append(all, checkBackend(&p.Backend, path.Child("backend"))...)
}

func checkBackend(b *networkingv1.IngressBackend, path *field.Path) field.ErrorList {
	if b.Resource != nil {
		return nil
	}
	if b.Service == nil {
		return field.ErrorList{field.Required(path, "")}
	}
	var all field.ErrorList
	if b.Service.Name == "" {
		all = append(all, field.Required(path.Child("service", "name"), ""))
	}
	if b.Service.Port.Name == "" && b.Service.Port.Number == 0 {
		all = append(all, field.Required(path, "port name or number is required"))
	}
	return all
}

func checkBudget(b *policyv1.PodDisruptionBudget) field.ErrorList {
	var all field.ErrorList
	if b.Spec.MinAvailable != nil && b.Spec.MaxUnavailable != nil {
		said := struct { // in the words of Kubernetes's own internal type
			MinAvailable               *intstr.IntOrString
			Selector                   *metav1.LabelSelector
			MaxUnavailable             *intstr.IntOrString
			UnhealthyPodEvictionPolicy *policyv1.UnhealthyPodEvictionPolicyType
		}{b.Spec.MinAvailable, b.Spec.Selector, b.Spec.MaxUnavailable, b.Spec.UnhealthyPodEvictionPolicy}
		all = append(all, field.Invalid(spec, said, "minAvailable and maxUnavailable cannot be both set"))
	}
	all = append(all, checkCount(b.Spec.MinAvailable, spec.Child("minAvailable"))...)
	all = append(all, atMostAll(b.Spec.MinAvailable, spec.Child("minAvailable"))...)
	all = append(all, checkCount(b.Spec.MaxUnavailable, spec.Child("maxUnavailable"))...)
	return append(all, atMostAll(b.Spec.MaxUnavailable, spec.Child("maxUnavailable"))...)
}
