package ec2

import (
	"context"
	"slices"
	"strings"

	"portolan/local/wire"
)

// A Tag is a tag on a resource.
type Tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

type tagSpecification struct {
	ResourceType string `json:"ResourceType"`
	Tags         []Tag  `json:"Tag"`
}

// tagsFor picks the tags that a call gives to a kind of resource.
func tagsFor(kind string, specifications []tagSpecification) []Tag {
	var tags []Tag
	for _, specification := range specifications {
		if specification.ResourceType == kind {
			tags = append(tags, specification.Tags...)
		}
	}
	return tags
}

// with returns the tags with others set, without changing the slice.
func with(tags, others []Tag) []Tag {
	merged := slices.Clone(tags)
	for _, other := range others {
		i := slices.IndexFunc(merged, func(t Tag) bool { return t.Key == other.Key })
		if i < 0 {
			merged = append(merged, other)
		} else {
			merged[i] = other
		}
	}
	return merged
}

// without returns the tags that others do not name. A tag with an empty value
// names every tag of its key.
func without(tags, others []Tag) []Tag {
	return slices.DeleteFunc(slices.Clone(tags), func(tag Tag) bool {
		return slices.ContainsFunc(others, func(other Tag) bool {
			return other.Key == tag.Key && (other.Value == "" || other.Value == tag.Value)
		})
	})
}

func (s *Service) tagOperations(operations map[string]wire.Operation) {
	operations["CreateTags"] = wire.Op(s.createTags)
	operations["DeleteTags"] = wire.Op(s.deleteTags)
	operations["DescribeTags"] = wire.Op(s.describeTags)
}

type tagsInput struct {
	Resources []string `json:"ResourceId"`
	Tags      []Tag    `json:"Tag"`
}

func (s *Service) createTags(ctx context.Context, in *tagsInput) (*result, error) {
	return s.changeTags(in, with)
}

func (s *Service) deleteTags(ctx context.Context, in *tagsInput) (*result, error) {
	return s.changeTags(in, without)
}

func (s *Service) changeTags(in *tagsInput, change func(tags, others []Tag) []Tag) (*result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range in.Resources {
		if err := s.retag(id, func(tags []Tag) []Tag { return change(tags, in.Tags) }); err != nil {
			return nil, err
		}
	}
	return done, nil
}

// retag changes the tags of whatever has the id.
func (s *Service) retag(id string, change func([]Tag) []Tag) error {
	if v, ok := s.vpcs.Get(id); ok {
		v.Tags = change(v.Tags)
		return s.vpcs.Put(v)
	}
	if v, ok := s.subnets.Get(id); ok {
		v.Tags = change(v.Tags)
		return s.subnets.Put(v)
	}
	if v, ok := s.gateways.Get(id); ok {
		v.Tags = change(v.Tags)
		return s.gateways.Put(v)
	}
	if v, ok := s.natGateways.Get(id); ok {
		v.Tags = change(v.Tags)
		return s.natGateways.Put(v)
	}
	if v, ok := s.addresses.Get(id); ok {
		v.Tags = change(v.Tags)
		return s.addresses.Put(v)
	}
	if v, ok := s.routeTables.Get(id); ok {
		v.Tags = change(v.Tags)
		return s.routeTables.Put(v)
	}
	if v, ok := s.groups.Get(id); ok {
		v.Tags = change(v.Tags)
		return s.groups.Put(v)
	}
	if v, ok := s.launchTemplates.Get(id); ok {
		v.Tags = change(v.Tags)
		return s.launchTemplates.Put(v)
	}
	kind, _, _ := strings.Cut(id, "-")
	return missing("InvalidID", kind, id)
}

// A Tagged is a resource with its tags.
type Tagged struct {
	Type, ID, ARN string
	Tags          []Tag
}

// Tagged lists every resource that has tags, instances included.
func (s *Service) Tagged() []Tagged {
	instances := s.listInstances()
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []Tagged
	add := func(kind, id string, tags []Tag) {
		if len(tags) > 0 {
			found = append(found, Tagged{kind, id, s.arn(kind, id), tags})
		}
	}
	for _, v := range s.vpcs.All() {
		add("vpc", v.VpcID, v.Tags)
	}
	for _, v := range s.subnets.All() {
		add("subnet", v.SubnetID, v.Tags)
	}
	for _, v := range s.gateways.All() {
		add("internet-gateway", v.ID, v.Tags)
	}
	for _, v := range s.natGateways.All() {
		add("natgateway", v.ID, v.Tags)
	}
	for _, v := range s.addresses.All() {
		add("elastic-ip", v.AllocationID, v.Tags)
	}
	for _, v := range s.routeTables.All() {
		add("route-table", v.ID, v.Tags)
	}
	for _, v := range s.groups.All() {
		add("security-group", v.GroupID, v.Tags)
	}
	for _, v := range s.launchTemplates.All() {
		add("launch-template", v.ID, v.Tags)
	}
	for _, v := range instances {
		add("instance", v.ID, v.Tags)
	}
	return found
}

// Tag sets tags on a resource of this package's by its ARN, and tells whether
// there is such a resource.
func (s *Service) Tag(arn string, tags map[string]string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	others := make([]Tag, 0, len(tags))
	for key, value := range tags {
		others = append(others, Tag{key, value})
	}
	slices.SortFunc(others, func(a, b Tag) int { return strings.Compare(a.Key, b.Key) })
	id := arn[strings.LastIndexByte(arn, '/')+1:]
	err := s.retag(id, func(own []Tag) []Tag { return with(own, others) })
	if e, ok := err.(*wire.Error); ok && e.Code == "InvalidID" {
		return false, nil
	}
	return true, err
}

type describeTagsInput struct{ query }

type tagDescription struct {
	Key          string `json:"key"`
	Value        string `json:"value"`
	ResourceID   string `json:"resourceId"`
	ResourceType string `json:"resourceType"`
}

type describeTagsOutput struct {
	Tags      []tagDescription `json:"tagSet"`
	NextToken string           `json:"nextToken,omitempty"`
}

func (s *Service) describeTags(ctx context.Context, in *describeTagsInput) (*describeTagsOutput, error) {
	var all []tagDescription
	for _, resource := range s.Tagged() {
		for _, tag := range resource.Tags {
			all = append(all, tagDescription{tag.Key, tag.Value, resource.ID, resource.Type})
		}
	}
	l := listing[tagDescription]{
		id:   func(t tagDescription) string { return t.ResourceID },
		tags: func(t tagDescription) []Tag { return []Tag{{t.Key, t.Value}} },
		fields: func(t tagDescription) map[string][]string {
			return map[string][]string{
				"key": {t.Key}, "value": {t.Value}, "resource-id": {t.ResourceID}, "resource-type": {t.ResourceType},
			}
		},
	}
	found, next, err := describe(all, l, nil, in.query)
	return &describeTagsOutput{found, next}, err
}
