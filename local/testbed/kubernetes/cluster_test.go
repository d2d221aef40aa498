package kubernetes

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A component that ends is told of long before the deadline, and nothing is left.
func TestStartTellsWhyAComponentEnded(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	program, err := exec.LookPath("ls") // which knows none of the arguments
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	_, err = start(t.Context(), program, Config{Nodes: 1})
	if err == nil {
		t.Fatal("a cluster without an etcd has started")
	}
	for _, want := range []string{" ended (exit status ", " option "} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not tell %q:\n%v", want, err)
		}
	}
	if took := time.Since(began); took > startDeadline/2 {
		t.Errorf("it was told after %v", took)
	}
	if left, _ := os.ReadDir(temporary); len(left) > 0 {
		t.Errorf("%s is left", left[0].Name())
	}
}

func TestDirectoriesOfOthersAreRemovedOnlyWhenTheyAreLeft(t *testing.T) {
	parent := t.TempDir()
	used, held, err := newDirectory(parent)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	left, lock, err := newDirectory(parent)
	if err != nil {
		t.Fatal(err)
	}
	lock.Close() // as the end of its process does
	_, another, err := newDirectory(parent)
	if err != nil {
		t.Fatal(err)
	}
	defer another.Close()
	if !isThere(used) || isThere(left) {
		t.Errorf("the one in use is there: %t; the one that was left is: %t", isThere(used), isThere(left))
	}
}

func TestLockIsHeldByOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	held, err := lock(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock(path); !errors.Is(err, errLocked) {
		t.Errorf("a lock that is held is taken with %v", err)
	}
	taken := make(chan error)
	go func() {
		file, err := waitForLock(t.Context(), path)
		if err == nil {
			err = file.Close()
		}
		taken <- err
	}()
	held.Close()
	if err := <-taken; err != nil {
		t.Error(err)
	}
}

func TestBuildUsesWhatIsThere(t *testing.T) {
	cache := t.TempDir()
	want := filepath.Join(cache, recipe(), "components")
	if err := os.MkdirAll(filepath.Dir(want), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(want, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	got, err := buildIn(t.Context(), cache, io.Discard)
	if err != nil || got != want {
		t.Errorf("the program is %s (%v), not %s", got, err, want)
	}
}

// The other end of a component's input is closed when its parent has ended, however it
// did.
func TestProcessReadsFromItsParent(t *testing.T) {
	p, err := startProcess("/bin/sh", t.TempDir(), "-c", "cat; echo the parent has gone")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.hasEnded(); err != nil {
		t.Fatal(err)
	}
	p.life.Close()
	<-p.ended
	if tail := p.tail(); tail != "the parent has gone" {
		t.Errorf("its log is %q", tail)
	}
}

func TestTailIsTheEnd(t *testing.T) {
	var lines []string
	for i := range 100 {
		lines = append(lines, fmt.Sprint("line ", i))
	}
	log := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(log, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tail := (&process{log: log}).tail()
	if !strings.HasPrefix(tail, "line 85\n") || !strings.HasSuffix(tail, "\nline 99") {
		t.Errorf("the last 15 of 100 lines are\n%s", tail)
	}
}

func TestFreePortsDiffer(t *testing.T) {
	ports, err := freePorts(8)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, port := range ports {
		if seen[port] {
			t.Errorf("port %s is twice in %v", port, ports)
		}
		seen[port] = true
	}
}
