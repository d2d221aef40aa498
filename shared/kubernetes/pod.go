package kubernetes

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"portolan/shared/contract"
	"portolan/shared/orchestrator"
)

// podTemplate says a release in the words of pods.
func podTemplate(release orchestrator.Release, attempt string) core.PodTemplateSpec {
	spec, ref := release.Spec, release.Service
	annotations := map[string]string{annotationRelease: strconv.FormatInt(release.Number, 10)}
	for name, value := range map[string]string{
		annotationCommit: release.Commit, annotationRole: spec.Role, annotationAttempt: attempt,
	} {
		if value != "" {
			annotations[name] = value
		}
	}
	return core.PodTemplateSpec{
		ObjectMeta: meta.ObjectMeta{Labels: labels(ref), Annotations: annotations},
		Spec: core.PodSpec{
			ServiceAccountName: serviceAccountName(release),
			// Pod Identity brings a token of its own.
			AutomountServiceAccountToken: token(spec),
			EnableServiceLinks:           new(false),
			SecurityContext: &core.PodSecurityContext{
				SeccompProfile: &core.SeccompProfile{Type: core.SeccompProfileTypeRuntimeDefault},
			},
			Containers:                []core.Container{container(release)},
			Volumes:                   podVolumes(release),
			Affinity:                  affinity(spec.Placement.Constraints),
			Tolerations:               tolerations(spec.Kubernetes.Tolerations),
			TopologySpreadConstraints: spread(ref.Name, spec),
		},
	}
}

func serviceAccountName(release orchestrator.Release) string {
	if named := release.Spec.Kubernetes.ServiceAccount; named != "" {
		return named
	}
	return release.Service.Name
}

// token leaves it to a service account that somebody else made whether pods get its
// token; our own has no rights that one could be for.
func token(spec contract.ServiceSpec) *bool {
	if spec.Kubernetes.ServiceAccount != "" {
		return nil
	}
	return new(false)
}

func containerName(release orchestrator.Release) string {
	if release.Spec.Container != "" {
		return release.Spec.Container
	}
	return release.Service.Name
}

func container(release orchestrator.Release) core.Container {
	spec := release.Spec
	c := core.Container{
		Name: containerName(release), Image: release.Image,
		// As on the other orchestrators, what the image starts with stays.
		Args:            literally(spec.Command),
		Env:             environment(spec),
		Resources:       resources(spec),
		Ports:           containerPorts(spec.Ports),
		SecurityContext: &core.SecurityContext{AllowPrivilegeEscalation: new(false)},
	}
	for _, volume := range spec.Volumes {
		c.VolumeMounts = append(c.VolumeMounts, core.VolumeMount{
			Name: volume.Name, MountPath: volume.ContainerPath, ReadOnly: volume.ReadOnly,
		})
	}
	probe(&c, spec)
	return c
}

// literally keeps Kubernetes from replacing $(NAME) by a variable's value, and $$ by
// one $.
func literally(words []string) []string {
	var result []string
	for _, word := range words {
		result = append(result, strings.ReplaceAll(word, "$", "$$"))
	}
	return result
}

func environment(spec contract.ServiceSpec) []core.EnvVar {
	var result []core.EnvVar
	for _, name := range slices.Sorted(maps.Keys(spec.Environment)) {
		result = append(result, core.EnvVar{Name: name, Value: literally([]string{spec.Environment[name]})[0]})
	}
	for _, name := range slices.Sorted(maps.Keys(spec.Kubernetes.SecretKeys)) {
		from := spec.Kubernetes.SecretKeys[name]
		result = append(result, core.EnvVar{Name: name, ValueFrom: &core.EnvVarSource{
			SecretKeyRef: &core.SecretKeySelector{
				LocalObjectReference: core.LocalObjectReference{Name: from.Secret}, Key: from.Key,
			},
		}})
	}
	return result
}

// resources sets CPU aside and does not limit it, as the other orchestrators do.
func resources(spec contract.ServiceSpec) core.ResourceRequirements {
	const mebibyte = 1 << 20
	result := core.ResourceRequirements{Requests: core.ResourceList{}}
	if spec.Cpu > 0 {
		milli := (int64(spec.Cpu)*1000 + 1023) / 1024
		result.Requests[core.ResourceCPU] = *resource.NewMilliQuantity(milli, resource.DecimalSI)
	}
	memory := func(mib int) resource.Quantity {
		return *resource.NewQuantity(int64(mib)*mebibyte, resource.BinarySI)
	}
	limit, reservation := spec.Memory.LimitMiB, spec.Memory.ReservationMiB
	if limit > 0 {
		result.Limits = core.ResourceList{core.ResourceMemory: memory(limit)}
	}
	if reservation == 0 {
		reservation = limit
	}
	result.Requests[core.ResourceMemory] = memory(reservation)
	return result
}

func protocolOf(port contract.Port) core.Protocol {
	if port.Protocol == contract.Udp {
		return core.ProtocolUDP
	}
	return core.ProtocolTCP
}

// portName is how Service, Ingress and probes name a port.
func portName(port contract.Port) string {
	return fmt.Sprintf("%s-%d", strings.ToLower(string(protocolOf(port))), port.ContainerPort)
}

func containerPorts(ports []contract.Port) []core.ContainerPort {
	var result []core.ContainerPort
	for _, port := range ports {
		result = append(result, core.ContainerPort{
			Name: portName(port), ContainerPort: int32(port.ContainerPort), HostPort: int32(port.HostPort),
			Protocol: protocolOf(port),
		})
	}
	return result
}

// probe says how health is told: the command restarts a container that fails it, and
// keeps requests away meanwhile; the load balancer's path only keeps them away.
func probe(c *core.Container, spec contract.ServiceSpec) {
	if check := spec.HealthCheck; len(check.Command) > 0 {
		command := core.ProbeHandler{Exec: &core.ExecAction{Command: checkCommand(check.Command)}}
		every, retries := orDefault(check.IntervalSeconds, 30), orDefault(check.Retries, 3)
		c.LivenessProbe = &core.Probe{
			ProbeHandler: command, PeriodSeconds: every, FailureThreshold: retries,
			TimeoutSeconds: orDefault(check.TimeoutSeconds, 5),
		}
		c.ReadinessProbe = c.LivenessProbe.DeepCopy()
		if start := int32(check.StartPeriodSeconds); start > 0 {
			c.StartupProbe = c.LivenessProbe.DeepCopy()
			c.StartupProbe.PeriodSeconds = min(every, startupPeriod)
			c.StartupProbe.FailureThreshold = (start+c.StartupProbe.PeriodSeconds-1)/c.StartupProbe.PeriodSeconds + retries
		}
	}
	if balancer := spec.LoadBalancer; balancer.ContainerPort > 0 {
		c.ReadinessProbe = &core.Probe{
			ProbeHandler: core.ProbeHandler{HTTPGet: &core.HTTPGetAction{
				Path: healthCheckPath(balancer), Port: intstr.FromInt(balancer.ContainerPort),
			}},
			PeriodSeconds: 5, TimeoutSeconds: 5, FailureThreshold: 3,
		}
	}
}

// startupPeriod is how often, in seconds, a container that may still start is asked.
const startupPeriod = 10

func healthCheckPath(balancer contract.LoadBalancer) string {
	if balancer.HealthCheckPath == "" {
		return "/"
	}
	return balancer.HealthCheckPath
}

// checkCommand takes Docker's two forms of a health check's command.
func checkCommand(command []string) []string {
	switch command[0] {
	case "CMD":
		return command[1:]
	case "CMD-SHELL":
		return append([]string{"/bin/sh", "-c"}, command[1:]...)
	}
	return command
}

func orDefault(number, standard int) int32 {
	if number == 0 {
		return int32(standard)
	}
	return int32(number)
}
