package local_test

import (
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"

	"portolan"
	"portolan/local"
	engines "portolan/local/swarm"
	"portolan/shared/contract"
)

// onSocket is an engine of the machine itself, a swarm of one with a service of somebody's,
// that listens on a socket and nowhere else. It returns the socket's path and a client.
func onSocket(t *testing.T, l *local.Local) (path string, docker *client.Client) {
	t.Helper()
	l.Engines.Launch(engines.Machine{ID: "i-here", Name: "here", Address: "10.9.0.1", CPUs: 4, MemoryMiB: 8192, Version: "28.5.1"})
	var engine http.Handler
	for engine = l.Engines.Socket("i-here"); engine == nil; engine = l.Engines.Socket("i-here") {
		if err := l.Clock.Sleep(t.Context(), 10*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	directory, err := os.MkdirTemp("", "engine") // a test's own is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(directory) })
	path = filepath.Join(directory, "docker.sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: engine, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	if docker, err = client.New(client.WithHost("unix://"+path), client.WithAPIVersion("1.41")); err != nil {
		t.Fatal(err)
	}
	if _, err := docker.SwarmInit(t.Context(), client.SwarmInitOptions{ListenAddr: "0.0.0.0:2377", AdvertiseAddr: "10.9.0.1"}); err != nil {
		t.Fatal(err)
	}
	replicas := uint64(1)
	spec := swarm.ServiceSpec{Annotations: swarm.Annotations{Name: "legacy"}, Mode: swarm.ServiceMode{Replicated: &swarm.ReplicatedService{Replicas: &replicas}},
		TaskTemplate: swarm.TaskSpec{ContainerSpec: &swarm.ContainerSpec{Image: "example.com/legacy:7"}}}
	if _, err := docker.ServiceCreate(t.Context(), client.ServiceCreateOptions{Spec: spec}); err != nil {
		t.Fatal(err)
	}
	return path, docker
}

// The engine of this machine is adopted by its socket, without certificates, and let go
// again. A socket is no part of virtual time, so AWS's passes forty times as fast.
func TestASwarmIsAdoptedByItsSocket(t *testing.T) {
	l, err := local.Start(local.Config{Files: portolan.Files, Region: "us-east-1", Stack: "portolan", Seed: 1, Speed: 40,
		Log: slog.New(slog.NewJSONHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	path, docker := onSocket(t, l)
	legacy := serviceOf(t, docker, "example.com/legacy")
	o := provision(t, l, contract.ClusterSpec{Name: "old", Team: "storefront", Orchestrator: contract.Swarm,
		Adopted: contract.AdoptedCluster{Verbs: []contract.Verb{contract.VerbDeploy, contract.VerbRun}},
		Swarm:   contract.SwarmCluster{Addresses: []string{"unix://" + path}}})
	if o.Status != contract.OperationSucceeded || o.Kind != contract.KindAdopt {
		t.Fatalf("the adoption (%s) ended %s: %s", o.Kind, o.Status, o.Reason)
	}
	var page contract.WorkloadPage
	request(t, l, http.MethodGet, "/v1/clusters/old/workloads?limit=100", nil, &page)
	if !slices.ContainsFunc(page.Items, func(w contract.Workload) bool { return w.Name == "legacy" && w.Service == "" }) {
		t.Errorf("the survey saw %+v", page.Items)
	}
	webOnSwarm(t, l, "old", 2)
	if serviceOf(t, docker, "example.com/web") == nil {
		t.Error("the service is not on the engine")
	}
	job := contract.JobSpec{Image: "example.com/exit-0:1", Memory: contract.Memory{LimitMiB: 64}}
	if o := put(t, l, http.MethodPut, "/v1/clusters/old/jobs/migrate", job); o.Status != contract.OperationSucceeded {
		t.Errorf("the job ended %s: %s", o.Status, o.Reason)
	}
	if o := put(t, l, http.MethodDelete, "/v1/clusters/old", nil); o.Status != contract.OperationSucceeded {
		t.Fatalf("to let go ended %s: %s, left %v", o.Status, o.Reason, o.Left)
	}
	after := serviceOf(t, docker, "example.com/legacy")
	if s := serviceOf(t, docker, "example.com/web"); s != nil || after == nil || after.Version != legacy.Version {
		t.Errorf("on the engine are still %+v, and of somebody else's %+v", s, after)
	}
}
