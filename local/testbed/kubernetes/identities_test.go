package kubernetes

import (
	"crypto/x509"
	"encoding/pem"
	"net"
	"testing"
	"time"
)

func TestCertificatesAreOfTheAuthority(t *testing.T) {
	now := time.Now()
	ca, err := newAuthority(now)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca.parsed)
	loopback := []net.IP{net.IPv4(127, 0, 0, 1)}
	for _, test := range []struct {
		subject
		usage x509.ExtKeyUsage
		valid bool
	}{
		{subject{name: "user", groups: []string{"users"}}, x509.ExtKeyUsageClientAuth, true},
		{subject{name: "user"}, x509.ExtKeyUsageServerAuth, false},
		{subject{name: "server", addresses: loopback}, x509.ExtKeyUsageServerAuth, true},
		{subject{name: "late", begins: now.AddDate(0, 0, -2), ends: now.AddDate(0, 0, -1)}, x509.ExtKeyUsageClientAuth, false},
	} {
		issued, err := ca.issue(test.subject)
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(issued.certificate)
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		_, err = certificate.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{test.usage}})
		if (err == nil) != test.valid {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}
