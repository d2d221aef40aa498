package kubernetes

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed components/main.go
var componentsMain []byte

// goMod is what is needed of a module's go.mod, as `go mod edit -json` prints it.
type goMod struct {
	Go      string
	Require []struct{ Path, Version string }
	Replace []struct {
		Old struct{ Path string }
		New struct{ Path string }
	}
}

// writeModule makes the module that the components are built in: their main package,
// and a go.mod that the go command completes.
func writeModule(ctx context.Context, directory string) error {
	kubernetes, err := readGoMod(ctx, directory)
	if err != nil {
		return err
	}
	content, err := kubernetes.forComponents()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(directory, "main.go"), componentsMain, 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(directory, "go.mod"), content, 0o600)
}

// readGoMod fetches Kubernetes's go.mod.
func readGoMod(ctx context.Context, directory string) (goMod, error) {
	module := "k8s.io/kubernetes@" + kubernetesVersion
	out, err := goCommand(ctx, directory, "mod", "download", "-json", module)
	if err != nil {
		return goMod{}, err
	}
	var downloaded struct{ GoMod string }
	if err := json.Unmarshal(out, &downloaded); err != nil {
		return goMod{}, fmt.Errorf("reading what was downloaded of %s: %w", module, err)
	}
	out, err = goCommand(ctx, directory, "mod", "edit", "-json", downloaded.GoMod)
	if err != nil {
		return goMod{}, err
	}
	var read goMod
	if err := json.Unmarshal(out, &read); err != nil {
		return goMod{}, fmt.Errorf("reading the go.mod of %s: %w", module, err)
	}
	return read, nil
}

// forComponents returns a go.mod for the components. Kubernetes requires the modules
// of its own staging folder at v0.0.0 and replaces them by that folder; published, they
// have Kubernetes's version with a zero in front.
func (m goMod) forComponents() ([]byte, error) {
	const etcd = "go.etcd.io/etcd/server/v3"
	var etcdVersion string
	for _, required := range m.Require {
		if required.Path == etcd {
			etcdVersion = required.Version
		}
	}
	if etcdVersion == "" {
		return nil, fmt.Errorf("the go.mod of Kubernetes %s does not name %s", kubernetesVersion, etcd)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "module components\n\ngo %s\n\n", m.Go)
	fmt.Fprintf(&out, "require k8s.io/kubernetes %s\nrequire sigs.k8s.io/kwok %s\nrequire %s %s\n\n",
		kubernetesVersion, kwokVersion, etcd, etcdVersion)
	staging := "v0." + strings.TrimPrefix(kubernetesVersion, "v1.")
	for _, replaced := range m.Replace {
		if strings.HasPrefix(replaced.New.Path, "./staging/") {
			fmt.Fprintf(&out, "replace %s => %[1]s %s\n", replaced.Old.Path, staging)
		}
	}
	return out.Bytes(), nil
}

// goCommand runs the go command in a directory and returns what it printed. It is kept
// from whatever the environment says of how Portolan itself is built.
func goCommand(ctx context.Context, directory string, arguments ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, "go", arguments...)
	command.Dir = directory
	command.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod -buildvcs=false",
		"GOOS=", "GOARCH=", "CGO_ENABLED=0")
	var problems bytes.Buffer
	command.Stderr = &problems
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w\n%s", strings.Join(arguments, " "), err, problems.Bytes())
	}
	return out, nil
}
