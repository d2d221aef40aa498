package swarm

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"portolan/shared/connector"
	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// How engines are called.
const (
	// dialDeadline is how long it may take to be connected.
	dialDeadline = 4 * time.Second

	// attemptDeadline is how long one manager may take where there are others, and
	// requestDeadline how long all of them may.
	attemptDeadline = 8 * time.Second
	requestDeadline = 25 * time.Second

	// engineDeadline is how long an engine may take of which there is no other. Joining
	// answers after 20 seconds at the latest.
	engineDeadline = 40 * time.Second

	// bodyMax and answerMax are how large a request and an answer may be.
	bodyMax   = 4 << 20
	answerMax = 32 << 20
)

// socketScheme is how the address of an engine's socket on this machine begins.
const socketScheme = "unix://"

// A way is how requests get to engines: to the one of an address, or to whichever manager
// of a cluster answers. It implements http.RoundTripper for the moby client, which knows
// neither addresses nor the engines' versions.
//
// A manager that does not answer, or is none any more, or sees no leader, is passed over
// for the next. So a change may reach a second manager after the first one's answer was
// lost: every change names the version that it was made from, or a name that is taken
// once, and comes out as Conflict then.
type way struct {
	driver      *Driver
	facts       orchestrator.SwarmFacts
	addresses   []string
	credentials credentials
}

// name is what a cluster's managers are known by.
func (w *way) name() string { return strings.Join(w.addresses, " ") }

// RoundTrip implements http.RoundTripper.
func (w *way) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := read(r)
	if err != nil {
		return nil, err
	}
	var refusal *http.Response
	var failures []failure
	order := w.order()
	for _, address := range order {
		response, err := w.attempt(r, body, address, len(order) > 1)
		switch {
		case err != nil:
			failures = append(failures, failure{address, err})
			w.driver.config.Connections.keepSilent(w.key(address), w.driver.config.Now())
			if refused(err) || untrusted(err) {
				w.driver.config.Connections.forgetCredentials(w.facts.Credentials)
			}
		case len(order) > 1 && passedOver(response):
			refusal = response
		default:
			w.driver.config.Connections.keepAnswered(w.name(), address)
			w.driver.config.Connections.forgetSilent(w.key(address))
			return response, nil
		}
		if r.Context().Err() != nil {
			break
		}
	}
	if refusal != nil {
		return refusal, nil
	}
	return nil, none(failures)
}

// order is in which managers are tried: the one that answered last first, and those that
// have just not answered last.
func (w *way) order() []string {
	connections, now := w.driver.config.Connections, w.driver.config.Now()
	last := connections.lastAnswered(w.name())
	rank := func(address string) int {
		switch {
		case connections.isSilent(w.key(address), now):
			return 2
		case address == last:
			return 0
		}
		return 1
	}
	order := slices.Clone(w.addresses)
	slices.SortStableFunc(order, func(a, b string) int { return rank(a) - rank(b) })
	return order
}

func read(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	defer r.Body.Close()
	body, err := io.ReadAll(io.LimitReader(r.Body, bodyMax+1))
	if err == nil && len(body) > bodyMax {
		err = fault.New(fault.Invalid, "the request is larger than the %d bytes that are sent", bodyMax)
	}
	return body, err
}

// attempt sends a request to one engine and reads all of its answer.
func (w *way) attempt(r *http.Request, body []byte, address string, others bool) (*http.Response, error) {
	ctx := r.Context()
	if others {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, attemptDeadline)
		defer cancel()
	}
	transport, host, err := w.transport(address)
	if err != nil {
		return nil, err
	}
	version, err := w.version(ctx, transport, host, address)
	if err != nil {
		return nil, err
	}
	request := r.Clone(ctx)
	request.URL.Scheme, request.URL.Host, request.Host = schemeOf(address), host, host
	request.URL.Path = strings.Replace(request.URL.Path, "/v"+apiVersion+"/", "/v"+version+"/", 1)
	request.Body, request.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	if len(body) == 0 {
		request.Body = http.NoBody
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	response.Request = r
	if response.StatusCode == http.StatusBadRequest {
		w.driver.config.Connections.forgetVersion(w.key(address))
	}
	return response, whole(response)
}

func schemeOf(address string) string {
	if strings.HasPrefix(address, socketScheme) {
		return "http"
	}
	return "https"
}

// whole reads the body of an answer, so that it outlives the attempt.
func whole(response *http.Response) error {
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, answerMax+1))
	if err != nil {
		return err
	}
	if len(body) > answerMax {
		return fault.New(fault.Invalid, "the engine's answer to %s is larger than %d bytes", response.Request.URL.Path, answerMax)
	}
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return nil
}

// passedOver says whether an answer means that another manager has to be asked.
func passedOver(response *http.Response) bool {
	if response.StatusCode < http.StatusInternalServerError {
		return false
	}
	body, err := io.ReadAll(response.Body)
	response.Body = io.NopCloser(bytes.NewReader(body))
	return err == nil && leaderless(string(body))
}

// leaderless says whether an engine's words mean that it is no manager, or one that
// sees no leader.
func leaderless(words string) bool {
	for _, part := range []string{
		"not a swarm manager", "not part of a swarm", "does not have a leader", "no elected primary", "context deadline exceeded",
		"Swarm is encrypted", "connection error", "lost leadership", "lost leader status",
	} {
		if strings.Contains(words, part) {
			return true
		}
	}
	return false
}

// key is what an engine is known by, and its transport by whose certificates as well.
func (w *way) key(address string) string {
	return strings.Join([]string{w.facts.Connector, w.facts.Credentials, w.facts.ServerName, address}, "\n")
}

// transport returns the transport to an engine, and the host that its URLs name.
func (w *way) transport(address string) (http.RoundTripper, string, error) {
	if path, found := strings.CutPrefix(address, socketScheme); found {
		if w.facts.Connector != "" {
			return nil, "", fault.New(fault.Invalid, "%s is a socket of this machine, and no connector gets there", address)
		}
		return w.kept(address, socketTransport(path)), "socket.localhost", nil
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" || port == "" || strings.Contains(address, "/") {
		return nil, "", fault.New(fault.Invalid, "%q is no address of an engine: it is host:port, or unix:///path", address)
	}
	if w.facts.Credentials == "" {
		return nil, "", fault.New(fault.Invalid, "%s is called with certificates only, and the cluster has none", address)
	}
	if w.facts.Connector != "" {
		return connector.Through(w.driver.config.AWS, w.facts.Connector, connector.Trust{
			CertificateAuthority: []byte(w.credentials.Authority), ServerName: w.facts.ServerName,
			Certificate: []byte(w.credentials.Certificate), Key: []byte(w.credentials.Key),
		}), address, nil
	}
	return w.kept(address, w.secureTransport()), address, nil
}

// kept returns the transport that was made for an engine with the same certificates.
func (w *way) kept(address string, made *http.Transport) http.RoundTripper {
	key := w.key(address) + "\n" + w.credentials.Certificate + w.credentials.Authority
	return w.driver.config.Connections.transport(key, func() http.RoundTripper {
		if w.driver.config.WrapTransport != nil {
			return w.driver.config.WrapTransport(made)
		}
		return made
	})
}

func socketTransport(path string) *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: dialDeadline}).DialContext(ctx, "unix", path)
		},
		IdleConnTimeout: time.Minute, MaxIdleConnsPerHost: 2,
	}
}

func (w *way) secureTransport() *http.Transport {
	return &http.Transport{
		DialContext: (&net.Dialer{Timeout: dialDeadline}).DialContext, TLSHandshakeTimeout: dialDeadline,
		TLSClientConfig: &tls.Config{
			MinVersion: tls.VersionTLS12, RootCAs: w.credentials.authorities, ServerName: w.facts.ServerName,
			Certificates: []tls.Certificate{w.credentials.pair},
		},
		IdleConnTimeout: time.Minute, MaxIdleConnsPerHost: 2,
	}
}

// A failure is why one engine did not answer.
type failure struct {
	address string
	err     error
}

// none is the error of a request that no engine answered: Unavailable, unless none of
// them can ever be reached so.
func none(failures []failure) error {
	kind := fault.Invalid
	var said []string
	for _, f := range failures {
		if kindOfTransport(f.err) != fault.Invalid {
			kind = fault.Unavailable
		}
		said = append(said, fmt.Sprintf("%s: %v", f.address, transportError(f.err)))
	}
	return &fault.Error{Kind: kind, Cause: fmt.Errorf("%s", strings.Join(said, "; "))}
}
