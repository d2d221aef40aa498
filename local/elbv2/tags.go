package elbv2

import (
	"context"
	"slices"
	"strings"

	"portolan/local/wire"
)

// A Tag is a tag on a resource.
type Tag struct {
	Key   string `json:"Key"`
	Value string `json:"Value"`
}

func (s *Service) tagOperations(operations map[string]wire.Operation) {
	operations["AddTags"] = wire.Op(s.addTags)
	operations["RemoveTags"] = wire.Op(s.removeTags)
	operations["DescribeTags"] = wire.Op(s.describeTags)
}

type tagsInput struct {
	ARNs []string `json:"ResourceArns"`
	Tags []Tag    `json:"Tags"`
	Keys []string `json:"TagKeys"`
}

func (s *Service) addTags(ctx context.Context, in *tagsInput) (*struct{}, error) {
	return s.changeTags(in, func(tags []Tag) []Tag {
		tags = slices.Clone(tags)
		for _, tag := range in.Tags {
			i := slices.IndexFunc(tags, func(t Tag) bool { return t.Key == tag.Key })
			if i < 0 {
				tags = append(tags, tag)
			} else {
				tags[i] = tag
			}
		}
		return tags
	})
}

func (s *Service) removeTags(ctx context.Context, in *tagsInput) (*struct{}, error) {
	return s.changeTags(in, func(tags []Tag) []Tag {
		return slices.DeleteFunc(slices.Clone(tags), func(t Tag) bool { return slices.Contains(in.Keys, t.Key) })
	})
}

func (s *Service) changeTags(in *tagsInput, change func([]Tag) []Tag) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, arn := range in.ARNs {
		if err := s.retag(arn, change); err != nil {
			return nil, err
		}
	}
	return nothing, nil
}

func (s *Service) retag(arn string, change func([]Tag) []Tag) error {
	if v, ok := s.loadBalancers.Get(arn); ok {
		v.Tags = change(v.Tags)
		return s.loadBalancers.Put(v)
	}
	if v, ok := s.targetGroups.Get(arn); ok {
		v.Tags = change(v.Tags)
		return s.targetGroups.Put(v)
	}
	if v, ok := s.listeners.Get(arn); ok {
		v.Tags = change(v.Tags)
		return s.listeners.Put(v)
	}
	if v, ok := s.rules.Get(arn); ok {
		v.Tags = change(v.Tags)
		return s.rules.Put(v)
	}
	return absent(arn)
}

// absent says of which kind the thing is that is not there.
func absent(arn string) *wire.Error {
	switch {
	case strings.Contains(arn, ":targetgroup/"):
		return noGroup(arn)
	case strings.Contains(arn, ":listener/"):
		return noListener(arn)
	case strings.Contains(arn, ":listener-rule/"):
		return noRule(arn)
	}
	return noBalancer(arn)
}

type tagDescription struct {
	ARN  string `json:"ResourceArn"`
	Tags []Tag  `json:"Tags"`
}

type describeTagsOutput struct {
	Descriptions []tagDescription `json:"TagDescriptions"`
}

func (s *Service) describeTags(ctx context.Context, in *tagsInput) (*describeTagsOutput, error) {
	all := s.withTags()
	out := &describeTagsOutput{}
	for _, arn := range in.ARNs {
		i := slices.IndexFunc(all, func(d tagDescription) bool { return d.ARN == arn })
		if i < 0 {
			return nil, absent(arn)
		}
		out.Descriptions = append(out.Descriptions, all[i])
	}
	return out, nil
}

func (s *Service) withTags() []tagDescription {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []tagDescription
	for _, v := range s.loadBalancers.All() {
		all = append(all, tagDescription{v.ARN, v.Tags})
	}
	for _, v := range s.listeners.All() {
		all = append(all, tagDescription{v.ARN, v.Tags})
	}
	for _, v := range s.rules.All() {
		all = append(all, tagDescription{v.ARN, v.Tags})
	}
	for _, v := range s.targetGroups.All() {
		all = append(all, tagDescription{v.ARN, v.Tags})
	}
	return all
}
