package kubernetes

import (
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"portolan/local/kubernetes/kinds"
	"portolan/local/kubernetes/store"
)

// table is what kubectl get prints: a row for each object, with the columns in the
// first table of a list or a watch only.
func (s *Server) table(k *kinds.Kind, entries []*store.Entry, meta metav1.ListMeta, withColumns bool) []byte {
	type row struct {
		Cells  []any          `json:"cells"`
		Object map[string]any `json:"object"`
	}
	columns := k.Columns(s.config.Clock.Now())
	t := struct {
		metav1.ListMeta `json:"metadata"`
		Columns         []metav1.TableColumnDefinition `json:"columnDefinitions"`
		Rows            []row                          `json:"rows"`
	}{ListMeta: meta, Rows: []row{}}
	if withColumns {
		for _, c := range columns {
			priority := int32(0)
			if c.Wide {
				priority = 1
			}
			t.Columns = append(t.Columns, metav1.TableColumnDefinition{Name: c.Name, Type: c.Type, Format: c.Format, Priority: priority})
		}
	}
	for _, e := range entries {
		r := row{Object: map[string]any{"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metaOf(e.Object)}}
		for _, c := range columns {
			r.Cells = append(r.Cells, c.Cell(e.Object))
		}
		t.Rows = append(t.Rows, r)
	}
	raw, err := json.Marshal(t)
	if err != nil {
		panic(err) // columns hold texts and numbers
	}
	return typed(raw, metav1.SchemeGroupVersion.WithKind("Table"))
}
