package eks

import (
	"context"
	"fmt"
	"slices"

	"portolan/local/kubernetes"
	"portolan/local/wire"
)

// insight is what EKS finds of a cluster that stands in the way of a version. Here that
// is the use of APIs that it has no more, and it is known at once and not once a day.
type insight struct {
	ID             string        `json:"id"`
	Name           string        `json:"name"`
	Category       string        `json:"category"`
	Version        string        `json:"kubernetesVersion"`
	RefreshedAt    wire.Time     `json:"lastRefreshTime"`
	Description    string        `json:"description"`
	Status         insightStatus `json:"insightStatus"`
	Recommendation string        `json:"recommendation,omitempty"`
	Summary        *summary      `json:"categorySpecificSummary,omitempty"`
}

type insightStatus struct {
	Status string `json:"status"`
	Reason string `json:"reason"`
}

type summary struct {
	Details []deprecation `json:"deprecationDetails"`
}

type deprecation struct {
	Usage        string       `json:"usage"`
	ReplacedWith string       `json:"replacedWith"`
	StopServing  string       `json:"stopServingVersion"`
	StartServing string       `json:"startServingReplacementVersion"`
	Clients      []clientStat `json:"clientStats"`
}

type clientStat struct {
	UserAgent string `json:"userAgent"`
	Requests  int    `json:"numberOfRequestsLast30Days"`
}

// insights are those of a cluster: one for each version that has less than this one.
func (s *Server) insights(c cluster, server *kubernetes.Server) []insight {
	byVersion := map[int][]deprecation{}
	if server != nil {
		for _, use := range server.DeprecatedUses() {
			d := deprecation{Usage: fmt.Sprintf("/apis/%s/%s/%s", use.Group, use.Version, use.Resource), StopServing: fmt.Sprintf("1.%d", use.RemovedIn),
				ReplacedWith: fmt.Sprintf("/apis/%s/v1/%s", use.Group, use.Resource), StartServing: "1.29"}
			for _, client := range use.Clients {
				d.Clients = append(d.Clients, clientStat{client, 1})
			}
			byVersion[use.RemovedIn] = append(byVersion[use.RemovedIn], d)
		}
	}
	var out []insight
	for _, version := range versions {
		n := minor(version)
		if n <= minor(c.Version) {
			continue
		}
		i := insight{ID: fmt.Sprintf("00000000-0000-4000-8000-%012d", n), Name: "Deprecated APIs removed in Kubernetes v" + version,
			Category: "UPGRADE_READINESS", Version: version, RefreshedAt: wire.At(s.now()),
			Description: "Checks for usage of deprecated APIs that are scheduled for removal in Kubernetes v" + version + ".",
			Status:      insightStatus{"PASSING", "No deprecated API usage detected within the last 30 days."}}
		if details := byVersion[n]; len(details) > 0 {
			i.Status = insightStatus{"ERROR", "Deprecated API usage detected within last 30 days and your cluster is on Kubernetes v" + c.Version + "."}
			i.Recommendation, i.Summary = "Update manifests and API clients to use newer Kubernetes APIs.", &summary{details}
		}
		out = append(out, i)
	}
	return out
}

type insightInput struct {
	Cluster string `json:"clusterName"`
	ID      string `json:"id"`
	Filter  struct {
		Categories []string `json:"categories"`
		Versions   []string `json:"kubernetesVersions"`
		Statuses   []string `json:"statuses"`
	} `json:"filter"`
}

type listInsightsOutput struct {
	Insights []insight `json:"insights"`
}

func (s *Server) listInsights(_ context.Context, in *insightInput) (*listInsightsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, server, err := s.findActive(in.Cluster)
	if err != nil {
		return nil, err
	}
	matches := func(list []string, value string) bool { return len(list) == 0 || slices.Contains(list, value) }
	out := &listInsightsOutput{Insights: []insight{}}
	for _, i := range s.insights(c, server) {
		if matches(in.Filter.Categories, i.Category) && matches(in.Filter.Versions, i.Version) && matches(in.Filter.Statuses, i.Status.Status) {
			i.Recommendation, i.Summary = "", nil
			out.Insights = append(out.Insights, i)
		}
	}
	return out, nil
}

type insightOutput struct {
	Insight insight `json:"insight"`
}

func (s *Server) describeInsight(_ context.Context, in *insightInput) (*insightOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, server, err := s.findActive(in.Cluster)
	if err != nil {
		return nil, err
	}
	for _, i := range s.insights(c, server) {
		if i.ID == in.ID {
			return &insightOutput{i}, nil
		}
	}
	return nil, notFound(in.Cluster, "No insight found for id: %s", in.ID)
}
