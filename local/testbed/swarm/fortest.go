package swarm

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

// SharedRegistry is the name of the registry that answers in the testbed of ForTest.
const SharedRegistry = "registry.example.com"

// shared is the one testbed of a test binary.
var shared struct {
	sync.Once
	testbed *Testbed
	err     error
}

// ForTest returns the testbed that all tests of a package share, which the first of
// them starts. It must not be called in a synctest bubble, whose end would wait for the
// testbed's; and the package's TestMain has to call Main.
func ForTest(t testing.TB) *Testbed {
	t.Helper()
	shared.Do(func() {
		shared.testbed, shared.err = Start(context.Background(), Config{Registries: []string{SharedRegistry}})
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.testbed
}

// EnginesForTest returns new engines of the shared testbed, which end with the test. A
// test that fails tells what they said last.
func EnginesForTest(t testing.TB, count int) []*Engine {
	t.Helper()
	engines, err := ForTest(t).StartEngines(t.Context(), count)
	t.Cleanup(func() {
		var killing sync.WaitGroup
		for _, e := range engines {
			if e == nil {
				continue
			}
			if t.Failed() {
				t.Logf("%s said last:\n%s", e.Name(), e.Log())
			}
			killing.Go(e.Kill)
		}
		killing.Wait()
	})
	if err != nil {
		t.Fatal(err)
	}
	return engines
}

// Main runs the tests of a package that uses ForTest, and then stops their testbed:
//
//	func TestMain(m *testing.M) { swarm.Main(m) }
func Main(m *testing.M) {
	code := m.Run()
	if shared.testbed != nil {
		if err := shared.testbed.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// PinnedForTest returns an image pinned by its digest, which behaves as its name says, as
// the orchestrator contract's suite wants it: one of Workloads, and web where it is none.
// What is called pull-fail is not in the registry.
func PinnedForTest(t testing.TB, name string) string {
	t.Helper()
	repository := "shop/" + name
	if name == "pull-fail" {
		return SharedRegistry + "/" + repository + "@sha256:" + strings.Repeat("0a", 32)
	}
	workload := name
	if _, known := Workloads[workload]; !known {
		workload = "web"
	}
	image, err := ForTest(t).PushWorkload(t.Context(), workload, repository, "1")
	if err != nil {
		t.Fatal(err)
	}
	return SharedRegistry + "/" + repository + "@" + image.Digest
}
