package kubernetes

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/managedfields"

	"portolan/local/clock"
	"portolan/local/disk"
	"portolan/local/kubernetes/controllers"
	"portolan/local/kubernetes/kinds"
	"portolan/local/kubernetes/merge"
	"portolan/local/kubernetes/store"
	"portolan/local/unique"
)

// Config is what a Server is made of. Disk, Images and the functions may be nil.
type Config struct {
	Clock  *clock.Clock
	Disk   *disk.Disk
	IDs    *unique.Source
	Images controllers.Images

	// Name tells the cluster from others on the same disk.
	Name string

	// Version is Kubernetes's, such as v1.34.1, which is the default.
	Version string

	// Host is what the names of load balancers end in; elb.amazonaws.com where it is
	// empty.
	Host string

	// Tokens are who signs in with which bearer token. Authenticate is asked for any
	// other; an error is that nobody does. Where both are nil, everybody is an
	// administrator.
	Tokens       map[string]User
	Authenticate func(token string) (user string, groups []string, err error)

	// Allow says what users may do; the groups system:masters may do all. Group and
	// resource are those of Kubernetes, such as apps and deployments/scale, or resource
	// is a path such as /debug. Where it is nil, others may do nothing.
	Allow func(user string, groups []string, verb, group, resource, namespace string) bool

	// Started is told of each pod that a node starts. It must not call the server.
	Started func(Pod)

	// Audit hears of each request of a resource once it is answered; of a watch, when
	// it begins.
	Audit func(user, verb, resource, namespace, name string, code int)
}

// A User is who signed in.
type User struct {
	Name   string
	Groups []string
}

// A Pod is one that a node starts.
type Pod = controllers.Started

// A Server is one cluster. It answers requests as an http.Handler and, in process, as
// an http.RoundTripper.
type Server struct {
	config      Config
	store       *store.Store
	controllers *controllers.Controllers
	converter   managedfields.TypeConverter
	release     atomic.Pointer[string]
	closed      chan struct{}
	once        sync.Once

	mu    sync.Mutex
	asked map[[3]string]map[string]bool // who asked for which of the deprecated APIs
}

// New returns a server with what is on disk, where it was; a new cluster has the
// namespaces that every cluster has, a storage class and no node.
func New(config Config) (*Server, error) {
	if config.Version == "" {
		config.Version = "v1.34.1"
	}
	if config.Host == "" {
		config.Host = "elb.amazonaws.com"
	}
	kept, err := store.Open(store.Config{Clock: config.Clock, Disk: config.Disk, IDs: config.IDs,
		Bucket: "kubernetes/" + config.Name, Types: kinds.Types()})
	if err != nil {
		return nil, fmt.Errorf("loading the Kubernetes cluster %s: %w", config.Name, err)
	}
	s := &Server{config: config, store: kept, converter: merge.Converter(), closed: make(chan struct{})}
	s.SetVersion(config.Version)
	if err := kept.Change(s.furnish); err != nil {
		return nil, fmt.Errorf("furnishing the Kubernetes cluster %s: %w", config.Name, err)
	}
	s.controllers = controllers.Start(controllers.Config{Clock: config.Clock, IDs: config.IDs, Store: kept, Images: config.Images,
		Host: config.Host, Started: config.Started})
	return s, nil
}

// furnish makes what every cluster has.
func (s *Server) furnish(tx *store.Tx) error {
	for _, name := range []string{"default", "kube-node-lease", "kube-public", "kube-system"} {
		if tx.Get("namespaces", "", name) != nil {
			continue
		}
		n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		kinds.ByResource("", "v1", "namespaces").PrepareCreate(n, tx.NewUID())
		tx.Put("namespaces", n)
	}
	if len(tx.List("storageclasses", "")) == 0 {
		k := kinds.ByResource("storage.k8s.io", "v1", "storageclasses")
		c := &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "gp3",
			Annotations: map[string]string{"storageclass.kubernetes.io/is-default-class": "true"}}, Provisioner: "ebs.csi.aws.com"}
		k.Default(c)
		k.PrepareCreate(c, tx.NewUID())
		tx.Put("storageclasses", c)
	}
	return nil
}

// Close stops everything; a watch ends. What is under way goes on after a restart from
// the same disk.
func (s *Server) Close() {
	s.once.Do(func() { close(s.closed) })
	s.controllers.Close()
}

// Destroy closes the server and forgets the cluster, on disk too.
func (s *Server) Destroy() error {
	s.Close()
	return s.store.Drop()
}

// SetVersion makes the server one of another version, such as v1.35.0, as an upgrade
// of the control plane does: it starts anew, and what it counted is forgotten.
func (s *Server) SetVersion(version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = nil
	s.release.Store(&version)
}

// A Registration is what a node's kubelet tells when it starts.
type Registration = controllers.Registration

// JoinNode adds a node, which is ready some seconds later. Joining again changes
// nothing; under the name of a node on another instance, nobody joins until that one is
// gone.
func (s *Server) JoinNode(_ context.Context, r Registration) error {
	if r.Version == "" {
		r.Version = *s.release.Load()
	}
	return s.store.Change(func(tx *store.Tx) error {
		if n, ok := store.Get[*corev1.Node](tx, "nodes", "", r.Name); ok && !strings.HasSuffix(n.Spec.ProviderID, r.EC2InstanceID) {
			return fmt.Errorf("node %s is still there, on another instance", r.Name)
		}
		s.controllers.Join(tx, r)
		return nil
	})
}

// LoseNode tells that an EC2 instance was terminated or died: what ran on it stops at
// once, which the cluster notices by and by, and then forgets the node and its pods.
func (s *Server) LoseNode(_ context.Context, instance string) error {
	return s.store.Change(func(tx *store.Tx) error {
		if n := controllers.NodeOf(tx, instance); n != nil {
			s.controllers.Silence(tx, n, controllers.Terminated)
		}
		return nil
	})
}

// SilenceNode makes the kubelet of a node do nothing any more, while its instance is
// still there: the node is not ready after a while, and its pods are replaced.
func (s *Server) SilenceNode(_ context.Context, name string) error {
	return s.store.Change(func(tx *store.Tx) error {
		if n, ok := store.Get[*corev1.Node](tx, "nodes", "", name); ok {
			s.controllers.Silence(tx, n, "silent")
		}
		return nil
	})
}

var _ http.Handler = (*Server)(nil)
