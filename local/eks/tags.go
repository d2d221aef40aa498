package eks

import "context"

// TaggedResources calls add with each resource of EKS that has tags.
func (s *Server) TaggedResources(add func(arn string, tags map[string]string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.clusters.All() {
		add(c.ARN, c.Tags)
	}
	for _, g := range s.groups.All() {
		add(g.ARN, g.Tags)
	}
	for _, a := range s.addons.All() {
		add(a.ARN, a.Tags)
	}
	for _, e := range s.entries.All() {
		add(e.ARN, e.Tags)
	}
	for _, a := range s.associations.All() {
		add(a.ARN, a.Tags)
	}
}

type listTagsInput struct {
	ARN string `json:"resourceArn"`
}

type listTagsOutput struct {
	Tags map[string]string `json:"tags"`
}

func (s *Server) listTags(_ context.Context, in *listTagsInput) (*listTagsOutput, error) {
	out := &listTagsOutput{}
	s.TaggedResources(func(arn string, tags map[string]string) {
		if arn == in.ARN {
			out.Tags = tags
		}
	})
	if out.Tags == nil {
		return nil, notFound("", "No resource found for ARN: %s", in.ARN)
	}
	return out, nil
}
