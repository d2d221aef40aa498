package sweeper

import (
	"context"
	"errors"
	"fmt"
	"time"

	"portolan/shared/model"
	"portolan/shared/store"
)

const (
	// roundEvery is how often a round begins: with the first run of each half hour, which may
	// be the one that counts orphans and lists the clusters anyway.
	roundEvery = 30 * time.Minute

	// looksMax bounds how many services, bindings and clusters one run looks at; the
	// next run goes on behind them.
	looksMax = 300
)

// A look is the part of a round that one run does.
type look struct {
	*Handler
	at     time.Time
	left   int
	ahead  []model.Cluster // from the one that is looked at on
	images map[string]image
	found  []Finding
	failed []error

	groups    groups
	described map[string]bool // the names of groups that were asked for
}

// round looks at everything of which only events tell that may be lost: services and
// node pools that were changed past Portolan, and images that were pushed. It goes on from where the
// last run came to, and returns where it came to. What cannot be looked at comes up
// again in the next round.
func (h *Handler) round(ctx context.Context, clusters listing, r store.Round, at time.Time) (store.Round, []Finding, error) {
	if resting(r, at) {
		return r, nil, nil
	}
	ready, err := clusters.ready()
	if err != nil || len(ready) == 0 {
		return r, nil, err
	}
	if r.Ended || r.Began.IsZero() {
		r = store.Round{Began: at}
	}
	l := &look{Handler: h, at: h.Now(), left: looksMax, images: map[string]image{}, groups: groups{}, described: map[string]bool{}}
	for i := range ready {
		c := &ready[i]
		if c.Name() < r.Cluster {
			continue
		}
		if c.Name() != r.Cluster {
			r.Cluster, r.Next = c.Name(), ""
		}
		l.ahead = ready[i:]
		if !l.cluster(ctx, c, &r) {
			return r, l.found, errors.Join(l.failed...)
		}
	}
	return store.Round{Began: r.Began, Ended: true}, l.found, errors.Join(l.failed...)
}

// resting says whether the last round is over, and the next one not due.
func resting(r store.Round, at time.Time) bool {
	return r.Ended && !r.Began.Before(at.Truncate(roundEvery))
}

// cluster looks at one cluster, from a page of its services and bindings on, and says
// whether it came to the end.
func (l *look) cluster(ctx context.Context, c *model.Cluster, r *store.Round) bool {
	for {
		if l.left <= 0 {
			return false
		}
		page, next, err := l.Store.Belongings(ctx, c.Name(), store.Page{Limit: min(pageSize, l.left), Next: r.Next})
		l.left -= max(1, len(page.Services)+len(page.Bindings))
		l.note("reading the services and bindings of cluster "+c.Name(), err)
		l.note("looking at the bindings of cluster "+c.Name(), l.bindings(ctx, page.Bindings))
		l.note("looking at the services of cluster "+c.Name(), l.services(ctx, c, page.Services))
		if r.Next = next; next == "" {
			break
		}
	}
	l.note("looking at the nodes of cluster "+c.Name(), l.pool(ctx, c))
	return true
}

// note keeps what went wrong.
func (l *look) note(doing string, err error) {
	if err != nil {
		l.failed = append(l.failed, fmt.Errorf("%s: %w", doing, err))
	}
}
