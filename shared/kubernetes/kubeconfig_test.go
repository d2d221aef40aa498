package kubernetes

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"portolan/shared/fault"
)

// made is a certificate that signed itself, in PEM.
func made(t testing.TB, from, until time.Time, hosts ...string) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "shop"}, NotBefore: from, NotAfter: until, DNSNames: hosts,
		IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv6loopback},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: raw})
}

func encoded(raw []byte) string { return base64.StdEncoding.EncodeToString(raw) }

const secretToken = "s3cr3t-t0k3n"

// kubeconfigOf is a kubeconfig with those lines of the cluster and of the user.
func kubeconfigOf(cluster, user string) string {
	return "apiVersion: v1\nkind: Config\ncurrent-context: shop\ncontexts:\n- name: shop\n  context: {cluster: one, user: me}\n" +
		"- name: other\n  context: {cluster: two, user: me}\n- name: third\n  context: {cluster: one, user: you}\n" +
		"clusters:\n- name: one\n  cluster: {" + cluster + "}\nusers:\n- name: me\n  user: {" + user + "}\n"
}

func TestKubeconfigs(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	good, goodKey := made(t, now.Add(-time.Hour), now.Add(time.Hour))
	old, oldKey := made(t, now.Add(-48*time.Hour), now.Add(-24*time.Hour))
	early, earlyKey := made(t, now.Add(time.Hour), now.Add(2*time.Hour))
	const server = "server: \"https://10.0.0.1:6443\""
	const token = "token: " + secretToken
	pair := func(certificate, key []byte) string {
		return "client-certificate-data: " + encoded(certificate) + ", client-key-data: " + encoded(key)
	}
	tests := []struct{ name, text, context, want string }{
		{"a token", kubeconfigOf(server, token), "", ""},
		{"a certificate", kubeconfigOf(server+", certificate-authority-data: "+encoded(good), pair(good, goodKey)), "shop", ""},
		{"an expired authority beside a good one", kubeconfigOf(server+", certificate-authority-data: "+encoded(append(old, good...)), token), "", ""},
		{"empty", "", "", "is not YAML or JSON"},
		{"nothing in it", "{}", "", "no current-context"},
		{"no YAML", "{a: [b", "", "is not YAML or JSON"},
		{"a word", secretToken, "", "is not YAML or JSON"},
		{"a list", "- " + secretToken, "", "is not YAML or JSON"},
		{"data that is not base64", kubeconfigOf(server, "client-key-data: \"%%"+secretToken+"\""), "", "wrong type"},
		{"no current context", strings.Replace(kubeconfigOf(server, token), "current-context: shop", "", 1), "", "no current-context"},
		{"an unknown context", kubeconfigOf(server, token), "prod", `no context "prod"; it has shop, other, third`},
		{"an unknown cluster", kubeconfigOf(server, token), "other", `the cluster "two", which it does not have`},
		{"an unknown user", kubeconfigOf(server, token), "third", `the user "you", which it does not have`},
		{"no server", kubeconfigOf("insecure-skip-tls-verify: false", token), "", "is no URL"},
		{"a server that is no URL", kubeconfigOf("server: \"10.0.0.1:6443\"", token), "", "is no URL"},
		{"http", kubeconfigOf("server: \"http://10.0.0.1\"", token), "", "not called by https"},
		{"a password in the URL", kubeconfigOf("server: \"https://me:"+secretToken+"@10.0.0.1\"", token), "", "user or password"},
		{"an authority's file", kubeconfigOf(server+", certificate-authority: /etc/ca.crt", token), "", `the file "/etc/ca.crt" as its certificate-authority`},
		{"no check of the server", kubeconfigOf(server+", insecure-skip-tls-verify: true", token), "", "insecure-skip-tls-verify"},
		{"a proxy", kubeconfigOf(server+", proxy-url: \"http://proxy\"", token), "", "proxy-url"},
		{"an authority that is no PEM", kubeconfigOf(server+", certificate-authority-data: "+encoded([]byte(secretToken)), token), "", "no certificate in PEM"},
		{"an authority that is no certificate", kubeconfigOf(server+", certificate-authority-data: "+encoded(goodKey), token), "", "holds what is no certificate"},
		{"an expired authority", kubeconfigOf(server+", certificate-authority-data: "+encoded(old), token), "", `authority of cluster "one" expired at 2026-11-24T12:00:00Z`},
		{"a plugin", kubeconfigOf(server, "exec: {command: aws, apiVersion: client.authentication.k8s.io/v1}"), "", `the program "aws", and Portolan runs no programs`},
		{"an auth-provider", kubeconfigOf(server, "auth-provider: {name: gcp}"), "", `the auth-provider "gcp"`},
		{"a token's file", kubeconfigOf(server, "tokenFile: /run/token"), "", `the file "/run/token" as its tokenFile`},
		{"a certificate's file", kubeconfigOf(server, "client-certificate: /me.crt"), "", `the file "/me.crt" as its client-certificate`},
		{"a key's file", kubeconfigOf(server, "client-key: /me.key"), "", `the file "/me.key" as its client-key`},
		{"a password", kubeconfigOf(server, "username: me, password: "+secretToken), "", "has a password"},
		{"no credentials", kubeconfigOf(server, ""), "", "neither a token nor a client certificate"},
		{"a key of another certificate", kubeconfigOf(server, pair(good, oldKey)), "", "do not belong together"},
		{"an expired certificate", kubeconfigOf(server, pair(old, oldKey)), "", `certificate of user "me" expired at 2026-11-24T12:00:00Z`},
		{"a certificate of tomorrow", kubeconfigOf(server, pair(early, earlyKey)), "", "is not valid before 2026-11-25T13:00:00Z"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a, err := parseKubeconfig([]byte(test.text), test.context, now)
			if test.want == "" {
				if err != nil || a.endpoint != "https://10.0.0.1:6443" || a.token == "" && a.certificate == nil {
					t.Errorf("got %+v, %v", a, err)
				}
				return
			}
			if !fault.IsInvalid(err) || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want %q", err, test.want)
			}
			if strings.Contains(err.Error(), secretToken) || strings.Contains(err.Error(), encoded(goodKey)[:20]) {
				t.Errorf("the error tells a secret: %v", err)
			}
		})
	}
}

func TestImpersonationIsKept(t *testing.T) {
	text := kubeconfigOf("server: \"https://10.0.0.1\"", "token: x, as: admin, as-groups: [ops]")
	a, err := parseKubeconfig([]byte(text), "", time.Now())
	if err != nil || a.impersonate.UserName != "admin" || len(a.impersonate.Groups) != 1 {
		t.Errorf("got %+v, %v", a.impersonate, err)
	}
}

// FuzzKubeconfig wants no input to make more than an access or an Invalid error.
func FuzzKubeconfig(f *testing.F) {
	f.Add(kubeconfigOf("server: \"https://10.0.0.1\"", "token: "+secretToken), "shop")
	f.Add("{}", "")
	f.Add("contexts: null\nclusters: [1]", "a")
	f.Fuzz(func(t *testing.T, text, context string) {
		a, err := parseKubeconfig([]byte(text), context, time.Unix(0, 0))
		switch {
		case err == nil && (!strings.HasPrefix(a.endpoint, "https://") || a.token == "" && a.certificate == nil):
			t.Errorf("got %+v", a)
		case err != nil && !fault.IsInvalid(err):
			t.Errorf("got %v", err)
		}
	})
}
