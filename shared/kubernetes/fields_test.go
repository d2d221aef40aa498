package kubernetes

import (
	"fmt"
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

// Whether a digest was kept or is made anew, it is the same.
func TestADigestIsOfItsTree(t *testing.T) {
	for range 2 {
		for i := range digestsMax + 1 {
			entry := meta.ManagedFieldsEntry{FieldsV1: &meta.FieldsV1{}}
			entry.FieldsV1.SetRawBytes(fmt.Appendf(nil, `{"f:spec":{"f:field%d":{}}}`, i))
			if got, want := ownedDigest(entry), fieldsDigest(ownedFields(entry)); got != want {
				t.Fatalf("the digest of tree %d is %s, want %s", i, got, want)
			}
		}
	}
	if len(digests.ofTree) > digestsMax {
		t.Errorf("%d digests are kept", len(digests.ofTree))
	}
}
