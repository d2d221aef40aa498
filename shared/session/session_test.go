package session_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"portolan/shared/session"
)

const role = "arn:aws:iam::111122223333:role/portolan-Operation"

// sts answers AssumeRole, and keeps under which names it was called.
type sts struct {
	mu    sync.Mutex
	names []string
}

func (s *sts) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || form.Get("Action") != "AssumeRole" || form.Get("RoleArn") != role {
		return nil, fmt.Errorf("called with %q: %v", body, err)
	}
	name := form.Get("RoleSessionName")
	s.mu.Lock()
	s.names = append(s.names, name)
	s.mu.Unlock()
	answer := fmt.Sprintf(`<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>key-of-%s</AccessKeyId>
		<SecretAccessKey>secret</SecretAccessKey><SessionToken>token</SessionToken><Expiration>%s</Expiration>
		</Credentials></AssumeRoleResult></AssumeRoleResponse>`, name, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(answer)), Request: r}, nil
}

func sessions(service *sts) *session.Sessions {
	return session.New(aws.Config{Region: "eu-central-1", HTTPClient: &http.Client{Transport: service},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "own", SecretAccessKey: "secret"}, nil
		})}, role)
}

func key(t *testing.T, s *session.Sessions, operation string) string {
	t.Helper()
	credentials, err := s.Config(operation).Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return credentials.AccessKeyID
}

func TestEachOperationHasASessionOfItsName(t *testing.T) {
	service := &sts{}
	s := sessions(service)
	s.Config("never-used")
	for _, operation := range []string{"one", "two", "one", "one"} {
		if got := key(t, s, operation); got != "key-of-"+operation {
			t.Errorf("%s calls with %s", operation, got)
		}
	}
	if got := strings.Join(service.names, " "); got != "one two" {
		t.Errorf("the role was assumed as %s", got)
	}
}

// A function that lives long keeps the credentials of a few operations only.
func TestOldSessionsAreForgotten(t *testing.T) {
	service := &sts{}
	s := sessions(service)
	for i := range 65 {
		key(t, s, fmt.Sprintf("operation-%d", i))
	}
	key(t, s, "operation-0")
	if len(service.names) != 66 {
		t.Errorf("the role was assumed %d times", len(service.names))
	}
}

func TestSessionsAreSafeForConcurrentUse(t *testing.T) {
	s := sessions(&sts{})
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() { key(t, s, fmt.Sprintf("operation-%d", i%3)) })
	}
	wait.Wait()
}
