package kubernetes

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"portolan/shared/fault"
)

// classify gives an error of a request its kind and says what was being done. verb and
// k are in the words of rights, which the text names when one is missing.
func classify(err error, doing, verb string, k kind, namespace string) error {
	if err == nil {
		return nil
	}
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return refusal(status.Status(), doing, verb, k, namespace)
	}
	return &fault.Error{Kind: kindOfTransport(err), Doing: doing, Cause: transportError(err)}
}

// unauthorized says whether the API server does not know who called.
func unauthorized(err error) bool { return apierrors.IsUnauthorized(err) }

// refusal is what the API server answered when it did not do what was asked.
func refusal(s meta.Status, doing, verb string, k kind, namespace string) error {
	said := func(kind fault.Kind, format string, args ...any) error {
		return &fault.Error{Kind: kind, Doing: doing, Cause: fmt.Errorf(format, args...)}
	}
	switch {
	case s.Reason == meta.StatusReasonUnauthorized || s.Code == http.StatusUnauthorized:
		return said(fault.Internal, "the API server does not know the credentials: they were taken back, or have expired")
	case s.Reason == meta.StatusReasonForbidden || s.Code == http.StatusForbidden:
		return forbidden(s, doing, verb, k, namespace)
	case s.Reason == meta.StatusReasonNotFound:
		if s.Details != nil && s.Details.Kind == "namespaces" && k.plural != "namespaces" {
			return said(fault.Invalid, "there is no namespace %s, and it has to exist", namespace)
		}
		return said(fault.NotFound, "%s", s.Message)
	case s.Reason == meta.StatusReasonConflict, s.Reason == meta.StatusReasonAlreadyExists:
		return said(fault.Conflict, "%s", conflict(s))
	case s.Reason == meta.StatusReasonExpired, s.Reason == meta.StatusReasonGone:
		return said(fault.Invalid, "the page's mark is too old: begin again without it")
	case s.Reason == meta.StatusReasonInvalid, s.Reason == meta.StatusReasonBadRequest,
		s.Reason == meta.StatusReasonRequestEntityTooLarge, s.Reason == meta.StatusReasonMethodNotAllowed,
		s.Code == http.StatusUnprocessableEntity:
		return said(fault.Invalid, "%s", s.Message)
	case s.Code == http.StatusTooManyRequests, s.Code >= 500, s.Reason == meta.StatusReasonTimeout:
		return said(fault.Unavailable, "%s", s.Message)
	}
	return said(fault.Internal, "%s", s.Message)
}

// forbidden tells a missing right from what admission refused.
func forbidden(s meta.Status, doing, verb string, k kind, namespace string) error {
	// What is applied and is not there is made, which is another right. That it is
	// missing is said in words that do not name it.
	if verb == "patch" && !strings.Contains(s.Message, "cannot patch") {
		verb = "create"
	}
	kind, words := fault.Internal, right(verb, k, namespace)+" is not allowed to these credentials"
	switch {
	case strings.Contains(s.Message, "being terminated"):
		kind, words = fault.Conflict, fmt.Sprintf("namespace %s is being deleted", namespace)
	case strings.Contains(s.Message, "exceeded quota"):
		kind, words = fault.Unavailable, s.Message
	case strings.Contains(s.Message, "admission webhook"), strings.Contains(s.Message, "violates PodSecurity"),
		strings.Contains(s.Message, "ValidatingAdmissionPolicy"):
		kind, words = fault.Invalid, s.Message
	}
	return &fault.Error{Kind: kind, Doing: doing, Cause: errors.New(words)}
}

// right says a right in words, such as patch deployments.apps in namespace shop.
func right(verb string, k kind, namespace string) string {
	switch {
	case k.everywhere:
		return verb + " " + k.resource()
	case namespace == "":
		return verb + " " + k.resource() + " in all namespaces"
	}
	return verb + " " + k.resource() + " in namespace " + namespace
}

// conflict names the managers that have the fields.
func conflict(s meta.Status) string {
	var said []string
	if s.Details != nil {
		for _, cause := range s.Details.Causes {
			if cause.Type != meta.CauseTypeFieldManagerConflict {
				continue
			}
			_, by, _ := strings.Cut(cause.Message, `"`)
			by, _, _ = strings.Cut(by, `"`)
			said = append(said, fmt.Sprintf("%s is set by %q", strings.TrimPrefix(cause.Field, "."), by))
		}
	}
	if len(said) == 0 {
		return s.Message
	}
	return strings.Join(said, ", ") + "; let that one give it up, or take it over with kubernetes.forceConflicts"
}

// kindOfTransport is the kind of an error that is no answer of the API server.
func kindOfTransport(err error) fault.Kind {
	var certificate *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	var already *fault.Error
	switch {
	case errors.As(err, &already):
		return already.Kind
	case errors.As(err, &certificate), errors.As(err, &unknown), errors.As(err, &host), errors.As(err, &invalid),
		errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return fault.Invalid
	}
	return fault.Unavailable
}

// transportError says in words what is between us and the API server.
func transportError(err error) error {
	var lookup *net.DNSError
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	var network net.Error
	switch {
	case errors.As(err, &lookup):
		return fmt.Errorf("there is no host %s: %w", lookup.Name, err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("nobody listens at the API server's address: %w", err)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Errorf("the API server's certificate has expired, or is not valid yet: %w", err)
	case errors.As(err, &unknown):
		return fmt.Errorf("the API server's certificate is not of the authority in the credentials: %w", err)
	case errors.As(err, &host):
		return fmt.Errorf("the API server's certificate is for another name: %w", err)
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return fmt.Errorf("what listens at the API server's address speaks no TLS: %w", err)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return fmt.Errorf("the API server did not answer in time: %w", err)
	}
	return err
}
