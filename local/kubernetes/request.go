package kubernetes

import (
	"net/http"
	"net/url"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"portolan/local/kubernetes/kinds"
)

// A request is what somebody asks of a resource.
type request struct {
	*http.Request
	user        User
	verb        string
	group       string
	version     string
	resource    string
	subresource string
	namespace   string
	name        string
	query       url.Values
	kind        *kinds.Kind // nil for what is only posted, such as reviews
}

// parse reads a path such as /apis/apps/v1/namespaces/shop/deployments/web/scale. It
// returns nil for a path that is no resource's.
func parse(r *http.Request, user User) *request {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	q := &request{Request: r, user: user, query: r.URL.Query()}
	switch {
	case len(parts) >= 3 && parts[0] == "api":
		q.version, parts = parts[1], parts[2:]
	case len(parts) >= 4 && parts[0] == "apis":
		q.group, q.version, parts = parts[1], parts[2], parts[3:]
	default:
		return nil
	}
	if parts[0] == "namespaces" && len(parts) >= 3 && parts[2] != "status" && parts[2] != "finalize" {
		q.namespace, parts = parts[1], parts[2:]
	}
	if len(parts) > 3 {
		return nil
	}
	q.resource = parts[0]
	if len(parts) > 1 {
		q.name = parts[1]
	}
	if len(parts) > 2 {
		q.subresource = parts[2]
	}
	q.kind = kinds.ByResource(q.group, q.version, q.resource)
	q.verb = q.verbOf()
	return q
}

func (q *request) verbOf() string {
	switch q.Method {
	case http.MethodGet, http.MethodHead:
		switch watch := q.query.Get("watch"); {
		case q.name != "":
			return "get"
		case watch == "true" || watch == "1":
			return "watch"
		}
		return "list"
	case http.MethodPost:
		return "create"
	case http.MethodPut:
		return "update"
	case http.MethodPatch:
		return "patch"
	case http.MethodDelete:
		if q.name == "" {
			return "deletecollection"
		}
		return "delete"
	}
	return strings.ToLower(q.Method)
}

// path is the resource with its subresource, as authorization names it.
func (q *request) path() string {
	if q.subresource == "" {
		return q.resource
	}
	return q.resource + "/" + q.subresource
}

func (q *request) groupResource() schema.GroupResource {
	return schema.GroupResource{Group: q.group, Resource: q.resource}
}

func (q *request) isTrue(parameter string) bool {
	v := q.query.Get(parameter)
	return v == "true" || v == "1"
}

// manager is who is written down as the manager of the fields that a request sets.
func (q *request) manager() string {
	if name := q.query.Get("fieldManager"); name != "" {
		return name
	}
	name, _, _ := strings.Cut(q.UserAgent(), "/")
	const longest = 128
	if name == "" {
		return "unknown"
	}
	return name[:min(len(name), longest)]
}

// unknown is the answer to a path that there is nothing at.
func unknown(r *http.Request) error {
	e := apierrors.NewGenericServerResponse(http.StatusNotFound, strings.ToLower(r.Method), schema.GroupResource{}, "", "", 0, false)
	e.ErrStatus.Message = "the server could not find the requested resource (" + strings.ToLower(r.Method) + " " + r.URL.Path + ")"
	return e
}

// notAllowed is the answer to a verb that a resource does not have.
func notAllowed(q *request) error {
	e := apierrors.NewMethodNotSupported(q.groupResource(), q.verb)
	e.ErrStatus.Message = "the server does not allow this method on the requested resource (" + strings.ToLower(q.Method) + " " +
		q.URL.Path + ")"
	return e
}
