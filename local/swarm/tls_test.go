package swarm_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moby/moby/client"

	"portolan/local/clock"
	engines "portolan/local/swarm"
	"portolan/local/unique"
)

// An authority makes certificates.
type authority struct {
	*testing.T
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         string
}

func newAuthority(t *testing.T, name string) *authority {
	a := &authority{T: t}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now(), NotAfter: time.Now().Add(1000 * time.Hour)}
	a.key = a.newKey()
	a.certificate, a.pem = a.sign(template, template, a.key)
	return a
}

func (a *authority) newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.Fatal(err)
	}
	return key
}

func (a *authority) sign(template, parent *x509.Certificate, key *ecdsa.PrivateKey) (*x509.Certificate, string) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, a.key)
	if err != nil {
		a.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		a.Fatal(err)
	}
	return made, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// pair makes a certificate of some use, that lasts so long.
func (a *authority) pair(use x509.ExtKeyUsage, lasts time.Duration, names ...string) (certificate, key string) {
	made := a.newKey()
	_, certificate = a.sign(&x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "somebody"}, DNSNames: names,
		NotBefore: time.Now(), NotAfter: time.Now().Add(lasts), ExtKeyUsage: []x509.ExtKeyUsage{use}}, a.certificate, made)
	raw, err := x509.MarshalPKCS8PrivateKey(made)
	if err != nil {
		a.Fatal(err)
	}
	return certificate, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
}

// settings are those of a client that trusts one authority and has a certificate of another.
func settings(trusted, own *authority, lasts time.Duration, name string) *tls.Config {
	config := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: name}
	config.RootCAs.AddCert(trusted.certificate)
	if own != nil {
		certificate, key := own.pair(x509.ExtKeyUsageClientAuth, lasts)
		pair, err := tls.X509KeyPair([]byte(certificate), []byte(key))
		if err != nil {
			own.Fatal(err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config
}

func TestEnginesKnowTheirClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := newAuthority(t, "ours"), newAuthority(t, "theirs")
		certificate, key := ours.pair(x509.ExtKeyUsageServerAuth, 500*time.Hour, "engine.shop.internal")
		raw, err := json.Marshal(map[string]string{"ca": ours.pem, "certificate": certificate, "key": key})
		if err != nil {
			t.Fatal(err)
		}
		var secret atomic.Pointer[string]
		e, err := engines.New(engines.Config{Clock: clock.New(1).Ordered(), IDs: unique.New(1), Secret: func(string) (string, error) {
			if s := secret.Load(); s != nil {
				return *s, nil
			}
			return "", errors.New("there is no such secret yet")
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		e.Launch(engines.Machine{ID: "i-1", Address: "10.0.0.9", Secret: "arn", Boot: time.Minute})
		ping := func(scheme string, config *tls.Config) error {
			docker, err := client.New(client.WithHost("tcp://10.0.0.9:2376"), client.WithScheme(scheme), client.WithAPIVersion("1.41"),
				client.WithHTTPClient(&http.Client{Transport: e.WrapTransport(&http.Transport{TLSClientConfig: config})}))
			if err != nil {
				t.Fatal(err)
			}
			_, err = docker.Info(t.Context(), client.InfoOptions{})
			return err
		}
		good := settings(ours, ours, time.Hour, "engine.shop.internal")
		time.Sleep(2 * time.Minute)
		wants(t, ping("https", good), "Cannot connect to the Docker daemon")
		secret.Store(new(string(raw)))
		time.Sleep(time.Minute)
		if err := ping("https", good); err != nil {
			t.Error(err)
		}
		wants(t, ping("http", nil), "Client sent an HTTP request to an HTTPS server.")
		wants(t, ping("https", settings(ours, nil, 0, "engine.shop.internal")), "tls: certificate required")
		wants(t, ping("https", settings(ours, theirs, time.Hour, "engine.shop.internal")), "tls: bad certificate")
		wants(t, ping("https", settings(theirs, ours, time.Hour, "engine.shop.internal")), "certificate signed by unknown authority")
		wants(t, ping("https", settings(ours, ours, time.Hour, "")), "10.0.0.9")
		time.Sleep(2 * time.Hour)
		wants(t, ping("https", good), "tls: bad certificate")
		time.Sleep(1000 * time.Hour)
		wants(t, ping("https", good), "expired")
	})
}
