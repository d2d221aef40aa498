package eks

import (
	"crypto/ed25519"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"time"

	"portolan/local/unique"
)

// newAuthority makes the certificate that a cluster's API server is trusted by, in PEM
// and base64. Its key is thrown away: nobody connects to the server by TLS here.
func newAuthority(now time.Time, ids *unique.Source) (string, error) {
	seed, err := hex.DecodeString(ids.Hex(2 * ed25519.SeedSize))
	if err != nil {
		return "", err
	}
	key := ed25519.NewKeyFromSeed(seed)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kubernetes"}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		NotBefore: now.Add(-5 * time.Minute), NotAfter: now.AddDate(10, 0, 0)}
	der, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
	if err != nil {
		return "", err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return base64.StdEncoding.EncodeToString(text), nil
}
