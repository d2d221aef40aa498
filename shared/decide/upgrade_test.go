package decide

import (
	"strings"
	"testing"

	"portolan/shared/contract"
	"portolan/shared/model"
)

func TestUpgradeCluster(t *testing.T) {
	for name, test := range map[string]struct {
		change  func(*model.Cluster)
		version string
		wanted  bool
		wrong   string
	}{
		"the next one":           {nil, "1.35", true, ""},
		"the same one":           {nil, "1.34", false, ""},
		"an older one":           {nil, "1.33", false, "must not be older than the cluster's 1.34"},
		"one too far":            {nil, "1.36", false, "must be 1.35, the next after the cluster's 1.34"},
		"as asked for":           {func(c *model.Cluster) { c.OrchestratorVersion = "" }, "1.35", true, ""},
		"a version nobody knows": {func(c *model.Cluster) { c.OrchestratorVersion, c.Spec.Kubernetes.Version = "", "" }, "1.35", false, "cannot be compared"},
		"tried before":           {func(c *model.Cluster) { c.Spec.Kubernetes.Version = "1.35" }, "1.35", true, ""},
		"a vendor's version":     {func(c *model.Cluster) { c.OrchestratorVersion = "v1.34+" }, "1.35", true, ""},
		"adopted":                {func(c *model.Cluster) { c.Spec = adopted() }, "1.35", false, "is adopted"},
		"ecs":                    {func(c *model.Cluster) { c.Spec = onEC2() }, "1.35", false, "cannot be chosen for ecs"},
	} {
		t.Run(name, func(t *testing.T) {
			c := model.Cluster{Spec: onEKS(), OrchestratorVersion: "v1.34.2-eks-1a2b3c", Generation: 4}
			if test.change != nil {
				test.change(&c)
			}
			got, wrong := UpgradeCluster(c, test.version)
			if (got != nil) != test.wanted || (len(wrong) > 0) != (test.wrong != "") {
				t.Fatalf("got %+v, %v", got, wrong)
			}
			if test.wrong != "" && (wrong[0].Pointer != "/version" || !strings.Contains(wrong[0].Detail, test.wrong)) {
				t.Errorf("got %v", wrong)
			}
			if got != nil && (got.Spec.Kubernetes.Version != test.version || got.Generation != 5) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// A version whose upgrade ended dirty can be asked for again, also where nobody had asked the
// orchestrator for its version before.
func TestAnUpgradeIsAskedForAgain(t *testing.T) {
	for version, c := range map[string]model.Cluster{"1.35": {Spec: onEKS()}, "28.5.2": {Spec: onSwarm()}} {
		tried, wrong := UpgradeCluster(c, version)
		if tried == nil {
			t.Fatalf("%s: %v", version, wrong)
		}
		again, wrong := UpgradeCluster(*tried, version)
		if again == nil || again.Generation != tried.Generation+1 {
			t.Errorf("%s again: %+v, %v", version, again, wrong)
		}
		done := *tried
		done.OrchestratorVersion = version
		if nothing, wrong := UpgradeCluster(done, version); nothing != nil || len(wrong) > 0 {
			t.Errorf("%s, which the cluster has: %+v, %v", version, nothing, wrong)
		}
	}
}

func TestNextPool(t *testing.T) {
	c := &model.Cluster{Spec: contract.ClusterSpec{Kubernetes: contract.KubernetesCluster{Version: "1.35"}},
		NodePools: []model.NodePool{{Name: "main"}, {Name: "cheap"}}}
	for want, seen := range map[string][]PoolVersion{
		"main":  {{"cheap", "1.34"}, {"main", "1.34"}},
		"cheap": {{"cheap", "1.34"}, {"main", "1.35"}},
		"":      {{"cheap", "1.35"}, {"main", "1.35"}},
	} {
		if got := NextPool(c, seen); got != want {
			t.Errorf("after %v comes %q", seen, got)
		}
	}
}
