package cluster

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/netip"
	"strings"
	"time"
)

const (
	subnetSize      = 24
	dataPathPort    = 4789
	digestDigits    = 50
	secretDigits    = 25
	authorityExpiry = 20 * 365 * 24 * time.Hour
)

func addressPool() []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} }

// makeAuthority makes the authority by which nodes know each other. Its key is thrown
// away, as certificates of nodes are nowhere shown.
func (c *Cluster) makeAuthority() {
	seed := sha256.Sum256([]byte(c.config.IDs.Hex(64)))
	key := ed25519.NewKeyFromSeed(seed[:])
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(seed[:16]), Subject: pkix.Name{CommonName: "swarm-ca"},
		NotBefore: c.now().Add(-time.Hour), NotAfter: c.now().Add(authorityExpiry),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, BasicConstraintsValid: true, IsCA: true, MaxPathLen: 1,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic("making the authority of a swarm: " + err.Error()) // the template is always the same
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		panic("reading the authority of a swarm: " + err.Error())
	}
	c.object.TLSInfo.TrustRoot = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	c.object.TLSInfo.CertIssuerSubject = parsed.RawSubject
	c.object.TLSInfo.CertIssuerPublicKey = parsed.RawSubjectPublicKeyInfo
}

// newToken makes a token: the digest of the authority, and a secret.
func (c *Cluster) newToken() string {
	digest := sha256.Sum256([]byte(c.object.TLSInfo.TrustRoot))
	return fmt.Sprintf("SWMTKN-1-%0*s-%0*s", digestDigits, new(big.Int).SetBytes(digest[:]).Text(36),
		secretDigits, c.config.IDs.Base36(secretDigits))
}

// CheckToken says whether a token lets a node join, and as what.
func (c *Cluster) CheckToken(token string) (manager bool, err error) {
	digest, err := parseToken(token)
	if err != nil {
		return false, err
	}
	ours, _ := parseToken(c.object.JoinTokens.Worker)
	switch {
	case token == c.object.JoinTokens.Manager:
		return true, nil
	case token == c.object.JoinTokens.Worker:
		return false, nil
	case digest != ours:
		return false, Errorf(500, "remote CA does not match fingerprint. Expected: %s", digest)
	}
	return false, rpc(invalidArgument, "A valid join token is necessary to join this cluster")
}

// parseToken returns the digest in a token, in hexadecimal digits.
func parseToken(token string) (digest string, err error) {
	parts := strings.Split(token, "-")
	if len(parts) != 4 || parts[0] != "SWMTKN" || parts[1] != "1" || len(parts[2]) != digestDigits || len(parts[3]) != secretDigits {
		return "", Errorf(500, "invalid join token")
	}
	number, ok := new(big.Int).SetString(parts[2], 36)
	if !ok || number.BitLen() > 256 {
		return "", Errorf(500, "invalid join token")
	}
	var raw [32]byte
	return hex.EncodeToString(number.FillBytes(raw[:])), nil
}

// CheckTokenForm says whether something has the form of a token.
func CheckTokenForm(token string) error {
	_, err := parseToken(token)
	return err
}
