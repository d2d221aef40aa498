package decide

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// namePrefix begins the names of everything that Portolan makes.
const namePrefix = "portolan-"

// limits on how much of a request is looked at, which anybody can write.
const (
	auditDepthMax      = 8
	auditValuesMax     = 500
	auditCandidatesMax = 12
	auditDetailMax     = 512
	auditValueMax      = 128
	auditNameMax       = 64 // with room to spare: names of ours are shorter
)

// A Subject is what an AWS call was about, as far as its request says.
type Subject struct {
	// Clusters are names that the cluster may have, the surest first. Most requests
	// name a stack, a group or an ARN, and names may hold hyphens: which of them is
	// a cluster, only the store knows.
	Clusters []string

	// Service is the name of a service on it, empty when the call is about the
	// cluster as a whole or about its nodes.
	Service string
}

// SubjectOf reads what a call was about from its request's parameters and from the
// ARNs of its resources.
func SubjectOf(request map[string]any, resources []string) Subject {
	s := search{left: auditValuesMax}
	s.walk("", request, auditDepthMax)
	for _, arn := range resources {
		s.text("", arn)
	}
	var out Subject
	for _, name := range slices.Concat(s.tagged, s.exact, s.guessed) {
		if len(out.Clusters) == auditCandidatesMax {
			break
		}
		if name != "" && len(name) <= auditNameMax && !slices.Contains(out.Clusters, name) {
			out.Clusters = append(out.Clusters, name)
		}
	}
	if len(s.service) <= auditNameMax {
		out.Service = s.service
	}
	return out
}

// search collects names of clusters by how sure they are.
type search struct {
	tagged, exact, guessed []string
	service                string
	left                   int
}

func (s *search) walk(key string, value any, depth int) {
	if s.left--; s.left < 0 || depth == 0 {
		return
	}
	switch v := value.(type) {
	case string:
		s.text(key, v)
	case []any:
		for _, element := range v {
			s.walk(key, element, depth-1)
		}
	case map[string]any:
		s.tag(v)
		for _, name := range slices.Sorted(maps.Keys(v)) {
			s.walk(name, v[name], depth-1)
		}
	}
}

// tag reads an object that is a tag: services write its members in upper or lower
// case.
func (s *search) tag(object map[string]any) {
	for _, names := range [][2]string{{"key", "value"}, {"Key", "Value"}} {
		key, _ := object[names[0]].(string)
		value, _ := object[names[1]].(string)
		switch {
		case key == "portolan:cluster":
			s.tagged = append(s.tagged, ClusterNames(value)...)
		case key == "portolan:service":
			s.service = value
		}
	}
}

func (s *search) text(key, text string) {
	kind, rest := splitARN(text)
	names := strings.Split(rest, "/")
	switch {
	case kind == "" && (key == "cluster" || key == "clusterName" || key == "clusters"):
		s.exact = append(s.exact, ClusterNames(text)...)
	case kind == "" && (key == "service" || key == "services" || key == "serviceName"):
		s.service = text
	case kind == "cluster", kind == "task", kind == "container-instance":
		s.exact = append(s.exact, ClusterNames(names[0])...)
	case kind == "service" && len(names) == 2:
		s.exact = append(s.exact, ClusterNames(names[0])...)
		s.service = names[1]
	case kind == "service":
		s.service = names[0]
	case kind == "stack", kind == "targetgroup", kind == "loadbalancer":
		s.guess(names)
	case kind == "" && strings.HasPrefix(text, namePrefix):
		s.guess([]string{text})
	case kind == "autoScalingGroup", kind == "task-definition", kind == "capacity-provider":
		s.guess([]string{rest[strings.LastIndex(rest, "/")+1:]})
	}
}

// guess takes apart the name of something that belongs to a cluster's stack or
// service: portolan-CLUSTER, with more behind it.
func (s *search) guess(names []string) {
	for _, name := range names {
		rest, ours := strings.CutPrefix(name, namePrefix)
		if !ours {
			continue
		}
		if stack, _, found := strings.Cut(rest, "-AutoScalingGroup-"); found {
			rest = stack
		}
		if cluster, service, found := strings.Cut(rest, "_"); found {
			s.exact = append(s.exact, cluster)
			s.service, _, _ = strings.Cut(service, ":")
			continue
		}
		// No cluster's name ends as that of a cluster's network stack does.
		rest = strings.TrimSuffix(rest, "-network")
		for rest != "" {
			s.guessed = append(s.guessed, rest)
			rest = rest[:max(0, strings.LastIndex(rest, "-"))]
		}
	}
}

// ClusterNames are the names that the cluster behind an ECS cluster's name may
// have, the surest first.
func ClusterNames(name string) []string {
	if rest, ours := strings.CutPrefix(name, namePrefix); ours {
		return []string{rest, name}
	}
	return []string{name}
}

// splitARN returns the kind of resource and what stands behind it; an empty kind
// for what is no ARN.
func splitARN(text string) (kind, rest string) {
	parts := strings.SplitN(text, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" {
		return "", text
	}
	end := strings.IndexAny(parts[5], "/:")
	if end < 0 {
		return "other", parts[5]
	}
	return parts[5][:end], parts[5][end+1:]
}

// shown are the parameters that an audit record keeps. What is not listed here is
// left out, since a request can hold secrets.
var shown = map[string]bool{
	"autoScalingGroupName": true, "bucketName": true, "capacityProvider": true, "cluster": true,
	"desiredCapacity": true, "desiredCount": true, "desiredSize": true, "family": true, "force": true,
	"forceNewDeployment": true, "functionName": true, "instanceId": true, "key": true,
	"listenerArn": true, "loadBalancerArn": true, "maxSize": true, "minSize": true, "nodegroupName": true,
	"queueUrl": true, "roleArn": true, "roleSessionName": true, "ruleArn": true, "secretId": true,
	"service": true, "serviceName": true, "shouldDecrementDesiredCapacity": true,
	"stackName": true, "status": true, "tableName": true, "targetGroupArn": true, "task": true,
	"taskDefinition": true, "topicArn": true,
}

// RequestDetail says what a call asked for, from the parameters that are worth
// keeping, as "desiredCount=5, service=web".
func RequestDetail(request map[string]any) string {
	var parts []string
	size := 0
	if sizes, nested := request["scalingConfig"].(map[string]any); nested { // EKS's way to say them
		request = maps.Clone(request)
		maps.Copy(request, sizes)
	}
	for _, name := range slices.Sorted(maps.Keys(request)) {
		value, simple := scalar(request[name])
		if !shown[name] || !simple {
			continue
		}
		part := name + "=" + value
		if size += len(part) + 2; size > auditDetailMax {
			return strings.Join(append(parts, "…"), ", ")
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

// scalar is a value as text; 2.0 is 2.
func scalar(value any) (text string, simple bool) {
	switch v := value.(type) {
	case string:
		if len(v) > auditValueMax {
			v = strings.ToValidUTF8(v[:auditValueMax], "") + "…"
		}
		return v, true
	case bool:
		return fmt.Sprint(v), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	}
	return "", false
}

// OperationOfSession returns the operation that a role session may be named by:
// operations' ids are ULIDs. It has to be looked up whether there is one.
func OperationOfSession(session string) (id string, ok bool) {
	const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	if len(session) != 26 || session[0] > '7' {
		return "", false
	}
	odd := strings.ContainsFunc(session, func(r rune) bool { return !strings.ContainsRune(alphabet, r) })
	return session, !odd
}

// TaskOfSession returns the task that a role session may be named by, or that the
// end of a task's ARN names. Both can have the hyphens of a UUID, and the task's id
// is without.
func TaskOfSession(session string) (id string, ok bool) {
	id = strings.ReplaceAll(session, "-", "")
	odd := strings.ContainsFunc(id, func(r rune) bool { return !strings.ContainsRune("0123456789abcdef", r) })
	return id, len(id) == 32 && !odd
}

// PodOfSession returns the name of a role session that EKS Pod Identity made for a pod:
// eks-CLUSTER-POD-UUID, of which the middle is cut short where it is too long.
func PodOfSession(session string) (name string, ok bool) {
	odd := strings.ContainsFunc(session, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.", r)
	})
	return session, strings.HasPrefix(session, "eks-") && len(session) > 40 && len(session) <= 64 && !odd
}

// A PodIdentity is what EKS says of a pod when it assumes a role for it.
type PodIdentity struct{ EKSCluster, Namespace, ServiceAccount, Pod string }

// PodIdentityOf reads it from the session tags in the parameters of an AssumeRole.
// https://docs.aws.amazon.com/eks/latest/userguide/pod-id-abac.html
func PodIdentityOf(request map[string]any) (PodIdentity, bool) {
	tags, _ := request["principalTags"].(map[string]any)
	text := func(name string) string {
		value, _ := tags[name].(string)
		return value
	}
	p := PodIdentity{text("eks-cluster-name"), text("kubernetes-namespace"), text("kubernetes-service-account"), text("kubernetes-pod-name")}
	return p, p.EKSCluster != "" && p.Pod != ""
}

// Job is the name of the job whose task a pod is; empty where it is none's. A job with a
// role has a service account of its own, under a name that no service has.
func (p PodIdentity) Job() string {
	name, is := strings.CutPrefix(p.ServiceAccount, "job.")
	if !is {
		return ""
	}
	return name
}

// Services are the names that the service behind a pod may have, the surest first: a
// Deployment's pods have two words behind it, a DaemonSet's one.
func (p PodIdentity) Services() []string {
	var names []string
	name := p.Pod
	for range 2 {
		at := strings.LastIndexByte(name, '-')
		if at < 0 {
			break
		}
		name = name[:at]
		names = append(names, name)
	}
	slices.Reverse(names)
	return names
}

// IsExecutionRole guesses from its name whether a role is for starting tasks and
// not for the tasks themselves. The task's definition knows it for certain.
func IsExecutionRole(arn string) bool {
	return strings.Contains(strings.ToLower(arn), "execution")
}

// A Look is what has to be looked at after a call, because it can have changed what
// Portolan decides.
type Look int

const (
	LookAtNothing Look = iota
	LookAtService
	LookAtNodes
)

// Suspect returns what a call that succeeded can have changed.
func Suspect(service, name string) Look {
	switch service + ":" + name {
	case "ecs:UpdateService", "ecs:DeleteService", "ecs:CreateService", "ecs:UpdateServicePrimaryTaskSet":
		return LookAtService
	case "autoscaling:SetDesiredCapacity", "autoscaling:UpdateAutoScalingGroup",
		"autoscaling:TerminateInstanceInAutoScalingGroup", "autoscaling:ExecutePolicy",
		"autoscaling:DetachInstances", "autoscaling:AttachInstances":
		return LookAtNodes
	}
	return LookAtNothing
}
