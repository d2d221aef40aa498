package kubernetesspec

import (
	"maps"
	"slices"
)

// environment checks variables and where their values come from.
func (c *checker) environment() {
	for _, name := range slices.Sorted(maps.Keys(c.spec.Environment)) {
		c.variable("/environment/"+escaped(name), name)
	}
	for _, name := range slices.Sorted(maps.Keys(c.spec.Kubernetes.SecretKeys)) {
		pointer := "/kubernetes/secretKeys/" + escaped(name)
		c.variable(pointer, name)
		if _, twice := c.spec.Environment[name]; twice {
			c.refuse(pointer, "the variable is in /environment too")
		}
		if secret := c.spec.Kubernetes.SecretKeys[name].Secret; !isSubdomain(secret) {
			c.refuse(pointer+"/secret", "a name has no dot or dash beside a dot, and is no %q", secret)
		}
	}
	if len(c.spec.Secrets) > 0 {
		c.refuse("/secrets", "a pod reads no Secrets Manager or Parameter Store into its variables: put the values into a "+
			"Secret of the namespace (External Secrets and others copy them there), and name its keys in "+
			"/kubernetes/secretKeys")
	}
}

func (c *checker) variable(pointer, name string) {
	if !isVariable(name) {
		c.refuse(pointer, "a variable is named by letters, digits, dashes, underscores and dots, the first no digit")
	}
}
