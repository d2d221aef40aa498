package simulate

import (
	"strings"
)

// attributed: who asked, what for and why is on every operation, and each call
// that changes the world leads back to one.
var attributed = promise{number: 7, call: leadsBack, end: causes}

func leadsBack(o *oracle, c *call) {
	if !c.changesWorld() || c.service == kubernetesService || c.engine != nil {
		return // CloudTrail is AWS's
	}
	session := c.caller.ARN[strings.LastIndex(c.caller.ARN, "/")+1:]
	if _, known := o.operations[session]; known {
		return
	}
	body := string(c.body)
	for id := range o.operations {
		if strings.Contains(body, id) {
			return
		}
	}
	for _, name := range o.clusterNames() {
		if strings.Contains(body, "portolan-"+name) || strings.Contains(body, "i-") {
			return // the resource's own name
		}
		for _, pool := range []string{nodesPool, managersPool} {
			if group, err := o.groupOf(name, pool); err == nil && strings.Contains(body, group) {
				return // which carries the cluster's tag
			}
		}
	}
	o.broken(7, "%s:%s by %s leads back to no operation", c.service, c.operation, c.caller.ARN)
}

func causes(o *oracle) {
	for _, operation := range o.sorted() {
		c := operation.Cause
		if c.Who == "" || c.What == "" || c.Why == "" || c.Source == "" {
			o.broken(7, "operation %s (%s) does not say who asked, what for and why: %+v", operation.ID, operation.Kind, c)
		}
	}
}
