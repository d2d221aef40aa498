package ecs

// TaggedResources calls add with each resource that has tags: clusters, services
// and capacity providers that are not gone, instances, live tasks, and task
// definitions, which AWS finds by their tags even when they are inactive.
func (s *Server) TaggedResources(add func(arn string, tags map[string]string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tagged := func(arn, status string, tags []tag) {
		if status != "INACTIVE" && len(tags) > 0 {
			add(arn, asMap(tags))
		}
	}
	for _, name := range sortedKeys(s.clusters) {
		tagged(s.clusters[name].ARN, s.clusters[name].Status, s.clusters[name].Tags)
	}
	for _, key := range sortedKeys(s.services) {
		tagged(s.services[key].ARN, s.services[key].Status, s.services[key].Tags)
	}
	for _, name := range sortedKeys(s.providers) {
		provider := s.providers[name]
		tagged(provider.Arn, provider.Status, provider.Tags)
	}
	for _, id := range sortedKeys(s.instances) {
		view := s.instances[id].View
		tagged(view.ContainerInstanceArn, view.Status, view.Tags)
	}
	for _, id := range sortedKeys(s.tasks) {
		if view := s.tasks[id].View; view.LastStatus != "STOPPED" {
			tagged(view.TaskArn, "", view.Tags)
		}
	}
	for _, family := range sortedKeys(s.families) {
		for _, definition := range s.families[family] {
			tagged(definition.Arn, "", definition.Tags)
		}
	}
}

func asMap(tags []tag) map[string]string {
	out := make(map[string]string, len(tags))
	for _, t := range tags {
		out[t.Key] = t.Value
	}
	return out
}
