package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// pollTimeout bounds the wait for the first poll.
const pollTimeout = 30 * time.Second

// A runtime stands in for the Lambda runtime API. It has no event for anybody.
type runtime struct {
	address string
	polled  chan time.Time
	server  *http.Server
}

func listen() (*runtime, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &runtime{address: listener.Addr().String(), polled: make(chan time.Time)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", func(_ http.ResponseWriter, request *http.Request) {
		now := time.Now()
		select {
		case r.polled <- now:
			<-request.Context().Done()
		case <-request.Context().Done():
		}
	})
	r.server = &http.Server{Handler: mux, ReadHeaderTimeout: pollTimeout}
	go func() { _ = r.server.Serve(listener) }()
	return r, nil
}

func (r *runtime) close() { _ = r.server.Close() }

// start starts a program, and ends it once it has polled. It returns how long that
// took.
func (r *runtime) start(ctx context.Context, program string, env []string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, program)
	command.Env = env
	var output strings.Builder
	command.Stdout, command.Stderr = &output, &output
	began := time.Now()
	if err := command.Start(); err != nil {
		return 0, err
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	select {
	case polled := <-r.polled:
		if err := command.Process.Kill(); err != nil {
			return 0, err
		}
		<-ended
		return polled.Sub(began), nil
	case err := <-ended:
		return 0, errors.Join(fmt.Errorf("it ended before it polled: %s", output.String()), err)
	}
}

// environment is what Lambda gives a function, with each of the template's
// variables: a function takes those that it knows.
func environment(runtime string, variables []string) []string {
	env := []string{
		"AWS_LAMBDA_RUNTIME_API=" + runtime, "AWS_LAMBDA_FUNCTION_NAME=cold", "AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256", "AWS_LAMBDA_LOG_GROUP_NAME=cold", "AWS_LAMBDA_LOG_STREAM_NAME=cold",
		"AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1", "AWS_ACCESS_KEY_ID=AKIACOLD",
		"AWS_SECRET_ACCESS_KEY=cold", "AWS_SESSION_TOKEN=cold", "AWS_EXECUTION_ENV=AWS_Lambda_provided.al2023",
		"LAMBDA_TASK_ROOT=/var/task", "TZ=:UTC",
		"ALLOWED_HOSTS=api.cold.example", // the connector's, which a cluster's stack sets
	}
	for _, name := range variables {
		env = append(env, name+"=cold")
	}
	return env
}

// variablesOf are the names of all environment variables in a SAM template.
func variablesOf(template []byte) ([]string, error) {
	type properties struct {
		Environment struct {
			Variables map[string]yaml.Node `yaml:"Variables"`
		} `yaml:"Environment"`
	}
	var t struct {
		Globals struct {
			Function properties `yaml:"Function"`
		} `yaml:"Globals"`
		Resources map[string]struct {
			Type       string    `yaml:"Type"`
			Properties yaml.Node `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(template, &t); err != nil {
		return nil, fmt.Errorf("reading the template: %w", err)
	}
	seen := t.Globals.Function.Environment.Variables
	if seen == nil {
		seen = map[string]yaml.Node{}
	}
	for id, resource := range t.Resources {
		if resource.Type != "AWS::Serverless::Function" {
			continue
		}
		var p properties
		if err := resource.Properties.Decode(&p); err != nil {
			return nil, fmt.Errorf("reading the template's %s: %w", id, err)
		}
		for name := range p.Environment.Variables {
			seen[name] = yaml.Node{}
		}
	}
	var names []string
	for name := range seen {
		names = append(names, name)
	}
	return names, nil
}
