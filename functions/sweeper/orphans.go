package sweeper

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"portolan/shared/contract"
	"portolan/shared/fault"
	"portolan/shared/leftover"
	"portolan/shared/model"
	"portolan/shared/store"
)

const (
	// orphanPagesMax bounds how many pages of tagged resources are read.
	orphanPagesMax = 100

	// orphansMax bounds how many orphans of one cluster are kept as audit records.
	orphansMax = 50

	day = 24 * time.Hour
)

// orphans finds what carries the tag of a cluster that the table does not know, or
// knows to be retired. It reports, and deletes nothing: who restored a table to an
// earlier moment does not want to lose what was made since.
func (h *Handler) orphans(ctx context.Context, clusters listing) (int, error) {
	listed, err := clusters()
	if err != nil {
		return 0, err
	}
	known := map[string]bool{}
	for _, c := range listed {
		known[c.Name()] = true
	}
	found, all, err := leftover.Find(ctx, h.Resources, h.Compute, leftover.Search{Known: known, PagesMax: orphanPagesMax})
	if err != nil {
		return 0, err
	}
	if !all {
		h.Log.WarnContext(ctx, "there are more tagged resources than one run looks at", "pages", orphanPagesMax)
	}
	count := 0
	for _, name := range slices.Sorted(maps.Keys(found)) {
		// The list lags, and a cluster that is new may not be in it.
		cluster, err := h.Store.Cluster(ctx, name)
		if err != nil && !fault.IsNotFound(err) {
			return count, err
		}
		if err == nil && cluster.Status != contract.ClusterRetired {
			continue
		}
		count += len(found[name])
		h.Log.WarnContext(ctx, "the table does not know", "cluster", name, "resources", found[name])
		if err := h.keepOrphans(ctx, name, found[name]); err != nil {
			return count, err
		}
	}
	h.Log.InfoContext(ctx, "orphans counted", "orphans", count)
	return count, nil
}

// keepOrphans keeps one audit record a day for each orphan.
func (h *Handler) keepOrphans(ctx context.Context, cluster string, arns []string) error {
	today := h.Now().UTC().Truncate(day)
	var writes []store.Write
	for _, arn := range arns[:min(len(arns), orphansMax)] {
		writes = append(writes, store.CreateAudit(model.AuditRecord{
			Cluster: cluster, EventID: "orphan/" + arn, Time: today, Who: "portolan sweeper",
			What: "portolan:FoundOrphan", Region: regionOf(arn), Detail: arn,
		}))
	}
	return h.Store.Commit(ctx, writes...)
}

func regionOf(arn string) string {
	if parts := strings.SplitN(arn, ":", 5); len(parts) == 5 {
		return parts[3]
	}
	return ""
}
