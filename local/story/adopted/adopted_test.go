//go:build testbed

// Package adopted_test tells the story of an adopted cluster on a real Kubernetes.
package adopted_test

import (
	"log/slog"
	"strings"
	"testing"

	"portolan"
	"portolan/local"
	"portolan/local/story"
	testbed "portolan/local/testbed/kubernetes"
)

func TestMain(m *testing.M) { testbed.Main(m) }

// speed is how much faster than AWS time passes, as in `make demo REAL=1`: the cluster's own
// time passes as it does.
const speed = 20

// start starts a control plane of the test's own.
func start(t *testing.T) *local.Local {
	t.Helper()
	l, err := local.Start(local.Config{
		Files: portolan.Files, Region: "us-east-1", Stack: "portolan", Speed: speed, Seed: 1,
		Log: slog.New(slog.NewJSONHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func TestStoryOfAnAdoptedCluster(t *testing.T) {
	cluster, _ := testbed.ForTest(t)
	told := &strings.Builder{}
	if err := story.TellAdopted(t.Context(), &story.Stage{Local: start(t), Out: told, Kubeconfig: cluster.Kubeconfig()}); err != nil {
		t.Fatalf("%v, after this was told:\n%s", err, told)
	}
	// What kubectl shows of each chapter is for who reads it, and has to be there.
	for _, shown := range []string{"wildfly   2/2", "wildfly   4/4", "wildfly-", "SchedulingDisabled", "legacy   2/2"} {
		if !strings.Contains(told.String(), shown) {
			t.Errorf("kubectl never shows %q:\n%s", shown, told)
		}
	}
}
