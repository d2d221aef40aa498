package kubernetes

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// A removal is an API that a release has no more, and what it answers until then.
type removal struct {
	minor int
	kind  string
}

// removals are the APIs that were removed from releases which EKS still has. The servers
// before them have none of the objects.
// https://kubernetes.io/docs/reference/using-api/deprecation-guide/
var removals = map[[3]string]removal{
	{"flowcontrol.apiserver.k8s.io", "v1beta3", "flowschemas"}:                 {32, "FlowSchemaList"},
	{"flowcontrol.apiserver.k8s.io", "v1beta3", "prioritylevelconfigurations"}: {32, "PriorityLevelConfigurationList"},
}

// old answers a list of a deprecated API, and remembers that somebody asked for it.
func (s *Server) old(q *request) (answer, bool) {
	key := [3]string{q.group, q.version, q.resource}
	gone, ok := removals[key]
	if !ok || q.verb != "list" || s.minor() >= gone.minor {
		return answer{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked == nil {
		s.asked = map[[3]string]map[string]bool{}
	}
	if s.asked[key] == nil {
		s.asked[key] = map[string]bool{}
	}
	client, _, _ := strings.Cut(q.UserAgent(), " ")
	s.asked[key][client] = true
	return answer{code: http.StatusOK, body: fmt.Appendf(nil, `{"kind":%q,"apiVersion":"%s/%s","metadata":{"resourceVersion":"1"},"items":[]}`,
		gone.kind, q.group, q.version)}, true
}

// minor is the second number of the server's version.
func (s *Server) minor() int {
	parts := strings.SplitN(strings.TrimPrefix(*s.release.Load(), "v"), ".", 3)
	n, err := strconv.Atoi(parts[min(1, len(parts)-1)])
	if err != nil {
		return 0
	}
	return n
}

// A DeprecatedUse is an API that somebody asked for and that a later release has no more.
type DeprecatedUse struct {
	Group, Version, Resource string
	RemovedIn                int // minor version
	Clients                  []string
}

// DeprecatedUses are those since the server started.
func (s *Server) DeprecatedUses() []DeprecatedUse {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []DeprecatedUse
	for _, key := range slices.SortedFunc(maps.Keys(s.asked), func(a, b [3]string) int { return slices.Compare(a[:], b[:]) }) {
		out = append(out, DeprecatedUse{key[0], key[1], key[2], removals[key].minor, slices.Sorted(maps.Keys(s.asked[key]))})
	}
	return out
}
