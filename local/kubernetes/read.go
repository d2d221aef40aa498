package kubernetes

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"

	"portolan/local/kubernetes/kinds"
	"portolan/local/kubernetes/store"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func (s *Server) get(q *request) (answer, error) {
	as, err := accepts(q)
	if err != nil {
		return answer{}, err
	}
	var e *store.Entry
	s.store.View(func(tx *store.Tx) { e = tx.Entry(q.kind.Resource, q.namespace, q.name) })
	if e == nil {
		return answer{}, apierrors.NewNotFound(q.groupResource(), q.name)
	}
	return answer{code: http.StatusOK, body: s.shown(q.kind, e, as)}, nil
}

// shown is an object as a client asked to see it.
func (s *Server) shown(k *kinds.Kind, e *store.Entry, as string) []byte {
	switch as {
	case "Table":
		return s.table(k, []*store.Entry{e}, metav1.ListMeta{ResourceVersion: e.Object.GetResourceVersion()}, true)
	case "PartialObjectMetadata":
		return typed(metadata(e.Object), metav1.SchemeGroupVersion.WithKind("PartialObjectMetadata"))
	}
	return typed(e.JSON(), k.GroupVersionKind)
}

func metadata(o store.Object) []byte {
	raw, err := json.Marshal(map[string]any{"metadata": metaOf(o)})
	if err != nil {
		panic(err) // it is Kubernetes's own type
	}
	return raw
}

func metaOf(o store.Object) any { return o.(metav1.ObjectMetaAccessor).GetObjectMeta() }

// A selection is what a list or a watch is limited to.
type selection struct {
	kind      *kinds.Kind
	namespace string
	labels    labels.Selector
	fields    fields.Selector
}

func selectionOf(q *request) (selection, error) {
	sel := selection{kind: q.kind, namespace: q.namespace}
	var err error
	if sel.labels, err = labels.Parse(q.query.Get("labelSelector")); err != nil {
		return sel, apierrors.NewBadRequest(fmt.Sprintf("unable to parse requirement: %v", err))
	}
	if sel.fields, err = fields.ParseSelector(q.query.Get("fieldSelector")); err != nil {
		return sel, apierrors.NewBadRequest(err.Error())
	}
	if sel.fields.Empty() {
		return sel, nil
	}
	known := q.kind.Fields(q.kind.New())
	for _, r := range sel.fields.Requirements() {
		if _, ok := known[r.Field]; !ok {
			return sel, apierrors.NewBadRequest("field label not supported: " + r.Field)
		}
	}
	return sel, nil
}

func (sel selection) has(e *store.Entry) bool {
	return e != nil && (sel.namespace == "" || e.Object.GetNamespace() == sel.namespace) &&
		(sel.labels.Empty() || sel.labels.Matches(labels.Set(e.Object.GetLabels()))) &&
		(sel.fields.Empty() || sel.fields.Matches(sel.kind.Fields(e.Object)))
}

// A position is where a list goes on, as Kubernetes encodes it.
type position struct {
	Version  string `json:"v"`
	Revision int64  `json:"rv"`
	Start    string `json:"start"`
}

func (s *Server) list(q *request) (answer, error) {
	as, err := accepts(q)
	if err != nil {
		return answer{}, err
	}
	sel, err := selectionOf(q)
	if err != nil {
		return answer{}, err
	}
	entries, at, err := s.entries(q)
	if err != nil {
		return answer{}, err
	}
	entries = slices.DeleteFunc(slices.Clone(entries), func(e *store.Entry) bool { return !sel.has(e) })
	meta := metav1.ListMeta{ResourceVersion: itoa(at.Revision)}
	if at.Start != "" {
		first := slices.IndexFunc(entries, func(e *store.Entry) bool { return store.KeyOf(e.Object) >= at.Start })
		if first < 0 {
			first = len(entries)
		}
		entries = entries[first:]
	}
	if limit, err := strconv.Atoi(q.query.Get("limit")); err == nil && limit > 0 && len(entries) > limit {
		next := position{Version: "meta.k8s.io/v1", Revision: at.Revision, Start: store.KeyOf(entries[limit].Object)}
		raw, err := json.Marshal(next)
		if err != nil {
			return answer{}, err
		}
		meta.Continue = base64.RawURLEncoding.EncodeToString(raw)
		if sel.labels.Empty() && sel.fields.Empty() {
			left := int64(len(entries) - limit)
			meta.RemainingItemCount = &left
		}
		entries = entries[:limit]
	}
	return answer{code: http.StatusOK, body: s.shownList(q.kind, entries, meta, as, at.Start == "")}, nil
}

// entries are all that a list is picked from: of now, or of the revision that its
// first page was of.
func (s *Server) entries(q *request) (entries []*store.Entry, at position, err error) {
	token := q.query.Get("continue")
	if token != "" {
		raw, err := base64.RawURLEncoding.DecodeString(token)
		if err == nil {
			err = json.Unmarshal(raw, &at)
		}
		if err != nil || at.Start == "" {
			return nil, at, apierrors.NewBadRequest("invalid continue token: continue key is not valid: " + token)
		}
	}
	asked, err := revisionOf(q)
	if err != nil {
		return nil, at, err
	}
	s.store.View(func(tx *store.Tx) {
		now := tx.Revision()
		switch {
		case token == "" && q.query.Get("resourceVersionMatch") == "Exact":
			at.Revision = asked
		case token == "":
			at.Revision = now
		}
		if max(asked, at.Revision) > now {
			err = tooLarge(max(asked, at.Revision), now)
			return
		}
		entries, err = tx.ListAt(q.kind.Resource, q.namespace, at.Revision)
	})
	if errors.Is(err, store.ErrForgotten) {
		return nil, at, apierrors.NewResourceExpired("The provided continue parameter is too old to display a consistent list " +
			"result. You must start a new list without the continue parameter.")
	}
	return entries, at, err
}

// revisionOf is the revision that a request asks for; 0 where it asks for none.
func revisionOf(q *request) (int64, error) {
	text := q.query.Get("resourceVersion")
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, apierrors.NewBadRequest(fmt.Sprintf("invalid resource version: resourceVersion: Invalid value: %q: strconv.ParseUint: parsing %q: invalid syntax",
			text, text))
	}
	return n, nil
}

// tooLarge is for a revision that there was not yet.
func tooLarge(asked, now int64) error {
	e := apierrors.NewTimeoutError(fmt.Sprintf("Too large resource version: %d, current: %d", asked, now), 1)
	e.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: metav1.CauseTypeResourceVersionTooLarge,
		Message: "Too large resource version"}}
	return e
}

func (s *Server) shownList(k *kinds.Kind, entries []*store.Entry, meta metav1.ListMeta, as string, first bool) []byte {
	gvk := k.GroupVersion().WithKind(k.Kind + "List")
	item := func(e *store.Entry) []byte { return e.JSON() }
	switch as {
	case "Table":
		return s.table(k, entries, meta, first)
	case "PartialObjectMetadata":
		gvk = metav1.SchemeGroupVersion.WithKind("PartialObjectMetadataList")
		item = func(e *store.Entry) []byte { return metadata(e.Object) }
	}
	head, err := json.Marshal(meta)
	if err != nil {
		panic(err) // it is Kubernetes's own type
	}
	items := make([][]byte, len(entries))
	for i, e := range entries {
		items[i] = item(e)
	}
	return slices.Concat(typed([]byte(`{"metadata":`), gvk), head, []byte(`,"items":[`), bytes.Join(items, []byte{','}), []byte("]}\n"))
}
