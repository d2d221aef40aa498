package kubernetes_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"portolan/shared/fault"
	"portolan/shared/kubernetes"
	"portolan/shared/orchestrator"
)

const bearer = "s3cr3t-t0k3n"

// server answers as an API server does that knows only what a test needs of it.
type server struct {
	*httptest.Server
	version string
	answer  func(w http.ResponseWriter, r *http.Request) bool
	seen    []*http.Request
}

func serve(t *testing.T, configure func(*httptest.Server)) *server {
	s := &server{version: "37"}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(s.handle))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	if configure != nil {
		configure(s.Server)
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (s *server) handle(w http.ResponseWriter, r *http.Request) {
	s.seen = append(s.seen, r)
	w.Header().Set("Content-Type", "application/json")
	switch {
	case s.answer != nil && s.answer(w, r):
	case r.URL.Path == "/version":
		fmt.Fprintf(w, `{"major":"1","minor":"%s","gitVersion":"v1.%s.0"}`, s.version, s.version)
	case r.URL.Path == "/readyz":
		fmt.Fprint(w, "ok")
	case r.URL.Path == "/api/v1/nodes":
		fmt.Fprint(w, `{"kind":"NodeList","apiVersion":"v1","items":[{"metadata":{"name":"a"}},{"metadata":{"name":"b"}}]}`)
	default:
		refusal(w, http.StatusNotFound, "NotFound", "the server could not find the requested resource")
	}
}

// refusal answers as an API server refuses.
func refusal(w http.ResponseWriter, code int, reason, message string) {
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message,
	})
}

// authority is the server's certificate.
func (s *server) authority() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

func kubeconfig(address string, authority []byte) []byte {
	return fmt.Appendf(nil, `{"current-context":"a","contexts":[{"name":"a","context":{"cluster":"a","user":"a"}}],`+
		`"clusters":[{"name":"a","cluster":{"server":%q,"certificate-authority-data":%q}}],"users":[{"name":"a","user":{"token":%q}}]}`,
		address, base64.StdEncoding.EncodeToString(authority), bearer)
}

func adopted() orchestrator.ClusterRef {
	return orchestrator.ClusterRef{Name: "shop", Team: "checkout", Facts: orchestrator.Facts{
		Kubernetes: &orchestrator.KubernetesFacts{Credentials: secretARN, Namespace: "shop"},
	}}
}

func driverOf(a *amazon, connections *kubernetes.Connections) *kubernetes.Driver {
	return kubernetes.New(kubernetes.Config{
		AWS: a.config(), Now: time.Now, Log: slog.New(slog.DiscardHandler), Connections: connections,
	})
}

func TestHealthOfAServerThatAnswers(t *testing.T) {
	s := serve(t, nil)
	a := newAmazon(kubeconfig(s.URL, s.authority()))
	health, err := driverOf(a, nil).Health(t.Context(), adopted())
	if err != nil || health.State != orchestrator.Healthy || health.NodesRegistered != 2 {
		t.Errorf("got %+v, %v", health, err)
	}
	for _, r := range s.seen {
		if r.Header.Get("Authorization") != "Bearer "+bearer || r.Header.Get("User-Agent") != "portolan" {
			t.Errorf("%s came with %v", r.URL, r.Header)
		}
		if list := r.URL.Path == "/api/v1/nodes"; list && r.URL.Query().Get("limit") == "" {
			t.Errorf("a list without a limit: %s", r.URL)
		}
	}
}

func TestVersionsThatAreTaken(t *testing.T) {
	for version, taken := range map[string]bool{"28": false, "29": true, "34+": true, "38": true, "39": false, "": false} {
		s := serve(t, nil)
		s.version = version
		_, err := driverOf(newAmazon(kubeconfig(s.URL, s.authority())), nil).Health(t.Context(), adopted())
		if taken != (err == nil) || !taken && (!fault.IsInvalid(err) || !strings.Contains(err.Error(), "1.29 to 1.38")) {
			t.Errorf("1.%s: %v", version, err)
		}
	}
}

func TestServersThatCannotBeReached(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := "https://" + closed.Addr().String()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	good := serve(t, nil)
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	expired, authority := expiredServer(t)
	silent := serve(t, nil)
	silent.answer = func(_ http.ResponseWriter, r *http.Request) bool {
		<-r.Context().Done()
		return true
	}
	other := serve(t, nil)
	other.answer = func(w http.ResponseWriter, _ *http.Request) bool {
		fmt.Fprint(w, "<html>hello</html>")
		return true
	}
	tests := []struct {
		name, address string
		authority     []byte
		kind          fault.Kind
		want          string
	}{
		{"nobody listens", refused, good.authority(), fault.Unavailable, "nobody listens"},
		{"no such host", "https://no-such-host.invalid:6443", good.authority(), fault.Unavailable, "there is no host no-such-host.invalid"},
		{"no answer", silent.URL, silent.authority(), fault.Unavailable, "did not answer in time"},
		{"no TLS", "https://" + strings.TrimPrefix(plain.URL, "http://"), good.authority(), fault.Invalid, "TLS"},
		{"another authority", good.URL, authority, fault.Invalid, "not of the authority"},
		{"another name", strings.Replace(good.URL, "127.0.0.1", "localhost", 1), good.authority(), fault.Invalid, "for another name"},
		{"an expired certificate", expired, authority, fault.Invalid, "has expired"},
		{"no Kubernetes", other.URL, other.authority(), fault.Invalid, "is no Kubernetes"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			_, err := driverOf(newAmazon(kubeconfig(test.address, test.authority)), nil).Health(ctx, adopted())
			if fault.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %s: %v", fault.KindOf(err), err)
			}
			if err != nil && strings.Contains(err.Error(), bearer) {
				t.Errorf("the error tells the token: %v", err)
			}
		})
	}
}

// expiredServer has a certificate of yesterday, of an authority that is good.
func expiredServer(t *testing.T) (address string, authority []byte) {
	t.Helper()
	issue := func(parent *x509.Certificate, signer *ecdsa.PrivateKey, until time.Time) (*x509.Certificate, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "shop"}, NotBefore: time.Now().Add(-48 * time.Hour),
			NotAfter: until, IsCA: parent == nil, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		}
		if parent == nil {
			parent, signer = template, key
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
		if err != nil {
			t.Fatal(err)
		}
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return certificate, key
	}
	ca, caKey := issue(nil, nil, time.Now().Add(time.Hour))
	leaf, key := issue(ca, caKey, time.Now().Add(-24*time.Hour))
	s := serve(t, func(s *httptest.Server) {
		s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}}}
	})
	return s.URL, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw})
}

func TestASecretThatIsNotThere(t *testing.T) {
	_, err := driverOf(newAmazon(nil), nil).Health(t.Context(), adopted())
	if !fault.IsNotFound(err) || !strings.Contains(err.Error(), secretARN) {
		t.Errorf("got %v", err)
	}
}

// One read of the kubeconfig serves many drivers, until the API server refuses it.
func TestAKubeconfigIsKeptWhileItIsGood(t *testing.T) {
	s := serve(t, nil)
	a := newAmazon(kubeconfig(s.URL, s.authority()))
	connections := &kubernetes.Connections{}
	health := func() error {
		_, err := driverOf(a, connections).Health(t.Context(), adopted())
		return err
	}
	for range 3 {
		if err := health(); err != nil {
			t.Fatal(err)
		}
	}
	if a.reads != 1 {
		t.Errorf("the kubeconfig was read %d times", a.reads)
	}
	s.answer = func(w http.ResponseWriter, _ *http.Request) bool {
		refusal(w, http.StatusUnauthorized, "Unauthorized", "Unauthorized")
		return true
	}
	if err := health(); err == nil || !strings.Contains(err.Error(), "does not know the credentials") {
		t.Errorf("refused: %v", err)
	}
	s.answer = nil
	if err := health(); err != nil || a.reads != 2 {
		t.Errorf("after a refusal, the kubeconfig was read %d times: %v", a.reads, err)
	}
}

// In EKS the session's credentials sign who calls.
func TestAClusterInEKSIsCalledWithASignedToken(t *testing.T) {
	s := serve(t, nil)
	cluster := orchestrator.ClusterRef{Name: "shop", Facts: orchestrator.Facts{Kubernetes: &orchestrator.KubernetesFacts{
		EKSCluster: "portolan-shop", Endpoint: s.URL, CertificateAuthority: base64.StdEncoding.EncodeToString(s.authority()),
	}}}
	if _, err := driverOf(newAmazon(nil), nil).Health(t.Context(), cluster); err != nil {
		t.Fatal(err)
	}
	token, found := strings.CutPrefix(s.seen[0].Header.Get("Authorization"), "Bearer k8s-aws-v1.")
	address, err := base64.RawURLEncoding.DecodeString(token)
	if !found || err != nil {
		t.Fatalf("got %q", s.seen[0].Header.Get("Authorization"))
	}
	said, err := url.Parse(string(address))
	if err != nil {
		t.Fatal(err)
	}
	query := said.Query()
	if said.Host != "sts."+area+".amazonaws.com" || query.Get("Action") != "GetCallerIdentity" || query.Get("X-Amz-Expires") != "60" ||
		query.Get("X-Amz-SignedHeaders") != "host;x-k8s-aws-id" || query.Get("X-Amz-Security-Token") != "session" || query.Get("X-Amz-Signature") == "" {
		t.Errorf("got %s", address)
	}
	if strings.Contains(string(address), "very-secret") {
		t.Error("the token tells the key")
	}
}

// Each refusal says what was being done, and has the kind of what to do next.
func TestRefusalsHaveKinds(t *testing.T) {
	tests := []struct {
		code            int
		reason, message string
		kind            fault.Kind
		want            string
	}{
		{403, "Forbidden", `deployments.apps "web" is forbidden: User "x" cannot get resource`, fault.Internal, "get deployments.apps in namespace shop is not allowed"},
		{403, "Forbidden", "unable to create new content in namespace shop because it is being terminated", fault.Conflict, "being deleted"},
		{403, "Forbidden", "exceeded quota: small", fault.Unavailable, "exceeded quota"},
		{403, "Forbidden", `admission webhook "policy" denied the request: no`, fault.Invalid, `webhook "policy"`},
		{409, "Conflict", "the object has been modified", fault.Conflict, "has been modified"},
		{422, "Invalid", "spec.x: Invalid value", fault.Invalid, "spec.x"},
		{400, "BadRequest", "cannot be handled", fault.Invalid, "cannot be handled"},
		{410, "Expired", "too old resource version", fault.Invalid, "begin again"},
		{500, "InternalError", "etcd is away", fault.Unavailable, "etcd is away"},
		{503, "ServiceUnavailable", "starting", fault.Unavailable, "starting"},
	}
	for _, test := range tests {
		s := serve(t, nil)
		s.answer = func(w http.ResponseWriter, _ *http.Request) bool {
			refusal(w, test.code, test.reason, test.message)
			return true
		}
		_, err := driverOf(newAmazon(kubeconfig(s.URL, s.authority())), nil).
			Observe(t.Context(), orchestrator.ServiceRef{Cluster: adopted(), Name: "web"})
		if fault.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "Deployment shop/web") {
			t.Errorf("%d %s: got %s: %v", test.code, test.message, fault.KindOf(err), err)
		}
	}
}

func TestWhatCannotRunIsRefusedBeforeAnyCall(t *testing.T) {
	a := newAmazon(nil)
	release := orchestrator.Release{Service: orchestrator.ServiceRef{Cluster: adopted(), Name: "web"}, Number: 1}
	release.Spec.Memory.LimitMiB = 64
	release.Spec.Role = "arn:aws:iam::111122223333:role/web"
	err := driverOf(a, nil).Apply(t.Context(), release)
	if !fault.IsInvalid(err) || len(fault.FieldsOf(err)) != 1 || fault.FieldsOf(err)[0].Pointer != "/role" || a.reads != 0 {
		t.Errorf("got %v after %d reads", err, a.reads)
	}
}

// Behind a connector all requests travel by Lambda, and none from here.
func TestThroughTheConnector(t *testing.T) {
	a := newAmazon(kubeconfig("https://10.0.0.1:6443", nil))
	var asked []string
	config := a.config()
	config.HTTPClient = &http.Client{Transport: transportOf(func(r *http.Request) (*http.Response, error) {
		if !strings.Contains(r.URL.Host, "lambda") {
			return a.RoundTrip(r)
		}
		var said struct{ Method, URL string }
		body, err := io.ReadAll(r.Body)
		if err != nil || json.Unmarshal(body, &said) != nil {
			return nil, fmt.Errorf("got %s: %v", body, err)
		}
		asked = append(asked, said.Method+" "+said.URL)
		answer := []byte(`{"kind":"NodeList","apiVersion":"v1","items":[{"metadata":{"name":"a"}}]}`)
		if strings.HasSuffix(said.URL, "/version") {
			answer = []byte(`{"major":"1","minor":"34","gitVersion":"v1.34.2"}`)
		}
		sent, err := json.Marshal(map[string]any{
			"status": 200, "header": http.Header{"Content-Type": {"application/json"}}, "body": answer,
		})
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(string(sent))), Request: r}, err
	})}
	cluster := adopted()
	cluster.Facts.Kubernetes.Connector = "arn:aws:lambda:eu-central-1:111122223333:function:connector"
	driver := kubernetes.New(kubernetes.Config{AWS: config, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		WrapTransport: func(http.RoundTripper) http.RoundTripper {
			t.Error("a request would leave from here")
			return nil
		}})
	health, err := driver.Health(t.Context(), cluster)
	if err != nil || health.NodesRegistered != 1 || len(asked) != 3 || asked[0] != "GET https://10.0.0.1:6443/version" {
		t.Errorf("got %+v, %v, asked %q", health, err, asked)
	}
}

type transportOf func(*http.Request) (*http.Response, error)

func (f transportOf) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
