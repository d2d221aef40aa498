package api

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime"
	"net/url"
	"strconv"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"portolan/shared/contract"
	"portolan/shared/contract/schema"
	"portolan/shared/fault"
	"portolan/shared/problem"
	"portolan/shared/store"
)

// maxBody is the largest body in bytes. What is asked for has to fit into one item
// of the table.
const maxBody = 256 << 10

// A request is one that was read, and is as its operation in openapi.yaml says.
type request struct {
	operation  *schema.Operation
	id         string
	caller     string            // ARN
	path       string            // below the stage
	parameters map[string]string // of path, query and headers, by their names
	body       []byte
}

// read checks a request against openapi.yaml.
func read(event *events.APIGatewayV2HTTPRequest) (*request, error) {
	r := &request{
		id: event.RequestContext.RequestID, caller: callerOf(event),
		path: pathOf(event), parameters: map[string]string{},
	}
	if r.caller == "" {
		return nil, problem.New(problem.Forbidden, "the request is not signed by an IAM identity (SigV4, service execute-api)")
	}
	route, err := find(event.RequestContext.HTTP.Method, r.path)
	if err != nil {
		return nil, err
	}
	r.operation = route.operation
	if err := r.readParameters(event, route.values); err != nil {
		return nil, err
	}
	return r, r.readBody(event)
}

// callerOf is the ARN of who signed the request; empty when nobody did.
func callerOf(event *events.APIGatewayV2HTTPRequest) string {
	authorizer := event.RequestContext.Authorizer
	if authorizer == nil || authorizer.IAM == nil {
		return ""
	}
	return authorizer.IAM.UserARN
}

// pathOf is the path without the stage, which API Gateway puts before it unless it
// is the default one.
func pathOf(event *events.APIGatewayV2HTTPRequest) string {
	stage := event.RequestContext.Stage
	if stage == "" || stage == "$default" {
		return event.RawPath
	}
	if below, found := strings.CutPrefix(event.RawPath, "/"+stage+"/"); found {
		return "/" + below
	}
	return event.RawPath
}

// readParameters reads the parameters that the operation has, and refuses queries
// that it does not have.
func (r *request) readParameters(event *events.APIGatewayV2HTTPRequest, path map[string]string) error {
	query, err := url.ParseQuery(event.RawQueryString)
	if err != nil {
		return problem.New(problem.Malformed, "the query cannot be read: %v", err)
	}
	fields := r.unknownQueries(query)
	for i := range r.operation.Parameters {
		p := &r.operation.Parameters[i]
		value, given := "", false
		switch p.In {
		case "path":
			value, given = path[p.Name]
		case "query":
			given = query.Has(p.Name)
			value = query.Get(p.Name)
			if len(query[p.Name]) > 1 {
				fields = append(fields, fault.Field{Pointer: p.Name, Detail: "is given more than once"})
			}
		case "header":
			value, given = header(event, p.Name)
		}
		switch {
		case given:
			r.parameters[p.Name] = value
			fields = append(fields, schema.Load().CheckParameter(p, value)...)
		case p.Required:
			fields = append(fields, fault.Field{Pointer: p.Name, Detail: "is missing from the " + p.In})
		}
	}
	return problem.Of(problem.Malformed, fields)
}

func (r *request) unknownQueries(query url.Values) []fault.Field {
	var fields []fault.Field
	var known []string
	for _, p := range r.operation.Parameters {
		if p.In == "query" {
			known = append(known, p.Name)
		}
	}
	for name := range query {
		detail := "is no query parameter here"
		if nearest := schema.Nearest(name, known); nearest == name {
			continue
		} else if nearest != "" {
			detail += fmt.Sprintf("; %q is the nearest one", nearest)
		}
		fields = append(fields, fault.Field{Pointer: name, Detail: detail})
	}
	return fields
}

// header finds a header whatever the case of its name: API Gateway writes them in
// lower case, and people who invoke the function by hand do not.
func header(event *events.APIGatewayV2HTTPRequest, name string) (string, bool) {
	if value, found := event.Headers[strings.ToLower(name)]; found {
		return value, true
	}
	for each, value := range event.Headers {
		if strings.EqualFold(each, name) {
			return value, true
		}
	}
	return "", false
}

// readBody checks the body, whole and field by field.
func (r *request) readBody(event *events.APIGatewayV2HTTPRequest) error {
	body := []byte(event.Body)
	if event.IsBase64Encoded {
		if base64.StdEncoding.DecodedLen(len(event.Body)) > maxBody+2 {
			return tooLarge()
		}
		var err error
		if body, err = base64.StdEncoding.DecodeString(event.Body); err != nil {
			return problem.New(problem.Malformed, "the body is marked as base64 and is not: %v", err)
		}
	}
	switch {
	case len(body) > maxBody:
		return tooLarge()
	case r.operation.Body == nil && len(body) > 0:
		return problem.New(problem.Malformed, "%s takes no body", r.operation.ID)
	case r.operation.Body == nil:
		return nil
	case len(body) == 0:
		return problem.New(problem.Malformed, "the body is missing: %s takes one as JSON", r.operation.ID)
	}
	contentType, _ := header(event, "Content-Type")
	if media, _, err := mime.ParseMediaType(contentType); err != nil || media != "application/json" {
		return problem.New(problem.UnsupportedMediaType, "the body's Content-Type must be application/json, not %q", contentType)
	}
	value, err := schema.Read(body)
	if err != nil {
		return problem.Of(problem.Malformed, fault.FieldsOf(err))
	}
	r.body = body
	return problem.Of(problem.Invalid, schema.Load().Check(r.operation.Body, value))
}

func tooLarge() error {
	return problem.New(problem.TooLarge, "the body must be at most %d bytes (256 KiB)", maxBody)
}

// decode reads the body, which was checked, into a type of the contract.
func decode[T any](r *request) (T, error) {
	var out T
	if err := json.Unmarshal(r.body, &out); err != nil {
		return out, fmt.Errorf("decoding a body that passed its schema into %T: %w", out, err)
	}
	return out, nil
}

// target is what the path names.
func (r *request) target() contract.Target {
	return contract.Target{
		Cluster: r.parameters["cluster"], Service: r.parameters["service"], Policy: r.parameters["policy"],
		Job: r.parameters["job"],
	}
}

// pageSize is how many things a page has when the caller does not say.
const pageSize = 50

func (r *request) page() store.Page {
	p := store.Page{Limit: pageSize, Next: r.parameters["next"]}
	if limit, err := strconv.Atoi(r.parameters["limit"]); err == nil {
		p.Limit = limit
	}
	return p
}
