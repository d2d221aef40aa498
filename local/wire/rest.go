package wire

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// A Route is how REST puts an operation into HTTP. The path's steps in braces and the
// query's parameters become members beside those of the JSON body.
type Route struct {
	Method, Path string // "GET", "/clusters/{name}"
	Operation    string
	Query        []Parameter
}

// A Parameter is one of a query; text unless it is said to be something else.
type Parameter struct {
	Name string // also the member's
	Kind ParameterKind
}

// ParameterKind is what a query's parameter is in JSON.
type ParameterKind int

// The kinds of parameters. A list comes as the same parameter again and again.
const (
	Text ParameterKind = iota
	Number
	Truth
	List
)

// routed finds the operation of a request in REST, and makes its parameters the body of
// it: members as the operation, the guard and the trail read them.
func (s *Service) routed(r *http.Request, x *Exchange) error {
	steps := strings.Split(r.URL.EscapedPath(), "/")
	for _, route := range s.Routes {
		members, ok := route.match(r.Method, steps)
		if !ok {
			continue
		}
		x.Operation = route.Operation
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return Errorf("SerializationException", "reading the request: %v", err)
		}
		r.Body = newReplay(raw)
		body := map[string]any{}
		if len(raw) > 0 && json.Unmarshal(raw, &body) != nil {
			return Errorf("SerializationException", "the body is no JSON object")
		}
		route.addQuery(body, r.URL.Query())
		for name, value := range members {
			body[name] = value
		}
		x.body.raw, err = json.Marshal(body)
		return err
	}
	return &Error{Code: "UnknownOperationException", Status: http.StatusNotFound,
		Message: "the embedded AWS does not have " + s.Name + "'s " + r.Method + " " + r.URL.Path}
}

func (route Route) match(method string, steps []string) (members map[string]string, ok bool) {
	wanted := strings.Split(route.Path, "/")
	if method != route.Method || len(steps) != len(wanted) {
		return nil, false
	}
	members = map[string]string{}
	for i, step := range wanted {
		name, isMember := strings.CutPrefix(step, "{")
		value, err := url.PathUnescape(steps[i])
		switch {
		case !isMember && step != steps[i], err != nil:
			return nil, false
		case isMember:
			members[strings.TrimSuffix(name, "}")] = value
		}
	}
	return members, true
}

func (route Route) addQuery(body map[string]any, query url.Values) {
	for _, p := range route.Query {
		if !query.Has(p.Name) {
			continue
		}
		value := query.Get(p.Name)
		switch p.Kind {
		case Number:
			body[p.Name] = value
			if n, err := strconv.Atoi(value); err == nil {
				body[p.Name] = n
			}
		case Truth:
			body[p.Name] = value == "true"
		case List:
			body[p.Name] = query[p.Name]
		default:
			body[p.Name] = value
		}
	}
}
