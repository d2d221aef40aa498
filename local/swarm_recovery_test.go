package local_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moby/moby/client"

	"portolan/local"
	"portolan/shared/contract"
)

// webOnSwarm deploys a service of so many replicas.
func webOnSwarm(t *testing.T, l *local.Local, cluster string, replicas int) {
	t.Helper()
	spec := contract.ServiceSpec{Image: "example.com/web:1", Cpu: 256, Memory: contract.Memory{LimitMiB: 256}, Replicas: &replicas}
	if o := put(t, l, http.MethodPut, "/v1/clusters/"+cluster+"/services/web", spec); o.Status != contract.OperationSucceeded {
		t.Fatalf("deploy ended %s: %s", o.Status, o.Reason)
	}
}

// A swarm loses two of its three managers' machines at once: nothing is decided any more,
// until somebody says that what is left shall go on alone. Whoever waits hears from the
// repair what to do.
func TestSwarmThatLostItsMajorityIsRecovered(t *testing.T) {
	for name, patience := range map[string]time.Duration{"at once": time.Minute, "after the repair": 40 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { loseMajority(t, patience) })
		})
	}
}

func loseMajority(t *testing.T, patience time.Duration) {
	t.Helper()
	l := start(t)
	defer l.Close()
	provisioned(t, l, swarmOf(t, l, 3))
	webOnSwarm(t, l, "fleet", 3)
	managers := instances(t, l)[:3]
	for _, id := range managers[:2] {
		if !l.AutoScaling.KillInstance(id) {
			t.Fatalf("instance %s cannot be killed", id)
		}
	}
	if err := l.Clock.Sleep(t.Context(), patience); err != nil {
		t.Fatal(err)
	}
	var page contract.OperationPage
	request(t, l, http.MethodGet, "/v1/operations?cluster=fleet", nil, &page)
	for _, o := range page.Items {
		if o.Kind == contract.KindRepair && (o.Status != contract.OperationFailedDirty || !strings.Contains(o.Reason, "`portolan cluster recover`") ||
			strings.Contains(o.Reason, "ExecutionArn")) {
			t.Errorf("the repair ended %s: %s", o.Status, o.Reason)
		}
	}
	o := put(t, l, http.MethodPost, "/v1/clusters/fleet/recovery", nil)
	if o.Status != contract.OperationSucceeded {
		t.Fatalf("recovery ended %s: %s", o.Status, o.Reason)
	}
	if !strings.Contains(o.Reason, managers[2]) || !strings.Contains(o.Reason, "may be lost") {
		t.Errorf("the operation does not say whose knowledge counted and what may be lost: %s", o.Reason)
	}
	isRecovered(t, l, managers[2])
}

// isRecovered looks whether the swarm that was made of what a manager knew is one like any
// other: it has what the old one had, its majority, and takes changes.
func isRecovered(t *testing.T, l *local.Local, from string) {
	t.Helper()
	if c := theCluster(t, l, "fleet"); joined(c, "managers") != 3 || joined(c, "workers") != 2 {
		t.Errorf("the cluster is %+v", c)
	}
	docker := dockerAt(t, l, from, "portolan/storefront/fleet/swarm-client", "fleet.swarm.portolan.internal")
	serves(t, docker, 3)
	managersAreSafe(t, l, 4)
	if now := instances(t, l)[:3]; !slices.Contains(now, from) {
		t.Errorf("the managers are %v, without %s that all came from", now, from)
	}
	if o := put(t, l, http.MethodPost, "/v1/clusters/fleet/recovery", nil); o.Status != contract.OperationFailedClean {
		t.Errorf("a second recovery ended %s: %s", o.Status, o.Reason)
	}
	webOnSwarm(t, l, "fleet", 5)
	serves(t, docker, 5)
	if o := put(t, l, http.MethodDelete, "/v1/clusters/fleet", nil); o.Status != contract.OperationSucceeded {
		t.Errorf("retire ended %s: %s, left %v", o.Status, o.Reason, o.Left)
	}
}

// serves looks whether the service web runs with so many tasks, as its swarm knows.
func serves(t *testing.T, docker *client.Client, replicas int) {
	t.Helper()
	services, err := docker.ServiceList(t.Context(), client.ServiceListOptions{})
	if err != nil || len(services.Items) != 1 {
		t.Fatalf("the services of the swarm are %+v, %v", services.Items, err)
	}
	tasks, err := docker.TaskList(t.Context(), client.TaskListOptions{Filters: make(client.Filters).Add("desired-state", "running")})
	if err != nil {
		t.Fatal(err)
	}
	running := 0
	for _, task := range tasks.Items {
		if task.Status.State == "running" {
			running++
		}
	}
	if running != replicas {
		t.Errorf("%d tasks run, not %d", running, replicas)
	}
}

// dockerAt is a client of the engine of an instance, with the certificate of a secret.
func dockerAt(t *testing.T, l *local.Local, instance, secret, server string) *client.Client {
	t.Helper()
	raw, err := l.Secrets.Value(secret)
	if err != nil {
		t.Fatal(err)
	}
	var is struct{ CA, Certificate, Key string }
	if err := json.Unmarshal([]byte(raw), &is); err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair([]byte(is.Certificate), []byte(is.Key))
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: server, Certificates: []tls.Certificate{pair}}
	config.RootCAs.AppendCertsFromPEM([]byte(is.CA))
	docker, err := client.New(client.WithScheme("https"), client.WithHost("tcp://"+l.Engines.Addresses()[instance]+":2376"), client.WithAPIVersion("1.41"),
		client.WithHTTPClient(&http.Client{Transport: l.Engines.WrapTransport(&http.Transport{TLSClientConfig: config})}))
	if err != nil {
		t.Fatal(err)
	}
	return docker
}
