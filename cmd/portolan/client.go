package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
)

const (
	// attempts bounds how often a request is sent while the API is unavailable.
	attempts = 4

	// answerMax is the largest answer that Lambda gives.
	answerMax = 6 << 20

	requestTimeout = 40 * time.Second
)

// A client sends signed requests to the API.
type client struct {
	base        *url.URL
	region      string
	credentials aws.CredentialsProvider
	http        *http.Client
}

func newClient(ctx context.Context, api string) (*client, error) {
	base, err := url.Parse(strings.TrimSuffix(api, "/"))
	if err != nil || base.Host == "" {
		return nil, fmt.Errorf("--api %q is no URL; %s would be one", api, "http://127.0.0.1:8080")
	}
	settings, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the AWS configuration: %w", err)
	}
	c := &client{
		base: base, region: settings.Region, credentials: settings.Credentials,
		http: &http.Client{Timeout: requestTimeout},
	}
	// The signature names the region of the API and not that of the caller.
	if parts := strings.Split(base.Hostname(), "."); len(parts) > 3 && parts[1] == "execute-api" {
		c.region = parts[2]
	}
	if c.region == "" {
		c.region = "us-east-1"
	}
	return c, nil
}

// A response is what the API answered.
type response struct {
	status int
	body   []byte
}

// do sends a request with a body as JSON, unless that is nil. A change carries a
// key of its own, so that sending it again after a lost answer changes nothing
// more.
func (c *client) do(ctx context.Context, method, path string, body any) (*response, error) {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return nil, fmt.Errorf("encoding the request: %w", err)
		}
	}
	key := ""
	if method == http.MethodPost || method == http.MethodPut || method == http.MethodDelete {
		key = rand.Text()
	}
	for attempt := 1; ; attempt++ {
		got, wait, err := c.send(ctx, method, path, text, key)
		if wait == 0 || attempt == attempts {
			return got, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait):
		}
	}
}

// send sends a request once. A wait means that it may be sent again after it.
func (c *client) send(ctx context.Context, method, path string, body []byte, key string) (*response, time.Duration, error) {
	request, err := c.signed(ctx, method, path, body, key)
	if err != nil {
		return nil, 0, err
	}
	got, err := c.http.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return nil, 0, ctx.Err()
		}
		return nil, time.Second / 2, fmt.Errorf("calling the API: %w", err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(io.LimitReader(got.Body, answerMax))
	if err != nil {
		return nil, time.Second / 2, fmt.Errorf("reading the API's answer: %w", err)
	}
	if got.StatusCode >= http.StatusBadRequest {
		return nil, retryAfter(got), refused(got.StatusCode, text)
	}
	return &response{got.StatusCode, text}, 0, nil
}

// retryAfter is how long an unavailable API asks to wait; zero for other answers.
func retryAfter(got *http.Response) time.Duration {
	if got.StatusCode != http.StatusServiceUnavailable && got.StatusCode != http.StatusTooManyRequests {
		return 0
	}
	seconds, err := strconv.Atoi(got.Header.Get("Retry-After"))
	if err != nil || seconds < 1 {
		seconds = 1
	}
	return time.Duration(min(seconds, 30)) * time.Second
}

func (c *client) signed(ctx context.Context, method, path string, body []byte, key string) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.base.String()+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("making the request: %w", err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	credentials, err := c.credentials.Retrieve(ctx)
	if err != nil {
		return nil, errors.New("there are no AWS credentials to sign with; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	}
	sum := sha256.Sum256(body)
	err = v4.NewSigner().SignHTTP(ctx, credentials, request, hex.EncodeToString(sum[:]), "execute-api", c.region, time.Now())
	if err != nil {
		return nil, fmt.Errorf("signing the request: %w", err)
	}
	return request, nil
}

// at builds a path of the API from names, which may be anything that was typed.
func at(parts ...string) string {
	path := "/v1"
	for _, part := range parts {
		path += "/" + url.PathEscape(part)
	}
	return path
}
