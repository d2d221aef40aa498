package kubernetes

import (
	"context"
	"encoding/base64"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"portolan/shared/fault"
)

// EKS takes a token that is the URL of a signed GetCallerIdentity, for 15 minutes from
// when it was signed: https://github.com/kubernetes-sigs/aws-iam-authenticator.
const (
	tokenPrefix  = "k8s-aws-v1."
	tokenCluster = "x-k8s-aws-id"
	tokenKept    = 10 * time.Minute
)

// signed is a transport that says by a token of EKS who calls.
type signed struct {
	next    http.RoundTripper
	config  aws.Config
	cluster string
	now     func() time.Time

	mu    sync.Mutex
	token string
	until time.Time
}

// RoundTrip implements http.RoundTripper.
func (s *signed) RoundTrip(r *http.Request) (*http.Response, error) {
	token, err := s.current(r.Context())
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+token)
	return s.next.RoundTrip(r)
}

func (s *signed) current(ctx context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token != "" && s.now().Before(s.until) {
		return s.token, nil
	}
	until := s.now().Add(tokenKept)
	token, err := newToken(ctx, s.config, s.cluster)
	if err != nil {
		return "", err
	}
	s.token, s.until = token, until
	return token, nil
}

// newToken signs a token. It calls AWS only for the session's credentials.
func newToken(ctx context.Context, config aws.Config, cluster string) (string, error) {
	client := sts.NewPresignClient(sts.NewFromConfig(config))
	request, err := client.PresignGetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}, func(o *sts.PresignOptions) {
		o.ClientOptions = append(o.ClientOptions, sts.WithAPIOptions(
			smithyhttp.SetHeaderValue(tokenCluster, cluster), smithyhttp.SetHeaderValue("X-Amz-Expires", "60")))
	})
	if err != nil {
		return "", fault.FromAWS(err, "signing a token for cluster "+cluster)
	}
	return tokenPrefix + base64.RawURLEncoding.EncodeToString([]byte(request.URL)), nil
}
