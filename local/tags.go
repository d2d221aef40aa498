package local

import (
	"portolan/local/cloudformation"
	"portolan/local/ec2"
	"portolan/local/tagging"
)

// A lister calls add with each of a service's resources that has tags.
type lister func(add func(arn string, tags map[string]string))

// TaggedResources implements tagging.Source.
func (l lister) TaggedResources() []tagging.Resource {
	var out []tagging.Resource
	l(func(arn string, tags map[string]string) {
		out = append(out, tagging.Resource{ARN: arn, Tags: tags})
	})
	return out
}

func taggedNetwork(s *ec2.Service) lister {
	return func(add func(string, map[string]string)) {
		for _, resource := range s.Tagged() {
			tags := map[string]string{}
			for _, tag := range resource.Tags {
				tags[tag.Key] = tag.Value
			}
			add(resource.ARN, tags)
		}
	}
}

func taggedStacks(s *cloudformation.Service) lister {
	return func(add func(string, map[string]string)) {
		for _, resource := range s.Tagged() {
			tags := map[string]string{}
			for _, tag := range resource.Tags {
				tags[tag.Key] = tag.Value
			}
			add(resource.ARN, tags)
		}
	}
}
