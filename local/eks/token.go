package eks

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"portolan/local/identity"
)

// tokenLasts is how long after it was signed a token lets in.
const tokenLasts = 15 * time.Minute

// The hash of an empty body, of which a signature is made.
const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

var errToken = errors.New("the token is none, or of another cluster")

// authenticate finds out who signed a token for a cluster, and by which name the
// cluster knows them. The signature is checked with the caller's own key.
func (s *Server) authenticate(cluster, token string) (user string, groups []string, err error) {
	key, err := s.signer(cluster, token)
	if err != nil {
		return "", nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.entries.All() {
		if e.Cluster == cluster && e.is(key.ARN) {
			return e.nameOf(key.ARN), e.Groups, nil
		}
	}
	return "", nil, errors.New("no access entry is for " + key.ARN)
}

// signer is the key that signed a token.
func (s *Server) signer(cluster, token string) (identity.Key, error) {
	encoded, ok := strings.CutPrefix(token, "k8s-aws-v1.")
	raw, err := base64.RawURLEncoding.DecodeString(encoded)
	if !ok || err != nil {
		return identity.Key{}, errToken
	}
	signed, err := url.Parse(string(raw))
	if err != nil {
		return identity.Key{}, errToken
	}
	query := signed.Query()
	at, err := time.Parse("20060102T150405Z", query.Get("X-Amz-Date"))
	parts := strings.Split(query.Get("X-Amz-Credential"), "/")
	if err != nil || query.Get("Action") != "GetCallerIdentity" || len(parts) != 5 || parts[3] != "sts" {
		return identity.Key{}, errToken
	}
	// Whoever signs goes by the machine's clock.
	if age := s.config.Clock.Machine(s.now()).Sub(at); age < -tokenLasts || age > tokenLasts {
		return identity.Key{}, errors.New("the token has expired")
	}
	key, ok := s.config.Key(parts[0])
	if !ok {
		return identity.Key{}, errors.New("nobody has the access key that signed the token")
	}
	if !isSignedBy(key, cluster, signed, parts[2], at) {
		return identity.Key{}, errToken
	}
	return key, nil
}

// isSignedBy signs the same again, and compares.
func isSignedBy(key identity.Key, cluster string, signed *url.URL, region string, at time.Time) bool {
	again := *signed
	query := again.Query()
	signature := query.Get("X-Amz-Signature")
	for name := range query {
		if strings.HasPrefix(name, "X-Amz-") && name != "X-Amz-Expires" {
			query.Del(name)
		}
	}
	again.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, again.String(), http.NoBody)
	if err != nil {
		return false
	}
	request.Header.Set("x-k8s-aws-id", cluster)
	credentials := aws.Credentials{AccessKeyID: key.AccessKeyID, SecretAccessKey: key.SecretAccessKey, SessionToken: key.SessionToken}
	made, _, err := v4.NewSigner().PresignHTTP(context.Background(), credentials, request, emptyHash, "sts", region, at)
	if err != nil {
		return false
	}
	expected, err := url.Parse(made)
	return err == nil && signature != "" && expected.Query().Get("X-Amz-Signature") == signature
}
