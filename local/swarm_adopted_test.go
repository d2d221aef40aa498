package local_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"

	"portolan/local"
	"portolan/shared/contract"
)

// An authority is the certificate authority of somebody's own swarm.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// sign makes a key and its certificate, by the authority or by itself where that is nil.
func (a *authority) sign(t *testing.T, template x509.Certificate) (signed *authority) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber, template.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: "somebody"}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().AddDate(1, 0, 0)
	signed = &authority{&template, key}
	if a == nil {
		a = signed
	}
	raw, err := x509.CreateCertificate(rand.Reader, &template, a.certificate, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if signed.certificate, err = x509.ParseCertificate(raw); err != nil {
		t.Fatal(err)
	}
	return signed
}

// secretOf keeps what the authority signed, and returns the secret's ARN.
func (a *authority) secretOf(t *testing.T, l *local.Local, name string, signed *authority) string {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(signed.key)
	if err != nil {
		t.Fatal(err)
	}
	text := func(kind string, raw []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}))
	}
	raw, err := json.Marshal(map[string]string{"ca": text("CERTIFICATE", a.certificate.Raw),
		"certificate": text("CERTIFICATE", signed.certificate.Raw), "key": text("PRIVATE KEY", key)})
	if err != nil {
		t.Fatal(err)
	}
	value := string(raw)
	out, err := secretsmanager.NewFromConfig(l.UserConfig()).CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{
		Name: &name, SecretString: &value})
	if err != nil {
		t.Fatal(err)
	}
	return *out.ARN
}

// serverName is what the engines of somebody's own swarm show.
const serverName = "swarm.example.com"

// ownSwarm is a swarm of a manager and a worker that somebody made by hand, with a service
// of theirs. It returns the manager's address, a client of it, and the client's secret.
func ownSwarm(t *testing.T, l *local.Local) (address string, docker *client.Client, secret string) {
	t.Helper()
	own := (*authority)(nil).sign(t, x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	engines := own.secretOf(t, l, "engines-of-old", own.sign(t, x509.Certificate{DNSNames: []string{serverName},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}))
	secret = own.secretOf(t, l, "portolan/storefront/old", own.sign(t, x509.Certificate{
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}))
	ids, addresses := enginesOf(t, l, "#!/bin/sh\naws secretsmanager get-secret-value --secret-id "+engines+"\n", 2)
	docker = dockerAt(t, l, ids[0], secret, serverName)
	if _, err := docker.SwarmInit(t.Context(), client.SwarmInitOptions{ListenAddr: "0.0.0.0:2377", AdvertiseAddr: addresses[0]}); err != nil {
		t.Fatal(err)
	}
	seen, err := docker.SwarmInspect(t.Context(), client.SwarmInspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	worker := dockerAt(t, l, ids[1], secret, serverName)
	if _, err := worker.SwarmJoin(t.Context(), client.SwarmJoinOptions{ListenAddr: "0.0.0.0:2377", RemoteAddrs: []string{addresses[0] + ":2377"},
		JoinToken: seen.Swarm.JoinTokens.Worker}); err != nil {
		t.Fatal(err)
	}
	replicas := uint64(2)
	spec := swarm.ServiceSpec{Annotations: swarm.Annotations{Name: "legacy"}, Mode: swarm.ServiceMode{Replicated: &swarm.ReplicatedService{Replicas: &replicas}},
		TaskTemplate: swarm.TaskSpec{ContainerSpec: &swarm.ContainerSpec{Image: "example.com/legacy:7"}}}
	if _, err := docker.ServiceCreate(t.Context(), client.ServiceCreateOptions{Spec: spec}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Minute)
	return addresses[0], docker, secret
}

// serviceOf is the service of an image in whatever version; nil when there is none.
func serviceOf(t *testing.T, docker *client.Client, image string) *swarm.Service {
	t.Helper()
	out, err := docker.ServiceList(t.Context(), client.ServiceListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range out.Items {
		if strings.HasPrefix(s.Spec.TaskTemplate.ContainerSpec.Image, image+":") {
			return &out.Items[i]
		}
	}
	return nil
}

// A swarm that somebody made is first looked at, then taken over verb by verb, and let go
// with nothing gone but what Portolan made.
func TestAdoptedSwarm(t *testing.T) {
	for name, inVPC := range map[string]bool{"behind a connector": true, "directly": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := start(t)
				defer l.Close()
				address, docker, secret := ownSwarm(t, l)
				spec := contract.ClusterSpec{Name: "old", Team: "storefront", Orchestrator: contract.Swarm,
					Adopted: contract.AdoptedCluster{Credentials: secret},
					Swarm:   contract.SwarmCluster{Addresses: []string{address + ":2376"}, ServerName: serverName}}
				if inVPC {
					spec.Network = defaultNetwork(t, l)
				}
				adoptedLife(t, l, docker, spec)
				if left := liveStacks(t.Context(), t, l); len(left) > 0 {
					t.Errorf("stacks are left: %v", left)
				}
			})
		})
	}
}

func adoptedLife(t *testing.T, l *local.Local, docker *client.Client, spec contract.ClusterSpec) {
	t.Helper()
	legacy := serviceOf(t, docker, "example.com/legacy")
	if o := provision(t, l, spec); o.Status != contract.OperationSucceeded || o.Kind != contract.KindAdopt {
		t.Fatalf("the adoption (%s) ended %s: %s", o.Kind, o.Status, o.Reason)
	}
	if made := liveStacks(t.Context(), t, l); slices.Contains(made, "portolan-old") != (spec.Network.VpcId != "") {
		t.Errorf("the stacks are %v", made)
	}
	var page contract.WorkloadPage
	request(t, l, http.MethodGet, "/v1/clusters/old/workloads?limit=100", nil, &page)
	if len(page.Items) != 1 || page.Items[0].Name != "legacy" || page.Items[0].Ready != 2 || page.Items[0].Service != "" {
		t.Errorf("the survey saw %+v", page.Items)
	}

	// Verb by verb.
	web := contract.ServiceSpec{Image: "example.com/web:1", Cpu: 256, Memory: contract.Memory{LimitMiB: 256}}
	var o contract.Operation
	if status := request(t, l, http.MethodPut, "/v1/clusters/old/services/web", web, &o); status != http.StatusConflict {
		t.Errorf("a deployment without its verb: %d", status)
	}
	nodes, err := docker.NodeList(t.Context(), client.NodeListOptions{})
	if err != nil || len(nodes.Items) != 2 {
		t.Fatalf("the nodes are %+v, %v", nodes.Items, err)
	}
	worker := nodes.Items[slices.IndexFunc(nodes.Items, func(n swarm.Node) bool { return n.Spec.Role == swarm.NodeRoleWorker })].ID
	var c contract.Cluster
	verbs := contract.ClusterChange{Verbs: []contract.Verb{contract.VerbDeploy}}
	if status := request(t, l, http.MethodPatch, "/v1/clusters/old", verbs, &c); status != http.StatusOK {
		t.Fatalf("the verb is refused: %d", status)
	}
	if o := put(t, l, http.MethodPut, "/v1/clusters/old/services/web", web); o.Status != contract.OperationSucceeded {
		t.Fatalf("deploy ended %s: %s", o.Status, o.Reason)
	}
	if status := request(t, l, http.MethodPut, "/v1/clusters/old/nodes/"+worker, contract.NodeChange{Drained: true}, &o); status != http.StatusConflict {
		t.Errorf("a drain without its verb: %d", status)
	}
	verbs.Verbs = append(verbs.Verbs, contract.VerbDrain)
	request(t, l, http.MethodPatch, "/v1/clusters/old", verbs, &c)
	if o := put(t, l, http.MethodPut, "/v1/clusters/old/nodes/"+worker, contract.NodeChange{Drained: true}); o.Status != contract.OperationSucceeded {
		t.Errorf("drain ended %s: %s", o.Status, o.Reason)
	}
	if o := put(t, l, http.MethodPut, "/v1/clusters/old/nodes/"+worker, contract.NodeChange{Drained: false}); o.Status != contract.OperationSucceeded {
		t.Errorf("uncordon ended %s: %s", o.Status, o.Reason)
	}
	letGo(t, l, docker, legacy)
}

// letGo retires the cluster, and looks what is left of the swarm.
func letGo(t *testing.T, l *local.Local, docker *client.Client, legacy *swarm.Service) {
	t.Helper()
	if serviceOf(t, docker, "example.com/web") == nil {
		t.Error("the service is not in the swarm")
	}
	if o := put(t, l, http.MethodDelete, "/v1/clusters/old", nil); o.Status != contract.OperationSucceeded {
		t.Fatalf("to let go ended %s: %s, left %v", o.Status, o.Reason, o.Left)
	}
	if s := serviceOf(t, docker, "example.com/web"); s != nil {
		t.Errorf("service %s is still in the swarm", s.Spec.Name)
	}
	after := serviceOf(t, docker, "example.com/legacy")
	if after == nil || after.Version != legacy.Version {
		t.Errorf("the service that is not Portolan's was changed: it is %+v", after)
	}
	nodes, err := docker.NodeList(t.Context(), client.NodeListOptions{})
	if err != nil || len(nodes.Items) != 2 {
		t.Errorf("the nodes are %+v, %v", nodes.Items, err)
	}
}
