package kubernetesspec

import (
	"fmt"
	"strings"

	"portolan/shared/contract"
)

func (c *checker) loadBalancer() {
	balancer := c.spec.LoadBalancer
	if balancer.ContainerPort == 0 {
		return
	}
	listed := false
	for _, port := range c.spec.Ports {
		listed = listed || port.ContainerPort == balancer.ContainerPort && protocolOf(port) == contract.Tcp
	}
	if !listed {
		c.refuse("/loadBalancer/containerPort", "port %d/tcp is not listed in /ports", balancer.ContainerPort)
	}
	for i, rule := range balancer.Rules {
		pointer := fmt.Sprintf("/loadBalancer/rules/%d", i)
		for j, host := range rule.Hosts {
			if !isHost(host) {
				c.refuse(fmt.Sprintf("%s/hosts/%d", pointer, j), "an Ingress takes a name in lower case, whose first part "+
					"may be *, and no %q", host)
			}
		}
		for j, path := range rule.Paths {
			if _, _, ok := Path(path); !ok {
				c.refuse(fmt.Sprintf("%s/paths/%d", pointer, j), "an Ingress takes a path as it is, or with /* at its end "+
					"for all below it, and no %q", path)
			}
		}
	}
}

// Path says a path of a routing rule in the words of an Ingress: as it is, or with
// all that is below it. It is not ok when an Ingress has no words for it.
func Path(path string) (said string, below, ok bool) {
	said, below = strings.CutSuffix(path, "/*")
	if below {
		said += "/"
	}
	ok = strings.HasPrefix(said, "/") && !strings.ContainsAny(said, "*? %") && !strings.Contains(said, "//")
	for _, part := range strings.Split(said, "/") {
		ok = ok && part != "." && part != ".."
	}
	return said, below, ok
}

// isHost says whether an Ingress takes a host.
func isHost(host string) bool {
	rest, _ := strings.CutPrefix(host, "*.")
	return isSubdomain(rest) && (rest == host || strings.Contains(rest, "."))
}
