package connector_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/smithy-go"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"

	function "portolan/functions/connector"
	"portolan/shared/connector"
	"portolan/shared/environment"
	"portolan/shared/fault"
)

// lambdas is Lambda with the connector, which has four seconds.
type lambdas struct {
	handler *function.Handler
	payload []byte // of the last invocation
	trouble error
}

// Invoke implements connector.Invoker.
func (l *lambdas) Invoke(ctx context.Context, in *lambda.InvokeInput, _ ...func(*lambda.Options)) (*lambda.InvokeOutput, error) {
	if l.trouble != nil {
		return nil, l.trouble
	}
	l.payload = in.Payload
	ctx, cancel := context.WithTimeout(ctx, 4*time.Second)
	defer cancel()
	var request connector.Request
	if err := json.Unmarshal(in.Payload, &request); err != nil {
		return nil, err
	}
	out, err := fault.Boundary(l.handler.Handle)(ctx, request)
	if named, failed := errors.AsType[messages.InvokeResponse_Error](err); failed {
		payload, err := json.Marshal(map[string]string{"errorType": named.Type, "errorMessage": named.Message})
		return &lambda.InvokeOutput{Payload: payload, FunctionError: aws.String("Unhandled")}, err
	}
	payload, err := json.Marshal(out)
	return &lambda.InvokeOutput{Payload: payload}, err
}

// A scene is a host with TLS, and a client that reaches it through the connector.
type scene struct {
	*testing.T
	host    *httptest.Server
	lambdas *lambdas
	through *connector.Transport
	log     *bytes.Buffer
}

func newScene(t *testing.T, serve http.HandlerFunc) *scene {
	t.Helper()
	s := &scene{T: t, host: httptest.NewTLSServer(serve), log: new(bytes.Buffer)}
	t.Cleanup(s.host.Close)
	s.lambdas = &lambdas{handler: function.New(&environment.Environment{Now: time.Now,
		Log:       slog.New(slog.NewJSONHandler(s.log, nil)),
		Variables: func(string) string { return s.host.Listener.Addr().String() + ", api.example" }})}
	s.through = &connector.Transport{Lambda: s.lambdas, Function: "portolan-connector-shop",
		Trust: connector.Trust{CertificateAuthority: pemOf(s.host.Certificate())}}
	return s
}

func pemOf(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

func (s *scene) send(r *http.Request) (*http.Response, string, error) {
	s.Helper()
	response, err := s.through.RoundTrip(r)
	if err != nil {
		return nil, "", err
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.Fatal(err)
	}
	return response, string(body), nil
}

func (s *scene) request(method, path, body string) *http.Request {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), method, s.host.URL+path, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	return r
}

func TestARequestTravels(t *testing.T) {
	s := newScene(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Add("X-Seen", r.Header.Get("Authorization"))
		w.WriteHeader(http.StatusConflict)
		fmt.Fprintf(w, "%s %s %s", r.Method, r.URL.RequestURI(), body)
	})
	r := s.request(http.MethodPatch, "/apis/apps/v1?fieldManager=portolan", "top-secret-body")
	r.Header.Set("Authorization", "Bearer top-secret-token")
	response, body, err := s.send(r)
	if err != nil || response.StatusCode != http.StatusConflict || response.Header.Get("X-Seen") != "Bearer top-secret-token" ||
		body != "PATCH /apis/apps/v1?fieldManager=portolan top-secret-body" {
		t.Errorf("got %+v, %q, %v", response, body, err)
	}
	if log := s.log.String(); strings.Contains(log, "top-secret") || !strings.Contains(log, `"path":"/apis/apps/v1"`) {
		t.Errorf("the log is %s", log)
	}
}

func TestWhatIsRefused(t *testing.T) {
	s := newScene(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "reached") })
	other := httptest.NewTLSServer(http.NotFoundHandler())
	defer other.Close()
	for name, change := range map[string]func(*http.Request){
		"another host":         func(r *http.Request) { r.URL.Host = strings.TrimPrefix(other.URL, "https://") },
		"another port":         func(r *http.Request) { r.URL.Host = "127.0.0.1" },
		"the metadata service": func(r *http.Request) { r.URL, _ = url.Parse("https://169.254.169.254/latest/meta-data") },
		"plain HTTP":           func(r *http.Request) { r.URL.Scheme = "http" },
		"a user in the URL":    func(r *http.Request) { r.URL.User = url.UserPassword("ada", "top-secret") },
		"an upgrade":           func(r *http.Request) { r.Header.Set("Upgrade", "SPDY/3.1") },
		"a large body":         func(r *http.Request) { r.Body = io.NopCloser(bytes.NewReader(make([]byte, connector.BodyMax+1))) },
	} {
		r := s.request(http.MethodPost, "/", "")
		change(r)
		if _, body, err := s.send(r); !fault.IsInvalid(err) || strings.Contains(err.Error(), "top-secret") {
			t.Errorf("%s: %q, %v", name, body, err)
		}
	}
	// The function does not rely on its caller for any of it.
	for _, in := range []connector.Request{
		{URL: s.host.URL, Header: http.Header{"Upgrade": {"websocket"}}}, {URL: s.host.URL, Body: make([]byte, connector.BodyMax+1)},
		{URL: "https://%zz"}, {URL: s.host.URL, Method: "A B"}, {URL: s.host.URL, Trust: connector.Trust{CertificateAuthority: []byte("x")}},
		{URL: s.host.URL, Trust: connector.Trust{Certificate: []byte("x"), Key: []byte("top-secret")}},
	} {
		if _, err := s.lambdas.handler.Handle(t.Context(), in); !fault.IsInvalid(err) || strings.Contains(err.Error(), "top-secret") {
			t.Errorf("%.60s: %v", in.URL, err)
		}
	}
}

func TestAHostHasToBeWhoItShouldBe(t *testing.T) {
	s := newScene(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "reached") })
	stranger, _, _ := selfSigned(t, "stranger")
	for name, trust := range map[string]connector.Trust{
		"of another authority": {CertificateAuthority: stranger},
		"of a public one":      {},
		"of another name":      {CertificateAuthority: pemOf(s.host.Certificate()), ServerName: "other.test"},
	} {
		s.through.Trust = trust
		if _, body, err := s.send(s.request(http.MethodGet, "/", "")); !fault.IsInvalid(err) || !strings.Contains(err.Error(), "not who it should be") {
			t.Errorf("%s: %q, %v", name, body, err)
		}
	}
	s.through.Trust = connector.Trust{CertificateAuthority: pemOf(s.host.Certificate()), ServerName: "example.com"}
	if _, body, err := s.send(s.request(http.MethodGet, "/", "")); err != nil || body != "reached" {
		t.Errorf("by a name of its certificate: %q, %v", body, err)
	}
}

func TestACallerShowsItsCertificate(t *testing.T) {
	s := newScene(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.TLS.PeerCertificates[0].Subject.CommonName)
	})
	s.host.TLS.ClientAuth = 1 // asks, and the handler looks
	s.through.Trust.Certificate, s.through.Trust.Key, _ = selfSigned(t, "kubernetes-admin")
	if _, body, err := s.send(s.request(http.MethodGet, "/", "")); err != nil || body != "kubernetes-admin" {
		t.Errorf("got %q, %v", body, err)
	}
}

func selfSigned(t *testing.T, name string) (certificate, key []byte, parsed *x509.Certificate) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	rawKey, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	if parsed, err = x509.ParseCertificate(raw); err != nil {
		t.Fatal(err)
	}
	return pemOf(parsed), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: rawKey}), parsed
}

func TestLargeAnswersTravelCompressed(t *testing.T) {
	page := strings.Repeat("pod ", 2<<20) // twice what passes
	s := newScene(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "gzip" {
			fmt.Fprint(w, page)
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		zipped := gzip.NewWriter(w)
		fmt.Fprint(zipped, page)
		zipped.Close()
	})
	response, body, err := s.send(s.request(http.MethodGet, "/", ""))
	if err != nil || body != page || !response.Uncompressed || response.ContentLength != int64(len(page)) {
		t.Errorf("%d bytes, %v", len(body), err)
	}
	r := s.request(http.MethodGet, "/", "")
	r.Header.Set("Accept-Encoding", "identity")
	if _, _, err := s.send(r); !fault.IsInvalid(err) || !strings.Contains(err.Error(), "in pages") {
		t.Errorf("uncompressed: %v", err)
	}
}

func TestWatchesAreBound(t *testing.T) {
	s := newScene(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.Query().Get("timeoutSeconds")) })
	for query, want := range map[string]string{"watch=true": "20", "watch=1&timeoutSeconds=600": "20", "watch=true&timeoutSeconds=5": "5",
		"timeoutSeconds=600": "600"} {
		if _, body, err := s.send(s.request(http.MethodGet, "/?"+query, "")); err != nil || body != want {
			t.Errorf("%s lasts %q, %v", query, body, err)
		}
	}
}

func TestAHostThatDoesNotAnswer(t *testing.T) {
	ended := make(chan struct{})
	s := newScene(t, func(w http.ResponseWriter, r *http.Request) { <-ended })
	began := time.Now()
	_, _, err := s.send(s.request(http.MethodGet, "/", ""))
	if took := time.Since(began); !fault.IsUnavailable(err) || took > 3500*time.Millisecond {
		t.Errorf("after %s: %v", took, err)
	}
	close(ended)
	s.host.Close()
	if _, _, err := s.send(s.request(http.MethodGet, "/", "")); !fault.IsUnavailable(err) {
		t.Errorf("a closed port: %v", err)
	}
	s.lambdas.trouble = &smithy.GenericAPIError{Code: "TooManyRequestsException", Message: "Rate Exceeded."}
	if _, _, err := s.send(s.request(http.MethodGet, "/", "")); !fault.IsUnavailable(err) {
		t.Errorf("without Lambda: %v", err)
	}
}

// Redirects could lead anywhere, and so are the caller's to follow, or not.
func TestRedirectsAreNotFollowed(t *testing.T) {
	s := newScene(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://169.254.169.254/", http.StatusFound)
	})
	if response, _, err := s.send(s.request(http.MethodGet, "/", "")); err != nil || response.StatusCode != http.StatusFound {
		t.Errorf("got %+v, %v", response, err)
	}
}

func TestUnderClientGo(t *testing.T) {
	s := newScene(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Success","message":%q}`, r.URL.Path+" as "+r.Header.Get("Authorization"))
	})
	scheme := runtime.NewScheme()
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	config := &rest.Config{Host: s.host.URL, BearerToken: "t", ContentConfig: rest.ContentConfig{
		GroupVersion: &schema.GroupVersion{Version: "v1"}, NegotiatedSerializer: serializer.NewCodecFactory(scheme).WithoutConversion()}}
	config.APIPath = "/api"
	config.Wrap(func(http.RoundTripper) http.RoundTripper { return s.through })
	client, err := rest.RESTClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	var status metav1.Status
	if err := client.Get().Namespace("default").Resource("pods").Do(t.Context()).Into(&status); err != nil ||
		status.Message != "/api/v1/namespaces/default/pods as Bearer t" {
		t.Errorf("got %+v, %v", status, err)
	}
}
