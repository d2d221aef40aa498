package kubernetes

import (
	"slices"
	"testing"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestAnEntryOwnsWhatItsFieldsName(t *testing.T) {
	for _, tree := range []string{
		`{"f:spec":{"f:replicas":{}}}`,
		`{"f:metadata":{"f:labels":{}},"f:spec":{"f:template":{"f:spec":{"f:replicas":{}}},"f:replicas":{},"f:selector":{}}}`,
		`{"f:spec":{"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"spec.replicas\"}":{".":{},"f:image":{}}}}}}}`,
		`{"f:status":{"f:replicas":{}}}`, `{"f:replicas":{}}`, `{"f:spec":{}}`, `{"f:spec":7}`, `{}`, `nothing`,
	} {
		entry := meta.ManagedFieldsEntry{FieldsV1: &meta.FieldsV1{}}
		entry.FieldsV1.SetRawBytes([]byte(tree))
		if named := slices.Contains(ownedFields(entry), replicasField); owns(entry, replicasField) != named {
			t.Errorf("of the fields %s are the replicas: %v, and looked for alone: %v", tree, named, !named)
		}
	}
	if owns(meta.ManagedFieldsEntry{}, replicasField) {
		t.Error("an entry without fields has the replicas")
	}
}
