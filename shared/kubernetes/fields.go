package kubernetes

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Each field of an object has managers: who set it last, or applied it. The API server
// writes down the fields of each as a tree, in which f: stands before a field's name
// and k: before the keys of an item of a list:
// https://kubernetes.io/docs/reference/using-api/server-side-apply/.

// itemKeys are the fields by which the items of a list are told apart, of the lists
// that the driver writes. All other lists are set as a whole.
var itemKeys = map[string][][]string{
	"containers":                {{"name"}},
	"env":                       {{"name"}},
	"volumes":                   {{"name"}},
	"volumeMounts":              {{"mountPath"}},
	"ports":                     {{"containerPort", "protocol"}, {"port", "protocol"}},
	"topologySpreadConstraints": {{"topologyKey", "whenUnsatisfiable"}},
}

// whole are the maps that are set as a whole.
var whole = map[string]bool{
	"selector": true, "labelSelector": true, "secretKeyRef": true, "requiredDuringSchedulingIgnoredDuringExecution": true,
}

// replicasField is the one field that is sometimes ours and sometimes not.
const replicasField = "spec.replicas"

// fieldsOf returns the names of the fields that become ours when the object is
// applied, but for those of its metadata, in order.
func fieldsOf(body map[string]any) []string {
	var names []string
	for name, value := range body {
		if name != "apiVersion" && name != "kind" && name != "metadata" {
			names = appendFields(names, name, name, value)
		}
	}
	return inOrder(names)
}

func appendFields(names []string, path, name string, value any) []string {
	switch v := value.(type) {
	case map[string]any:
		if len(v) == 0 || whole[name] {
			break
		}
		for field, inner := range v {
			names = appendFields(names, path+"."+field, field, inner)
		}
		return names
	case []any:
		if len(v) == 0 || itemKeys[name] == nil {
			break
		}
		for _, item := range v {
			fields := item.(map[string]any)
			names = appendFields(names, path+itemName(itemKeys[name], fields), "", item)
		}
		return names
	}
	return append(names, path)
}

// itemName names an item of a list by its keys.
func itemName(candidates [][]string, item map[string]any) string {
	for _, keys := range candidates {
		if _, found := item[keys[0]]; !found {
			continue
		}
		var parts []string
		for _, key := range keys {
			parts = append(parts, fmt.Sprintf("%s=%v", key, item[key]))
		}
		return "[" + strings.Join(parts, ",") + "]"
	}
	return "[]"
}

// ownedFields returns the names of the fields that an entry has, as fieldsOf names
// them.
func ownedFields(entry meta.ManagedFieldsEntry) []string {
	var tree map[string]any
	if entry.FieldsV1 == nil || json.Unmarshal(entry.FieldsV1.GetRawBytes(), &tree) != nil {
		return nil
	}
	delete(tree, "f:metadata")
	return inOrder(appendOwned(nil, "", tree))
}

func appendOwned(names []string, path string, tree map[string]any) []string {
	leaf := true
	for key, value := range tree {
		inner, _ := value.(map[string]any)
		switch name, field := strings.CutPrefix(key, "f:"); {
		case field:
			leaf = false
			names = appendOwned(names, strings.TrimPrefix(path+"."+name, "."), inner)
		case strings.HasPrefix(key, "k:"):
			leaf = false
			names = appendOwned(names, path+ownedItem(key[2:]), inner)
		}
	}
	if leaf && path != "" {
		names = append(names, path)
	}
	return names
}

func ownedItem(keys string) string {
	var item map[string]any
	decoder := json.NewDecoder(strings.NewReader(keys))
	decoder.UseNumber()
	if decoder.Decode(&item) != nil {
		return "[]"
	}
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(item)) {
		parts = append(parts, fmt.Sprintf("%s=%v", key, item[key]))
	}
	return "[" + strings.Join(parts, ",") + "]"
}

func inOrder(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

// fieldsDigest stands for fields, whoever has the replicas.
func fieldsDigest(names []string) string {
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == replicasField })
	return digest(names...)
}

// applied returns our entry of what was applied; nil when there is none.
func applied(entries []meta.ManagedFieldsEntry) *meta.ManagedFieldsEntry {
	for i, entry := range entries {
		if entry.Manager == manager && entry.Operation == meta.ManagedFieldsOperationApply && entry.Subresource == "" {
			return &entries[i]
		}
	}
	return nil
}

// untouched says whether the fields that we applied are ours still, all of them.
func untouched(o meta.ObjectMeta) bool {
	entry := applied(o.ManagedFields)
	return entry != nil && ownedDigest(*entry) == o.Annotations[annotationFields]
}

// digests are those of trees of fields that were read before. A cluster at rest shows the
// same ones with each look, and to read one costs as much as the rest of its object.
var digests struct {
	sync.Mutex
	ofTree map[string]string
}

// digestsMax bounds how many digests are kept, and keptTreeMax of how large trees, in bytes.
const (
	digestsMax  = 500
	keptTreeMax = 16 << 10
)

// ownedDigest is the digest of ownedFields.
func ownedDigest(entry meta.ManagedFieldsEntry) string {
	if entry.FieldsV1 == nil {
		return fieldsDigest(nil)
	}
	tree := entry.FieldsV1.GetRawBytes()
	digests.Lock()
	defer digests.Unlock()
	if known, ok := digests.ofTree[string(tree)]; ok {
		return known
	}
	if digests.ofTree == nil || len(digests.ofTree) >= digestsMax {
		digests.ofTree = map[string]string{}
	}
	made := fieldsDigest(ownedFields(entry))
	if len(tree) <= keptTreeMax {
		digests.ofTree[string(tree)] = made
	}
	return made
}

// ownersOf returns the managers of a field that is in no list.
func ownersOf(entries []meta.ManagedFieldsEntry, field string) []meta.ManagedFieldsEntry {
	var owners []meta.ManagedFieldsEntry
	for _, entry := range entries {
		if owns(entry, field) {
			owners = append(owners, entry)
		}
	}
	return owners
}

// owns looks for one field alone, where ownedFields would name all that an entry has.
func owns(entry meta.ManagedFieldsEntry, field string) bool {
	if entry.FieldsV1 == nil {
		return false
	}
	tree := entry.FieldsV1.GetRawBytes()
	for name := range strings.SplitSeq(field, ".") {
		var fields map[string]json.RawMessage
		if json.Unmarshal(tree, &fields) != nil {
			return false
		}
		if tree = fields["f:"+name]; tree == nil {
			return false
		}
	}
	return true
}

// fieldsNamed bounds how many fields a reason names.
const fieldsNamed = 3

// changes says which managers but us have fields of the pods' template.
func changes(entries []meta.ManagedFieldsEntry) string {
	var said []string
	for _, entry := range entries {
		if entry.Manager == manager || entry.Subresource != "" {
			continue
		}
		var names []string
		for _, name := range ownedFields(entry) {
			if strings.HasPrefix(name, "spec.template.spec.") {
				names = append(names, strings.TrimPrefix(name, "spec.template.spec."))
			}
		}
		if more := len(names) - fieldsNamed; more > 0 {
			names = append(names[:fieldsNamed], fmt.Sprintf("%d more", more))
		}
		if len(names) > 0 {
			said = append(said, fmt.Sprintf("%s by %s", strings.Join(names, ", "), entry.Manager))
		}
	}
	return strings.Join(said, "; ")
}
