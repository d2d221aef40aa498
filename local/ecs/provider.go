package ecs

import (
	"slices"
	"strings"

	"portolan/local/wire"
)

// providerEntity is a capacity provider: an Auto Scaling group under a name.
type providerEntity struct {
	Arn                      string         `json:"capacityProviderArn"`
	Name                     string         `json:"name"`
	Status                   string         `json:"status"`
	AutoScalingGroupProvider map[string]any `json:"autoScalingGroupProvider,omitempty"`
	UpdateStatus             string         `json:"updateStatus,omitempty"`
	Tags                     []tag          `json:"tags"`
}

func isFargate(provider string) bool { return provider == "FARGATE" || provider == "FARGATE_SPOT" }

// group is the name of the provider's Auto Scaling group.
func (p *providerEntity) group() string {
	arn, _ := p.AutoScalingGroupProvider["autoScalingGroupArn"].(string)
	return lastOf(arn)
}

func (s *Server) checkProviders(names []string, strategy []strategyItem) error {
	for _, name := range names {
		if _, ok := s.providers[name]; !ok && !isFargate(name) {
			return invalid("The specified capacity provider '%s' was not found. Specify a valid name or ARN and try again.", name)
		}
	}
	for _, item := range strategy {
		if !slices.Contains(names, item.CapacityProvider) {
			return invalid("The specified capacity provider strategy cannot contain a capacity provider that is not "+
				"associated with the cluster: %s.", item.CapacityProvider)
		}
	}
	return nil
}

type putProvidersInput struct {
	Cluster                         string         `json:"cluster"`
	CapacityProviders               []string       `json:"capacityProviders"`
	DefaultCapacityProviderStrategy []strategyItem `json:"defaultCapacityProviderStrategy"`
}

func (s *Server) putClusterCapacityProviders(in *putProvidersInput) (*clusterOutput, error) {
	c, err := s.findCluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	if err := s.checkProviders(in.CapacityProviders, in.DefaultCapacityProviderStrategy); err != nil {
		return nil, err
	}
	for _, svc := range s.services {
		if svc.Cluster != c.Name || svc.Status == "INACTIVE" {
			continue
		}
		for _, item := range svc.Strategy {
			if !slices.Contains(in.CapacityProviders, item.CapacityProvider) {
				return nil, wire.Errorf("ResourceInUseException", "The specified capacity provider is in use and cannot be removed.")
			}
		}
	}
	c.Providers, c.Strategy = in.CapacityProviders, in.DefaultCapacityProviderStrategy
	s.keep(clusterBucket, c.Name, c)
	return &clusterOutput{s.clusterView(c, nil)}, nil
}

type createProviderInput struct {
	Name                     string         `json:"name"`
	AutoScalingGroupProvider map[string]any `json:"autoScalingGroupProvider"`
	Tags                     []tag          `json:"tags"`
}

type providerOutput struct {
	CapacityProvider *providerEntity `json:"capacityProvider"`
}

func (s *Server) createCapacityProvider(in *createProviderInput) (*providerOutput, error) {
	lower := strings.ToLower(in.Name)
	switch {
	case !name255.MatchString(in.Name):
		return nil, invalid("The specified capacity provider name is not valid.")
	case strings.HasPrefix(lower, "aws"), strings.HasPrefix(lower, "ecs"), strings.HasPrefix(lower, "fargate"):
		return nil, client("The specified capacity provider name is invalid. Up to 255 characters are allowed, including " +
			"letters (upper and lowercase), numbers, underscores, and hyphens. The name cannot be prefixed with " +
			"\"aws\", \"ecs\", or \"fargate\". Specify a valid name and try again.")
	case in.AutoScalingGroupProvider["autoScalingGroupArn"] == nil:
		return nil, invalid("The specified Auto Scaling group ARN is not valid.")
	}
	if _, ok := s.providers[in.Name]; ok {
		return nil, client("The specified capacity provider already exists. To change the configuration of an existing " +
			"capacity provider, update the capacity provider.")
	}
	p := &providerEntity{Arn: s.arn("capacity-provider", in.Name), Name: in.Name, Status: "ACTIVE",
		AutoScalingGroupProvider: in.AutoScalingGroupProvider, Tags: orEmpty(in.Tags)}
	s.providers[in.Name] = p
	s.keep(providerBucket, in.Name, p)
	return &providerOutput{p}, nil
}

type describeProvidersInput struct {
	CapacityProviders []string `json:"capacityProviders"`
	Cluster           string   `json:"cluster"`
}

type describeProvidersOutput struct {
	CapacityProviders []*providerEntity `json:"capacityProviders"`
	Failures          []failure         `json:"failures"`
}

func (s *Server) describeCapacityProviders(in *describeProvidersInput) (*describeProvidersOutput, error) {
	names := in.CapacityProviders
	if len(names) == 0 {
		names = append([]string{"FARGATE", "FARGATE_SPOT"}, sortedKeys(s.providers)...)
	}
	out := &describeProvidersOutput{CapacityProviders: []*providerEntity{}, Failures: []failure{}}
	for _, ref := range names {
		name := lastOf(ref)
		p, ok := s.providers[name]
		switch {
		case isFargate(name):
			p = &providerEntity{Arn: s.arn("capacity-provider", name), Name: name, Status: "ACTIVE", Tags: []tag{}}
		case !ok:
			out.Failures = append(out.Failures, failure{Arn: s.arn("capacity-provider", name), Reason: "MISSING"})
			continue
		}
		out.CapacityProviders = append(out.CapacityProviders, p)
	}
	return out, nil
}

type deleteProviderInput struct {
	CapacityProvider string `json:"capacityProvider"`
}

func (s *Server) deleteCapacityProvider(in *deleteProviderInput) (*providerOutput, error) {
	name := lastOf(in.CapacityProvider)
	p, ok := s.providers[name]
	if !ok {
		return nil, invalid("The specified capacity provider does not exist. Specify a valid name or ARN and try again.")
	}
	for _, c := range s.clusters {
		if slices.Contains(c.Providers, name) {
			return nil, wire.Errorf("ResourceInUseException",
				"The specified capacity provider is in use and cannot be removed.")
		}
	}
	delete(s.providers, name)
	s.keep(providerBucket, name, nil)
	gone := *p
	gone.Status, gone.UpdateStatus = "INACTIVE", "DELETE_COMPLETE"
	return &providerOutput{&gone}, nil
}
