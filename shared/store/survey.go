package store

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"portolan/shared/orchestrator"
)

// Workloads lists what a survey saw, in the order in which it was kept.
func (s *Store) Workloads(ctx context.Context, survey string, p Page) ([]orchestrator.Workload, string, error) {
	return page[orchestrator.Workload](ctx, s, query{partition: join("WORKLOADS", survey)}, p)
}

// KeepWorkload keeps one thing that a survey saw, under its number there, at least
// until then. Nobody looks at it before the cluster names the survey.
func KeepWorkload(survey string, n int, w orchestrator.Workload, until time.Time) Write {
	k := key{join("WORKLOADS", survey), fmt.Sprintf("%06d", n)}
	return put(k, w, map[string]types.AttributeValue{"expires": number(until.Unix())}, condition{}, nil)
}
