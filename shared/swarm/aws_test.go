package swarm_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

const (
	account   = "111122223333"
	area      = "eu-central-1"
	secretARN = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:portolan/checkout/shop-AbCdEf"
)

// vault is a Secrets Manager with one secret, which may change, before other services.
type vault struct {
	text  string
	reads int
	other interface {
		Do(*http.Request) (*http.Response, error)
	}
}

func (v *vault) Do(r *http.Request) (*http.Response, error) {
	if !strings.HasPrefix(r.Header.Get("X-Amz-Target"), "secretsmanager") {
		return v.other.Do(r)
	}
	v.reads++
	body, err := json.Marshal(map[string]string{"ARN": secretARN, "SecretString": v.text})
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}}, Request: r,
		Body: io.NopCloser(strings.NewReader(string(body))),
	}, err
}

func (v *vault) config() aws.Config {
	return aws.Config{
		Region: area, HTTPClient: v, RetryMaxAttempts: 1, BaseEndpoint: aws.String("http://aws.local"),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "secret"}, nil
		}),
	}
}

// An authority issues the certificates of a cluster.
type authority struct {
	testing.TB
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         string
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{TB: t}
	a.certificate = &x509.Certificate{
		Subject: pkix.Name{CommonName: "shop"}, SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
	}
	a.pem, _ = a.sign(a.certificate, &a.key)
	return a
}

// sign returns a certificate with its key, in PEM.
func (a *authority) sign(template *x509.Certificate, made **ecdsa.PrivateKey) (certificate, key string) {
	a.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.Fatal(err)
	}
	signer := a.key
	if signer == nil {
		signer = private
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &private.PublicKey, signer)
	if err != nil {
		a.Fatal(err)
	}
	rawKey, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		a.Fatal(err)
	}
	if made != nil {
		*made = private
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: rawKey}))
}

// issue returns a secret with a certificate that is valid until then, for names if it is a
// server's.
func (a *authority) issue(until time.Time, names ...string) string {
	a.Helper()
	usage := x509.ExtKeyUsageClientAuth
	if len(names) > 0 {
		usage = x509.ExtKeyUsageServerAuth
	}
	certificate, key := a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "portolan"}, SerialNumber: big.NewInt(2), DNSNames: names, NotBefore: time.Now().Add(-48 * time.Hour),
		NotAfter: until, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{usage},
	}, nil)
	raw, err := json.Marshal(map[string]string{"ca": a.pem, "certificate": certificate, "key": key})
	if err != nil {
		a.Fatal(err)
	}
	return string(raw)
}

// trusting is how a client of a secret's certificates calls engines.
func (a *authority) trusting(secret string) *tls.Config {
	a.Helper()
	var read struct{ Certificate, Key string }
	if err := json.Unmarshal([]byte(secret), &read); err != nil {
		a.Fatal(err)
	}
	pair, err := tls.X509KeyPair([]byte(read.Certificate), []byte(read.Key))
	if err != nil {
		a.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(a.pem))
	return &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots, ServerName: serverName}
}
