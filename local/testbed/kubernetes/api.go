package kubernetes

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// object is any of Kubernetes's objects.
type object = map[string]any

// An api is the cluster's API, as its administrator sees it.
type api struct {
	address string
	client  *http.Client
}

// A refusal is what the API answers instead of what was asked for.
type refusal struct {
	code    int
	reason  string
	message string
}

func (r *refusal) Error() string {
	return fmt.Sprintf("%d %s: %s", r.code, r.reason, r.message)
}

func newAPI(address string, ca, user pair) (*api, error) {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.certificate)
	certificate, err := tls.X509KeyPair(user.certificate, user.key)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate of a user: %w", err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{certificate}}}
	return &api{address, &http.Client{Transport: transport, Timeout: 10 * time.Second}}, nil
}

// do sends a request with a JSON body, if there is one, and reads the answer into out,
// if there is one. A *refusal says that the API answered with an error.
func (a *api) do(ctx context.Context, method, path string, body, out any) error {
	var content bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&content).Encode(body); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, a.address+path, &content)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	if method == http.MethodPatch {
		request.Header.Set("Content-Type", "application/merge-patch+json")
	}
	response, err := a.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		return asRefusal(response.StatusCode, answer)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}

func asRefusal(code int, answer []byte) error {
	var status struct{ Reason, Message string }
	if json.Unmarshal(answer, &status) != nil {
		status.Message = string(answer)
	}
	return &refusal{code, status.Reason, status.Message}
}

// create makes an object, and is content with one that is there.
func (a *api) create(ctx context.Context, path string, o object) error {
	err := a.do(ctx, http.MethodPost, path, o, nil)
	var refused *refusal
	if errors.As(err, &refused) && refused.reason == "AlreadyExists" {
		return nil
	}
	return err
}
