package decide

import (
	"reflect"
	"slices"
	"testing"

	"portolan/shared/contract"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
)

// onEKS is a description of a new cluster with which nothing is wrong.
func onEKS() contract.ClusterSpec {
	return contract.ClusterSpec{
		Name: "demo", Team: "shop", Orchestrator: contract.Kubernetes,
		NodePools: []contract.NodePoolSpec{
			{Name: "main", InstanceType: "m6i.large", Size: 2},
			{Name: "cheap", InstanceType: "m6i.large", Size: 1, Spot: true},
		},
		Kubernetes: contract.KubernetesCluster{Version: "1.34"},
	}
}

// adopted is a description of an adopted cluster with which nothing is wrong.
func adopted() contract.ClusterSpec {
	return contract.ClusterSpec{
		Name: "old", Team: "shop", Orchestrator: contract.Kubernetes,
		Adopted:    contract.AdoptedCluster{Credentials: "arn:aws:secretsmanager:eu-central-1:123456789012:secret:portolan/shop/old-AbCdEf"},
		Kubernetes: contract.KubernetesCluster{Context: "admin@old", Namespace: "shop", EksCluster: "old"},
	}
}

func TestCheckKubernetesCluster(t *testing.T) {
	for name, test := range map[string]struct {
		spec   func() contract.ClusterSpec
		change func(*contract.ClusterSpec)
		want   []string // pointers
	}{
		"a new one":      {onEKS, func(*contract.ClusterSpec) {}, nil},
		"no node pool":   {onEKS, func(s *contract.ClusterSpec) { s.NodePools = nil }, []string{"/nodePools"}},
		"a name twice":   {onEKS, func(s *contract.ClusterSpec) { s.NodePools[1].Name = "main" }, []string{"/nodePools/1/name"}},
		"words of ecs":   {onEKS, func(s *contract.ClusterSpec) { s.Ecs.Capacity = contract.EC2 }, []string{"/ecs"}},
		"a context":      {onEKS, func(s *contract.ClusterSpec) { s.Kubernetes.Context = "x" }, []string{"/kubernetes/context"}},
		"a name in EKS":  {onEKS, func(s *contract.ClusterSpec) { s.Kubernetes.EksCluster = "x" }, []string{"/kubernetes/eksCluster"}},
		"open by design": {onEKS, func(s *contract.ClusterSpec) { s.Kubernetes.EndpointAccess = contract.EndpointPublic }, []string{"/kubernetes/openToTheInternet"}},
		"and meant": {onEKS, func(s *contract.ClusterSpec) {
			s.Kubernetes.EndpointAccess, s.Kubernetes.OpenToTheInternet = contract.EndpointPublic, true
		}, nil},
		"open to some": {onEKS, func(s *contract.ClusterSpec) {
			s.Kubernetes.EndpointAccess, s.Kubernetes.PublicAccessCidrs = contract.EndpointPublicAndPrivate, []string{"203.0.113.0/24"}
		}, nil},
		"open to all": {onEKS, func(s *contract.ClusterSpec) {
			s.Kubernetes.EndpointAccess, s.Kubernetes.PublicAccessCidrs = contract.EndpointPublicAndPrivate, []string{"0.0.0.0/0"}
		}, []string{"/kubernetes/openToTheInternet"}},
		"open to some, and closed to Portolan": {onEKS, func(s *contract.ClusterSpec) {
			s.Kubernetes.EndpointAccess, s.Kubernetes.PublicAccessCidrs = contract.EndpointPublic, []string{"203.0.113.0/24"}
		}, []string{"/kubernetes/endpointAccess"}},
		"private, and open to some": {onEKS, func(s *contract.ClusterSpec) {
			s.Kubernetes.PublicAccessCidrs = []string{"203.0.113.0/24"}
		}, []string{"/kubernetes/publicAccessCidrs"}},

		"an adopted one":        {adopted, func(*contract.ClusterSpec) {}, nil},
		"behind a connector":    {adopted, func(s *contract.ClusterSpec) { s.Network = existing("") }, nil},
		"with a range":          {adopted, func(s *contract.ClusterSpec) { s.Network.Cidr = "10.0.0.0/16" }, []string{"/network/cidr"}},
		"another team's":        {adopted, func(s *contract.ClusterSpec) { s.Team = "pay" }, []string{"/adopted/credentials"}},
		"with node pools":       {adopted, func(s *contract.ClusterSpec) { s.NodePools = onEKS().NodePools }, []string{"/nodePools"}},
		"of a version":          {adopted, func(s *contract.ClusterSpec) { s.Kubernetes.Version = "1.34" }, []string{"/kubernetes/version"}},
		"with an endpoint":      {adopted, func(s *contract.ClusterSpec) { s.Kubernetes.EndpointAccess = contract.EndpointPublic }, []string{"/kubernetes/endpointAccess"}},
		"of ecs":                {adopted, func(s *contract.ClusterSpec) { s.Ecs.Capacity = contract.EC2 }, []string{"/ecs"}},
		"ecs with kubernetes":   {onEC2, func(s *contract.ClusterSpec) { s.Kubernetes.Version = "1.34" }, []string{"/kubernetes"}},
		"ecs adopted":           {onEC2, func(s *contract.ClusterSpec) { s.Adopted = adopted().Adopted }, []string{"/adopted"}},
		"ecs on Spot instances": {onEC2, func(s *contract.ClusterSpec) { s.NodePools[0].Spot = true }, []string{"/nodePools/0/spot"}},
	} {
		t.Run(name, func(t *testing.T) {
			spec := test.spec()
			test.change(&spec)
			if got := pointers(CheckCluster(spec)); !slices.Equal(got, test.want) {
				t.Errorf("%q is blamed, not %q", got, test.want)
			}
		})
	}
}

func TestAdoptedClusterHasNoStackButItsConnectors(t *testing.T) {
	c := NewCluster(adopted(), atNoon)
	want := &orchestrator.KubernetesFacts{
		Credentials: adopted().Adopted.Credentials, Context: "admin@old", EKSCluster: "old", Namespace: "shop",
	}
	if len(c.Stacks) > 0 || !reflect.DeepEqual(c.Facts.Kubernetes, want) {
		t.Errorf("got stacks %q, facts %+v", c.Stacks, c.Facts.Kubernetes)
	}
	spec := adopted()
	spec.Network = existing("")
	if c := NewCluster(spec, atNoon); !slices.Equal(c.Stacks, []string{"portolan-old"}) || c.Facts.Kubernetes.VPC == "" {
		t.Errorf("got stacks %q, facts %+v", c.Stacks, c.Facts.Kubernetes)
	}
}

func TestChangeCluster(t *testing.T) {
	made, taken := model.Cluster{Spec: onEKS()}, model.Cluster{Spec: adopted()}
	verbs := []contract.Verb{contract.VerbDeploy}
	if _, wrong := ChangeCluster(made, contract.ClusterChange{Verbs: verbs}); !slices.Equal(pointers(wrong), []string{"/verbs"}) {
		t.Errorf("verbs of a cluster that Portolan made: %v", wrong)
	}
	changed, wrong := ChangeCluster(taken, contract.ClusterChange{Verbs: verbs})
	if len(wrong) > 0 || changed == nil || !slices.Equal(changed.Spec.Adopted.Verbs, verbs) {
		t.Fatalf("got %+v, %v", changed, wrong)
	}
	if again, _ := ChangeCluster(*changed, contract.ClusterChange{Verbs: verbs}); again != nil {
		t.Errorf("the same verbs again change %+v", again)
	}
	if none, _ := ChangeCluster(*changed, contract.ClusterChange{Verbs: []contract.Verb{}}); none == nil || len(none.Spec.Adopted.Verbs) > 0 {
		t.Errorf("no verbs: %+v", none)
	}
	if drift, _ := ChangeCluster(made, contract.ClusterChange{Drift: contract.Report}); drift == nil || drift.Spec.Drift != contract.Report {
		t.Errorf("drift: %+v", drift)
	}
}
