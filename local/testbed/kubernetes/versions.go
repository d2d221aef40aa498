package kubernetes

// What is built. Etcd has the version that Kubernetes's own go.mod names, which is
// the one that its releases are tested with.
const (
	kubernetesVersion = "v1.37.2"
	kwokVersion       = "v0.8.0"
)
