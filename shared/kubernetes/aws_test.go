package kubernetes_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

const (
	secretARN = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:shop-kubeconfig-AbCdEf"
	area      = "eu-central-1"
	account   = "111122223333"
)

// amazon answers what the driver asks of Secrets Manager and of EKS's Pod Identity, and
// keeps what was asked.
type amazon struct {
	mu           sync.Mutex
	kubeconfig   []byte
	reads        int
	associations map[string]association
	calls        []string
	made         int
}

type association struct {
	ID             string            `json:"associationId"`
	ClusterName    string            `json:"clusterName"`
	Namespace      string            `json:"namespace"`
	ServiceAccount string            `json:"serviceAccount"`
	RoleARN        string            `json:"roleArn"`
	Tags           map[string]string `json:"tags,omitempty"`
	Token          string            `json:"clientRequestToken,omitempty"`
}

func newAmazon(kubeconfig []byte) *amazon {
	return &amazon{kubeconfig: kubeconfig, associations: map[string]association{}}
}

// config is an AWS configuration whose calls amazon answers.
func (a *amazon) config() aws.Config {
	return aws.Config{
		Region: area, HTTPClient: &http.Client{Transport: a}, RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "very-secret", SessionToken: "session"}, nil
		}),
	}
}

// RoundTrip implements http.RoundTripper.
func (a *amazon) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	code, answer := a.answer(r, body)
	text, err := json.Marshal(answer)
	if err != nil {
		return nil, err
	}
	header := http.Header{"Content-Type": {"application/json"}}
	if code >= 400 {
		header.Set("X-Amzn-Errortype", "ResourceNotFoundException")
	}
	return &http.Response{StatusCode: code, Header: header, Body: io.NopCloser(strings.NewReader(string(text))), Request: r}, nil
}

func (a *amazon) answer(r *http.Request, body []byte) (int, any) {
	if target := r.Header.Get("X-Amz-Target"); target == "secretsmanager.GetSecretValue" {
		a.reads++
		if a.kubeconfig == nil {
			return http.StatusBadRequest, map[string]string{"message": "Secrets Manager can't find the specified secret."}
		}
		return http.StatusOK, map[string]any{"ARN": secretARN, "SecretString": string(a.kubeconfig)}
	}
	path := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(path) < 3 || path[2] != "pod-identity-associations" {
		return http.StatusBadRequest, map[string]string{"message": "not known here: " + r.URL.Path}
	}
	var sent association
	if len(body) > 0 {
		if err := json.Unmarshal(body, &sent); err != nil {
			return http.StatusBadRequest, map[string]string{"message": err.Error()}
		}
	}
	a.calls = append(a.calls, r.Method+" "+strings.Join(path[2:], "/"))
	if len(path) == 3 {
		return a.collection(r.Method, r.URL.Query(), path[1], sent)
	}
	return a.item(r.Method, path[3], sent)
}

func (a *amazon) collection(method string, query url.Values, cluster string, sent association) (int, any) {
	if method == http.MethodPost {
		a.made++
		sent.ID, sent.ClusterName = fmt.Sprintf("a-%d", a.made), cluster
		a.associations[sent.ID] = sent
		return http.StatusOK, map[string]any{"association": sent}
	}
	found := []association{}
	for _, one := range a.associations {
		if one.Namespace == query.Get("namespace") && one.ServiceAccount == query.Get("serviceAccount") {
			found = append(found, one)
		}
	}
	return http.StatusOK, map[string]any{"associations": found}
}

func (a *amazon) item(method, id string, sent association) (int, any) {
	one, found := a.associations[id]
	if !found {
		return http.StatusNotFound, map[string]string{"message": "No association found"}
	}
	switch method {
	case http.MethodPost:
		one.RoleARN, one.Token = sent.RoleARN, sent.Token
		a.associations[id] = one
	case http.MethodDelete:
		delete(a.associations, id)
	}
	return http.StatusOK, map[string]any{"association": one}
}

// roles are the associations that there are.
func (a *amazon) roles(t testing.TB) []association {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []association
	for _, one := range a.associations {
		all = append(all, one)
	}
	return all
}
