package kubernetes

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/watch"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"portolan/local/kubernetes/store"
)

// How long a watch lasts that says nothing of it, and how often it hears that nothing
// happened.
const (
	watchLasts    = 45 * time.Minute
	bookmarkEvery = time.Minute
	lastMark      = 2 * time.Second // a shorter watch ends without being told how far it came
)

// A watcher is one watch under way.
type watcher struct {
	*Server
	selection
	as        string
	bookmarks bool
	revision  int64          // that was told of
	initial   []*store.Entry // to tell first
	endMarked bool           // whether the end of what is told first is marked
	w         http.ResponseWriter
}

func (s *Server) watch(q *request) (answer, error) {
	as, err := accepts(q)
	if err != nil {
		return answer{}, err
	}
	sel, err := selectionOf(q)
	if err != nil {
		return answer{}, err
	}
	if q.name != "" {
		return answer{}, notAllowed(q)
	}
	wa := &watcher{Server: s, selection: sel, as: as, bookmarks: q.isTrue("allowWatchBookmarks"), endMarked: q.isTrue("sendInitialEvents")}
	if err := wa.begin(q); err != nil {
		return answer{}, err
	}
	lasts := watchLasts
	if seconds, err := strconv.Atoi(q.query.Get("timeoutSeconds")); err == nil && seconds > 0 {
		lasts = time.Duration(seconds) * time.Second
	}
	return answer{code: http.StatusOK, stream: func(w http.ResponseWriter) { wa.run(w, q, lasts) }}, nil
}

// begin finds where the watch starts: after a revision, or with all that there is.
func (wa *watcher) begin(q *request) error {
	revision, err := revisionOf(q)
	if err != nil {
		return err
	}
	wa.store.View(func(tx *store.Tx) {
		now := tx.Revision()
		switch {
		case revision > now:
			err = tooLarge(revision, now)
		case revision == 0 || wa.endMarked:
			wa.revision = now
			for _, e := range tx.List(wa.kind.Resource, wa.namespace) {
				if wa.has(e) {
					wa.initial = append(wa.initial, e)
				}
			}
		default:
			wa.revision = revision
		}
	})
	return err
}

// run tells of changes until the time is over, or the client or the server goes.
func (wa *watcher) run(w http.ResponseWriter, q *request, lasts time.Duration) {
	wa.w = w
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	for _, e := range wa.initial {
		if !wa.tell(watch.Added, e) {
			return
		}
	}
	if wa.endMarked && !wa.bookmark(map[string]string{metav1.InitialEventsAnnotationKey: "true"}) {
		return
	}
	wa.flush()
	end := wa.config.Clock.NewTimer(lasts)
	defer end.Stop()
	mark := wa.config.Clock.NewTimer(bookmarkEvery)
	defer mark.Stop()
	for {
		changed, ok := wa.catchUp()
		if !ok {
			return
		}
		select {
		case <-changed:
		case <-mark.C:
			if wa.bookmarks && !wa.bookmark(nil) {
				return
			}
			wa.flush()
			mark.Reset(wa.config.Clock.Real(bookmarkEvery))
		case <-end.C:
			if wa.bookmarks && lasts > lastMark {
				wa.bookmark(nil)
			}
			return
		case <-q.Context().Done():
			return
		case <-wa.closed:
			return
		}
	}
}

// catchUp tells what changed since, and returns what the next change closes.
func (wa *watcher) catchUp() (changed <-chan struct{}, ok bool) {
	var events []store.Event
	var err error
	wa.store.View(func(tx *store.Tx) {
		events, err = tx.Since(wa.kind.Resource, wa.revision)
		changed = tx.Changed(wa.kind.Resource)
		if err == nil {
			defer func(now int64) { wa.revision = now }(tx.Revision())
		}
	})
	if err != nil {
		wa.expired()
		return nil, false
	}
	for _, e := range events {
		before, after := wa.has(e.Before), wa.has(e.After)
		ok := true
		switch {
		case after && before:
			ok = wa.tell(watch.Modified, e.After)
		case after:
			ok = wa.tell(watch.Added, e.After)
		case before && e.After == nil:
			ok = wa.tell(watch.Deleted, e.Last)
		case before:
			ok = wa.tell(watch.Deleted, asOf(e))
		}
		if !ok {
			return nil, false
		}
	}
	if len(events) > 0 {
		wa.flush()
	}
	return changed, true
}

// asOf is an object that a change took out of a selection: as it was, at the revision
// of the change.
func asOf(e store.Event) *store.Entry {
	last := e.Before.Object.DeepCopyObject().(store.Object)
	last.SetResourceVersion(itoa(e.Revision))
	return &store.Entry{Object: last}
}

func (wa *watcher) tell(what watch.EventType, e *store.Entry) bool {
	return wa.send(what, wa.shown(wa.kind, e, wa.as))
}

func (wa *watcher) send(what watch.EventType, object []byte) bool {
	line := append([]byte(`{"type":"`+string(what)+`","object":`), object...)
	_, err := wa.w.Write(append(line, '}', '\n'))
	return err == nil
}

// bookmark tells only how far the watch has come.
func (wa *watcher) bookmark(annotations map[string]string) bool {
	o := wa.kind.New()
	o.SetResourceVersion(itoa(wa.revision))
	o.SetAnnotations(annotations)
	return wa.tell(watch.Bookmark, &store.Entry{Object: o})
}

func (wa *watcher) expired() {
	status := apierrors.NewResourceExpired("too old resource version: " + itoa(wa.revision)).ErrStatus
	status.Kind, status.APIVersion = "Status", "v1"
	if raw, err := json.Marshal(status); err == nil {
		wa.send(watch.Error, raw)
		wa.flush()
	}
}

func (wa *watcher) flush() {
	if f, ok := wa.w.(http.Flusher); ok {
		f.Flush()
	}
}
