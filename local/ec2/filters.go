package ec2

import (
	"slices"
	"strconv"
	"strings"

	"portolan/local/wire"
)

// A filter keeps what has one of the values, in which * and ? are wildcards.
type filter struct {
	Name   string   `json:"Name"`
	Values []string `json:"Value"`
}

// A query is what all Describe calls share.
type query struct {
	Filters    []filter `json:"Filter"`
	MaxResults int      `json:"MaxResults"`
	NextToken  string   `json:"NextToken"`
}

// A listing says how entities of one kind are looked for.
type listing[T any] struct {
	id     func(T) string
	tags   func(T) []Tag
	fields func(T) map[string][]string // by filter name
	absent func(id string) *wire.Error
}

// describe lists what has one of the ids, if there are any, and passes all
// filters, a page at a time.
func describe[T any](all []T, l listing[T], ids []string, q query) ([]T, string, error) {
	for _, id := range ids {
		if !slices.ContainsFunc(all, func(item T) bool { return l.id(item) == id }) {
			return nil, "", l.absent(id)
		}
	}
	found := []T{}
	for _, item := range all {
		if len(ids) > 0 && !slices.Contains(ids, l.id(item)) {
			continue
		}
		keep, err := matchesAll(q.Filters, l.fields(item), l.tags(item))
		if err != nil {
			return nil, "", err
		}
		if keep {
			found = append(found, item)
		}
	}
	return page(found, q.MaxResults, q.NextToken)
}

func matchesAll(filters []filter, fields map[string][]string, tags []Tag) (bool, error) {
	for _, f := range filters {
		values, err := valuesOf(f.Name, fields, tags)
		if err != nil {
			return false, err
		}
		if !slices.ContainsFunc(values, func(value string) bool {
			return slices.ContainsFunc(f.Values, func(pattern string) bool { return like(pattern, value) })
		}) {
			return false, nil
		}
	}
	return true, nil
}

func valuesOf(name string, fields map[string][]string, tags []Tag) ([]string, error) {
	var values []string
	if key, ok := strings.CutPrefix(name, "tag:"); ok {
		for _, tag := range tags {
			if tag.Key == key {
				values = append(values, tag.Value)
			}
		}
		return values, nil
	}
	if name == "tag-key" {
		for _, tag := range tags {
			values = append(values, tag.Key)
		}
		return values, nil
	}
	values, ok := fields[name]
	if !ok {
		return nil, wire.Errorf("InvalidParameterValue", "The filter '%s' is invalid", name)
	}
	return values, nil
}

// like matches text against a pattern in which * is any text and ? any letter.
func like(pattern, text string) bool {
	for pattern != "" {
		switch {
		case pattern[0] == '*':
			for i := range len(text) + 1 {
				if like(pattern[1:], text[i:]) {
					return true
				}
			}
			return false
		case text == "", pattern[0] != '?' && pattern[0] != text[0]:
			return false
		}
		pattern, text = pattern[1:], text[1:]
	}
	return text == ""
}

// page cuts one page out of a list. The token is the index of the next item.
func page[T any](all []T, size int, token string) ([]T, string, error) {
	start := 0
	if token != "" {
		n, err := strconv.Atoi(token)
		if err != nil || n < 0 || n > len(all) {
			return nil, "", wire.Errorf("InvalidNextToken", "The token '%s' is invalid", token)
		}
		start = n
	}
	if size <= 0 || start+size >= len(all) {
		return all[start:], "", nil
	}
	return all[start : start+size], strconv.Itoa(start + size), nil
}

func boolText(b bool) []string { return []string{strconv.FormatBool(b)} }
