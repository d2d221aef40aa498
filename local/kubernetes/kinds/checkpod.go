package kinds

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

var spec = field.NewPath("spec")

func checkPod(p *corev1.Pod) field.ErrorList { return checkPodSpec(&p.Spec, spec) }

func checkPodSpec(s *corev1.PodSpec, path *field.Path) field.ErrorList {
	var all field.ErrorList
	volumes := sets.New[string]()
	for i, v := range s.Volumes {
		at := path.Child("volumes").Index(i).Child("name")
		all = append(all, checkLabel(v.Name, at)...)
		if volumes.Has(v.Name) {
			all = append(all, field.Duplicate(at, v.Name))
		}
		volumes.Insert(v.Name)
	}
	if len(s.Containers) == 0 {
		all = append(all, field.Required(path.Child("containers"), ""))
	}
	names := sets.New[string]()
	for i := range s.Containers {
		all = append(all, checkContainer(&s.Containers[i], path.Child("containers").Index(i), names, volumes)...)
	}
	for i := range s.InitContainers {
		all = append(all, checkContainer(&s.InitContainers[i], path.Child("initContainers").Index(i), names, volumes)...)
	}
	if s.ServiceAccountName != "" {
		for _, message := range validation.IsDNS1123Subdomain(s.ServiceAccountName) {
			all = append(all, field.Invalid(path.Child("serviceAccountName"), s.ServiceAccountName, message))
		}
	}
	return append(all, checkPolicies(s, path)...)
}

func checkPolicies(s *corev1.PodSpec, path *field.Path) field.ErrorList {
	switch s.RestartPolicy {
	case corev1.RestartPolicyAlways, corev1.RestartPolicyOnFailure, corev1.RestartPolicyNever:
		return nil
	case "":
		return field.ErrorList{field.Required(path.Child("restartPolicy"), "")}
	}
	return field.ErrorList{field.NotSupported(path.Child("restartPolicy"), s.RestartPolicy, []corev1.RestartPolicy{
		corev1.RestartPolicyAlways, corev1.RestartPolicyOnFailure, corev1.RestartPolicyNever})}
}

func checkLabel(value string, path *field.Path) field.ErrorList {
	if value == "" {
		return field.ErrorList{field.Required(path, "")}
	}
	var all field.ErrorList
	for _, message := range validation.IsDNS1123Label(value) {
		all = append(all, field.Invalid(path, value, message))
	}
	return all
}

func checkContainer(c *corev1.Container, path *field.Path, names, volumes sets.Set[string]) field.ErrorList {
	all := checkLabel(c.Name, path.Child("name"))
	if c.Image == "" {
		all = append(all, field.Required(path.Child("image"), ""))
	}
	all = append(all, checkPorts(c.Ports, path.Child("ports"))...)
	for i, v := range c.Env {
		at := path.Child("env").Index(i).Child("name")
		if v.Name == "" {
			all = append(all, field.Required(at, ""))
			continue
		}
		for _, message := range validation.IsRelaxedEnvVarName(v.Name) {
			all = append(all, field.Invalid(at, v.Name, message))
		}
	}
	for i, m := range c.VolumeMounts {
		at := path.Child("volumeMounts").Index(i)
		if !volumes.Has(m.Name) {
			all = append(all, field.NotFound(at.Child("name"), m.Name))
		}
		if m.MountPath == "" {
			all = append(all, field.Required(at.Child("mountPath"), ""))
		}
	}
	all = append(all, checkResources(c.Resources, path.Child("resources"))...)
	if names.Has(c.Name) {
		all = append(all, field.Duplicate(path.Child("name"), c.Name))
	}
	names.Insert(c.Name)
	return all
}

func checkPorts(ports []corev1.ContainerPort, path *field.Path) field.ErrorList {
	var all field.ErrorList
	names := sets.New[string]()
	for i, p := range ports {
		at := path.Index(i)
		if p.Name != "" {
			for _, message := range validation.IsValidPortName(p.Name) {
				all = append(all, field.Invalid(at.Child("name"), p.Name, message))
			}
			if names.Has(p.Name) {
				all = append(all, field.Duplicate(at.Child("name"), p.Name))
			}
			names.Insert(p.Name)
		}
		if p.ContainerPort == 0 {
			all = append(all, field.Required(at.Child("containerPort"), ""))
			continue
		}
		for _, message := range validation.IsValidPortNum(int(p.ContainerPort)) {
			all = append(all, field.Invalid(at.Child("containerPort"), p.ContainerPort, message))
		}
	}
	return all
}

func checkResources(r corev1.ResourceRequirements, path *field.Path) field.ErrorList {
	var all field.ErrorList
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		request, requested := r.Requests[name]
		limit, limited := r.Limits[name]
		at := path.Child("requests")
		if requested && request.Sign() < 0 {
			all = append(all, field.Invalid(at.Key(string(name)), request.String(), "must be greater than or equal to 0"))
		}
		if requested && limited && request.Cmp(limit) > 0 {
			all = append(all, field.Invalid(at, request.String(),
				fmt.Sprintf("must be less than or equal to %s limit of %s", name, limit.String())))
		}
	}
	return all
}

// comparePods refuses changes but those of images, tolerations that are added and the
// deadline.
func comparePods(updated, old *corev1.Pod) field.ErrorList {
	munged := updated.Spec.DeepCopy()
	for i := range munged.Containers {
		if i < len(old.Spec.Containers) {
			munged.Containers[i].Image = old.Spec.Containers[i].Image
		}
	}
	for i := range munged.InitContainers {
		if i < len(old.Spec.InitContainers) {
			munged.InitContainers[i].Image = old.Spec.InitContainers[i].Image
		}
	}
	munged.ActiveDeadlineSeconds = old.Spec.ActiveDeadlineSeconds
	munged.Tolerations = old.Spec.Tolerations
	munged.TerminationGracePeriodSeconds = old.Spec.TerminationGracePeriodSeconds
	if equality.Semantic.DeepEqual(*munged, old.Spec) {
		return nil
	}
	return field.ErrorList{field.Forbidden(spec, "pod updates may not change fields other than "+
		"`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"+
		"`spec.tolerations` (only additions to existing tolerations),"+
		"`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)")}
}
