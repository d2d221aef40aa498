package kubernetes

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"portolan/shared/fault"
	"portolan/shared/kubernetes/kubernetesspec"
	"portolan/shared/orchestrator"
)

const (
	// metricsMax bounds how much of an API server's metrics is read, which are some
	// megabytes, and metricsLine a line of them.
	metricsMax  = 64 << 20
	metricsLine = 1 << 20
)

// inTheWay says what stands in the way of the version after a cluster's own, as far as
// its credentials let us look. What cannot be looked at is said, too.
func (c *connection) inTheWay(ctx context.Context, version string) ([]string, error) {
	now, ok := kubernetesspec.Minor(version)
	if !ok {
		return nil, nil
	}
	var all []string
	for _, look := range []struct {
		what string
		at   func() ([]string, error)
	}{
		{"old nodes", func() ([]string, error) { return c.oldNodes(ctx, now+1) }},
		{"disruption budgets", func() ([]string, error) { return c.fullBudgets(ctx) }},
		{"APIs in use", func() ([]string, error) { return c.removedAPIs(ctx, now+1) }},
	} {
		found, err := look.at()
		switch {
		case denied(err), fault.IsNotFound(err), fault.IsInvalid(err):
			all = append(all, fmt.Sprintf("nobody knows whether %s are in the way: %v", look.what, err))
		case err != nil:
			return nil, err
		}
		all = append(all, found...)
	}
	if more := len(all) - orchestrator.BlockersMax; more > 0 {
		all = append(all[:orchestrator.BlockersMax], fmt.Sprintf("%d things more", more))
	}
	return all, nil
}

// metrics is where an API server counts, for administrators.
var metrics = kind{plural: "/metrics", everywhere: true}

// removedAPIs names the APIs that somebody asked for since the API server started and
// that a version has no more. Of several API servers, the one that answers tells.
func (c *connection) removedAPIs(ctx context.Context, to int) ([]string, error) {
	if c.facts.Connector != "" {
		return nil, fault.New(fault.Invalid, "the API server's metrics are too large for the connector")
	}
	ctx, cancel := context.WithTimeout(ctx, requestDeadline)
	defer cancel()
	body, err := c.client.Get().AbsPath(metrics.plural).MaxRetries(retries).Stream(ctx)
	if err != nil {
		return nil, classify(err, "reading the API server's metrics", "get", metrics, "")
	}
	defer body.Close()
	found, err := removedIn(io.LimitReader(body, metricsMax), to)
	return found, classify(err, "reading the API server's metrics", "get", metrics, "")
}

// label is one of a metric's labels.
var label = regexp.MustCompile(`([a-z_]+)="([^"]*)"`)

// removedIn reads metrics. What the API server counts of deprecated APIs is 1 for each
// that was asked for:
// https://kubernetes.io/docs/reference/using-api/deprecation-guide/.
func removedIn(metrics io.Reader, to int) (blockers []string, err error) {
	lines := bufio.NewScanner(metrics)
	lines.Buffer(nil, metricsLine)
	for lines.Scan() {
		labels, counted := strings.CutPrefix(lines.Text(), "apiserver_requested_deprecated_apis{")
		labels, value, _ := strings.Cut(labels, "}")
		if !counted || strings.TrimSpace(value) == "0" {
			continue
		}
		of := map[string]string{}
		for _, pair := range label.FindAllStringSubmatch(labels, -1) {
			of[pair[1]] = pair[2]
		}
		gone, known := kubernetesspec.Minor(of["removed_release"])
		if !known || gone > to {
			continue
		}
		blockers = append(blockers, fmt.Sprintf("somebody still asks for %s of %s, which 1.%d has no more",
			of["resource"], strings.TrimPrefix(of["group"]+"/"+of["version"], "/"), gone))
	}
	slices.Sort(blockers)
	return slices.Compact(blockers), lines.Err()
}
