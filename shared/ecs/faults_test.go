package ecs_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	client "github.com/aws/aws-sdk-go-v2/service/ecs"

	"portolan/shared/contract"
	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// line is the way to AWS: it counts calls by operation, and breaks one of them.
type line struct {
	client interface {
		Do(*http.Request) (*http.Response, error)
	}
	calls []string

	// breaksAt is the number of the call that breaks, from 1; 0 for none. With
	// after, AWS has done it, and only the answer is lost.
	breaksAt int
	after    bool

	// before is called ahead of each call, with what is sent.
	before func(body string)
}

var errBroken = errors.New("connection reset by peer")

func (l *line) Do(request *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	request.Body = io.NopCloser(bytes.NewReader(body))
	l.calls = append(l.calls, operationOf(request, body))
	if l.before != nil {
		l.before(string(body))
	}
	breaks := len(l.calls) == l.breaksAt
	if breaks && !l.after {
		return nil, errBroken
	}
	response, err := l.client.Do(request)
	if breaks && err == nil {
		_ = response.Body.Close()
		return nil, errBroken
	}
	return response, err
}

func operationOf(request *http.Request, body []byte) string {
	target := request.Header.Get("X-Amz-Target")
	if _, operation, found := strings.Cut(target, "."); found {
		return operation
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return ""
	}
	return form.Get("Action")
}

// story applies, updates, scales and removes a service, each verb until it
// succeeds, and wants each to have done its work once.
func story(t *testing.T, b *bench) {
	release := b.release(1, "web", 2)
	b.insist("apply", func() error { return b.driver.Apply(t.Context(), release) })
	b.settle(1, 2)
	release = b.release(2, "shop", 2)
	b.insist("update", func() error { return b.driver.Apply(t.Context(), release) })
	b.settle(2, 2)
	b.insist("scale", func() error { return b.driver.Scale(t.Context(), release.Service, 3) })
	b.settle(2, 3)
	definitions, err := b.ecs.ListTaskDefinitions(t.Context(), &client.ListTaskDefinitionsInput{})
	b.must(err)
	// An answer that was lost makes ECS register a revision that nobody knows of;
	// the next Apply finds it by its hash.
	if n := len(definitions.TaskDefinitionArns); n != 2 {
		t.Errorf("%d task definitions for 2 releases", n)
	}
	for range 100 {
		var left []string
		b.insist("remove", func() (err error) {
			left, err = b.driver.Remove(t.Context(), release.Service)
			return err
		})
		if len(left) == 0 {
			break
		}
		time.Sleep(20 * time.Second)
	}
	if left := b.left(t); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// insist calls again after a broken call, as a state machine's Retry does.
func (b *bench) insist(what string, call func() error) {
	b.t.Helper()
	err := call()
	if errors.Is(err, errBroken) {
		if !fault.IsUnavailable(err) {
			b.t.Errorf("%s: a broken call is %s: %v", what, fault.KindOf(err), err)
		}
		err = call()
	}
	if err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
}

func (b *bench) settle(release int64, replicas int) {
	b.t.Helper()
	var seen orchestrator.Observation
	service := orchestrator.ServiceRef{Cluster: b.ref, Name: "web"}
	for range 100 {
		var err error
		seen, err = b.unbroken.Observe(b.t.Context(), service)
		b.must(err)
		if seen.Rollout.State == orchestrator.RolledOut && seen.Rollout.Release == release &&
			seen.Running == replicas {
			return
		}
		time.Sleep(20 * time.Second)
	}
	b.t.Fatalf("release %d with %d tasks never settled: %+v", release, replicas, seen)
}

func (b *bench) release(number int64, image string, replicas int) orchestrator.Release {
	return orchestrator.Release{
		Service: orchestrator.ServiceRef{Cluster: b.ref, Name: "web"}, Number: number,
		Image: "registry.example.com/" + image + "@sha256:00", Replicas: replicas,
		Operation: fmt.Sprintf("operation-%d", number),
		Spec: contract.ServiceSpec{
			Image: image, Memory: contract.Memory{LimitMiB: 64},
			Ports: []contract.Port{{ContainerPort: 8080}},
			LoadBalancer: contract.LoadBalancer{
				ContainerPort: 8080,
				Rules: []contract.RoutingRule{
					{Paths: []string{"/" + image + "/*"}}, {Hosts: []string{"shop.example.com"}},
				},
			},
		},
	}
}

// Each call of the story breaks once, before it has an effect and after.
func TestBrokenCallsAreMadeGood(t *testing.T) {
	for _, after := range []bool{false, true} {
		calls := 1
		for breaksAt := 0; breaksAt <= calls; breaksAt++ {
			synctest.Test(t, func(t *testing.T) {
				b := start(t, contract.EC2, 2)
				b.line.calls, b.line.breaksAt, b.line.after = nil, breaksAt, after
				story(t, b)
				if t.Failed() {
					t.Fatalf("with call %d (%s) broken, after its effect: %t",
						breaksAt, b.line.calls[max(breaksAt-1, 0)], after)
				}
				if breaksAt == 0 {
					calls = len(b.line.calls)
				}
			})
		}
		if calls < 25 {
			t.Errorf("the story makes %d calls only", calls)
		}
	}
}

// A verb makes no more calls than its comment says, whatever it finds.
func TestCallsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, contract.EC2, 2)
		limits := map[string]int{"apply": 20, "observe": 6, "scale": 2, "tasks": 14, "remove": 30}
		check := func(what string, call func() error) {
			t.Helper()
			b.line.calls = nil
			b.must(call())
			if n := len(b.line.calls); n > limits[what] {
				t.Errorf("%s made %d calls: %q", what, n, b.line.calls)
			}
		}
		web := b.release(1, "web", 2).Service
		observe := func() error { _, err := b.driver.Observe(t.Context(), web); return err }
		for number := range int64(12) {
			image := []string{"web", "crash"}[number%2]
			release := b.release(number+1, image, 2)
			check("apply", func() error { return b.driver.Apply(t.Context(), release) })
			check("observe", observe)
			time.Sleep(5 * time.Minute)
			check("observe", observe)
			check("tasks", func() error {
				_, err := b.driver.Tasks(t.Context(),
					orchestrator.TaskQuery{Service: web, Stopped: true})
				return err
			})
		}
		check("scale", func() error { return b.driver.Scale(t.Context(), web, 4) })
		for range 10 {
			check("remove", func() error { _, err := b.driver.Remove(t.Context(), web); return err })
			time.Sleep(time.Minute)
		}
		if left := b.left(t); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
	})
}
