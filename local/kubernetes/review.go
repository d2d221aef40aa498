package kubernetes

import (
	"net/http"

	authorizationv1 "k8s.io/api/authorization/v1"

	"portolan/local/kubernetes/kinds"
)

// review answers what the user may do. It is false for a request of anything else.
func (s *Server) review(q *request) (answer, bool, error) {
	kind := map[string]string{"selfsubjectaccessreviews": "SelfSubjectAccessReview", "selfsubjectrulesreviews": "SelfSubjectRulesReview",
		"subjectaccessreviews": "SubjectAccessReview"}[q.resource]
	if q.group != authorizationv1.GroupName || q.version != "v1" || kind == "" || q.namespace != "" || q.name != "" {
		return answer{}, false, nil
	}
	if q.verb != "create" {
		return answer{}, true, notAllowed(q)
	}
	if _, err := mediaType(q, ofObjects...); err != nil {
		return answer{}, true, err
	}
	raw, err := readBody(q)
	if err != nil {
		return answer{}, true, err
	}
	gvk := authorizationv1.SchemeGroupVersion.WithKind(kind)
	o, err := kinds.Scheme.New(gvk)
	if err != nil {
		return answer{}, true, err
	}
	if err := decode(q, raw, gvk, o); err != nil {
		return answer{}, true, err
	}
	switch o := o.(type) {
	case *authorizationv1.SelfSubjectAccessReview:
		o.Status = s.access(q.user, o.Spec.ResourceAttributes)
	case *authorizationv1.SubjectAccessReview:
		o.Status = s.access(User{o.Spec.User, o.Spec.Groups}, o.Spec.ResourceAttributes)
	case *authorizationv1.SelfSubjectRulesReview:
		o.Status = s.rules(q.user, o.Spec.Namespace)
	}
	return answer{code: http.StatusCreated, body: encode(o, gvk)}, true, nil
}

func (s *Server) access(u User, asked *authorizationv1.ResourceAttributes) authorizationv1.SubjectAccessReviewStatus {
	if asked == nil {
		return authorizationv1.SubjectAccessReviewStatus{Allowed: true}
	}
	resource := asked.Resource
	if asked.Subresource != "" {
		resource += "/" + asked.Subresource
	}
	return authorizationv1.SubjectAccessReviewStatus{Allowed: s.allows(u, asked.Verb, asked.Group, resource, asked.Namespace)}
}

// rules lists what a user may do in a namespace, one rule for each resource.
func (s *Server) rules(u User, namespace string) authorizationv1.SubjectRulesReviewStatus {
	status := authorizationv1.SubjectRulesReviewStatus{ResourceRules: []authorizationv1.ResourceRule{},
		NonResourceRules: []authorizationv1.NonResourceRule{{Verbs: []string{"get"},
			NonResourceURLs: []string{"/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/readyz", "/version"}}}}
	for _, r := range served() {
		var verbs []string
		for _, verb := range r.Verbs {
			if s.allows(u, verb, r.Group, r.Name, namespace) {
				verbs = append(verbs, verb)
			}
		}
		if len(verbs) > 0 {
			status.ResourceRules = append(status.ResourceRules, authorizationv1.ResourceRule{Verbs: verbs, APIGroups: []string{r.Group},
				Resources: []string{r.Name}})
		}
	}
	return status
}
