package api

import (
	"net/url"
	"sort"
	"strings"

	"portolan/shared/contract/schema"
	"portolan/shared/problem"
)

// A route is an operation with the values of its path's parameters.
type route struct {
	operation *schema.Operation
	values    map[string]string
}

// find returns the operation of a method and path. A problem of the type
// MethodNotAllowed is a notAllowed.
func find(method, path string) (route, error) {
	var allowed []string
	all := schema.Load().Operations
	for i := range all {
		values, matched := match(all[i].Path, path)
		if !matched {
			continue
		}
		if all[i].Method == method {
			return route{&all[i], values}, nil
		}
		allowed = append(allowed, all[i].Method)
	}
	if len(allowed) == 0 {
		return route{}, problem.New(problem.NotFound, "there is nothing at this path; openapi.yaml lists what there is")
	}
	sort.Strings(allowed)
	return route{}, &notAllowed{allowed: strings.Join(allowed, ", "), method: method}
}

// notAllowed carries the methods that a path has.
type notAllowed struct{ method, allowed string }

func (e *notAllowed) Error() string {
	return e.method + " is not possible here; there are: " + e.allowed
}

func (e *notAllowed) Unwrap() error { return problem.New(problem.MethodNotAllowed, "%s", e.Error()) }

// match compares a path with a template such as /v1/clusters/{cluster}.
func match(template, path string) (map[string]string, bool) {
	want, have := strings.Split(template, "/"), strings.Split(path, "/")
	if len(want) != len(have) {
		return nil, false
	}
	values := map[string]string{}
	for i := range want {
		name, isParameter := strings.CutPrefix(want[i], "{")
		if !isParameter {
			if want[i] != have[i] {
				return nil, false
			}
			continue
		}
		value, err := url.PathUnescape(have[i])
		if err != nil || value == "" {
			return nil, false
		}
		values[strings.TrimSuffix(name, "}")] = value
	}
	return values, true
}
