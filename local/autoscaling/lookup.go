package autoscaling

// GroupOf returns the group of that name, or the one that the instance of that id
// is in, with its tags. The name is empty when there is none.
func (s *Server) GroupOf(nameOrInstance string) (name string, tags map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, ok := s.groups[nameOrInstance]
	if !ok {
		if g, _ = s.locate(nameOrInstance); g == nil {
			return "", nil
		}
	}
	tags = map[string]string{}
	for _, t := range g.Tags {
		tags[t.Key] = t.Value
	}
	return g.Name, tags
}
