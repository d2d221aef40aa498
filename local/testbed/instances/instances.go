// Package instances lets real Docker engines be the EC2 instances of swarms that the
// embedded AWS launches: a launch starts an engine of package swarm, and the end of an
// instance cuts its power.
//
// It must never know what is done with the engines.
package instances

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"portolan/local"
	"portolan/local/testbed/swarm"
)

// secretDeadline is how long an instance asks for the secret with its certificates, as
// its user data does when it boots; secretPause is between two attempts.
const (
	secretDeadline = 2 * time.Minute
	secretPause    = 500 * time.Millisecond
)

// Instances implement local.Machines with real engines.
type Instances struct {
	testbed *swarm.Testbed
	log     *slog.Logger

	mu      sync.Mutex
	secrets func(arn string) (string, error)
	all     map[string]*instance
}

// An instance is one by its EC2 id, whose engine is on its way, runs, or has ended.
type instance struct {
	engine *swarm.Engine
	stop   context.CancelFunc
	booted chan struct{} // is closed when the engine answers, or never will
	since  time.Time     // when it began to answer
}

// New returns instances that run on a testbed. Secrets have to be known before the first
// is launched.
func New(testbed *swarm.Testbed, log *slog.Logger) *Instances {
	return &Instances{testbed: testbed, log: log, all: map[string]*instance{}}
}

// UseSecrets says where the secrets are that instances read at their start.
func (s *Instances) UseSecrets(read func(arn string) (string, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secrets = read
}

// Launched implements local.Machines.
func (s *Instances) Launched(_ context.Context, m local.Machine) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.all[m.InstanceID]; ok {
		return known.engine.IP(), nil
	}
	engine, err := s.testbed.NewHost(m.Name)
	if err != nil {
		return "", err
	}
	ctx, stop := context.WithCancel(context.Background())
	i := &instance{engine: engine, stop: stop, booted: make(chan struct{})}
	s.all[m.InstanceID] = i
	go func() {
		defer close(i.booted)
		if err := s.boot(ctx, i, m.Secret); err != nil && ctx.Err() == nil {
			s.log.Error("an instance does not start", "instance", m.InstanceID, "error", err)
		}
	}()
	return engine.IP(), nil
}

// boot does what the user data of an instance does: reads its certificates, and starts
// the engine.
func (s *Instances) boot(ctx context.Context, i *instance, secret string) error {
	identity, err := s.identity(ctx, secret)
	if err != nil {
		return err
	}
	if err := i.engine.Install(identity); err != nil {
		return err
	}
	if err := i.engine.Start(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i.since = time.Now()
	return nil
}

// identity reads an engine's certificates, as soon as they are there.
func (s *Instances) identity(ctx context.Context, secret string) (swarm.Identity, error) {
	ctx, cancel := context.WithTimeout(ctx, secretDeadline)
	defer cancel()
	s.mu.Lock()
	read := s.secrets
	s.mu.Unlock()
	if secret == "" || read == nil {
		return swarm.Identity{}, errors.New("nothing says where its certificates are")
	}
	for {
		text, err := read(secret)
		if err == nil {
			var parts struct{ CA, Certificate, Key string }
			if json.Unmarshal([]byte(text), &parts) != nil {
				return swarm.Identity{}, fmt.Errorf("secret %s is no JSON object of certificates", secret)
			}
			return swarm.Identity{CA: []byte(parts.CA), Certificate: []byte(parts.Certificate), Key: []byte(parts.Key)}, nil
		}
		select {
		case <-ctx.Done():
			return swarm.Identity{}, fmt.Errorf("reading secret %s: %w", secret, err)
		case <-time.After(secretPause):
		}
	}
}

// Terminated implements local.Machines.
func (s *Instances) Terminated(_ context.Context, instanceID string) {
	s.mu.Lock()
	i, ok := s.all[instanceID]
	s.mu.Unlock()
	if !ok {
		return
	}
	i.stop()
	<-i.booted // an engine that is just starting is ended, too
	i.engine.Kill()
}

// WrapTransport implements local.Machines: engines are where their addresses say.
func (s *Instances) WrapTransport(next http.RoundTripper) http.RoundTripper { return next }

// Engine returns the engine of an instance.
func (s *Instances) Engine(instanceID string) (*swarm.Engine, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := s.all[instanceID]
	if !ok {
		return nil, false
	}
	return i.engine, true
}

// LastAnswered is when the last of the engines that run began to answer.
func (s *Instances) LastAnswered() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	var last time.Time
	for _, i := range s.all {
		if i.engine.Running() && i.since.After(last) {
			last = i.since
		}
	}
	return last
}

// Push puts a workload of package swarm into the registry, and returns its manifest.
func (s *Instances) Push(ctx context.Context, workload, repository, tag string) (manifest string, err error) {
	image, err := s.testbed.PushWorkload(ctx, workload, repository, tag)
	return string(image.Manifest), err
}
