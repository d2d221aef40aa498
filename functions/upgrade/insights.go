package upgrade

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"portolan/shared/fault"
)

// insightsMax bounds how many insights are read; EKS has about ten.
const insightsMax = 20

// insights are what EKS itself finds in the way of the version: APIs above all that
// somebody asked for in the last 30 days and that the version has no more. EKS reads
// them from the API server's audit log, also behind a private endpoint, once a day.
// https://docs.aws.amazon.com/eks/latest/userguide/cluster-insights.html
func (w *work) insights(ctx context.Context) (blockers []string, err error) {
	found, err := w.client.ListInsights(ctx, &eks.ListInsightsInput{
		ClusterName: aws.String(w.name()), MaxResults: aws.Int32(insightsMax),
		Filter: &types.InsightsFilter{Categories: []types.Category{types.CategoryUpgradeReadiness},
			KubernetesVersions: []string{w.version()}, Statuses: []types.InsightStatusValue{types.InsightStatusValueError}},
	})
	if err != nil {
		return nil, fault.FromAWS(err, "reading what EKS says of version "+w.version()+" for cluster "+w.name())
	}
	for _, each := range found.Insights {
		out, err := w.client.DescribeInsight(ctx, &eks.DescribeInsightInput{ClusterName: aws.String(w.name()), Id: each.Id})
		if err != nil {
			return nil, fault.FromAWS(err, "reading an insight of EKS for cluster "+w.name())
		}
		blockers = append(blockers, sayInsight(out.Insight))
	}
	return blockers, nil
}

// sayInsight says in words what an insight is about, and who has to do something.
func sayInsight(insight *types.Insight) string {
	if insight.CategorySpecificSummary != nil && len(insight.CategorySpecificSummary.DeprecationDetails) > 0 {
		var uses []string
		for _, d := range insight.CategorySpecificSummary.DeprecationDetails {
			uses = append(uses, fmt.Sprintf("somebody%s still asks for %s, which 1.%s has no more: use %s", clients(d), aws.ToString(d.Usage),
				strings.TrimPrefix(aws.ToString(d.StopServingVersion), "1."), aws.ToString(d.ReplacedWith)))
		}
		return strings.Join(uses, "; ")
	}
	text := aws.ToString(insight.Name)
	if insight.InsightStatus != nil && aws.ToString(insight.InsightStatus.Reason) != "" {
		text += ": " + aws.ToString(insight.InsightStatus.Reason)
	}
	return text
}

// clients are those that asked, as they call themselves.
func clients(d types.DeprecationDetail) string {
	var names []string
	for _, each := range d.ClientStats {
		if name := aws.ToString(each.UserAgent); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return " (" + strings.Join(names, ", ") + ")"
}
