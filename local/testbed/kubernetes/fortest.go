package kubernetes

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"sync"
	"testing"
)

// shared is the one cluster of a test binary.
var shared struct {
	sync.Once
	cluster *Cluster
	err     error
}

// ForTest returns the cluster that all tests of a package share, which the first of
// them starts, and the name of a namespace that is the test's own. What the test makes
// outside of it, it has to remove itself. It must not be called in a synctest bubble,
// whose end would wait for the cluster's; and the package's TestMain has to call Main.
func ForTest(t testing.TB) (*Cluster, string) {
	t.Helper()
	shared.Do(func() { shared.cluster, shared.err = Start(t.Context(), Config{}) })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	namespace, err := shared.cluster.createNamespace(t.Context(), t.Name())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// That it is gone takes some seconds, which nobody has to wait for.
		err := shared.cluster.api.do(context.Background(), http.MethodDelete, "/api/v1/namespaces/"+namespace, nil, nil)
		if err != nil {
			t.Errorf("deleting the namespace of the test: %v", err)
		}
	})
	return shared.cluster, namespace
}

// Main runs the tests of a package that uses ForTest, and then stops their cluster:
//
//	func TestMain(m *testing.M) { kubernetes.Main(m) }
func Main(m *testing.M) {
	code := m.Run()
	if shared.cluster != nil {
		if err := shared.cluster.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// createNamespace makes a namespace that notes what it is for, and returns its name.
func (c *Cluster) createNamespace(ctx context.Context, purpose string) (string, error) {
	var created struct {
		Metadata struct{ Name string }
	}
	err := c.api.do(ctx, http.MethodPost, "/api/v1/namespaces", object{
		"apiVersion": "v1", "kind": "Namespace",
		"metadata": object{"generateName": "test-", "annotations": object{"testbed/for": purpose}},
	}, &created)
	if err != nil {
		return "", fmt.Errorf("creating a namespace for %s: %w", purpose, err)
	}
	return created.Metadata.Name, nil
}
