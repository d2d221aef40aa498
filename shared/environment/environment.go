// Package environment is what a Lambda function is given when it starts: its
// variables, its AWS configuration, where it logs, the time and ids.
//
// It must never know what a variable is for.
package environment

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
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

	// Variables are the function's environment variables.
	Variables func(name string) string
}

// loadTimeout bounds reading the configuration, which calls nobody in Lambda.
const loadTimeout = 5 * time.Second

// Lambda returns the environment of a function that runs in Lambda. It ends the
// process when the configuration cannot be read.
func Lambda() *Environment {
	ctx, cancel := context.WithTimeout(context.Background(), loadTimeout)
	defer cancel()
	loaded, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		fatal("reading the AWS configuration: %v", err)
	}
	return &Environment{
		AWS: loaded, Log: slog.New(slog.NewJSONHandler(os.Stdout, nil)), Now: time.Now,
		NewID: func() string { return ulid.Make().String() }, Variables: os.Getenv,
	}
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
