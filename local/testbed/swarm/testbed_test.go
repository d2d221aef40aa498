//go:build testbed

package swarm

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) { Main(m) }

func push(t *testing.T, name, repository, tag string) Image {
	t.Helper()
	image, err := ForTest(t).PushWorkload(t.Context(), name, repository, tag)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func TestEachEngineIsAHostOfItsOwn(t *testing.T) {
	engines := EnginesForTest(t, 2)
	ids := map[string]bool{}
	for _, e := range engines {
		var info struct{ ID, Name, ServerVersion string }
		if err := e.call(t.Context(), http.MethodGet, "/info", nil, &info); err != nil {
			t.Fatal(err)
		}
		ids[info.ID] = true
		// What it is started with again, it still knows.
		e.Stop()
		if err := e.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		var again struct{ ID string }
		if err := e.call(t.Context(), http.MethodGet, "/info", nil, &again); err != nil || again.ID != info.ID {
			t.Errorf("%s was %s and is %s, %v", e.Name(), info.ID, again.ID, err)
		}
		if info.Name != e.Name() || info.ServerVersion == "" {
			t.Errorf("%s is %+v", e.Name(), info)
		}
	}
	if len(ids) != len(engines) {
		t.Errorf("two engines have the ids %v", ids)
	}
}

func TestOnlyTheAuthoritysClientsAreLetIn(t *testing.T) {
	e := EnginesForTest(t, 1)[0]
	known, err := ForTest(t).Client()
	if err != nil {
		t.Fatal(err)
	}
	expired, err := ForTest(t).Authority().Client("late", time.Now().AddDate(0, 0, -1))
	if err != nil {
		t.Fatal(err)
	}
	other, err := NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := other.Client("stranger", time.Now().AddDate(0, 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	stranger.CA = known.CA
	for name, test := range map[string]struct {
		identity Identity
		let      bool
	}{"known": {known, true}, "expired": {expired, false}, "stranger": {stranger, false}, "nobody": {Identity{CA: known.CA}, false}} {
		err := send(t.Context(), clientWith(t, test.identity), http.MethodGet, "https://"+e.Address()+"/v1.41/version", nil, nil)
		if (err == nil) != test.let {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestImagesArePulledByTagAndDigest(t *testing.T) {
	e := EnginesForTest(t, 1)[0]
	image := push(t, "web", "shop/web", "1")
	if again := push(t, "web", "shop/web", "1"); again.Digest != image.Digest {
		t.Errorf("the same image has the digests %s and %s", image.Digest, again.Digest)
	}
	if other := push(t, "web", "shop/web", "2"); other.Digest == image.Digest {
		t.Errorf("two images have digest %s", image.Digest)
	}
	for _, name := range []string{SharedRegistry + "/shop/web:1", PinnedForTest(t, "shop")} {
		if err := e.pull(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	err := e.pull(PinnedForTest(t, "pull-fail"))
	if err == nil || !strings.Contains(err.Error(), "manifest unknown") {
		t.Errorf("an image that is not there: %v", err)
	}
}

// A host that is killed and started again is who it was.
func TestAKilledEngineComesBack(t *testing.T) {
	t.Parallel()
	engines := EnginesForTest(t, 3)
	formSwarm(t, engines, 3)
	lost := engines[2]
	// An engine that is killed before it has heard of the other managers knows nobody to go back to.
	eventually(t, lost.Name()+" to know all managers", func() error {
		var info struct {
			Swarm struct{ RemoteManagers []object }
		}
		err := lost.call(t.Context(), http.MethodGet, "/info", nil, &info)
		if known := len(info.Swarm.RemoteManagers); err == nil && known != len(engines) {
			err = fmt.Errorf("it knows %d", known)
		}
		return err
	})
	lost.Kill()
	if lost.Running() {
		t.Fatal("a killed engine runs")
	}
	want := func(state string) {
		t.Helper()
		eventually(t, lost.Name()+" to be "+state, func() error {
			states, err := engines[0].nodes(t.Context())
			if err != nil || states[lost.Name()] != state || len(states) != 3 {
				return fmt.Errorf("the nodes are %v, %v", states, err)
			}
			return nil
		})
	}
	want("down")
	if err := lost.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	want("ready")
	if err := lost.Disconnect(t.Context()); err != nil {
		t.Fatal(err)
	}
	want("down")
	if err := lost.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	want("ready")
}

// An engine that breaks down comes back by itself, in the swarm that it was in.
func TestABrokenEngineIsStartedAgain(t *testing.T) {
	t.Parallel()
	e := EnginesForTest(t, 1)[0]
	formSwarm(t, []*Engine{e}, 1)
	host, _ := e.pid()
	before, err := os.ReadFile(fmt.Sprintf("/proc/%d/root/run/docker.pid", host))
	if err != nil {
		t.Fatal(err)
	}
	// Who is in the host's namespace of processes knows it by that number.
	if err := run(t.Context(), "", "nsenter", "--pid", "--target", fmt.Sprint(host), "sh", "-c", "kill -SEGV "+string(before)); err != nil {
		t.Fatal(err)
	}
	eventually(t, e.Name()+" to be in its swarm again", func() error {
		after, err := os.ReadFile(fmt.Sprintf("/proc/%d/root/run/docker.pid", host))
		if err != nil || string(after) == string(before) {
			return fmt.Errorf("its process was %s and is %s, %v", before, after, err)
		}
		states, err := e.nodes(t.Context())
		if err != nil || states[e.Name()] != "ready" {
			return fmt.Errorf("the nodes are %v, %v", states, err)
		}
		return nil
	})
	if again, running := e.pid(); !running || again != host {
		t.Errorf("its host was %d and is %d", host, again)
	}
}

// runAlone is the variable that has TestNothingOutlivesItsProcess be the process.
const runAlone = "TESTBED_ALONE"

func TestNothingOutlivesItsProcess(t *testing.T) {
	if os.Getenv(runAlone) != "" {
		beKilled(t)
		return
	}
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestNothingOutlivesItsProcess$", "-test.v")
	command.Env = append(os.Environ(), runAlone+"=1")
	out, err := command.CombinedOutput()
	directory := strings.TrimSpace(between(string(out), "directory: ", "\n"))
	if err == nil || directory == "" {
		t.Fatalf("it ended with %v, having said\n%s", err, out)
	}
	eventually(t, "all processes to end", func() error {
		return nothingRunsIn(directory)
	})
	number := strings.TrimPrefix(filepath.Base(directory), "portolan-swarm-")
	eventually(t, "the network to go", func() error {
		if _, err := os.Stat("/sys/class/net/ptl" + number); err == nil {
			return fmt.Errorf("ptl%s is there", number)
		}
		return nil
	})
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil || strings.Contains(string(mounts), directory) {
		t.Errorf("mounts are left: %v", err)
	}
	next, err := Start(t.Context(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := next.Stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(directory); !os.IsNotExist(err) {
		t.Errorf("the next testbed has not removed %s: %v", directory, err)
	}
}

// beKilled has a container run, and is then killed.
func beKilled(t *testing.T) {
	testbed, err := Start(t.Context(), Config{Registries: []string{SharedRegistry}})
	if err != nil {
		t.Fatal(err)
	}
	e, err := testbed.StartEngine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := testbed.PushWorkload(t.Context(), "web", "shop/web", "1"); err != nil {
		t.Fatal(err)
	}
	image := SharedRegistry + "/shop/web:1"
	if err := e.pull(image); err != nil {
		t.Fatal(err)
	}
	var made struct{ ID string }
	if err := e.call(t.Context(), http.MethodPost, "/containers/create", object{"Image": image}, &made); err != nil {
		t.Fatal(err)
	}
	if err := e.call(t.Context(), http.MethodPost, "/containers/"+made.ID+"/start", nil, nil); err != nil {
		t.Fatal(err)
	}
	fmt.Printf("directory: %s\n", testbed.Directory())
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := self.Kill(); err != nil {
		t.Fatal(err)
	}
	select {}
}

func between(text, from, to string) string {
	_, rest, _ := strings.Cut(text, from)
	part, _, _ := strings.Cut(rest, to)
	return part
}

// nothingRunsIn looks for processes that name the directory, or are in a control group
// of its engines.
func nothingRunsIn(directory string) error {
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return err
	}
	for _, p := range processes {
		command, _ := os.ReadFile(filepath.Join(p, "cmdline")) // it may have ended
		groups, _ := os.ReadFile(filepath.Join(p, "cgroup"))
		if strings.Contains(string(command), directory+"/") || strings.Contains(string(groups), filepath.Base(directory)+"/") {
			return fmt.Errorf("%s runs %q in %s", p, command, groups)
		}
	}
	return nil
}
