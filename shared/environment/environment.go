// Package environment is what a Lambda function is given when it starts: its
// variables, its AWS configuration, where it logs, the time and ids.
//
// It must never know what a variable is for.
package environment

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/oklog/ulid/v2"
)

// Environment is what a function's New builds its handler from.
type Environment struct {
	// AWS is the configuration of the function's own role. AWS_ENDPOINT_URL points
	// it at another AWS.
	AWS aws.Config

	// Log writes JSON lines, which CloudWatch Logs can query.
	Log *slog.Logger

	// Now is the time, and NewID a new ULID: ids sort by the time.
	Now   func() time.Time
	NewID func() string

	// WrapTransport, where it is set, wraps the transport of clients that are not
	// AWS's: on one machine the API servers of simulated clusters stand behind it.
	WrapTransport func(http.RoundTripper) http.RoundTripper

	// Variables are the function's environment variables.
	Variables func(name string) string
}

// Lambda returns the environment of a function that runs in Lambda. The AWS
// configuration is made of the variables that Lambda sets, and not by the SDK's
// package config: linking all its sources of credentials would double a door's
// cold start.
func Lambda() *Environment {
	return &Environment{
		AWS: configured(os.Getenv), Log: slog.New(slog.NewJSONHandler(os.Stdout, nil)), Now: time.Now,
		NewID: func() string { return ulid.Make().String() }, Variables: os.Getenv,
	}
}

// configured reads AWS_REGION, the credentials of the function's role and
// AWS_ENDPOINT_URL.
func configured(variable func(name string) string) aws.Config {
	config := aws.Config{
		Region: variable("AWS_REGION"),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{
				AccessKeyID: variable("AWS_ACCESS_KEY_ID"), SecretAccessKey: variable("AWS_SECRET_ACCESS_KEY"),
				SessionToken: variable("AWS_SESSION_TOKEN"), Source: "Lambda",
			}, nil
		}),
	}
	if endpoint := variable("AWS_ENDPOINT_URL"); endpoint != "" {
		config.BaseEndpoint = &endpoint
	}
	return config
}

// Get returns a variable that the function cannot work without. It ends the
// process when the variable is not set: the log then says why.
func (e *Environment) Get(name string) string {
	value := e.Variables(name)
	if value == "" {
		fatal("the environment variable %s is not set", name)
	}
	return value
}

func fatal(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(1)
}
