package swarm

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net"
	"net/http"
)

// An identity is by what an engine shows who it is, and knows its clients.
type identity struct {
	CA          string `json:"ca"`
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
}

func (e *Engines) readIdentity(arn string) (*identity, error) {
	if e.config.Secret == nil {
		return nil, errors.New("nobody keeps secrets")
	}
	raw, err := e.config.Secret(arn)
	if err != nil {
		return nil, err
	}
	found := &identity{}
	if err := json.Unmarshal([]byte(raw), found); err != nil {
		return nil, errors.New("the secret is no JSON object")
	}
	if _, err := tls.X509KeyPair([]byte(found.Certificate), []byte(found.Key)); err != nil {
		return nil, errors.New("the secret has no certificate with its key")
	}
	return found, nil
}

// Alerts of TLS, as the engine sends them to a client that it does not know.
const (
	alertBadCertificate      = tls.AlertError(42)
	alertCertificateRequired = tls.AlertError(116)
)

// shake plays the handshake of a client's transport with an engine: each checks the
// other's certificate as TLS does. A transport that is none of net/http's knows nobody.
func (n *engine) shake(next http.RoundTripper, r *http.Request) error {
	if n.Identity == nil {
		if r.URL.Scheme == "https" {
			return errors.New("http: server gave HTTP response to HTTPS client")
		}
		return nil
	}
	if r.URL.Scheme != "https" {
		return errPlain
	}
	config := &tls.Config{}
	if transport, ok := next.(*http.Transport); ok && transport.TLSClientConfig != nil {
		config = transport.TLSClientConfig
	}
	if err := n.checkServer(config, r.URL.Hostname()); err != nil {
		return err
	}
	return n.checkClient(config)
}

// errPlain tells shake's caller that the engine answers in words.
var errPlain = errors.New("Client sent an HTTP request to an HTTPS server.")

// checkServer checks the engine's certificate, as the client does.
func (n *engine) checkServer(config *tls.Config, host string) error {
	if config.InsecureSkipVerify {
		return nil
	}
	pair, err := tls.X509KeyPair([]byte(n.Identity.Certificate), []byte(n.Identity.Key))
	if err != nil {
		return err
	}
	name := config.ServerName
	if name == "" {
		name = host
	}
	chain, err := parse(pair.Certificate)
	if err != nil {
		return err
	}
	options := x509.VerifyOptions{Roots: config.RootCAs, DNSName: name, CurrentTime: n.engines.config.Clock.Now(),
		Intermediates: x509.NewCertPool()}
	for _, one := range chain[1:] {
		options.Intermediates.AddCert(one)
	}
	if _, err := chain[0].Verify(options); err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: chain, Err: err}
	}
	return nil
}

// checkClient checks the client's certificate, as the engine does.
func (n *engine) checkClient(config *tls.Config) error {
	certificates := config.Certificates
	if config.GetClientCertificate != nil {
		one, err := config.GetClientCertificate(&tls.CertificateRequestInfo{Version: tls.VersionTLS13,
			SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256, tls.Ed25519, tls.PSSWithSHA256, tls.PKCS1WithSHA256}})
		if err != nil {
			return err
		}
		certificates = []tls.Certificate{*one}
	}
	if len(certificates) == 0 || len(certificates[0].Certificate) == 0 {
		return remote(alertCertificateRequired)
	}
	chain, err := parse(certificates[0].Certificate)
	if err != nil {
		return remote(alertBadCertificate)
	}
	options := x509.VerifyOptions{Roots: x509.NewCertPool(), CurrentTime: n.engines.config.Clock.Now(),
		Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	options.Roots.AppendCertsFromPEM([]byte(n.Identity.CA))
	for _, one := range chain[1:] {
		options.Intermediates.AddCert(one)
	}
	if _, err := chain[0].Verify(options); err != nil {
		return remote(alertBadCertificate)
	}
	return nil
}

func remote(alert tls.AlertError) error { return &net.OpError{Op: "remote error", Err: alert} }

func parse(raw [][]byte) (chain []*x509.Certificate, err error) {
	for _, der := range raw {
		one, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		chain = append(chain, one)
	}
	if len(chain) == 0 {
		return nil, errors.New("there is no certificate")
	}
	return chain, nil
}
