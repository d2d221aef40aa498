package swarm

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"portolan/shared/contract"
	"portolan/shared/fault"
	"portolan/shared/orchestrator"
	"portolan/shared/step"
	"portolan/shared/step/steptest"
	"portolan/shared/store"
	"portolan/shared/store/storetest"
	"portolan/shared/swarm"
)

// A vault keeps secrets by their names; their ARNs are "arn:" with the name.
type vault map[string]string

func (v vault) CreateSecret(_ context.Context, in *secretsmanager.CreateSecretInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.CreateSecretOutput, error) {
	if v[*in.Name] != "" {
		return nil, &types.ResourceExistsException{}
	}
	v[*in.Name] = *in.SecretString
	return &secretsmanager.CreateSecretOutput{ARN: aws.String("arn:" + *in.Name)}, nil
}

func (v vault) GetSecretValue(_ context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	name := strings.TrimPrefix(*in.SecretId, "arn:")
	if v[name] == "" {
		return nil, &types.ResourceNotFoundException{}
	}
	return &secretsmanager.GetSecretValueOutput{ARN: aws.String("arn:" + name), SecretString: aws.String(v[name])}, nil
}

func (v vault) DeleteSecret(_ context.Context, in *secretsmanager.DeleteSecretInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.DeleteSecretOutput, error) {
	if v[*in.SecretId] == "" {
		return nil, &types.ResourceNotFoundException{}
	}
	delete(v, *in.SecretId)
	return &secretsmanager.DeleteSecretOutput{}, nil
}

// A scene is the handler on the real store, with a vault, in virtual time.
type scene struct {
	*testing.T
	*Handler
	store *store.Store
	vault vault
	log   bytes.Buffer
	call  step.Call
}

func play(t *testing.T, facts orchestrator.Facts, act func(*scene)) {
	synctest.Test(t, func(t *testing.T) {
		s := &scene{T: t, store: storetest.Open(t), vault: vault{}}
		s.Handler = &Handler{Store: s.store, Now: time.Now, Log: slog.New(slog.NewJSONHandler(&s.log, nil)),
			Secrets: func(string) Secrets { return s.vault },
			Driver:  func(string) *swarm.Driver { return swarm.New(swarm.Config{Now: time.Now, Log: steptest.Log()}) }}
		c := steptest.Cluster()
		c.Spec.Orchestrator, c.Facts = contract.Swarm, facts
		steptest.Commit(t, s.store, store.CreateCluster(c))
		s.call = steptest.Begin(t, s.store, "operation", contract.KindProvision, contract.Target{Cluster: "shop"})
		act(s)
	})
}

func (s *scene) try(name string) (State, error) {
	call := s.call
	call.Step = name
	return s.Handle(s.Context(), In{Call: call, State: State{Reason: "before"}})
}

func newFacts() orchestrator.Facts {
	return orchestrator.Facts{Swarm: &orchestrator.SwarmFacts{ServerName: "shop.swarm.portolan.internal"}}
}

func (s *scene) facts() orchestrator.SwarmFacts {
	s.Helper()
	c, err := s.store.Cluster(s.Context(), "shop")
	if err != nil {
		s.Fatal(err)
	}
	return *c.Facts.Swarm
}

func TestStepsThatAreRefused(t *testing.T) {
	play(t, newFacts(), func(s *scene) {
		if _, err := s.try("Dance"); !fault.IsInvalid(err) {
			s.Errorf("an unknown step: %v", err)
		}
		steptest.Lose(s.T, s.store, s.call)
		if _, err := s.try("MakeCertificates"); err == nil || len(s.vault) > 0 {
			s.Errorf("a step of a lease that is somebody else's: %v; it made %v", err, slices.Collect(maps.Keys(s.vault)))
		}
	})
	play(t, steptest.Cluster().Facts, func(s *scene) {
		if _, err := s.try("MakeCertificates"); !fault.IsInvalid(err) || !strings.Contains(err.Error(), "is no swarm") {
			s.Errorf("a cluster that is no swarm: %v", err)
		}
	})
}

func TestCertificatesAreMadeOnceAndKept(t *testing.T) {
	play(t, newFacts(), func(s *scene) {
		if _, err := s.try("MakeCertificates"); err != nil {
			s.Fatal(err)
		}
		first, before := s.facts(), maps.Clone(s.vault)
		if len(before) != 3 || first.Credentials == "" || first.EngineSecret == "" {
			s.Fatalf("there are %d secrets; the facts are %+v", len(before), first)
		}
		if _, err := s.try("MakeCertificates"); err != nil || !maps.Equal(s.vault, before) {
			s.Errorf("a repeat made other certificates: %v", err)
		}
		// What was lost before its place was written down is made again, by the same authority.
		delete(s.vault, strings.TrimPrefix(first.EngineSecret, "arn:"))
		if _, err := s.try("MakeCertificates"); err != nil || s.facts().EngineSecret != first.EngineSecret {
			s.Fatalf("a repeat behind half of it: %v", err)
		}
		s.trusts(s.read(first.Credentials), s.read(first.EngineSecret), x509.ExtKeyUsageServerAuth, first.ServerName)
		s.trusts(s.read(first.EngineSecret), s.read(first.Credentials), x509.ExtKeyUsageClientAuth, "")
	})
}

func (s *scene) read(arn string) (b bundle) {
	s.Helper()
	if err := json.Unmarshal([]byte(s.vault[strings.TrimPrefix(arn, "arn:")]), &b); err != nil {
		s.Fatal(err)
	}
	return b
}

// trusts verifies the certificate of one side as the other does, and that it is good for
// nothing else.
func (s *scene) trusts(who, whom bundle, usage x509.ExtKeyUsage, name string) {
	s.Helper()
	pair, err := tls.X509KeyPair([]byte(whom.Certificate), []byte(whom.Key))
	if err != nil {
		s.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(who.Authority))
	options := x509.VerifyOptions{Roots: roots, CurrentTime: time.Now(), DNSName: name, KeyUsages: []x509.ExtKeyUsage{usage}}
	if _, err := pair.Leaf.Verify(options); err != nil {
		s.Errorf("one side does not trust the other: %v", err)
	}
	if !slices.Equal(pair.Leaf.ExtKeyUsage, []x509.ExtKeyUsage{usage}) || pair.Leaf.IsCA {
		s.Errorf("the certificate is good for more: %v", pair.Leaf.ExtKeyUsage)
	}
}

// What a step returns stays in the history of a machine, and what it logs in the log.
func TestKeysStayInTheirSecrets(t *testing.T) {
	play(t, newFacts(), func(s *scene) {
		out, err := s.try("MakeCertificates")
		if err != nil {
			s.Fatal(err)
		}
		returned, err := json.Marshal(out)
		if err != nil {
			s.Fatal(err)
		}
		kept, err := json.Marshal(s.facts())
		if err != nil {
			s.Fatal(err)
		}
		for where, text := range map[string]string{"state": string(returned), "log": s.log.String(), "facts": string(kept)} {
			if strings.Contains(text, "PRIVATE KEY") || strings.Contains(text, "BEGIN ") {
				s.Errorf("there is a key or certificate in the %s", where)
			}
		}
	})
}

func TestCertificatesGoWithTheirCluster(t *testing.T) {
	play(t, newFacts(), func(s *scene) {
		if _, err := s.try("MakeCertificates"); err != nil {
			s.Fatal(err)
		}
		for range 2 { // the second finds nothing
			if out, err := s.try("DeleteCertificates"); err != nil || len(s.vault) > 0 || out.Reason != "before" {
				s.Errorf("got %+v, %v; %d secrets are left", out, err, len(s.vault))
			}
		}
	})
}

func TestAnAuthorityThatIsNoneIsSaidSoWithoutItsText(t *testing.T) {
	play(t, newFacts(), func(s *scene) {
		s.vault["portolan-swarm/authority/shop"] = `{"certificate":"hush","key":"hush"}`
		_, err := s.try("MakeCertificates")
		if !fault.IsInvalid(err) || strings.Contains(err.Error(), "hush") {
			s.Errorf("got %v", err)
		}
	})
}
