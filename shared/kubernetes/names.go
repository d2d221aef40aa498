package kubernetes

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"portolan/shared/orchestrator"
)

// manager is the name under which fields are ours.
const manager = "portolan"

// Labels of everything that the driver makes. labelService stands on pods too, and is
// what they are selected by.
const (
	labelName      = "app.kubernetes.io/name"
	labelManagedBy = "app.kubernetes.io/managed-by"
	labelPartOf    = "app.kubernetes.io/part-of"
	labelTeam      = "portolan.dev/team"
	labelService   = "portolan.dev/service"

	// labelMoving holds what the pod's template hash was before Drain took the pod
	// from its ReplicaSet.
	labelMoving = "portolan.dev/moving"
)

// Annotations. The release, its commit, role and attempt are on pods as well.
const (
	annotationRelease   = "portolan.dev/release"
	annotationCommit    = "portolan.dev/commit"
	annotationOperation = "portolan.dev/operation"
	annotationImage     = "portolan.dev/image"
	annotationRole      = "portolan.dev/role"

	// annotationAttempt is the operation that started a failed rollout again.
	annotationAttempt = "portolan.dev/attempt"

	// annotationHash stands for what was applied, annotationFields for the fields in
	// it, and annotationCompanions for what was applied beside a workload.
	annotationHash       = "portolan.dev/hash"
	annotationFields     = "portolan.dev/fields"
	annotationCompanions = "portolan.dev/companions"

	// annotationInEffect is the release that served when the present one was applied.
	annotationInEffect = "portolan.dev/in-effect"

	// annotationMade is on what did not exist before: it goes with its service.
	annotationMade = "portolan.dev/made"

	// annotationRemoving is on a workload whose removal has begun, and
	// annotationDraining on a node that is drained.
	annotationRemoving = "portolan.dev/removing"
	annotationDraining = "portolan.dev/draining"
)

// labels are those of everything that belongs to a service.
func labels(ref orchestrator.ServiceRef) map[string]string {
	all := map[string]string{
		labelName: ref.Name, labelManagedBy: manager, labelPartOf: ref.Cluster.Name, labelService: ref.Name,
	}
	if ref.Cluster.Team != "" {
		all[labelTeam] = ref.Cluster.Team
	}
	return all
}

// ofService selects the pods of a service.
func ofService(name string) map[string]string { return map[string]string{labelService: name} }

// releaseOf returns the release that annotations name, and 0 when they name none.
func releaseOf(annotations map[string]string) int64 {
	number, err := strconv.ParseInt(annotations[annotationRelease], 10, 64)
	if err != nil || number < 0 {
		return 0
	}
	return number
}

// digest is a short stable text for some parts.
func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])[:32]
}
