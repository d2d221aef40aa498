package kubernetes

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubernetesruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"portolan/local/kubernetes/kinds"
)

// serveOther answers what is no resource: discovery, health and the version.
func (s *Server) serveOther(w http.ResponseWriter, r *http.Request, u User) {
	err := s.authorizePath(r, u)
	if err == nil && r.Method != http.MethodGet && r.Method != http.MethodHead {
		err = unknown(r)
	}
	if err != nil {
		writeError(w, err)
		return
	}
	path := strings.TrimSuffix(r.URL.Path, "/")
	switch path {
	case "/healthz", "/livez", "/readyz":
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write([]byte("ok"))
		return
	case "/version":
		write(w, http.StatusOK, s.version())
		return
	}
	if body := s.openAPI(path); body != nil {
		write(w, http.StatusOK, body)
		return
	}
	found, gvk := discovered(strings.Split(strings.TrimPrefix(path, "/"), "/"))
	if found == nil {
		writeError(w, unknown(r))
		return
	}
	write(w, http.StatusOK, encode(found, gvk))
}

func (s *Server) version() []byte {
	major, rest, _ := strings.Cut(strings.TrimPrefix(*s.release.Load(), "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	return fmt.Appendf(nil, `{"major":%q,"minor":%q,"gitVersion":%q,"gitTreeState":"clean","goVersion":%q,"compiler":"gc","platform":%q}`,
		major, minor, *s.release.Load(), runtime.Version(), "linux/amd64")
}

// discovered is what there is at /api, /apis and below.
func discovered(path []string) (kubernetesruntime.Object, schema.GroupVersionKind) {
	of := func(kind string) schema.GroupVersionKind { return metav1.Unversioned.WithKind(kind) }
	switch {
	case len(path) == 1 && path[0] == "api":
		return &metav1.APIVersions{Versions: []string{"v1"}, ServerAddressByClientCIDRs: []metav1.ServerAddressByClientCIDR{}}, of("APIVersions")
	case len(path) == 1 && path[0] == "apis":
		list := &metav1.APIGroupList{Groups: []metav1.APIGroup{}}
		for _, g := range groups() {
			list.Groups = append(list.Groups, group(g))
		}
		return list, of("APIGroupList")
	case len(path) == 2 && path[0] == "api" && path[1] == "v1":
		return resources("", "v1"), of("APIResourceList")
	case len(path) == 2 && path[0] == "apis":
		for _, g := range groups() {
			if g == path[1] {
				found := group(g)
				return &found, of("APIGroup")
			}
		}
	case len(path) == 3 && path[0] == "apis" && path[2] == "v1":
		if list := resources(path[1], path[2]); len(list.APIResources) > 0 {
			return list, of("APIResourceList")
		}
	}
	return nil, schema.GroupVersionKind{}
}

// groups are the API groups that there are but for the core, in their order.
func groups() []string {
	var names []string
	for _, r := range served() {
		if r.Group != "" && (len(names) == 0 || names[len(names)-1] != r.Group) {
			names = append(names, r.Group)
		}
	}
	return names
}

func group(name string) metav1.APIGroup {
	v := metav1.GroupVersionForDiscovery{GroupVersion: name + "/v1", Version: "v1"}
	return metav1.APIGroup{Name: name, Versions: []metav1.GroupVersionForDiscovery{v}, PreferredVersion: v}
}

func resources(group, version string) *metav1.APIResourceList {
	gv := schema.GroupVersion{Group: group, Version: version}
	list := &metav1.APIResourceList{GroupVersion: gv.String(), APIResources: []metav1.APIResource{}}
	for _, r := range served() {
		if r.Group == group {
			shown := r
			if scaleOrEviction := strings.HasSuffix(r.Name, "/scale") || strings.HasSuffix(r.Name, "/eviction"); !scaleOrEviction {
				shown.Group, shown.Version = "", ""
			}
			if strings.HasSuffix(r.Name, "/scale") {
				shown.Group = scaleKind.Group
			}
			if strings.HasSuffix(r.Name, "/eviction") {
				shown.Group = policyv1.GroupName
			}
			list.APIResources = append(list.APIResources, shown)
		}
	}
	return list
}

// served lists all resources and subresources with their group.
func served() []metav1.APIResource {
	all := metav1.Verbs{"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}
	var list []metav1.APIResource
	for _, k := range kinds.All {
		list = append(list, metav1.APIResource{Name: k.Resource, SingularName: k.Singular, Namespaced: k.Namespaced, Kind: k.Kind,
			Group: k.Group, Version: k.Version, Verbs: all, ShortNames: k.Short, Categories: k.Categories})
		sub := metav1.APIResource{Namespaced: k.Namespaced, Group: k.Group, Version: k.Version}
		if k.Resource == "pods" {
			sub.Name, sub.Kind, sub.Verbs = "pods/eviction", evictionKind.Kind, metav1.Verbs{"create"}
			sub.Version = evictionKind.Version
			list = append(list, sub)
		}
		if k.HasScale {
			sub.Name, sub.Kind, sub.Verbs = k.Resource+"/scale", scaleKind.Kind, metav1.Verbs{"get", "patch", "update"}
			list = append(list, sub)
		}
		if k.HasStatus {
			sub.Name, sub.Kind, sub.Verbs = k.Resource+"/status", k.Kind, metav1.Verbs{"get", "patch", "update"}
			sub.Version = k.Version
			list = append(list, sub)
		}
	}
	for _, kind := range []string{"SelfSubjectAccessReview", "SelfSubjectRulesReview", "SubjectAccessReview"} {
		list = append(list, metav1.APIResource{Name: strings.ToLower(kind) + "s", SingularName: strings.ToLower(kind), Kind: kind,
			Group: authorizationv1.GroupName, Version: "v1", Verbs: metav1.Verbs{"create"}})
	}
	return list
}
