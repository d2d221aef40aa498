package swarm

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"syscall"

	cerrdefs "github.com/containerd/errdefs"

	"portolan/shared/fault"
)

// classify gives an error of the moby client its kind, and says what was being done.
func classify(err error, doing string) error {
	if err == nil {
		return nil
	}
	if already, ok := errors.AsType[*fault.Error](err); ok {
		return &fault.Error{Kind: already.Kind, Doing: doing, Fields: already.Fields, Cause: already.Cause}
	}
	words := words(err)
	return &fault.Error{Kind: kindOf(err, words), Doing: doing, Cause: errors.New(words)}
}

// outOfSequence is what the swarm says of a change to what it changed meanwhile itself.
const outOfSequence = "update out of sequence"

// kindOf is the kind of what an engine answered. Its code is that of the swarm's leader,
// and says too little in some cases.
func kindOf(err error, words string) fault.Kind {
	switch {
	case leaderless(words):
		return fault.Unavailable
	case cerrdefs.IsNotFound(err):
		return fault.NotFound
	case strings.Contains(words, outOfSequence), strings.Contains(words, "rotation is in progress"),
		strings.Contains(words, "must be demoted"), strings.Contains(words, "already exists"),
		strings.Contains(words, "already part of a swarm"), cerrdefs.IsConflict(err):
		return fault.Conflict
	case strings.Contains(words, "quorum"), strings.Contains(words, "last manager"), strings.Contains(words, "is in use by"):
		return fault.Conflict
	case strings.Contains(words, "too new"), strings.Contains(words, "FailedPrecondition"):
		return fault.Conflict
	case cerrdefs.IsInvalidArgument(err):
		return fault.Invalid
	case cerrdefs.IsUnauthorized(err), cerrdefs.IsPermissionDenied(err):
		return fault.Internal
	}
	return fault.Unavailable
}

// tokens are what lets an engine into a swarm, or its manager out of a lock.
var tokens = regexp.MustCompile(`SWM(TKN|KEY)-[0-9A-Za-z-]+`)

// remote is what the engine writes before what its leader said.
var remote = regexp.MustCompile(`rpc error: code = \w+ desc = `)

// words are what an engine said, with nothing in it that must be kept secret.
func words(err error) string {
	said := strings.TrimPrefix(err.Error(), "Error response from daemon: ")
	said = remote.ReplaceAllString(said, "")
	return tokens.ReplaceAllString(said, "SWM$1-…")
}

// refused says whether an engine does not take our certificate.
func refused(err error) bool {
	_, alert := errors.AsType[tls.AlertError](err)
	return alert || strings.Contains(err.Error(), "remote error: tls:")
}

// kindOfTransport is the kind of an error that is no answer of an engine.
func kindOfTransport(err error) fault.Kind {
	if already, ok := errors.AsType[*fault.Error](err); ok {
		return already.Kind
	}
	if untrusted(err) || refused(err) || plain(err) {
		return fault.Invalid
	}
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) {
		return fault.Invalid
	}
	return fault.Unavailable
}

func untrusted(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	_, host := errors.AsType[x509.HostnameError](err)
	_, invalid := errors.AsType[x509.CertificateInvalidError](err)
	return unknown || host || invalid
}

// plain says whether what listens speaks no TLS.
func plain(err error) bool {
	_, record := errors.AsType[tls.RecordHeaderError](err)
	return record || errors.Is(err, http.ErrSchemeMismatch) || strings.Contains(err.Error(), "server gave HTTP response to HTTPS client")
}

// transportError says in words what is between us and an engine.
func transportError(err error) error {
	invalid, isInvalid := errors.AsType[x509.CertificateInvalidError](err)
	lookup, isLookup := errors.AsType[*net.DNSError](err)
	network, isNetwork := errors.AsType[net.Error](err)
	_, isHost := errors.AsType[x509.HostnameError](err)
	switch {
	case isLookup:
		return fmt.Errorf("there is no host %s", lookup.Name)
	case errors.Is(err, syscall.ECONNREFUSED):
		return errors.New("nobody listens there")
	case errors.Is(err, os.ErrNotExist):
		return errors.New("there is no such socket")
	case errors.Is(err, os.ErrPermission):
		return errors.New("the socket may not be used by this user")
	case isInvalid && invalid.Reason == x509.Expired:
		return errors.New("the engine's certificate has expired, or is not valid yet")
	case isHost:
		return fmt.Errorf("the engine's certificate is for another name: %w", err)
	case untrusted(err):
		return errors.New("the engine's certificate is not of the cluster's authority")
	case refused(err):
		return fmt.Errorf("the engine does not take the certificate of the credentials: %w", err)
	case plain(err):
		return errors.New("what listens there speaks no TLS")
	case errors.Is(err, context.DeadlineExceeded), isNetwork && network.Timeout():
		return errors.New("it did not answer in time")
	}
	return err
}
