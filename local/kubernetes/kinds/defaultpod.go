package kinds

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func defaultPod(p *corev1.Pod) {
	defaultPodSpec(&p.Spec)
	orDefault(&p.Spec.EnableServiceLinks, true)
	for _, containers := range [][]corev1.Container{p.Spec.InitContainers, p.Spec.Containers} {
		for i := range containers {
			requestLimits(&containers[i].Resources)
		}
	}
}

// requestLimits requests what is limited and not requested.
func requestLimits(r *corev1.ResourceRequirements) {
	for name, limit := range r.Limits {
		if _, said := r.Requests[name]; said {
			continue
		}
		if r.Requests == nil {
			r.Requests = corev1.ResourceList{}
		}
		r.Requests[name] = limit.DeepCopy()
	}
}

func defaultPodSpec(s *corev1.PodSpec) {
	orValue(&s.RestartPolicy, corev1.RestartPolicyAlways)
	orValue(&s.DNSPolicy, corev1.DNSClusterFirst)
	orDefault(&s.TerminationGracePeriodSeconds, int64(corev1.DefaultTerminationGracePeriodSeconds))
	orDefault(&s.SecurityContext, corev1.PodSecurityContext{})
	orValue(&s.SchedulerName, corev1.DefaultSchedulerName)
	if s.ServiceAccountName != "" {
		s.DeprecatedServiceAccount = s.ServiceAccountName
	} else {
		s.ServiceAccountName = s.DeprecatedServiceAccount
	}
	for i := range s.InitContainers {
		defaultContainer(&s.InitContainers[i], s.HostNetwork)
	}
	for i := range s.Containers {
		defaultContainer(&s.Containers[i], s.HostNetwork)
	}
	for i := range s.Volumes {
		defaultPodVolume(&s.Volumes[i].VolumeSource)
	}
	for i := range s.TopologySpreadConstraints {
		orValue(&s.TopologySpreadConstraints[i].MaxSkew, 1)
	}
}

func defaultContainer(c *corev1.Container, hostNetwork bool) {
	if c.ImagePullPolicy == "" {
		c.ImagePullPolicy = pullPolicy(c.Image)
	}
	orValue(&c.TerminationMessagePath, corev1.TerminationMessagePathDefault)
	orValue(&c.TerminationMessagePolicy, corev1.TerminationMessageReadFile)
	for i := range c.Ports {
		orValue(&c.Ports[i].Protocol, corev1.ProtocolTCP)
		if hostNetwork {
			orValue(&c.Ports[i].HostPort, c.Ports[i].ContainerPort)
		}
	}
	for i := range c.Env {
		if from := c.Env[i].ValueFrom; from != nil && from.FieldRef != nil {
			orValue(&from.FieldRef.APIVersion, "v1")
		}
	}
	for _, probe := range []*corev1.Probe{c.LivenessProbe, c.ReadinessProbe, c.StartupProbe} {
		defaultProbe(probe)
	}
	if c.Lifecycle != nil {
		for _, handler := range []*corev1.LifecycleHandler{c.Lifecycle.PostStart, c.Lifecycle.PreStop} {
			if handler != nil {
				defaultHTTPGet(handler.HTTPGet)
			}
		}
	}
}

// pullPolicy is Always for an image whose tag says latest, or that has neither tag nor
// digest.
func pullPolicy(image string) corev1.PullPolicy {
	if strings.Contains(image, "@") {
		return corev1.PullIfNotPresent
	}
	name := image[strings.LastIndexByte(image, '/')+1:]
	if _, tag, ok := strings.Cut(name, ":"); ok && tag != "latest" {
		return corev1.PullIfNotPresent
	}
	return corev1.PullAlways
}

func defaultProbe(p *corev1.Probe) {
	if p == nil {
		return
	}
	orValue(&p.TimeoutSeconds, 1)
	orValue(&p.PeriodSeconds, 10)
	orValue(&p.SuccessThreshold, 1)
	orValue(&p.FailureThreshold, 3)
	defaultHTTPGet(p.HTTPGet)
	if p.GRPC != nil {
		orDefault(&p.GRPC.Service, "")
	}
}

func defaultHTTPGet(get *corev1.HTTPGetAction) {
	if get == nil {
		return
	}
	orValue(&get.Path, "/")
	orValue(&get.Scheme, corev1.URISchemeHTTP)
}

func defaultPodVolume(v *corev1.VolumeSource) {
	if *v == (corev1.VolumeSource{}) {
		v.EmptyDir = &corev1.EmptyDirVolumeSource{}
	}
	if v.Secret != nil {
		orDefault(&v.Secret.DefaultMode, corev1.SecretVolumeSourceDefaultMode)
	}
	if v.ConfigMap != nil {
		orDefault(&v.ConfigMap.DefaultMode, corev1.ConfigMapVolumeSourceDefaultMode)
	}
	if v.DownwardAPI != nil {
		orDefault(&v.DownwardAPI.DefaultMode, corev1.DownwardAPIVolumeSourceDefaultMode)
	}
	if v.HostPath != nil {
		orDefault(&v.HostPath.Type, corev1.HostPathUnset)
	}
	if v.Projected != nil {
		defaultProjected(v.Projected)
	}
}

func defaultProjected(p *corev1.ProjectedVolumeSource) {
	orDefault(&p.DefaultMode, corev1.ProjectedVolumeSourceDefaultMode)
	for _, source := range p.Sources {
		if source.ServiceAccountToken != nil {
			orDefault(&source.ServiceAccountToken.ExpirationSeconds, 60*60)
		}
	}
}

// createPod adds what admission does.
func createPod(p *corev1.Pod) {
	p.Status = corev1.PodStatus{Phase: corev1.PodPending, QOSClass: quality(p.Spec.Containers)}
	if p.Spec.ServiceAccountName == "" {
		p.Spec.ServiceAccountName, p.Spec.DeprecatedServiceAccount = "default", "default"
	}
	orDefault(&p.Spec.Priority, 0)
	orDefault(&p.Spec.PreemptionPolicy, corev1.PreemptLowerPriority)
	const evictAfterSeconds = 300
	for _, key := range []string{corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable} {
		taint := &corev1.Taint{Key: key, Effect: corev1.TaintEffectNoExecute}
		if !Tolerates(p.Spec.Tolerations, taint) {
			p.Spec.Tolerations = append(p.Spec.Tolerations, corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists,
				Effect: corev1.TaintEffectNoExecute, TolerationSeconds: to(int64(evictAfterSeconds))})
		}
	}
}

// Tolerates says whether a taint is tolerated, for however long.
func Tolerates(tolerations []corev1.Toleration, taint *corev1.Taint) bool {
	for _, t := range tolerations {
		if (t.Effect == "" || t.Effect == taint.Effect) && (t.Key == "" || t.Key == taint.Key) &&
			(t.Operator == corev1.TolerationOpExists || t.Key != "" && t.Value == taint.Value) {
			return true
		}
	}
	return false
}

// quality is the pod's quality of service class.
func quality(containers []corev1.Container) corev1.PodQOSClass {
	some, guaranteed := false, true
	for _, c := range containers {
		some = some || len(c.Resources.Requests)+len(c.Resources.Limits) > 0
		for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
			limit, limited := c.Resources.Limits[name]
			if request := c.Resources.Requests[name]; !limited || limit.Cmp(request) != 0 {
				guaranteed = false
			}
		}
	}
	switch {
	case !some:
		return corev1.PodQOSBestEffort
	case guaranteed:
		return corev1.PodQOSGuaranteed
	}
	return corev1.PodQOSBurstable
}

func defaultSecret(s *corev1.Secret) {
	orValue(&s.Type, corev1.SecretTypeOpaque)
	for name, text := range s.StringData {
		if s.Data == nil {
			s.Data = map[string][]byte{}
		}
		s.Data[name] = []byte(text)
	}
	s.StringData = nil
}

func defaultVolume(v *corev1.PersistentVolume) {
	orValue(&v.Spec.PersistentVolumeReclaimPolicy, corev1.PersistentVolumeReclaimRetain)
	orDefault(&v.Spec.VolumeMode, corev1.PersistentVolumeFilesystem)
}

func createVolume(v *corev1.PersistentVolume) { v.Status.Phase = corev1.VolumePending }

func defaultClaim(c *corev1.PersistentVolumeClaim) {
	orDefault(&c.Spec.VolumeMode, corev1.PersistentVolumeFilesystem)
}

// ClaimProtection is the finalizer that keeps a claim while a pod uses it.
const ClaimProtection = "kubernetes.io/pvc-protection"

func createClaim(c *corev1.PersistentVolumeClaim) {
	c.Status.Phase = corev1.ClaimPending
	if !slices.Contains(c.Finalizers, ClaimProtection) {
		c.Finalizers = append(c.Finalizers, ClaimProtection)
	}
}

func defaultService(s *corev1.Service) {
	orValue(&s.Spec.SessionAffinity, corev1.ServiceAffinityNone)
	orValue(&s.Spec.Type, corev1.ServiceTypeClusterIP)
	for i := range s.Spec.Ports {
		p := &s.Spec.Ports[i]
		orValue(&p.Protocol, corev1.ProtocolTCP)
		if p.TargetPort == intstr.FromInt32(0) || p.TargetPort == intstr.FromString("") {
			p.TargetPort = intstr.FromInt32(p.Port)
		}
	}
	if s.Spec.Type == corev1.ServiceTypeExternalName {
		return
	}
	orDefault(&s.Spec.InternalTrafficPolicy, corev1.ServiceInternalTrafficPolicyCluster)
	if s.Spec.Type == corev1.ServiceTypeNodePort || s.Spec.Type == corev1.ServiceTypeLoadBalancer {
		orValue(&s.Spec.ExternalTrafficPolicy, corev1.ServiceExternalTrafficPolicyCluster)
	}
	if s.Spec.Type == corev1.ServiceTypeLoadBalancer {
		orDefault(&s.Spec.AllocateLoadBalancerNodePorts, true)
	}
	if s.Spec.ClusterIP != "" && len(s.Spec.ClusterIPs) == 0 {
		s.Spec.ClusterIPs = []string{s.Spec.ClusterIP}
	}
}

// createService gives a service the addresses' family, which a client need not choose.
func createService(s *corev1.Service) {
	if s.Spec.Type == corev1.ServiceTypeExternalName {
		return
	}
	orDefault(&s.Spec.IPFamilyPolicy, corev1.IPFamilyPolicySingleStack)
	if len(s.Spec.IPFamilies) == 0 {
		s.Spec.IPFamilies = []corev1.IPFamily{corev1.IPv4Protocol}
	}
}

// changeService keeps the addresses that were given to the service.
func changeService(updated, old *corev1.Service) {
	if updated.Spec.Type == corev1.ServiceTypeExternalName {
		return
	}
	if updated.Spec.ClusterIP == "" {
		updated.Spec.ClusterIP, updated.Spec.ClusterIPs = old.Spec.ClusterIP, old.Spec.ClusterIPs
	}
	if len(updated.Spec.IPFamilies) == 0 {
		updated.Spec.IPFamilies, updated.Spec.IPFamilyPolicy = old.Spec.IPFamilies, old.Spec.IPFamilyPolicy
	}
	createService(updated)
	if updated.Spec.Type == corev1.ServiceTypeClusterIP || updated.Spec.Type != old.Spec.Type {
		return
	}
	for i := range updated.Spec.Ports {
		for _, before := range old.Spec.Ports {
			if p := &updated.Spec.Ports[i]; p.Port == before.Port && p.Protocol == before.Protocol {
				orValue(&p.NodePort, before.NodePort)
			}
		}
	}
}
