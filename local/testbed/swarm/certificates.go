package swarm

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

// Identity is a certificate with its key, and the authority by which the other side is
// known, all in PEM.
type Identity struct {
	CA, Certificate, Key []byte
}

// An Authority issues the certificates of engines and of those who call them.
type Authority struct {
	certificate []byte
	parsed      *x509.Certificate
	signer      *ecdsa.PrivateKey
}

// NewAuthority makes an authority whose certificates last a year.
func NewAuthority() (*Authority, error) {
	now := time.Now()
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "testbed"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage:  x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		NotBefore: now.AddDate(0, 0, -7), NotAfter: now.AddDate(1, 0, 0),
	}
	a := &Authority{parsed: template}
	made, signer, err := a.sign(template)
	if err != nil {
		return nil, fmt.Errorf("making a certificate authority: %w", err)
	}
	block, _ := pem.Decode(made.Certificate)
	if a.parsed, err = x509.ParseCertificate(block.Bytes); err != nil {
		return nil, fmt.Errorf("making a certificate authority: %w", err)
	}
	a.certificate, a.signer = made.Certificate, signer
	return a, nil
}

// Server issues the certificate of an engine, for names and IP addresses.
func (a *Authority) Server(names ...string) (Identity, error) {
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "engine"},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		NotBefore:   a.parsed.NotBefore, NotAfter: a.parsed.NotAfter,
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	return a.issue(template)
}

// Client issues the certificate of somebody who calls engines, until a time.
func (a *Authority) Client(name string, until time.Time) (Identity, error) {
	return a.issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: name},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		NotBefore:   a.parsed.NotBefore, NotAfter: until,
	})
}

func (a *Authority) issue(template *x509.Certificate) (Identity, error) {
	made, _, err := a.sign(template)
	if err != nil {
		return Identity{}, fmt.Errorf("issuing a certificate for %s: %w", template.Subject.CommonName, err)
	}
	made.CA = a.certificate
	return made, nil
}

// sign makes a key and its certificate. An authority without a key signs with that one,
// which is then its own.
func (a *Authority) sign(template *x509.Certificate) (Identity, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Identity{}, nil, err
	}
	template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 64))
	if err != nil {
		return Identity{}, nil, err
	}
	signer := a.signer
	if signer == nil {
		signer = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.parsed, &key.PublicKey, signer)
	if err != nil {
		return Identity{}, nil, err
	}
	encoded, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return Identity{}, nil, err
	}
	return Identity{
		Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		Key:         pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: encoded}),
	}, key, nil
}
