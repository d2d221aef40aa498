package merge

import (
	"reflect"
	"testing"

	"k8s.io/client-go/applyconfigurations"
	"sigs.k8s.io/structured-merge-diff/v6/schema"

	"portolan/local/kubernetes/kinds"
)

func TestFieldsMergeAsClientGoSays(t *testing.T) {
	want, err := Of(applyconfigurations.NewTypeConverter(kinds.Scheme))
	if err != nil {
		t.Fatal(err)
	}
	got, err := Of(Converter())
	if err != nil {
		t.Fatal(err)
	}
	if len(got) < 100 || !reflect.DeepEqual(got, want) {
		t.Errorf("%d types are not the %d of client-go: run make generate", len(got), len(want))
	}
}

// An item that leaves a key out has the key's default.
func TestDefaultsOfKeysAreTextsAndNumbers(t *testing.T) {
	k := kinds.All[0] // all kinds share one schema
	object := k.New()
	object.GetObjectKind().SetGroupVersionKind(k.GroupVersionKind)
	value, err := applyconfigurations.NewTypeConverter(kinds.Scheme).ObjectToTyped(object)
	if err != nil {
		t.Fatal(err)
	}
	for _, of := range value.Schema().Types {
		if of.Map == nil {
			continue
		}
		for _, f := range of.Map.Fields {
			checkKeys(t, value.Schema(), of.Name+"."+f.Name, f.Type.Inlined.List)
		}
	}
}

func checkKeys(t *testing.T, all *schema.Schema, of string, list *schema.List) {
	t.Helper()
	if list == nil || len(list.Keys) == 0 {
		return
	}
	item, ok := all.Resolve(list.ElementType)
	if !ok || item.Map == nil {
		t.Errorf("the items of %s are no maps", of)
		return
	}
	for _, key := range list.Keys {
		f, ok := item.Map.FindField(key)
		if !ok {
			t.Errorf("the items of %s have no key %s", of, key)
		}
		switch f.Default.(type) {
		case nil, string, int:
		default:
			t.Errorf("the key %s of %s has the default %v", key, of, f.Default)
		}
	}
}

func BenchmarkConverter(b *testing.B) {
	for b.Loop() {
		newConverter()
	}
}
