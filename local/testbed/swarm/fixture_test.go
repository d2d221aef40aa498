//go:build testbed

package swarm

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
	"testing"
	"time"
)

// object is any of the Engine API's objects.
type object = map[string]any

// call sends a request to an engine's socket and reads its JSON answer into out, if
// there is one.
func (e *Engine) call(ctx context.Context, method, path string, body, out any) error {
	return send(ctx, e.client, method, "http://engine/v1.41"+path, body, out)
}

func send(ctx context.Context, client *http.Client, method, url string, body, out any) error {
	content, err := json.Marshal(body)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(content))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, url, response.Status, answer)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}

// clientWith returns a client of an engine's port.
func clientWith(t *testing.T, identity Identity) *http.Client {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(identity.CA)
	config := &tls.Config{RootCAs: roots}
	if identity.Certificate != nil {
		certificate, err := tls.X509KeyPair(identity.Certificate, identity.Key)
		if err != nil {
			t.Fatal(err)
		}
		config.Certificates = []tls.Certificate{certificate}
	}
	return &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
}

// eventually asks until there is no error, for a while that a very busy machine suffices with.
func eventually(t *testing.T, what string, ask func() error) {
	t.Helper()
	deadline := time.After(3 * time.Minute)
	for {
		err := ask()
		if err == nil {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("waiting for %s: %v", what, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// pull pulls an image, which ends with an error in the answer where it is none before.
func (e *Engine) pull(image string) error {
	response, err := e.client.Post("http://engine/v1.41/images/create?fromImage="+image, "application/json", nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		answer, _ := io.ReadAll(response.Body) // the status says enough
		return fmt.Errorf("%s: %s", response.Status, answer)
	}
	var last struct{ Error string }
	for decoder := json.NewDecoder(response.Body); ; {
		if err := decoder.Decode(&last); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
	}
	if last.Error != "" {
		return errors.New(last.Error)
	}
	return nil
}

// formSwarm makes a swarm of engines: the first ones are managers.
func formSwarm(t *testing.T, engines []*Engine, managers int) {
	t.Helper()
	first := engines[0]
	err := first.call(t.Context(), http.MethodPost, "/swarm/init", object{"ListenAddr": "0.0.0.0:2377", "AdvertiseAddr": first.IP()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var made struct {
		JoinTokens struct{ Manager, Worker string }
	}
	if err := first.call(t.Context(), http.MethodGet, "/swarm", nil, &made); err != nil {
		t.Fatal(err)
	}
	for i, e := range engines[1:] {
		token := made.JoinTokens.Worker
		if i+1 < managers {
			token = made.JoinTokens.Manager
		}
		err := e.call(t.Context(), http.MethodPost, "/swarm/join", object{"ListenAddr": "0.0.0.0:2377", "AdvertiseAddr": e.IP(),
			"RemoteAddrs": []string{first.IP() + ":2377"}, "JoinToken": token}, nil)
		if err != nil {
			t.Fatal(err)
		}
	}
}

// nodes returns the states of a swarm's nodes by host name, as a manager sees them.
func (e *Engine) nodes(ctx context.Context) (map[string]string, error) {
	var nodes []struct {
		Description struct{ Hostname string }
		Status      struct{ State string }
	}
	if err := e.call(ctx, http.MethodGet, "/nodes", nil, &nodes); err != nil {
		return nil, err
	}
	states := map[string]string{}
	for _, n := range nodes {
		states[n.Description.Hostname] = n.Status.State
	}
	return states, nil
}
