package swarm

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"time"
)

// An Image is one that the testbed's registry has.
type Image struct {
	Digest string

	// Manifest is what the digest is of, for a registry that wants to know it too.
	Manifest []byte
}

// A Workload is what the containers of an image do.
type Workload struct {
	// Command is what the program is told: serve, with its flags, or job.
	Command []string

	// HealthCheck has the image say how its health is looked at: twice a second, and
	// three looks that fail are enough.
	HealthCheck bool
}

// Workloads are those that PushWorkload knows by name. All but job listen at port 8080.
var Workloads = map[string]Workload{
	"web":       {[]string{"serve"}, true},
	"crash":     {[]string{"job", "-after", "100ms", "-exit", "1"}, true},
	"unhealthy": {[]string{"serve", "-unhealthy-after", "0s"}, true},
	"later":     {[]string{"serve", "-unhealthy-after", "5s"}, true},
	"unchecked": {[]string{"serve"}, false},
	"job":       {[]string{"job", "-after", "1s"}, false},
	"job-fails": {[]string{"job", "-after", "1s", "-exit", "3"}, false},
}

// PushWorkload puts one of Workloads into the registry, under a tag of a repository,
// such as shop/web. Two repositories or tags have two digests.
func (b *Testbed) PushWorkload(ctx context.Context, name, repository, tag string) (Image, error) {
	workload, known := Workloads[name]
	if !known {
		return Image{}, fmt.Errorf("there is no workload %q", name)
	}
	return b.Push(ctx, workload, repository, tag)
}

// Push is PushWorkload with a workload that has no name.
func (b *Testbed) Push(ctx context.Context, workload Workload, repository, tag string) (Image, error) {
	layer, err := workloadLayer(ctx)
	if err != nil {
		return Image{}, err
	}
	config, err := json.Marshal(workload.config(layer, repository+":"+tag))
	if err != nil {
		return Image{}, err
	}
	digest, manifest, err := b.registry.put(repository, tag, config, layer.compressed)
	return Image{digest, manifest}, err
}

// config returns the image's configuration, as engines read it.
func (w Workload) config(layer *layer, name string) map[string]any {
	process := map[string]any{
		"Entrypoint":   append([]string{"/workload"}, w.Command...),
		"Env":          []string{"IMAGE=" + name},
		"ExposedPorts": map[string]any{"8080/tcp": map[string]any{}},
	}
	if w.HealthCheck {
		process["Healthcheck"] = map[string]any{
			"Test":     []string{"CMD", "/workload", "check"},
			"Interval": 500 * time.Millisecond, "Timeout": 5 * time.Second, "Retries": 3,
		}
	}
	return map[string]any{
		"architecture": runtime.GOARCH, "os": "linux", "created": time.Unix(0, 0).UTC(), "config": process,
		"rootfs":  map[string]any{"type": "layers", "diff_ids": []string{layer.diffID}},
		"history": []any{map[string]any{"created": time.Unix(0, 0).UTC(), "created_by": "testbed"}},
	}
}

// A layer is the file system of the images: one program.
type layer struct {
	compressed []byte
	diffID     string
}

// built is the layer, which is built once in a process.
var built struct {
	sync.Mutex
	layer *layer
}

func workloadLayer(ctx context.Context) (*layer, error) {
	built.Lock()
	defer built.Unlock()
	if built.layer != nil {
		return built.layer, nil
	}
	program, err := buildWorkload(ctx)
	if err != nil {
		return nil, fmt.Errorf("building what images run: %w", err)
	}
	built.layer, err = pack(program)
	return built.layer, err
}

// buildWorkload builds the program without anything that it would need besides itself.
func buildWorkload(ctx context.Context) ([]byte, error) {
	directory, err := os.MkdirTemp("", "portolan-workload-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(directory)
	made := filepath.Join(directory, "workload")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", made,
		"portolan/local/testbed/swarm/workload")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+runtime.GOARCH)
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, out)
	}
	return os.ReadFile(made)
}

// pack makes a layer with the program at its root. The same program is the same layer.
func pack(program []byte) (*layer, error) {
	var plain, compressed bytes.Buffer
	files := tar.NewWriter(&plain)
	for _, header := range []*tar.Header{
		{Name: "tmp/", Typeflag: tar.TypeDir, Mode: 0o1777},
		{Name: "workload", Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(program))},
	} {
		if err := files.WriteHeader(header); err != nil {
			return nil, err
		}
	}
	if _, err := files.Write(program); err != nil {
		return nil, err
	}
	if err := files.Close(); err != nil {
		return nil, err
	}
	zip, err := gzip.NewWriterLevel(&compressed, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := zip.Write(plain.Bytes()); err != nil {
		return nil, err
	}
	if err := zip.Close(); err != nil {
		return nil, err
	}
	return &layer{compressed.Bytes(), fmt.Sprintf("sha256:%x", sha256.Sum256(plain.Bytes()))}, nil
}
