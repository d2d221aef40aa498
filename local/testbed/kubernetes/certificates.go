package kubernetes

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// A pair is a certificate and its key, in PEM.
type pair struct {
	certificate, key []byte
}

// An authority issues the certificates of one cluster.
type authority struct {
	pair
	parsed *x509.Certificate
	signer *ecdsa.PrivateKey
}

// A subject is whom a certificate is for: Kubernetes reads the user from its name, and
// the user's groups.
type subject struct {
	name      string
	groups    []string
	addresses []net.IP // of a server
	begins    time.Time
	ends      time.Time
}

func newAuthority(now time.Time) (*authority, error) {
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "testbed"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage:  x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
		NotBefore: now.AddDate(0, 0, -7), NotAfter: now.AddDate(1, 0, 0),
	}
	made, signer, err := sign(template, nil)
	if err != nil {
		return nil, fmt.Errorf("making a certificate authority: %w", err)
	}
	block, _ := pem.Decode(made.certificate)
	parsed, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("making a certificate authority: %w", err)
	}
	return &authority{made, parsed, signer}, nil
}

// issue makes a certificate with a key of its own. Without times of its own it lasts as
// long as the authority.
func (a *authority) issue(s subject) (pair, error) {
	template := &x509.Certificate{
		Subject:  pkix.Name{CommonName: s.name, Organization: s.groups},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		NotBefore: a.parsed.NotBefore, NotAfter: a.parsed.NotAfter,
	}
	if len(s.addresses) > 0 {
		template.IPAddresses = s.addresses
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	if !s.ends.IsZero() {
		template.NotBefore, template.NotAfter = s.begins, s.ends
	}
	made, _, err := sign(template, a)
	if err != nil {
		return pair{}, fmt.Errorf("issuing a certificate for %s: %w", s.name, err)
	}
	return made, nil
}

// sign makes a key and its certificate, which signs itself without an authority.
func sign(template *x509.Certificate, by *authority) (pair, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair{}, nil, err
	}
	template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 64))
	if err != nil {
		return pair{}, nil, err
	}
	parent, signer := template, key
	if by != nil {
		parent, signer = by.parsed, by.signer
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		return pair{}, nil, err
	}
	encoded, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return pair{}, nil, err
	}
	return pair{
		certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		key:         pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: encoded}),
	}, key, nil
}
