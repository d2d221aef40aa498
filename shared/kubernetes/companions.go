package kubernetes

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// Before the hash of a companion, the workload's annotation says whether the driver
// made it or found it there.
const (
	companionMade  = "made:"
	companionFound = "found:"
)

// known reads what was applied beside the workload. What cannot be read was not written
// by us, and all is applied.
func (w *workload) known() map[string]string {
	list := map[string]string{}
	if w != nil {
		_ = json.Unmarshal([]byte(w.Annotations[annotationCompanions]), &list)
	}
	return list
}

// listed is what known reads.
func listed(companions []wish) string {
	list := map[string]string{}
	for _, w := range companions {
		list[w.companion()] = w.known()
	}
	text, _ := json.Marshal(list) // strings can always be written
	return string(text)
}

func (w *wish) companion() string { return w.kind.name + "/" + w.name }

func (w *wish) known() string {
	if w.annotation(annotationMade) == "" {
		return companionFound + w.hash[:8]
	}
	return companionMade + w.hash[:8]
}

// companions are wished beside the workload. Those that were not known before are made
// at once.
func (a *application) companions(ctx context.Context) ([]wish, error) {
	var wishes []wish
	before := a.existing.known()
	for _, o := range companions(a.release, a.namespace) {
		w, err := wishFor(a.release.Service, a.namespace, o)
		if err != nil {
			return nil, err
		}
		w.set("annotations", map[string]string{annotationOperation: a.release.Operation})
		known, found := before[w.companion()]
		if !found || strings.HasPrefix(known, companionMade) {
			w.mark()
		}
		if !found {
			if err := a.makeCompanion(ctx, &w, a.blind && len(wishes) == 0); err != nil {
				return nil, err
			}
		}
		wishes = append(wishes, w)
	}
	return wishes, nil
}

// makeCompanion makes a companion, with the mark that we did. What is there and has no
// mark is somebody else's, and not ours to delete: it is only applied. The first one
// tells whether to go on without a look.
func (a *application) makeCompanion(ctx context.Context, w *wish, first bool) error {
	err := a.makeNew(ctx, *w)
	if w.made = err == nil; !fault.IsConflict(err) {
		return err
	}
	if first {
		return errThere
	}
	live, lookErr := a.metadata(ctx, w.kind, w.namespace, w.name)
	switch {
	case lookErr != nil:
		return lookErr
	case live == nil: // it went meanwhile, or the namespace does
		return err
	case live.DeletionTimestamp != nil:
		return fault.New(fault.Conflict, "%s is being deleted", w.say())
	case live.Annotations[annotationMade] == "":
		w.unmark()
		return nil
	}
	if of := live.Labels[labelPartOf]; of != "" && of != a.release.Service.Cluster.Name {
		return fault.New(fault.Conflict, "%s belongs to cluster %q", w.say(), of)
	}
	return nil
}

// mark notes on an object that we made it.
func (w *wish) mark() { w.set("annotations", map[string]string{annotationMade: "true"}) }

func (w *wish) unmark() { delete(w.metadata()["annotations"].(map[string]any), annotationMade) }

// applyCompanions applies those that the release changes, and takes away those that it
// has no more. When it changes nothing they are read, because somebody else may have
// changed them.
func (a *application) applyCompanions(ctx context.Context, wishes []wish, unchanged bool) error {
	before := a.existing.known()
	for _, w := range wishes {
		known := before[w.companion()]
		delete(before, w.companion())
		if w.made {
			continue
		}
		right, err := a.asWished(ctx, w, known, unchanged)
		if err != nil {
			return err
		}
		if right {
			continue
		}
		if err := a.apply(ctx, w, a.force(), nil); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if err := a.drop(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (a *application) asWished(ctx context.Context, w wish, known string, unchanged bool) (bool, error) {
	if known != w.known() || !unchanged {
		return known == w.known(), nil
	}
	live, err := a.metadata(ctx, w.kind, w.namespace, w.name)
	return live != nil && live.Annotations[annotationHash] == w.hash && untouched(*live), err
}

// dropped are the kinds that go when a release has them no more. Claims and volumes
// stay until the service goes: an earlier release may come back to its data.
var dropped = []kind{services, ingresses, budgets}

func (a *application) drop(ctx context.Context, companion string) error {
	of, name, _ := strings.Cut(companion, "/")
	for _, k := range dropped {
		if k.name == of {
			return a.deleteOurs(ctx, k, a.release.Service, name)
		}
	}
	return nil
}

// deleteOurs deletes an object that was made for the service.
func (c *connection) deleteOurs(ctx context.Context, k kind, ref orchestrator.ServiceRef, name string) error {
	live, err := c.metadata(ctx, k, namespaceOf(ref), name)
	if err != nil || live == nil || !belongs(live, ref) || live.Annotations[annotationMade] == "" {
		return err
	}
	return c.delete(ctx, k, *live, meta.DeletePropagationBackground)
}

// belongs says whether an object is of a service.
func belongs(o *meta.ObjectMeta, ref orchestrator.ServiceRef) bool {
	return o.Labels[labelManagedBy] == manager && o.Labels[labelPartOf] == ref.Cluster.Name && o.Labels[labelService] == ref.Name
}
