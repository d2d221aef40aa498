package swarm

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	scaling "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"portolan/local/clock"
	engines "portolan/local/swarm"
	"portolan/local/unique"
	"portolan/shared/decide"
	"portolan/shared/fault"
	"portolan/shared/orchestrator"
	"portolan/shared/step/steptest"
	"portolan/shared/store"
	"portolan/shared/swarm"
)

// Do answers the driver's request for its certificates, as Secrets Manager does.
func (v vault) Do(r *http.Request) (*http.Response, error) {
	var in struct{ SecretId string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return nil, err
	}
	text, err := json.Marshal(map[string]string{"ARN": in.SecretId, "SecretString": v[strings.TrimPrefix(in.SecretId, "arn:")]})
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Request: r,
		Body: io.NopCloser(strings.NewReader(string(text)))}, err
}

// A fleet is the managers' group, whose machines run simulated engines.
type fleet struct {
	*engines.Engines
	machines map[string]string // addresses by instance

	// meanwhile happens after the machines were looked at.
	meanwhile func()
}

func (f *fleet) DescribeAutoScalingGroups(context.Context, *autoscaling.DescribeAutoScalingGroupsInput, ...func(*autoscaling.Options)) (*autoscaling.DescribeAutoScalingGroupsOutput, error) {
	group := scaling.AutoScalingGroup{AutoScalingGroupName: aws.String("managers")}
	for id := range f.machines {
		group.Instances = append(group.Instances, scaling.Instance{InstanceId: &id, LifecycleState: scaling.LifecycleStateInService})
	}
	return &autoscaling.DescribeAutoScalingGroupsOutput{AutoScalingGroups: []scaling.AutoScalingGroup{group}}, nil
}

func (f *fleet) DescribeInstances(context.Context, *ec2.DescribeInstancesInput, ...func(*ec2.Options)) (*ec2.DescribeInstancesOutput, error) {
	var all []types.Instance
	for id, address := range f.machines {
		all = append(all, types.Instance{InstanceId: &id, PrivateIpAddress: &address})
	}
	if f.meanwhile != nil {
		f.meanwhile()
	}
	return &ec2.DescribeInstancesOutput{Reservations: []types.Reservation{{Instances: all}}}, nil
}

// launched plays a scene whose three machines answer, with certificates.
func launched(t *testing.T, act func(*scene, *fleet)) {
	facts := newFacts()
	facts.Swarm.AutoScalingGroups = map[string]string{orchestrator.SwarmManagersPool: "managers"}
	play(t, facts, func(s *scene) {
		if _, err := s.try("MakeCertificates"); err != nil {
			s.Fatal(err)
		}
		secret := strings.TrimPrefix(s.facts().EngineSecret, "arn:")
		simulated, err := engines.New(engines.Config{Clock: clock.New(1).Ordered(), IDs: unique.New(1),
			Secret: func(string) (string, error) { return s.vault[secret], nil }})
		if err != nil {
			s.Fatal(err)
		}
		defer simulated.Close()
		f := &fleet{Engines: simulated, machines: map[string]string{"i-1": "10.0.0.1", "i-2": "10.0.0.2", "i-3": "10.0.0.3"}}
		for id, address := range f.machines {
			simulated.Launch(engines.Machine{ID: id, Address: address, CPUs: 2, MemoryMiB: 1024, Secret: secret})
		}
		time.Sleep(time.Minute)
		connections := &swarm.Connections{}
		s.Groups, s.Compute = func(string) Groups { return f }, func(string) Compute { return f }
		s.Driver = func(string) *swarm.Driver {
			return swarm.New(swarm.Config{Now: time.Now, Log: steptest.Log(), WrapTransport: simulated.WrapTransport, Connections: connections,
				AWS: aws.Config{Region: "us-east-1", HTTPClient: s.vault, Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")}})
		}
		act(s, f)
	})
}

func (s *scene) must(name string) State {
	s.Helper()
	out, err := s.try(name)
	if err != nil {
		s.Fatalf("%s: %v", name, err)
	}
	return out
}

func TestOneEngineMakesTheSwarmAndTokensStayInTheStep(t *testing.T) {
	launched(t, func(s *scene, _ *fleet) {
		s.must("InitSwarm")
		first := s.facts()
		if first.Initiator != "i-1" || first.SwarmID == "" || len(first.Managers) != 1 || first.Managers[0] != "10.0.0.1:2376" {
			s.Fatalf("the facts are %+v", first)
		}
		if out := s.must("InitSwarm"); s.facts().SwarmID != first.SwarmID || out.Action != "" {
			s.Errorf("a repeat made another swarm: %+v", s.facts())
		}
		returned := ""
		for range 2 { // one manager at a time
			out := s.must("JoinNodes")
			text, err := json.Marshal(out)
			if err != nil {
				s.Fatal(err)
			}
			returned += string(text)
			time.Sleep(time.Minute)
		}
		if out := s.must("LookAtSwarm"); out.Action != "Done" || len(s.facts().Managers) != 3 {
			s.Errorf("the swarm is not whole: %+v, %+v", out, s.facts())
		}
		s.must("RotateTokens")
		if strings.Contains(returned+s.log.String(), "SWMTKN") {
			s.Error("there is a token in a state or in the log")
		}
	})
}

// Somebody else changes the cluster between the look at the machines and the choice of the
// one that makes the swarm: nothing is made.
func TestTheLoserOfARaceMakesNoSwarm(t *testing.T) {
	launched(t, func(s *scene, f *fleet) {
		f.meanwhile = func() {
			f.meanwhile = nil
			c, err := s.store.Cluster(s.Context(), "shop")
			if err != nil {
				s.Fatal(err)
			}
			c.Facts.Swarm.Initiator = "i-2"
			steptest.Commit(s.T, s.store, store.UpdateCluster(*c))
		}
		if _, err := s.try("InitSwarm"); !fault.IsConflict(err) {
			s.Fatalf("the loser got %v", err)
		}
		if s.facts().SwarmID != "" {
			s.Error("the loser made a swarm")
		}
		// Its repeat comes to the engine that the other chose.
		s.must("InitSwarm")
		if got := s.facts(); got.Initiator != "i-2" || got.Managers[0] != "10.0.0.2:2376" {
			s.Errorf("the facts are %+v", got)
		}
	})
}

// A manager's engine ends while its machine lives. The step knows since when from the state
// that it gave the machine, also across steps in between.
func TestAManagerWhoseEngineEndedIsReplacedInTime(t *testing.T) {
	launched(t, func(s *scene, f *fleet) {
		s.must("InitSwarm")
		for range 2 {
			s.must("JoinNodes")
			time.Sleep(time.Minute)
		}
		f.Stop("i-2")
		time.Sleep(time.Minute)
		call := s.call
		look := func(state State, name string) State {
			call.Step = name
			out, err := s.Handle(s.Context(), In{Call: call, State: state})
			if err != nil {
				s.Fatal(err)
			}
			return out
		}
		out := look(State{}, "LookAtSwarm")
		if out.Action != "Wait" || len(out.Down) != 1 {
			s.Fatalf("at first it is %+v", out)
		}
		time.Sleep(decide.DownMost)
		out = look(look(out, "JoinNodes"), "LookAtSwarm")
		if out.Action != "Replace" || out.Node.Instance != "i-2" || out.Replaced != "managers" || out.Group != "managers" {
			s.Errorf("after %v it is %+v", decide.DownMost, out)
		}
		f.Revive("i-2")
		time.Sleep(time.Minute)
		if out = look(out, "LookAtSwarm"); out.Action != "Done" || len(out.Down) > 0 {
			s.Errorf("back again it is %+v", out)
		}
	})
}
