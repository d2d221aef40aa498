// Package connector calls one host, or the few that its environment names, for the
// control plane: it stands in the VPC from which a cluster's API is reached. It trusts
// no host unseen, and calls nothing else.
//
// It must never know what is called, and never log what travels: headers hold
// credentials, and bodies hold secrets.
package connector

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"portolan/shared/connector"
	"portolan/shared/fault"
)

// Handler sends requests.
type Handler struct {
	// Hosts are those that may be called, each with its port. A range of addresses, such
	// as 10.0.0.0/8:2376, is that port of each address in it.
	Hosts []string

	// Wrap wraps the transports; nil leaves them.
	Wrap func(http.RoundTripper) http.RoundTripper
	Log  *slog.Logger
	Now  func() time.Time

	mu         sync.Mutex
	transports map[string]http.RoundTripper
}

// Bounds of a call.
const (
	// spare is what is left of the function's time for saying what went wrong.
	spare = 2 * time.Second

	// handshake is how long it may take to be connected.
	handshake = 8 * time.Second

	// headerMax is how many bytes of headers a host may answer.
	headerMax = 64 << 10

	// transportsMax is how many connections of different trust are kept open.
	transportsMax = 4
)

// Handle sends one request and returns its answer. The errors are Invalid where the
// same request would fail again, and Unavailable where the host did not answer.
func (h *Handler) Handle(ctx context.Context, in connector.Request) (connector.Response, error) {
	target, err := h.target(in)
	if err != nil {
		return connector.Response{}, err
	}
	transport, err := h.transport(in.Trust)
	if err != nil {
		return connector.Response{}, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-spare))
		defer cancel()
	}
	request, err := http.NewRequestWithContext(ctx, in.Method, in.URL, bytes.NewReader(in.Body))
	if err != nil {
		return connector.Response{}, fault.New(fault.Invalid, "%q is no method", in.Method)
	}
	request.Header = in.Header
	if request.Header == nil {
		request.Header = http.Header{}
	}
	began := h.Now()
	out, err := send(transport, request)
	if err != nil {
		err = explain(err, target.Host)
	}
	h.Log.InfoContext(ctx, "called", "method", in.Method, "host", target.Host, "path", target.Path, "status", out.Status,
		"took", h.Now().Sub(began).String(), "error", err)
	return out, err
}

// target is the URL of a request that may be sent.
func (h *Handler) target(in connector.Request) (*url.URL, error) {
	target, err := url.Parse(in.URL)
	if err != nil {
		return nil, fault.New(fault.Invalid, "the request's URL is none")
	}
	switch {
	case target.Scheme != "https":
		return nil, fault.New(fault.Invalid, "only https is called, and not %s", target.Scheme)
	case target.User != nil:
		return nil, fault.New(fault.Invalid, "the request's URL holds a user; credentials belong into its headers")
	case !h.allows(withPort(target.Host)):
		return nil, fault.New(fault.Invalid, "%s is not among the hosts that this connector calls: %s", target.Host,
			strings.Join(h.Hosts, ", "))
	case len(in.Header.Values("Upgrade")) > 0:
		return nil, fault.New(fault.Invalid, "a connection cannot be upgraded through the connector")
	case len(in.Body) > connector.BodyMax:
		return nil, fault.New(fault.Invalid, "the body is larger than %d bytes", connector.BodyMax)
	}
	return target, nil
}

// allows says whether a host with its port is one of those that may be called.
func (h *Handler) allows(host string) bool {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		return false
	}
	address, err := netip.ParseAddr(name)
	isAddress := err == nil
	return slices.ContainsFunc(h.Hosts, func(allowed string) bool {
		if allowed == host {
			return true
		}
		within, at, found := strings.Cut(allowed, "/")
		bits, allowedPort, ranged := strings.Cut(at, ":")
		if !isAddress || !found || !ranged || allowedPort != port {
			return false
		}
		prefix, err := netip.ParsePrefix(within + "/" + bits)
		return err == nil && prefix.Contains(address)
	})
}

// withPort is the host in lower case with its port, 443 when it names none.
func withPort(host string) string {
	host = strings.ToLower(strings.TrimSpace(host))
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), "443")
}

// transport is the one whose ends know each other by the trust; it is kept, so that
// the next request finds the connection open.
func (h *Handler) transport(trust connector.Trust) (http.RoundTripper, error) {
	key := strings.Join([]string{string(trust.CertificateAuthority), trust.ServerName, string(trust.Certificate), string(trust.Key)}, "\x00")
	h.mu.Lock()
	defer h.mu.Unlock()
	if made, ok := h.transports[key]; ok {
		return made, nil
	}
	made, err := newTransport(trust)
	if err != nil {
		return nil, err
	}
	if h.transports == nil || len(h.transports) >= transportsMax {
		h.transports = map[string]http.RoundTripper{}
	}
	h.transports[key] = made
	if h.Wrap != nil {
		h.transports[key] = h.Wrap(made)
	}
	return h.transports[key], nil
}

func newTransport(trust connector.Trust) (*http.Transport, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: trust.ServerName}
	if len(trust.CertificateAuthority) > 0 {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(trust.CertificateAuthority) {
			return nil, fault.New(fault.Invalid, "the certificate authority is no certificate in PEM")
		}
	}
	if len(trust.Certificate) > 0 {
		pair, err := tls.X509KeyPair(trust.Certificate, trust.Key)
		if err != nil { // whose text could tell of the key
			return nil, fault.New(fault.Invalid, "the certificate and its key are no PEM, or do not belong together")
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return &http.Transport{
		TLSClientConfig: config, TLSHandshakeTimeout: handshake, ForceAttemptHTTP2: true, DisableCompression: true,
		DialContext:            (&net.Dialer{Timeout: handshake}).DialContext,
		MaxResponseHeaderBytes: headerMax, IdleConnTimeout: time.Minute, MaxIdleConnsPerHost: 2,
	}, nil
}

// send follows no redirect: it could lead to another host.
func send(transport http.RoundTripper, request *http.Request) (connector.Response, error) {
	response, err := transport.RoundTrip(request)
	if err != nil {
		return connector.Response{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, connector.BodyMax+1))
	if err != nil {
		return connector.Response{}, err
	}
	if len(body) > connector.BodyMax {
		return connector.Response{}, fault.New(fault.Invalid, "the answer is larger than the %d bytes that pass the connector; "+
			"ask for it in pages", connector.BodyMax)
	}
	return connector.Response{Status: response.StatusCode, Header: response.Header, Body: body}, nil
}

// explain gives an error its kind, and tells whose fault it is.
func explain(err error, host string) error {
	if _, ours := errors.AsType[*fault.Error](err); ours {
		return err
	}
	if _, untrusted := errors.AsType[*tls.CertificateVerificationError](err); untrusted {
		return fault.New(fault.Invalid, "%s is not who it should be: %w", host, err)
	}
	return fault.New(fault.Unavailable, "%s does not answer: %w", host, err)
}
