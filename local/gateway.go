package local

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"

	"portolan/local/clock"
	"portolan/local/wire"
)

// A gateway is API Gateway's HTTP API: it admits callers by their signature's
// access key, and hands requests to the API's function.
type gateway struct {
	runtime  *runtime
	function string // ARN
	accounts wire.Resolver
	clock    *clock.Clock
	account  string
	newID    func() string
}

// bodyMax is API Gateway's limit for a request's body.
const bodyMax = 10 << 20

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	caller, err := g.accounts.Resolve(r.Context(), accessKey(r))
	if err != nil || accessKey(r) == "" {
		answer(w, http.StatusForbidden, "Forbidden")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyMax))
	if err != nil {
		answer(w, http.StatusRequestEntityTooLarge, "Request Too Long")
		return
	}
	payload, err := json.Marshal(g.event(r, body, caller))
	if err != nil {
		answer(w, http.StatusInternalServerError, "Internal Server Error")
		return
	}
	raw, err := g.runtime.invoke(r.Context(), g.function, payload)
	var out events.APIGatewayV2HTTPResponse
	if err == nil {
		err = json.Unmarshal(raw, &out)
	}
	if err != nil {
		answer(w, http.StatusInternalServerError, "Internal Server Error")
		return
	}
	respond(w, out)
}

// accessKey is the access key of a request's Signature Version 4.
func accessKey(r *http.Request) string {
	_, credential, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	key, _, _ := strings.Cut(credential, "/")
	return key
}

// event is the request in payload format 2.0.
func (g *gateway) event(r *http.Request, body []byte, caller wire.Identity) events.APIGatewayV2HTTPRequest {
	now := g.clock.Now()
	address, _, _ := strings.Cut(r.RemoteAddr, ":")
	out := events.APIGatewayV2HTTPRequest{
		Version: "2.0", RouteKey: "$default", RawPath: r.URL.Path, RawQueryString: r.URL.RawQuery,
		Headers: map[string]string{}, Body: string(body),
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			RouteKey: "$default", AccountID: g.account, Stage: "$default", RequestID: g.newID(),
			APIID: "local", DomainName: r.Host, Time: now.Format("02/Jan/2006:15:04:05 -0700"),
			TimeEpoch: now.UnixMilli(),
			HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{
				Method: r.Method, Path: r.URL.Path, Protocol: r.Proto, SourceIP: address, UserAgent: r.UserAgent(),
			},
			Authorizer: &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{
				IAM: &events.APIGatewayV2HTTPRequestContextAuthorizerIAMDescription{
					AccessKey: caller.AccessKey, AccountID: caller.Account, CallerID: caller.UserID,
					UserARN: caller.ARN, UserID: caller.UserID,
				},
			},
		},
	}
	for name, values := range r.Header {
		out.Headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	if query := r.URL.Query(); len(query) > 0 {
		out.QueryStringParameters = map[string]string{}
		for name, values := range query {
			out.QueryStringParameters[name] = strings.Join(values, ",")
		}
	}
	if !utf8.Valid(body) {
		out.Body, out.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
	return out
}

func respond(w http.ResponseWriter, out events.APIGatewayV2HTTPResponse) {
	body := []byte(out.Body)
	if out.IsBase64Encoded {
		decoded, err := base64.StdEncoding.DecodeString(out.Body)
		if err != nil {
			answer(w, http.StatusInternalServerError, "Internal Server Error")
			return
		}
		body = decoded
	}
	for name, value := range out.Headers {
		w.Header().Set(name, value)
	}
	w.WriteHeader(out.StatusCode)
	_, _ = w.Write(body) // the caller is gone, which is its own affair
}

// answer is API Gateway's own answer, which no function gave.
func answer(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": message})
}
