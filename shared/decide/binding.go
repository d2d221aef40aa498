package decide

import (
	"time"

	"portolan/shared/contract"
	"portolan/shared/fault"
	"portolan/shared/model"
)

// CheckBinding returns what is wrong with a pipeline binding beyond what its
// schema says.
func CheckBinding(spec contract.BindingSpec) []fault.Field {
	var b blame
	b.exactlyOne("pipeline", spec.Pipeline, "repository", spec.Repository)
	if spec.ImageVariable != "" && spec.Pipeline == "" {
		b.add("/imageVariable", "is for a pipeline only: a repository's image is known")
	}
	if spec.Tag != "" && spec.Repository == "" {
		b.add("/tag", "is for a repository only: a pipeline says which image it made")
	}
	return b
}

// CheckBindingTarget returns what is wrong with the service that a binding names,
// which is nil when there is none of that name.
func CheckBindingTarget(spec contract.BindingSpec, cluster *model.Cluster, service *model.Service) []fault.Field {
	var b blame
	if !lives(service) {
		b.noService(spec.Service, cluster)
	}
	return b
}

// PutBinding decides what a description changes of a binding, which is nil for a
// new one. It says whether anything.
func PutBinding(cluster *model.Cluster, name string, current *model.Binding,
	spec contract.BindingSpec, now time.Time) (model.Binding, bool) {
	if current == nil {
		return model.Binding{Cluster: cluster.Name(), Name: name, Team: cluster.Spec.Team, Spec: spec, ChangedAt: now}, true
	}
	if current.Spec == spec {
		return *current, false
	}
	next := *current
	next.Spec, next.ChangedAt = spec, now
	return next, true
}
