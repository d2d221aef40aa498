package resources

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"portolan/local/cloudformation"
)

// properties reads the properties of a resource. CloudFormation takes a number
// or a truth for its text, and the other way around.
type properties map[string]any

func of(r cloudformation.Request) properties { return r.Properties }

func (p properties) has(name string) bool { return p[name] != nil }

func (p properties) text(name string) string {
	switch v := p[name].(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}

// optional is the text, or nil where there is none.
func (p properties) optional(name string) *string {
	if !p.has(name) {
		return nil
	}
	text := p.text(name)
	return &text
}

func (p properties) number(name string) *int32 {
	n, err := strconv.ParseInt(p.text(name), 10, 32)
	if err != nil {
		return nil
	}
	n32 := int32(n)
	return &n32
}

func (p properties) truth(name string) *bool {
	b, err := strconv.ParseBool(p.text(name))
	if err != nil {
		return nil
	}
	return &b
}

func (p properties) object(name string) properties {
	object, _ := p[name].(map[string]any)
	return object
}

func (p properties) objects(name string) []properties {
	list, _ := p[name].([]any)
	var objects []properties
	for _, item := range list {
		object, _ := item.(map[string]any)
		objects = append(objects, object)
	}
	return objects
}

func (p properties) texts(name string) []string {
	list, _ := p[name].([]any)
	var texts []string
	for _, item := range list {
		texts = append(texts, properties{"": item}.text(""))
	}
	return texts
}

// document is a policy document as JSON.
func (p properties) document(name string) (*string, error) {
	raw, err := json.Marshal(p[name])
	text := string(raw)
	return &text, err
}

// tagsOf are the tags of a resource: its stack's, and its own.
func tagsOf(r cloudformation.Request) map[string]string {
	tags := maps.Clone(r.Tags)
	for _, tag := range of(r).objects("Tags") {
		tags[tag.text("Key")] = tag.text("Value")
	}
	return tags
}

// eachTag makes a list of tags of a service's own type, in the order of keys.
func eachTag[T any](tags map[string]string, tag func(key, value *string) T) []T {
	var list []T
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		value := tags[key]
		list = append(list, tag(&key, &value))
	}
	return list
}

func ec2Tag(key, value *string) ec2types.Tag { return ec2types.Tag{Key: key, Value: value} }

// tagSpecifications are the resource's tags as EC2 takes them.
func tagSpecifications(r cloudformation.Request, kind ec2types.ResourceType) []ec2types.TagSpecification {
	return []ec2types.TagSpecification{{ResourceType: kind, Tags: eachTag(tagsOf(r), ec2Tag)}}
}

// ownFilters find what an earlier try of the same creation made.
func ownFilters(r cloudformation.Request) []ec2types.Filter {
	filter := func(name, value string) ec2types.Filter {
		return ec2types.Filter{Name: &name, Values: []string{value}}
	}
	return []ec2types.Filter{
		filter("tag:aws:cloudformation:stack-id", r.StackID),
		filter("tag:aws:cloudformation:logical-id", r.LogicalID),
	}
}
