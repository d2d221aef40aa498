package simulate

// owned: what an operation changes belongs to the team that it is accounted to.
var owned = promise{number: 8, end: teams}

func teams(o *oracle) {
	for _, operation := range o.sorted() {
		if team := teamOf(operation.Target.Cluster); operation.Team != team {
			o.broken(8, "operation %s of team %q is on a cluster of %q", operation.ID, operation.Team, team)
		}
	}
	for _, name := range o.clusterNames() {
		for _, service := range services {
			v, err := o.w.mirror.service(name, service)
			if err == nil && v.Team != teamOf(name) {
				o.broken(8, "service %s of %s belongs to %q", service, name, v.Team)
			}
		}
	}
}
