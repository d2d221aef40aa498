package cluster

import (
	"net/http"
	"slices"
	"strings"
)

// Filters choose objects of a list: for each name, the values of which one has to match.
type Filters map[string][]string

// check refuses names that are not known, as Docker words it.
func (f Filters) check(known ...string) error {
	for _, name := range sortedKeys(f) {
		if !slices.Contains(known, name) {
			return Errorf(http.StatusBadRequest, "Invalid filter '%s'", name)
		}
	}
	return nil
}

// any says whether a value is one of those asked for.
func (f Filters) any(name, value string) bool {
	asked := f[name]
	return len(asked) == 0 || slices.ContainsFunc(asked, func(a string) bool { return strings.EqualFold(a, value) })
}

// prefix says whether a value begins with one of those asked for.
func (f Filters) prefix(name, value string) bool {
	asked := f[name]
	return len(asked) == 0 || slices.ContainsFunc(asked, func(a string) bool { return strings.HasPrefix(value, a) })
}

// labels says whether all labels asked for are there.
func (f Filters) labels(name string, labels map[string]string) bool {
	for _, asked := range f[name] {
		key, want, hasValue := strings.Cut(asked, "=")
		if value, ok := labels[key]; !ok || hasValue && value != want {
			return false
		}
	}
	return true
}
