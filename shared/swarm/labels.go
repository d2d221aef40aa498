package swarm

// The labels by which Portolan knows what is its own. Those of a swarm say which cluster
// it was made for; those of a node which instance it is; and those of a service, which
// its tasks keep a copy of, what was applied last.
const (
	labelCluster = "portolan.cluster"
	labelTeam    = "portolan.team"
	labelService = "portolan.service"

	labelRelease   = "portolan.release"
	labelOperation = "portolan.operation"
	labelCommit    = "portolan.commit"
	labelImage     = "portolan.image"
	labelRole      = "portolan.role"

	// labelAttempt makes a release that is tried again another one to the swarm.
	labelAttempt = "portolan.attempt"

	// labelHash is of the description as it was applied; where it does not fit what is
	// there any more, somebody changed the service past Portolan.
	labelHash = "portolan.hash"

	// labelInEffect is the release that serves until the present one does, and
	// labelRolledOut the last one of which it is known that it did.
	labelInEffect  = "portolan.in-effect"
	labelRolledOut = "portolan.rolled-out"

	// labelSettles is when the rollout's deadline has passed: what is there then has been
	// decided on.
	labelSettles = "portolan.settles"

	// labelRemoving is on a service whose tasks are being stopped for its removal.
	labelRemoving = "portolan.removing"

	// LabelInstance, LabelZone and LabelPool are of a node. Services may name them in
	// their placement.
	LabelInstance = "portolan.instance"
	LabelZone     = "portolan.zone"
	LabelPool     = "portolan.pool"

	// labelDraining is on a node whose tasks are moved away one service after the other,
	// while it is only paused.
	labelDraining = "portolan.draining"
)
