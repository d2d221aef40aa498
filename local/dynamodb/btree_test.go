package dynamodb

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestTreeIsASortedMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var tr tree[int]
		model := map[string]int{}
		for i := range rapid.IntRange(0, 3000).Draw(t, "operations") {
			key := fmt.Sprintf("%04d", rapid.IntRange(0, 999).Draw(t, "key"))
			if rapid.IntRange(0, 2).Draw(t, "what") == 0 {
				tr.delete(key)
				delete(model, key)
			} else {
				tr.put(key, i)
				model[key] = i
			}
		}
		checkTree(t, &tr, model)
	})
}

func checkTree(t *rapid.T, tr *tree[int], model map[string]int) {
	var keys []string
	for key, v := range model {
		if got, ok := tr.get(key); !ok || got != v {
			t.Fatalf("get(%s) = %d %v, want %d", key, got, ok, v)
		}
		keys = append(keys, key)
	}
	slices.Sort(keys)
	from := fmt.Sprintf("%04d", rapid.IntRange(0, 999).Draw(t, "from"))
	at, _ := slices.BinarySearch(keys, from)
	var up, down []string
	tr.ascend(from, func(key string, _ int) bool { up = append(up, key); return true })
	tr.descend(from, func(key string, _ int) bool { down = append(down, key); return true })
	before := slices.Clone(keys[:at])
	slices.Reverse(before)
	if !slices.Equal(up, keys[at:]) || !slices.Equal(down, before) || tr.size != len(keys) {
		t.Fatalf("from %s: up %v, down %v, size %d, want %v", from, up, down, tr.size, keys)
	}
}
