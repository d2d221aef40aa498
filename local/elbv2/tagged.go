package elbv2

// TaggedResources calls add with each load balancer, listener, rule and target
// group that has tags.
func (s *Service) TaggedResources(add func(arn string, tags map[string]string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tagged := func(arn string, tags []Tag) {
		if len(tags) == 0 {
			return
		}
		out := make(map[string]string, len(tags))
		for _, tag := range tags {
			out[tag.Key] = tag.Value
		}
		add(arn, out)
	}
	for _, balancer := range s.loadBalancers.All() {
		tagged(balancer.ARN, balancer.Tags)
	}
	for _, listener := range s.listeners.All() {
		tagged(listener.ARN, listener.Tags)
	}
	for _, rule := range s.rules.All() {
		tagged(rule.ARN, rule.Tags)
	}
	for _, group := range s.targetGroups.All() {
		tagged(group.ARN, group.Tags)
	}
}
