package tagging

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"portolan/local/wire"
)

// A Resource is something with tags.
type Resource struct {
	ARN  string
	Tags map[string]string
}

// A Source lists the resources of one service that have, or once had, tags.
type Source interface {
	TaggedResources() []Resource
}

// A Tagger is a Source whose resources can be tagged here too.
type Tagger interface {
	// TagResource sets tags and removes keys. It tells whether the ARN is one of
	// its resources.
	TagResource(arn string, set map[string]string, remove []string) (ok bool, err error)
}

// A SourceFunc is a Source made of a function.
type SourceFunc func() []Resource

// TaggedResources calls f.
func (f SourceFunc) TaggedResources() []Resource { return f() }

// A Service finds resources of its sources.
type Service struct{ sources []Source }

// New returns a service over the sources, which it asks in that order.
func New(sources ...Source) *Service { return &Service{sources: sources} }

// Handler answers for the signing name tagging.
func (s *Service) Handler() *wire.Service {
	return &wire.Service{
		Name: "Resource Groups Tagging API", Target: "ResourceGroupsTaggingAPI_20170126", Protocol: wire.JSON11,
		Operations: map[string]wire.Operation{
			"GetResources":   wire.Op(s.getResources),
			"GetTagKeys":     wire.Op(s.getTagKeys),
			"GetTagValues":   wire.Op(s.getTagValues),
			"TagResources":   wire.Op(s.tagResources),
			"UntagResources": wire.Op(s.untagResources),
		},
	}
}

// all lists every resource, in the order of their ARNs.
func (s *Service) all() []Resource {
	var all []Resource
	for _, source := range s.sources {
		all = append(all, source.TaggedResources()...)
	}
	slices.SortStableFunc(all, func(a, b Resource) int { return strings.Compare(a.ARN, b.ARN) })
	return all
}

type tagFilter struct {
	Key    string   `json:"Key"`
	Values []string `json:"Values"`
}

type getResourcesInput struct {
	Token            string      `json:"PaginationToken"`
	Filters          []tagFilter `json:"TagFilters"`
	ResourcesPerPage *int        `json:"ResourcesPerPage"`
	Types            []string    `json:"ResourceTypeFilters"`
	ARNs             []string    `json:"ResourceARNList"`
}

type tag struct {
	Key   string `json:"Key"`
	Value string `json:"Value"`
}

type mapping struct {
	ARN  string `json:"ResourceARN"`
	Tags []tag  `json:"Tags"`
}

type getResourcesOutput struct {
	Token    string    `json:"PaginationToken"`
	Mappings []mapping `json:"ResourceTagMappingList"`
}

const (
	maxFilters  = 50
	defaultPage = 50
	maxPage     = 100
)

func invalid(format string, args ...any) *wire.Error {
	return wire.Errorf("InvalidParameterException", format, args...)
}

func (s *Service) getResources(ctx context.Context, in *getResourcesInput) (*getResourcesOutput, error) {
	size := defaultPage
	if in.ResourcesPerPage != nil {
		size = *in.ResourcesPerPage
	}
	switch {
	case size < 1 || size > maxPage:
		return nil, invalid("ResourcesPerPage must be between 1 and %d", maxPage)
	case len(in.Filters) > maxFilters:
		return nil, invalid("TagFilters has more than %d members", maxFilters)
	case len(in.ARNs) > 0 && (len(in.Filters) > 0 || len(in.Types) > 0):
		return nil, invalid("ResourceARNList cannot be combined with TagFilters or ResourceTypeFilters")
	}
	found := slices.DeleteFunc(s.all(), func(r Resource) bool { return !in.matches(r) })
	start := 0
	if in.Token != "" {
		n, err := strconv.Atoi(in.Token)
		if err != nil || n < 0 || n > len(found) {
			return nil, &wire.Error{Code: "PaginationTokenExpiredException", Message: "The pagination token has expired."}
		}
		start = n
	}
	out := &getResourcesOutput{Mappings: []mapping{}}
	if start+size < len(found) {
		out.Token = strconv.Itoa(start + size)
		found = found[:start+size]
	}
	for _, r := range found[start:] {
		m := mapping{ARN: r.ARN, Tags: []tag{}}
		for _, key := range slices.Sorted(maps.Keys(r.Tags)) {
			m.Tags = append(m.Tags, tag{key, r.Tags[key]})
		}
		out.Mappings = append(out.Mappings, m)
	}
	return out, nil
}

// matches tells whether a resource has, for every filter, its key with one of
// its values, and is of one of the types.
func (in *getResourcesInput) matches(r Resource) bool {
	for _, f := range in.Filters {
		value, ok := r.Tags[f.Key]
		if !ok || len(f.Values) > 0 && !slices.Contains(f.Values, value) {
			return false
		}
	}
	if len(in.ARNs) > 0 && !slices.Contains(in.ARNs, r.ARN) {
		return false
	}
	return len(in.Types) == 0 || slices.ContainsFunc(in.Types, func(name string) bool { return isOfType(r.ARN, name) })
}

// isOfType tells whether an ARN is of a type such as ec2 or ec2:instance.
func isOfType(arn, name string) bool {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return false
	}
	service, kind, narrow := strings.Cut(name, ":")
	if parts[2] != service {
		return false
	}
	rest, ok := strings.CutPrefix(parts[5], kind)
	return !narrow || ok && (rest == "" || rest[0] == '/' || rest[0] == ':')
}

type tagKeysInput struct {
	Key string `json:"Key"`
}

type tagKeysOutput struct {
	Token string   `json:"PaginationToken"`
	Keys  []string `json:"TagKeys"`
}

func (s *Service) getTagKeys(ctx context.Context, in *tagKeysInput) (*tagKeysOutput, error) {
	keys := map[string]bool{}
	for _, r := range s.all() {
		for key := range r.Tags {
			keys[key] = true
		}
	}
	return &tagKeysOutput{Keys: slices.Sorted(maps.Keys(keys))}, nil
}

type tagValuesOutput struct {
	Token  string   `json:"PaginationToken"`
	Values []string `json:"TagValues"`
}

func (s *Service) getTagValues(ctx context.Context, in *tagKeysInput) (*tagValuesOutput, error) {
	values := map[string]bool{}
	for _, r := range s.all() {
		if value, ok := r.Tags[in.Key]; ok {
			values[value] = true
		}
	}
	return &tagValuesOutput{Values: slices.Sorted(maps.Keys(values))}, nil
}

type tagResourcesInput struct {
	ARNs []string          `json:"ResourceARNList"`
	Tags map[string]string `json:"Tags"`
	Keys []string          `json:"TagKeys"`
}

type failure struct {
	StatusCode   int    `json:"StatusCode"`
	ErrorCode    string `json:"ErrorCode"`
	ErrorMessage string `json:"ErrorMessage"`
}

type failuresOutput struct {
	Failed map[string]failure `json:"FailedResourcesMap"`
}

func (s *Service) tagResources(ctx context.Context, in *tagResourcesInput) (*failuresOutput, error) {
	return s.change(in.ARNs, in.Tags, nil), nil
}

func (s *Service) untagResources(ctx context.Context, in *tagResourcesInput) (*failuresOutput, error) {
	return s.change(in.ARNs, nil, in.Keys), nil
}

// change does what it can, and names what it could not.
func (s *Service) change(arns []string, set map[string]string, remove []string) *failuresOutput {
	out := &failuresOutput{Failed: map[string]failure{}}
	for _, arn := range arns {
		if err := s.changeOne(arn, set, remove); err != nil {
			out.Failed[arn] = failure{400, "InvalidParameterException", err.Error()}
		}
	}
	return out
}

func (s *Service) changeOne(arn string, set map[string]string, remove []string) error {
	for _, source := range s.sources {
		tagger, ok := source.(Tagger)
		if !ok {
			continue
		}
		if found, err := tagger.TagResource(arn, set, remove); found || err != nil {
			return err
		}
	}
	return invalid("The resource %s does not exist, or cannot be tagged here", arn)
}
