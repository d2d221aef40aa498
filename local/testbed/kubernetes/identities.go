package kubernetes

import (
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

// The files of a cluster's directory that components read.
const (
	authorityCertificate = "authority.crt"
	authorityKey         = "authority.key"
	serverCertificate    = "server.crt"
	serverKey            = "server.key"
	adminCertificate     = "admin.crt"
	adminKey             = "admin.key"
	accountKey           = "account.key" // signs the tokens of service accounts
	adminConfig          = "admin.kubeconfig"
	controllersConfig    = "controllers.kubeconfig"
	schedulerConfig      = "scheduler.kubeconfig"
)

// identities are what a cluster's users sign in with, as kubeconfigs.
type identities struct {
	admin, limited, expired []byte
}

// newIdentities makes the cluster's authority, certificates and kubeconfigs, and leaves
// in its directory what its components need. It returns the API as the administrator
// has it, too.
func newIdentities(directory, address string) (identities, *api, error) {
	now := time.Now()
	ca, err := newAuthority(now)
	if err != nil {
		return identities{}, nil, err
	}
	issuer := &issuer{authority: ca, directory: directory, address: address}
	issuer.write(authorityCertificate, ca.certificate)
	issuer.write(authorityKey, ca.key)
	server := issuer.issue(subject{name: "kube-apiserver", addresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	issuer.write(serverCertificate, server.certificate)
	issuer.write(serverKey, server.key)
	issuer.write(accountKey, issuer.issue(subject{name: "service-accounts"}).key)

	admin := issuer.issue(subject{name: "admin", groups: []string{"system:masters"}})
	issuer.write(adminCertificate, admin.certificate)
	issuer.write(adminKey, admin.key)
	made := identities{
		admin:   issuer.kubeconfig(admin),
		limited: issuer.kubeconfig(issuer.issue(subject{name: "limited"})),
		expired: issuer.kubeconfig(issuer.issue(subject{name: "expired", groups: []string{"system:masters"},
			begins: now.AddDate(0, 0, -2), ends: now.AddDate(0, 0, -1)})),
	}
	issuer.write(adminConfig, made.admin)
	for file, name := range map[string]string{
		controllersConfig: "system:kube-controller-manager",
		schedulerConfig:   "system:kube-scheduler",
	} {
		issuer.write(file, issuer.kubeconfig(issuer.issue(subject{name: name})))
	}
	if issuer.err != nil {
		return identities{}, nil, issuer.err
	}
	asAdmin, err := newAPI(address, ca.pair, admin)
	return made, asAdmin, err
}

// An issuer makes the identities of one cluster, and keeps the first error.
type issuer struct {
	authority *authority
	directory string
	address   string
	err       error
}

func (i *issuer) issue(s subject) pair {
	if i.err != nil {
		return pair{}
	}
	made, err := i.authority.issue(s)
	i.err = err
	return made
}

func (i *issuer) write(file string, content []byte) {
	if i.err == nil {
		i.err = os.WriteFile(filepath.Join(i.directory, file), content, 0o600)
	}
}

// kubeconfig returns the file that tells a client where the cluster is and who it is
// itself.
func (i *issuer) kubeconfig(user pair) []byte {
	encode := base64.StdEncoding.EncodeToString
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
current-context: testbed
clusters:
- name: testbed
  cluster:
    server: %s
    certificate-authority-data: %s
users:
- name: user
  user:
    client-certificate-data: %s
    client-key-data: %s
contexts:
- name: testbed
  context: {cluster: testbed, user: user}
`, i.address, encode(i.authority.certificate), encode(user.certificate), encode(user.key))
}
