package cluster

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"github.com/moby/moby/api/types/swarm"
)

var (
	constraintKey   = regexp.MustCompile(`^(?i)[a-z_][a-z0-9\-_.]+$`)
	constraintValue = regexp.MustCompile(`^(?i)[a-z0-9:\-_\s\.\*\(\)\?\+\[\]\\\^\$\|\/]+$`)
)

// A constraint says which nodes may run a task.
type constraint struct {
	key, value string
	not        bool
}

func parseConstraints(all []string) (out []constraint, err error) {
	for _, text := range all {
		operator := "=="
		key, value, ok := strings.Cut(text, operator)
		if !ok {
			operator = "!="
			key, value, ok = strings.Cut(text, operator)
		}
		if !ok {
			return nil, fmt.Errorf("constraint expected one operator from ==, !=")
		}
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if !constraintKey.MatchString(key) {
			return nil, fmt.Errorf("key '%s' is invalid", key)
		}
		if !constraintValue.MatchString(value) {
			return nil, fmt.Errorf("value '%s' is invalid", value)
		}
		out = append(out, constraint{key, value, operator == "!="})
	}
	return out, nil
}

// admits says whether a node fulfils all constraints of a task.
func admits(p *swarm.Placement, n *node) bool {
	if p == nil {
		return true
	}
	all, err := parseConstraints(p.Constraints)
	if err != nil {
		return true
	}
	for _, one := range all {
		if !one.admits(n) {
			return false
		}
	}
	return true
}

func (c constraint) admits(n *node) bool {
	if strings.EqualFold(c.key, "node.ip") {
		return c.admitsAddress(n.Node.Status.Addr)
	}
	value, known := describe(n, c.key)
	return known && strings.EqualFold(value, c.value) != c.not
}

func (c constraint) admitsAddress(address string) bool {
	have, err := netip.ParseAddr(address)
	if err != nil {
		return c.not
	}
	if want, err := netip.ParseAddr(c.value); err == nil {
		return (want == have) != c.not
	}
	within, err := netip.ParsePrefix(c.value)
	return err == nil && within.Contains(have) != c.not
}

// describe is what a node has under a name such as node.labels.zone; known is whether
// there is such a name.
func describe(n *node, name string) (value string, known bool) {
	lower := strings.ToLower(name)
	switch lower {
	case "node.id":
		return n.ID, true
	case "node.hostname":
		return n.Description.Hostname, true
	case "node.role":
		return string(n.Role), true
	case "node.platform.os":
		return n.Description.Platform.OS, true
	case "node.platform.arch":
		return n.Description.Platform.Architecture, true
	}
	for prefix, labels := range map[string]map[string]string{
		"node.labels.": n.Spec.Labels, "engine.labels.": n.Description.Engine.Labels,
	} {
		if len(name) > len(prefix) && strings.HasPrefix(lower, prefix) {
			return labels[name[len(prefix):]], true
		}
	}
	return "", false
}
