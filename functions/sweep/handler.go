// Package sweep finds what a cluster left behind: whatever still carries its tag.
//
// It must never delete anything: it names what is left, and people or a further
// retirement take it away.
package sweep

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi/types"

	"portolan/shared/fault"
	"portolan/shared/step"
)

// Resources looks for resources by their tags.
type Resources interface {
	GetResources(context.Context, *resourcegroupstaggingapi.GetResourcesInput, ...func(*resourcegroupstaggingapi.Options)) (*resourcegroupstaggingapi.GetResourcesOutput, error)
}

// Handler handles the step FindLeft.
type Handler struct {
	Store     step.Store
	Resources Resources
	Compute   Compute
	Log       *slog.Logger
}

// In is a call with the state of the machine.
type In struct {
	step.Call
	State State `json:"state"`
}

// State is what the machine carries on: whether the cluster is gone without a
// trace, and what is left of it, by ARN.
type State struct {
	Clean  bool     `json:"clean"`
	Left   []string `json:"left"`
	Reason string   `json:"reason"`
}

// pagesMax bounds how much is looked for; a page names a hundred resources.
const pagesMax = 10

// Handle looks for what carries the cluster's tag.
func (h *Handler) Handle(ctx context.Context, in In) (State, error) {
	if in.Step != "FindLeft" {
		return State{}, in.Unknown("sweep", "FindLeft")
	}
	cluster, err := in.ClusterTarget()
	if err != nil {
		return State{}, err
	}
	if _, err := step.Enter(ctx, h.Store, in.Call); err != nil {
		return State{}, err
	}
	out := State{Left: []string{}, Reason: in.State.Reason}
	var token *string
	for range pagesMax {
		page, err := h.Resources.GetResources(ctx, &resourcegroupstaggingapi.GetResourcesInput{
			TagFilters:       []types.TagFilter{{Key: aws.String("portolan:cluster"), Values: []string{cluster}}},
			ResourcesPerPage: aws.Int32(100), PaginationToken: token,
		})
		if err != nil {
			return State{}, fault.FromAWS(err, "looking for what is left of cluster "+cluster)
		}
		for _, resource := range page.ResourceTagMappingList {
			out.Left = append(out.Left, aws.ToString(resource.ResourceARN))
		}
		if token = page.PaginationToken; aws.ToString(token) == "" {
			break
		}
	}
	if out.Left, err = remaining(ctx, h.Compute, out.Left); err != nil {
		return State{}, err
	}
	out.Clean = len(out.Left) == 0
	if out.Reason == "" {
		out.Reason = fmt.Sprintf("%d resources still carry the cluster's tag", len(out.Left))
	}
	h.Log.InfoContext(ctx, "swept", "operation", in.Operation, "cluster", cluster, "left", out.Left)
	return out, nil
}
