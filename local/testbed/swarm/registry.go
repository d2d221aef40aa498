package swarm

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	typeManifest = "application/vnd.docker.distribution.manifest.v2+json"
	typeConfig   = "application/vnd.docker.container.image.v1+json"
	typeLayer    = "application/vnd.docker.image.rootfs.diff.tar.gzip"
)

// A registry serves images by the Distribution API, to read only. It listens at port 80,
// where engines look for a registry that is insecure and names no port.
type registry struct {
	server *http.Server
	served chan error

	mu        sync.Mutex
	blobs     map[string][]byte            // by digest, manifests too
	manifests map[string]map[string]string // digests, by repository and tag or digest
}

func startRegistry(address string) (*registry, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort(address, "80"))
	if err != nil {
		return nil, fmt.Errorf("starting the registry: %w", err)
	}
	r := &registry{served: make(chan error, 1), blobs: map[string][]byte{}, manifests: map[string]map[string]string{}}
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second}
	go func() { r.served <- r.server.Serve(listener) }()
	return r, nil
}

func (r *registry) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := r.server.Shutdown(ctx); err != nil {
		r.server.Close()
	}
	if err := <-r.served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("the registry ended: %w", err)
	}
	return nil
}

// put keeps an image under a tag and its digest, which it returns with the manifest.
func (r *registry) put(repository, tag string, config, layer []byte) (digest string, manifest []byte, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	part := func(mediaType string, content []byte) map[string]any {
		digest := digestOf(content)
		r.blobs[digest] = content
		return map[string]any{"mediaType": mediaType, "size": len(content), "digest": digest}
	}
	manifest, err = json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": typeManifest,
		"config": part(typeConfig, config), "layers": []any{part(typeLayer, layer)},
	})
	if err != nil {
		return "", nil, err
	}
	digest = digestOf(manifest)
	r.blobs[digest] = manifest
	if r.manifests[repository] == nil {
		r.manifests[repository] = map[string]string{}
	}
	r.manifests[repository][tag] = digest
	r.manifests[repository][digest] = digest
	return digest, manifest, nil
}

func digestOf(content []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(content)) }

// ServeHTTP answers what an engine asks to pull an image.
func (r *registry) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	path := strings.TrimPrefix(request.URL.Path, "/v2/")
	if path == "" {
		return
	}
	parts := strings.Split(path, "/")
	if len(parts) < 3 || request.Method != http.MethodGet && request.Method != http.MethodHead {
		refuse(w, http.StatusMethodNotAllowed, "UNSUPPORTED")
		return
	}
	repository, kind, reference := strings.Join(parts[:len(parts)-2], "/"), parts[len(parts)-2], parts[len(parts)-1]
	r.mu.Lock()
	digest, missing, mediaType := reference, "BLOB_UNKNOWN", "application/octet-stream"
	if kind == "manifests" {
		digest, missing, mediaType = r.manifests[repository][reference], "MANIFEST_UNKNOWN", typeManifest
	}
	content, found := r.blobs[digest]
	r.mu.Unlock()
	if !found {
		refuse(w, http.StatusNotFound, missing)
		return
	}
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Docker-Content-Digest", digest)
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	if request.Method == http.MethodGet {
		// An engine that goes away in the middle asks again.
		_, _ = w.Write(content)
	}
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"errors":[{"code":%q,"message":"the testbed's registry has no such thing"}]}`, code)
}
