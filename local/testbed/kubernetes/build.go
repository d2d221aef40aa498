package kubernetes

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// compilerFlags leave out what only a debugger reads, which is a ninth of the compiler's
// work.
const compilerFlags = "-gcflags=all=-dwarf=false"

// Build returns the program that has all components, and builds it first where the
// user's cache does not have it. From nothing that takes some minutes and is told to
// log; processes that ask at the same time build once.
func Build(ctx context.Context, log io.Writer) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding the folder for the Kubernetes testbed: %w", err)
	}
	return buildIn(ctx, filepath.Join(cache, "portolan", "testbed", "kubernetes"), log)
}

func buildIn(ctx context.Context, cache string, log io.Writer) (string, error) {
	program := filepath.Join(cache, recipe(), "components")
	if isThere(program) {
		return program, nil
	}
	fmt.Fprintf(log, "Building Kubernetes %s for tests, here or in another process; the first time takes minutes.\n", kubernetesVersion)
	directory := filepath.Dir(program)
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return "", err
	}
	lock, err := waitForLock(ctx, filepath.Join(directory, "lock"))
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if isThere(program) {
		return program, nil
	}
	began := time.Now()
	if err := build(ctx, program); err != nil {
		return "", fmt.Errorf("building Kubernetes %s: %w", kubernetesVersion, err)
	}
	fmt.Fprintf(log, "Built %s in %v.\n", program, time.Since(began).Round(time.Second))
	return program, nil
}

// recipe names a build after all that it is made of.
func recipe() string {
	sum := sha256.New()
	fmt.Fprint(sum, compilerFlags, linkerFlags())
	sum.Write(componentsMain)
	return fmt.Sprintf("%s-kwok-%s-%x", kubernetesVersion, kwokVersion, sum.Sum(nil)[:4])
}

func isThere(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// build puts the program at its place when it is whole. Only who has the lock may.
func build(ctx context.Context, program string) error {
	module := filepath.Join(filepath.Dir(program), "build")
	// An earlier build may have been killed.
	if err := errors.Join(os.RemoveAll(module), os.Mkdir(module, 0o700)); err != nil {
		return err
	}
	defer os.RemoveAll(module)
	if err := writeModule(ctx, module); err != nil {
		return err
	}
	made := filepath.Join(module, "components")
	// A file that is named is built whatever its build constraint says.
	_, err := goCommand(ctx, module, "build", compilerFlags, "-ldflags", linkerFlags(), "-o", made, "main.go")
	if err != nil {
		return err
	}
	return os.Rename(made, program)
}

// linkerFlags stamp the versions, without which a server calls itself v0.0.0. As they
// concern the linker alone, they cost no compilation.
func linkerFlags() string {
	const component = "k8s.io/component-base/version."
	minor, _, _ := strings.Cut(strings.TrimPrefix(kubernetesVersion, "v1."), ".")
	return strings.Join([]string{"-s -w",
		"-X " + component + "gitVersion=" + kubernetesVersion,
		"-X " + component + "gitMajor=1",
		"-X " + component + "gitMinor=" + minor,
		"-X " + component + "gitTreeState=clean",
		"-X sigs.k8s.io/kwok/pkg/consts.Version=" + kwokVersion,
	}, " ")
}
