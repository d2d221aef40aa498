package kubernetes

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/url"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/yaml"
	clientcmd "k8s.io/client-go/tools/clientcmd/api/v1"

	"portolan/shared/fault"
)

// parseKubeconfig takes from a kubeconfig how the API server of a context is called;
// of the current one when context is empty. It runs no plugin, reads no file and trusts
// no server unseen, so what asks for that is refused. No error repeats what the
// kubeconfig holds but names, because the rest may be secret.
func parseKubeconfig(raw []byte, context string, now time.Time) (access, error) {
	var config clientcmd.Config
	document, err := yaml.ToJSON(raw)
	if err != nil || !json.Valid(document) || !strings.HasPrefix(strings.TrimSpace(string(document)), "{") {
		return access{}, refuse("it is not YAML or JSON with clusters, users and contexts")
	}
	if json.Unmarshal(document, &config) != nil {
		return access{}, refuse("a field has a value of a wrong type, such as certificate data that is not base64")
	}
	if context == "" {
		context = config.CurrentContext
	}
	if context == "" {
		return access{}, refuse("it has no current-context, and kubernetes.context names none")
	}
	said, found := contextOf(config, context)
	if !found {
		return access{}, refuse("it has no context %q; it has %s", context, contextNames(config))
	}
	a := access{}
	for _, named := range config.Clusters {
		if named.Name == said.Cluster {
			if err := server(&a, named.Name, named.Cluster, now); err != nil {
				return access{}, err
			}
		}
	}
	if a.endpoint == "" {
		return access{}, refuse("context %q names the cluster %q, which it does not have", context, said.Cluster)
	}
	for _, named := range config.AuthInfos {
		if named.Name == said.AuthInfo {
			return a, user(&a, named.Name, named.AuthInfo, now)
		}
	}
	return access{}, refuse("context %q names the user %q, which it does not have", context, said.AuthInfo)
}

func refuse(format string, args ...any) error { return fault.New(fault.Invalid, format, args...) }

func contextOf(config clientcmd.Config, name string) (clientcmd.Context, bool) {
	for _, named := range config.Contexts {
		if named.Name == name {
			return named.Context, true
		}
	}
	return clientcmd.Context{}, false
}

func contextNames(config clientcmd.Config) string {
	var names []string
	for _, named := range config.Contexts {
		names = append(names, named.Name)
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// server takes over where the API server is and what it is trusted by.
func server(a *access, name string, c clientcmd.Cluster, now time.Time) error {
	address, err := url.Parse(c.Server)
	switch {
	case c.Server == "" || err != nil || address.Host == "":
		return refuse("the server of cluster %q is no URL such as https://10.0.0.1:6443", name)
	case address.Scheme != "https":
		return refuse("the server of cluster %q is not called by https, so anybody on the way could read the credentials", name)
	case address.User != nil:
		return refuse("the server's URL of cluster %q holds a user or password; they belong to the user", name)
	case c.CertificateAuthority != "":
		return refuse("cluster %q names the file %q as its certificate-authority; put its content in "+
			"certificate-authority-data, as kubectl config view --raw --flatten does", name, c.CertificateAuthority)
	case c.InsecureSkipTLSVerify:
		return refuse("cluster %q says insecure-skip-tls-verify, so anybody on the way could take the server's place; put "+
			"the server's certificate, or its authority's, in certificate-authority-data", name)
	case c.ProxyURL != "":
		return refuse("cluster %q has a proxy-url; an API server that is not reached from here is called by the connector, "+
			"for which the description names a network", name)
	}
	a.endpoint, a.serverName = strings.TrimSuffix(c.Server, "/"), c.TLSServerName
	a.authorities = c.CertificateAuthorityData
	if len(a.authorities) == 0 {
		return nil
	}
	return authorities(a.authorities, name, now)
}

func authorities(bundle []byte, name string, now time.Time) error {
	var last *x509.Certificate
	for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return refuse("the certificate-authority-data of cluster %q holds what is no certificate", name)
		}
		if now.Before(certificate.NotAfter) {
			return nil
		}
		last = certificate
	}
	if last == nil {
		return refuse("the certificate-authority-data of cluster %q is no certificate in PEM", name)
	}
	return refuse("the certificate authority of cluster %q expired at %s", name, last.NotAfter.UTC().Format(time.RFC3339))
}

// user takes over who calls.
func user(a *access, name string, u clientcmd.AuthInfo, now time.Time) error {
	switch {
	case u.Exec != nil:
		return refuse("user %q gets its credentials from the program %q, and Portolan runs no programs; for a cluster in "+
			"EKS give its name there as kubernetes.eksCluster, and for any other the token of a service account",
			name, u.Exec.Command)
	case u.AuthProvider != nil:
		return refuse("user %q gets its credentials from the auth-provider %q, which Kubernetes has no more; give the token "+
			"of a service account", name, u.AuthProvider.Name)
	case u.TokenFile != "":
		return refuse("user %q names the file %q as its tokenFile; put its content in token", name, u.TokenFile)
	case u.ClientCertificate != "":
		return refuse("user %q names the file %q as its client-certificate; put its content in client-certificate-data, as "+
			"kubectl config view --raw --flatten does", name, u.ClientCertificate)
	case u.ClientKey != "":
		return refuse("user %q names the file %q as its client-key; put its content in client-key-data, as kubectl config "+
			"view --raw --flatten does", name, u.ClientKey)
	case u.Username != "" || u.Password != "":
		return refuse("user %q has a password, which Kubernetes takes no more; give the token of a service account", name)
	}
	a.token, a.certificate, a.certificateKey = u.Token, u.ClientCertificateData, u.ClientKeyData
	a.impersonate.UserName, a.impersonate.UID, a.impersonate.Groups = u.Impersonate, u.ImpersonateUID, u.ImpersonateGroups
	a.impersonate.Extra = u.ImpersonateUserExtra
	if a.token == "" && len(a.certificate) == 0 {
		return refuse("user %q has neither a token nor a client certificate", name)
	}
	if len(a.certificate) == 0 {
		return nil
	}
	pair, err := tls.X509KeyPair(a.certificate, a.certificateKey)
	if err != nil {
		return refuse("the client certificate of user %q and its key are no PEM, or do not belong together", name)
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	switch {
	case err != nil:
		return refuse("the client certificate of user %q is no certificate", name)
	case now.After(leaf.NotAfter):
		return refuse("the client certificate of user %q expired at %s", name, leaf.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(leaf.NotBefore):
		return refuse("the client certificate of user %q is not valid before %s", name, leaf.NotBefore.UTC().Format(time.RFC3339))
	}
	return nil
}
