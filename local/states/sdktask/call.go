package sdktask

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"portolan/local/states"
	"portolan/local/states/value"
)

// Config is what a Caller is made of.
type Config struct {
	Client *http.Client
	// Endpoint is where all services answer, such as http://127.0.0.1:4566.
	// Empty is each service's own endpoint in the Region.
	Endpoint string
	Region   string
	// Credentials are those of a machine's role.
	Credentials func(ctx context.Context, role string) (aws.Credentials, error)
	Now         func() time.Time // for signatures
}

// A Caller calls services. It is safe for concurrent use.
type Caller struct {
	config Config
	signer *v4.Signer
}

// New returns a Caller.
func New(config Config) *Caller { return &Caller{config, v4.NewSigner()} }

// maxAnswer bounds what is read of an answer.
const maxAnswer = 16 << 20

// unsupported is an error that no Retry and no Catch takes: the machine's
// author has to know.
func unsupported(format string, args ...any) error {
	return &states.CallError{Name: "States.Runtime", Cause: fmt.Sprintf(format, args...)}
}

// Call has the effect of a Task whose Resource is
// arn:aws:states:::SERVICE:ACTION. The service of an SDK integration begins with
// "aws-sdk:". What the service refuses is a *states.CallError.
func (c *Caller) Call(ctx context.Context, name, action string, parameters json.RawMessage, role string) (json.RawMessage, error) {
	plain, sdk := strings.CutPrefix(name, "aws-sdk:")
	s := services[plain]
	if s == nil || !sdk && s.old == "" {
		return nil, unsupported("The embedded AWS does not call the service %s from a state machine (%s)", name, action)
	}
	operation := upperFirst(action)
	doc, err := value.Parse(parameters)
	if err != nil {
		return nil, fmt.Errorf("reading the parameters of %s %s: %w", name, action, err)
	}
	given, ok := doc.(*value.Object)
	if !ok {
		return nil, unsupported("The parameters of %s:%s must be a JSON object", name, action)
	}
	if !sdk {
		given = optimised(action, given)
	}
	var shape *shape
	if s.protocol == query {
		if shape = answers[plain+":"+operation]; shape == nil {
			return nil, unsupported("The embedded AWS does not call %s:%s from a state machine", plain, action)
		}
	}
	response, body, err := c.send(ctx, s, operation, given, role)
	if err != nil {
		return nil, err
	}
	if response.StatusCode >= 300 {
		return nil, s.refused(response, body, sdk)
	}
	out, err := s.decode(operation, shape, body)
	if err != nil {
		return nil, fmt.Errorf("reading the answer of %s %s: %w", name, action, err)
	}
	if !sdk {
		out = withMetadata(out, response)
		if bad := failedEntries(action, out); bad != nil {
			return nil, bad
		}
	}
	return value.Append(nil, out), nil
}

func (c *Caller) send(ctx context.Context, s *service, operation string, given *value.Object, role string) (*http.Response, []byte, error) {
	body := s.encode(operation, given)
	endpoint := c.config.Endpoint
	if endpoint == "" {
		endpoint = fmt.Sprintf("https://%s.%s.amazonaws.com", s.host, c.config.Region)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint+"/", bytes.NewReader(body))
	if err != nil {
		return nil, nil, fmt.Errorf("calling %s: %w", operation, err)
	}
	switch s.protocol {
	case query:
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	case json11:
		request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	default:
		request.Header.Set("Content-Type", "application/x-amz-json-1.0")
	}
	if s.protocol != query {
		request.Header.Set("X-Amz-Target", s.target+"."+operation)
	}
	credentials, err := c.config.Credentials(ctx, role)
	if err != nil {
		return nil, nil, fmt.Errorf("taking the role %s: %w", role, err)
	}
	sum := sha256.Sum256(body)
	err = c.signer.SignHTTP(ctx, credentials, request, hex.EncodeToString(sum[:]), s.signing, c.config.Region, c.config.Now())
	if err != nil {
		return nil, nil, fmt.Errorf("signing %s: %w", operation, err)
	}
	response, err := c.config.Client.Do(request)
	if err != nil {
		return nil, nil, &states.CallError{Name: s.prefix + ".SdkClientException",
			Cause: fmt.Sprintf("Unable to execute HTTP request: %v", err)}
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, nil, &states.CallError{Name: s.prefix + ".SdkClientException",
			Cause: fmt.Sprintf("Unable to read the HTTP response: %v", err)}
	}
	return response, answer, nil
}

func (s *service) encode(operation string, given *value.Object) []byte {
	if s.protocol == query {
		return encodeForm(operation, s.version, given)
	}
	var doc any = given
	if s.camel {
		doc = rename(given, lowerFirst)
	} else if s.signing == "dynamodb" {
		doc = attributes(given)
	}
	return value.Append(nil, doc)
}

func (s *service) decode(operation string, shape *shape, body []byte) (*value.Object, error) {
	if s.protocol == query {
		return decodeXML(operation, shape, body)
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return value.NewObject(0), nil
	}
	doc, err := value.Parse(body)
	if err != nil {
		return nil, err
	}
	answer, ok := doc.(*value.Object)
	if !ok {
		return nil, fmt.Errorf("the answer is no JSON object")
	}
	if s.signing != "dynamodb" {
		answer, _ = times(rename(answer, upperFirst)).(*value.Object)
	}
	return answer, nil
}
