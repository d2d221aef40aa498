package local

import (
	"cmp"
	"context"
	"encoding/base64"
	"net/http"
	"regexp"
	"time"

	"portolan/local/autoscaling"
	"portolan/local/swarm"
	"portolan/local/unique"
)

// Tags of EC2 instances on which a Docker engine runs, as stacks/swarm.yaml sets them.
const (
	OrchestratorTag = "portolan:orchestrator" // swarm
	NodePoolTag     = "portolan:node-pool"    // managers, or a pool's name
	EngineSecretTag = "portolan:engine-secret"
)

// A Machine is an EC2 instance on which a Docker engine is to run.
type Machine struct {
	InstanceID, InstanceType, Zone, NodePool string

	// Name is the instance's host name, and Address its address in its subnet.
	Name, Address string

	CPUs, MemoryMiB int

	// Version is that of the engine which the launch template installs; empty where it
	// does not say.
	Version string

	// Secret is the ARN of the secret with what the engine shows of itself and knows its
	// clients by: a JSON object of ca, certificate and key in PEM. It is empty where the
	// launch template names none.
	Secret string
}

// Machines run the Docker engines of EC2 instances. They are simulated unless Config
// says otherwise.
type Machines interface {
	// Launched tells of an instance that starts, and may tell twice. It returns without
	// waiting for the engine, with the address at which the engine will answer: the
	// machine's own, or another one that EC2 then shows.
	Launched(ctx context.Context, m Machine) (address string, err error)

	// Terminated tells that an instance is gone: it was ended, or it died.
	Terminated(ctx context.Context, instanceID string)

	// WrapTransport returns a transport that brings requests for the engines' addresses
	// to them, and all others to next.
	WrapTransport(next http.RoundTripper) http.RoundTripper
}

// simulated lets simulated engines run on instances.
type simulated struct {
	*swarm.Engines
	boot func() time.Duration
}

// How long an instance takes from its launch until its engine answers.
const bootLow, bootHigh = 25 * time.Second, 50 * time.Second

// Launched implements Machines.
func (s simulated) Launched(_ context.Context, m Machine) (string, error) {
	s.Launch(swarm.Machine{ID: m.InstanceID, Name: m.Name, Address: m.Address, CPUs: m.CPUs, MemoryMiB: m.MemoryMiB,
		Labels: map[string]string{poolLabel: m.NodePool}, Version: m.Version, Secret: m.Secret, Boot: s.boot()})
	return m.Address, nil
}

// Terminated implements Machines.
func (s simulated) Terminated(_ context.Context, id string) { s.Terminate(id) }

// poolLabel is the label of engines that stacks/swarm-nodes.yaml gives them.
const poolLabel = "portolan.pool"

const enginesSeed = 0x646f636b6572

// startEngines gets ready what runs on instances.
func (l *Local) startEngines() (err error) {
	if l.config.Machines != nil {
		l.fleet.machines = l.config.Machines
		return nil
	}
	// A stream of its own: the other services' ids stay what they are for a seed.
	ids := unique.New(l.config.Seed ^ enginesSeed)
	l.Engines, err = swarm.New(swarm.Config{Clock: l.Clock, Disk: l.disk, IDs: ids, Images: l.ECR, Secret: l.Secrets.Value})
	if err != nil {
		return err
	}
	l.closers = append(l.closers, l.Engines.Close)
	l.fleet.machines = simulated{l.Engines, func() time.Duration { return ids.Between(bootLow, bootHigh) }}
	return nil
}

// intoMachines is the way to engines, which are there only once functions have been built.
// Next is the client's own transport: an engine looks at its settings of TLS.
func (l *Local) intoMachines(next http.RoundTripper) http.RoundTripper { return &machineWay{l, next} }

type machineWay struct {
	local *Local
	next  http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (w *machineWay) RoundTrip(r *http.Request) (*http.Response, error) {
	return w.local.fleet.machines.WrapTransport(w.next).RoundTrip(r)
}

// launchMachine starts the engine of an instance that is to have one.
func (f *fleet) launchMachine(ctx context.Context, i autoscaling.Instance) {
	shown, ok := f.shown.Instance(i.ID)
	if !ok || shown.Tag(OrchestratorTag) != "swarm" {
		return
	}
	cpu, memory := autoscaling.SizeOf(i.InstanceType)
	script := f.userData(i.LaunchTemplate)
	installs := ""
	if found := engineArchive.FindStringSubmatch(script); found != nil {
		installs = found[1]
	}
	address, err := f.machines.Launched(ctx, Machine{
		InstanceID: i.ID, InstanceType: i.InstanceType, Zone: i.AvailabilityZone, NodePool: shown.Tag(NodePoolTag),
		Name: f.ec2.HostName(shown.PrivateIP), Address: shown.PrivateIP, CPUs: max(1, cpu/1024), MemoryMiB: memory,
		Version: installs, Secret: cmp.Or(shown.Tag(EngineSecretTag), secretARN.FindString(script)),
	})
	if err == nil && address != shown.PrivateIP {
		err = f.shown.Readdress(i.ID, address)
	}
	if err != nil {
		f.log.Error("a Docker engine cannot be started", "instance", i.ID, "error", err)
	}
}

// What the user data of an instance with an engine says of it: the first secret that it
// names, and the archive that it installs.
var (
	secretARN     = regexp.MustCompile(`arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+`)
	engineArchive = regexp.MustCompile(`/docker-([0-9]+\.[0-9]+\.[0-9]+)\.tgz`)
)

// userData is the script of a launch template's newest version.
func (f *fleet) userData(template string) string {
	version, err := f.ec2.LaunchTemplateVersion(idOrName(template))
	if err != nil {
		return ""
	}
	script, err := base64.StdEncoding.DecodeString(version.Data.UserData)
	if err != nil {
		script = []byte(version.Data.UserData)
	}
	return string(script)
}

// idOrName are the arguments that ask for the newest version of a launch template.
func idOrName(template string) (id, name, version string) {
	if len(template) > 3 && template[:3] == "lt-" {
		return template, "", "$Latest"
	}
	return "", template, "$Latest"
}
