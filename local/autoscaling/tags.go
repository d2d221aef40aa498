package autoscaling

import (
	"slices"
	"strings"
)

type tagsInput struct {
	Tags    []groupTag `json:"Tags"`
	Filters []filter   `json:"Filters"`
	paging
}

type filter struct {
	Name   string   `json:"Name"`
	Values []string `json:"Values"`
}

func (s *Server) tag(in *tagsInput) (*nothing, error) {
	for _, t := range in.Tags {
		if _, err := s.find(t.ResourceID); err != nil {
			return nil, err
		}
	}
	for _, t := range in.Tags {
		s.groups[t.ResourceID].setTag(t)
		s.dirty[t.ResourceID] = true
	}
	return &nothing{}, nil
}

func (s *Server) untag(in *tagsInput) (*nothing, error) {
	for _, t := range in.Tags {
		g, err := s.find(t.ResourceID)
		if err != nil {
			return nil, err
		}
		g.Tags = slices.DeleteFunc(g.Tags, func(old groupTag) bool { return old.Key == t.Key })
		s.dirty[g.Name] = true
	}
	return &nothing{}, nil
}

type tagsOutput struct {
	Tags      []groupTag `json:"Tags"`
	NextToken string     `json:"NextToken,omitempty"`
}

func (s *Server) describeTags(in *tagsInput) (*tagsOutput, error) {
	out := &tagsOutput{Tags: []groupTag{}}
	for _, name := range sortedKeys(s.groups) {
		for _, t := range s.groups[name].Tags {
			if selects(in.Filters, func(key string) []string {
				switch key {
				case "auto-scaling-group":
					return []string{name}
				case "key":
					return []string{t.Key}
				case "value":
					return []string{t.Value}
				}
				return nil
			}) {
				out.Tags = append(out.Tags, t)
			}
		}
	}
	return out, nil
}

// selects tells whether each filter names one of the values that it asks for.
func selects(filters []filter, valuesOf func(name string) []string) bool {
	for _, f := range filters {
		values := valuesOf(f.Name)
		if !slices.ContainsFunc(values, func(v string) bool { return slices.Contains(f.Values, v) }) {
			return false
		}
	}
	return true
}

// ofTag splits a filter named tag:KEY.
func ofTag(name string) (key string, ok bool) { return strings.CutPrefix(name, "tag:") }
