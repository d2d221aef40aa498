package swarm

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"portolan/shared/fault"
)

// A secret is what is in Secrets Manager, all of it in PEM.
type secret struct {
	Authority   string `json:"ca"`
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
}

// credentials are the client's side of mutual TLS.
type credentials struct {
	secret
	authorities *x509.CertPool
	pair        tls.Certificate
}

// secretMax bounds what is read from a secret; Secrets Manager takes 64 KiB.
const secretMax = 64 << 10

// readCredentials reads a cluster's secret.
func (d *Driver) readCredentials(ctx context.Context, arn string) (credentials, error) {
	out, err := secretsmanager.NewFromConfig(d.config.AWS).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{
		SecretId: aws.String(arn),
	})
	if err != nil {
		return credentials{}, fault.FromAWS(err, "reading the certificates in "+arn)
	}
	raw := out.SecretBinary
	if out.SecretString != nil {
		raw = []byte(*out.SecretString)
	}
	c, err := parseCredentials(raw, d.config.Now())
	if err != nil {
		return credentials{}, fault.Wrap(fault.Invalid, err, "the certificates in %s", arn)
	}
	return c, nil
}

// parseCredentials reads certificates. Its errors tell nothing of what it read.
func parseCredentials(raw []byte, now time.Time) (credentials, error) {
	var c credentials
	if len(raw) > secretMax {
		return c, fault.New(fault.Invalid, "are larger than %d bytes", secretMax)
	}
	if json.Unmarshal(raw, &c.secret) != nil {
		return c, fault.New(fault.Invalid, "are no JSON object with ca, certificate and key")
	}
	for _, part := range []struct{ name, value string }{{"ca", c.Authority}, {"certificate", c.Certificate}, {"key", c.Key}} {
		if part.value == "" {
			return c, fault.New(fault.Invalid, "have no %s", part.name)
		}
	}
	c.authorities = x509.NewCertPool()
	if !c.authorities.AppendCertsFromPEM([]byte(c.Authority)) {
		return c, fault.New(fault.Invalid, "have a ca that is no certificate in PEM")
	}
	if err := inTime("ca", c.Authority, now); err != nil {
		return c, err
	}
	var err error
	if c.pair, err = tls.X509KeyPair([]byte(c.Certificate), []byte(c.Key)); err != nil {
		return c, fault.New(fault.Invalid, "have a certificate and a key that are no PEM, or do not belong together")
	}
	return c, inTime("certificate", c.Certificate, now)
}

// inTime says whether a certificate can be used now.
func inTime(name, text string, now time.Time) error {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return fault.New(fault.Invalid, "have a %s that is no PEM", name)
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	switch {
	case err != nil:
		return fault.New(fault.Invalid, "have a %s that is no certificate", name)
	case now.After(certificate.NotAfter):
		return fault.New(fault.Invalid, "have a %s that expired on %s", name, certificate.NotAfter.UTC().Format(time.DateOnly))
	case now.Before(certificate.NotBefore):
		return fault.New(fault.Invalid, "have a %s that is valid only from %s", name, certificate.NotBefore.UTC().Format(time.DateOnly))
	}
	return nil
}
