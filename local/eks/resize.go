package eks

import (
	"context"
	"strconv"
	"time"
)

// resizeTakes is how long EKS takes to tell Auto Scaling.
const resizeTakes = 10 * time.Second

type configInput struct {
	Cluster string `json:"clusterName"`
	Name    string `json:"nodegroupName"`
	Token   string `json:"clientRequestToken"`
	Scaling *struct {
		Min     *int `json:"minSize"`
		Max     *int `json:"maxSize"`
		Desired *int `json:"desiredSize"`
	} `json:"scalingConfig"`
}

// updateNodeGroupConfig changes the size of a node group and its bounds, and nothing else
// of it.
func (s *Server) updateNodeGroupConfig(_ context.Context, in *configInput) (*updateOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u, ok := s.repeated(in.Token); ok {
		return shown(u), nil
	}
	g, err := s.findGroup(&nodeGroupInput{in.Cluster, in.Name})
	switch {
	case err != nil:
		return nil, err
	case g.Status != active:
		return nil, inUse("Nodegroup %s has status %s", g.Name, g.Status)
	case in.Scaling == nil:
		return nil, invalid("here, only the scaling config of a node group can be changed")
	}
	u := update{Cluster: g.Cluster, Group: g.Name, Token: in.Token, Type: configUpdate, Due: s.now().Add(resizeTakes)}
	for _, size := range []struct {
		name   string
		wanted *int
		kept   *int
	}{
		{"MinSize", in.Scaling.Min, &g.Scaling.Min}, {"MaxSize", in.Scaling.Max, &g.Scaling.Max}, {"DesiredSize", in.Scaling.Desired, &g.Scaling.Desired},
	} {
		if size.wanted != nil {
			*size.kept = *size.wanted
			u.Params = append(u.Params, param{size.name, strconv.Itoa(*size.wanted)})
		}
	}
	if sizes := g.Scaling; sizes.Max < 1 || sizes.Min > sizes.Desired || sizes.Desired > sizes.Max {
		return nil, invalid("Minimum capacity %d, desired capacity %d and maximum capacity %d do not fit together",
			sizes.Min, sizes.Desired, sizes.Max)
	}
	g.Status = updating
	return s.begin(u, s.groups.With(g))
}

// resize tells the node group's Auto Scaling group what was asked for.
func (s *Server) resize(u update) {
	s.mu.Lock()
	g, ok := s.groups.Get(u.Cluster + "/" + u.Group)
	s.mu.Unlock()
	if !ok {
		return
	}
	err := s.config.Groups.ResizeGroup(s.ctx, g.group(), g.Scaling.Min, g.Scaling.Desired, g.Scaling.Max)
	s.mu.Lock()
	defer s.mu.Unlock()
	u.Due, u.Status = time.Time{}, successful
	if err != nil {
		u.Status, u.Errors = unsuccessful, []errorDetail{{"Unknown", err.Error(), []string{g.group()}}}
	}
	g.Status = active
	_ = s.keepUpdate(u, s.groups.With(g))
}
