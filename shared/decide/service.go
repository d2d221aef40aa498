package decide

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"portolan/shared/contract"
	"portolan/shared/model"
)

// A ServiceChange is what a wish changes of a service. Kind is empty when the
// service is as wished already; Release is set when there is a new one.
type ServiceChange struct {
	Service model.Service
	Release *model.Release
	Kind    contract.OperationKind
	Reason  string
}

// PutService decides what a team's description of a service changes.
//
// current is nil for a new service, and newest is the newest release wanted. A
// description that differs from it in more than the number of replicas is a new
// release; replicas alone scale the service. A retired service that is described
// again goes on with its numbers of releases.
//
// busy says whether an operation is at work on the service or waits to be. When none
// is, and the service is not as it is wanted since one ended dirty, the same
// description is rolled out once more.
func PutService(cluster *model.Cluster, name string, current *model.Service, newest *model.Release,
	spec contract.ServiceSpec, busy bool, cause contract.Cause, now time.Time) ServiceChange {
	service := model.Service{
		Cluster: cluster.Name(), Name: name, Team: cluster.Spec.Team, Replicas: 1, CreatedAt: now,
	}
	if current != nil {
		service = *current
	}
	revived := current == nil || current.Status == contract.ServiceRetired
	scaled := spec.Replicas != nil && *spec.Replicas != service.Replicas
	if spec.Replicas != nil {
		service.Replicas = *spec.Replicas
	}
	if revived {
		service.Namespace = spec.Kubernetes.Namespace
	}
	service.Global = spec.Mode == contract.Global
	described := spec
	described.Replicas = nil
	switch {
	case revived || newest == nil || !sameDescription(newest.Spec, described):
		change := AddRelease(service, described, spec.Image, "", cause, now)
		change.Reason = "the description is new"
		return change
	case !AsWanted(current) && !busy:
		return repeatRelease(service, *newest, cause, now)
	case scaled:
		service.Generation++
		return ServiceChange{Service: service, Kind: contract.KindScale, Reason: "the number of replicas is new"}
	}
	return ServiceChange{Service: service, Reason: "the service is described so already"}
}

// InEffect says whether the release that is wanted of a service is in effect.
func InEffect(s *model.Service) bool { return s.Release == s.ReleaseObserved }

// AsWanted says whether nothing has to be done about a service: the release that is
// wanted is in effect, and the last operation did not end dirty.
func AsWanted(s *model.Service) bool { return InEffect(s) && s.Status != contract.ServiceUnhealthy }

// repeatRelease makes a release, as it is, the next one of its service.
func repeatRelease(service model.Service, r model.Release, cause contract.Cause, now time.Time) ServiceChange {
	change := AddRelease(service, r.Spec, r.Image, r.Commit, cause, now)
	change.Release.BuiltAt = r.BuiltAt
	change.Reason = fmt.Sprintf("the service is not as release %d wants it, and no operation is on its way to that", r.Number)
	return change
}

// sameDescription compares what two descriptions say: a list that is empty and one
// that is left out say the same.
func sameDescription(a, b contract.ServiceSpec) bool {
	// The contract's types come from JSON, and always have one.
	one, _ := json.Marshal(a)
	other, _ := json.Marshal(b)
	return bytes.Equal(one, other)
}

// AddRelease makes a description the next release of a service. image is the
// description's image, pinned by digest where that is known.
func AddRelease(service model.Service, spec contract.ServiceSpec, image, commit string,
	cause contract.Cause, now time.Time) ServiceChange {
	service.LastRelease++
	service.Release = service.LastRelease
	service.Generation++
	service.Status, service.Reason = contract.ServiceDeploying, ""
	return ServiceChange{
		Service: service, Kind: contract.KindDeploy, Reason: "there is a new release",
		Release: &model.Release{
			Cluster: service.Cluster, Service: service.Name, Number: service.Release,
			Spec: spec, Image: image, Commit: commit,
			Status: contract.ReleasePending, Cause: cause, CreatedAt: now,
		},
	}
}

// RetireService returns the service as it is wanted from now on: gone.
func RetireService(service model.Service) model.Service {
	service.Status, service.Reason = contract.ServiceRetiring, ""
	service.Generation++
	return service
}
