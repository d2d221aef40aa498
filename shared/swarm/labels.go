package swarm

// The labels by which Portolan knows what is its own. Those of a swarm say which cluster
// it was made for; those of a node which instance it is; and those of a service, which
// its tasks keep a copy of, what was applied last.
const (
	labelCluster = "portolan.cluster"

	// LabelInstance, LabelZone and LabelPool are of a node. Services may name them in
	// their placement.
	LabelInstance = "portolan.instance"
	LabelZone     = "portolan.zone"
	LabelPool     = "portolan.pool"

	// labelDraining is on a node whose tasks are moved away one service after the other,
	// while it is only paused.
	labelDraining = "portolan.draining"
)
