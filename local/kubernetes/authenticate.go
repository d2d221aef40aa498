package kubernetes

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// The groups that mean something by themselves.
const (
	masters       = "system:masters"
	authenticated = "system:authenticated"
)

// authenticate finds out who asks: by a client's certificate, or by a bearer token.
func (s *Server) authenticate(r *http.Request) (User, error) {
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		subject := r.TLS.PeerCertificates[0].Subject
		return User{subject.CommonName, append(subject.Organization, authenticated)}, nil
	}
	if s.config.Tokens == nil && s.config.Authenticate == nil {
		return User{"kubernetes-admin", []string{masters, authenticated}}, nil
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return User{"system:anonymous", []string{"system:unauthenticated"}}, nil
	}
	if user, ok := s.config.Tokens[token]; ok {
		return User{user.Name, append(slices.Clone(user.Groups), authenticated)}, nil
	}
	if s.config.Authenticate != nil {
		if name, groups, err := s.config.Authenticate(token); err == nil {
			return User{name, append(slices.Clone(groups), authenticated)}, nil
		}
	}
	return User{}, apierrors.NewUnauthorized("Unauthorized")
}

func (s *Server) allows(u User, verb, group, resource, namespace string) bool {
	if slices.Contains(u.Groups, masters) {
		return true
	}
	if group == "authorization.k8s.io" && strings.HasPrefix(resource, "selfsubject") && slices.Contains(u.Groups, authenticated) {
		return true
	}
	return s.config.Allow != nil && s.config.Allow(u.Name, u.Groups, verb, group, resource, namespace)
}

// authorize refuses what the user may not do.
func (s *Server) authorize(q *request) error {
	if s.allows(q.user, q.verb, q.group, q.path(), q.namespace) {
		return nil
	}
	where := "at the cluster scope"
	if q.namespace != "" {
		where = fmt.Sprintf("in the namespace %q", q.namespace)
	}
	return apierrors.NewForbidden(q.groupResource(), q.name, fmt.Errorf("User %q cannot %s resource %q in API group %q %s",
		q.user.Name, q.verb, q.path(), q.group, where))
}

// authorizePath refuses paths that are no resources' to those who may not see them.
// Whether the server is up, and its version, is everybody's to know.
func (s *Server) authorizePath(r *http.Request, u User) error {
	path := r.URL.Path
	for _, open := range []string{"/version", "/healthz", "/livez", "/readyz"} {
		if strings.TrimSuffix(path, "/") == open {
			return nil
		}
	}
	if slices.Contains(u.Groups, authenticated) && (strings.HasPrefix(path, "/api") || strings.HasPrefix(path, "/openapi")) ||
		slices.Contains(u.Groups, masters) || s.config.Allow != nil && s.config.Allow(u.Name, u.Groups, strings.ToLower(r.Method), "", path, "") {
		return nil
	}
	e := apierrors.NewForbidden(schema.GroupResource{}, "", nil)
	e.ErrStatus.Message = fmt.Sprintf("forbidden: User %q cannot %s path %q", u.Name, strings.ToLower(r.Method), path)
	e.ErrStatus.Details = nil
	return e
}
