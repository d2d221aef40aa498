package kubernetes

import (
	"encoding/json"
	"strings"

	"portolan/local/kubernetes/kinds"
)

// openAPI is what there is below /openapi/v3, nil where there is nothing: which kinds
// there are, and that the server itself checks the fields of what it is sent, which is
// all that kubectl wants to know. The schemas of the kinds are not in it.
func (s *Server) openAPI(path string) []byte {
	type object = map[string]any
	of := func(k *kinds.Kind) string {
		if k.Group == "" {
			return "api/v1"
		}
		return "apis/" + k.Group + "/" + k.Version
	}
	rest, ok := strings.CutPrefix(path, "/openapi/v3")
	paths := object{}
	for _, k := range kinds.All {
		switch rest {
		case "":
			paths[of(k)] = object{"serverRelativeURL": "/openapi/v3/" + of(k) + "?hash=" + *s.release.Load()}
		case "/" + of(k):
			at := "/" + of(k)
			if k.Namespaced {
				at += "/namespaces/{namespace}"
			}
			paths[at+"/"+k.Resource+"/{name}"] = object{"patch": object{
				"parameters":                      []object{{"name": "fieldValidation", "in": "query", "schema": object{"type": "string"}}},
				"responses":                       object{},
				"x-kubernetes-group-version-kind": object{"group": k.Group, "version": k.Version, "kind": k.Kind}}}
		}
	}
	if !ok || len(paths) == 0 {
		return nil
	}
	document := object{"paths": paths}
	if rest != "" {
		document["openapi"] = "3.0.0"
		document["info"] = object{"title": "Kubernetes", "version": *s.release.Load()}
	}
	raw, err := json.Marshal(document)
	if err != nil {
		return nil // it is made of texts
	}
	return raw
}
