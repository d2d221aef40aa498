// Package environment reads what a Lambda function is told when it starts: its
// variables, its AWS configuration, and where it logs.
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
)

// Environment is a function's configuration.
type Environment struct {
	// AWS is the configuration of the function's own role. AWS_ENDPOINT_URL points
	// it at another AWS.
	AWS aws.Config

	// Log writes JSON lines, which CloudWatch Logs can query.
	Log *slog.Logger

	variables map[string]string
}

// loadTimeout bounds reading the configuration, which calls nobody in Lambda.
const loadTimeout = 5 * time.Second

// Load reads the variables of those names. It ends the process when one is
// missing, since the function cannot work and the log should say why.
func Load(names ...string) *Environment {
	env := &Environment{
		Log:       slog.New(slog.NewJSONHandler(os.Stdout, nil)),
		variables: map[string]string{},
	}
	for _, name := range names {
		value := os.Getenv(name)
		if value == "" {
			fatal("the environment variable %s is not set", name)
		}
		env.variables[name] = value
	}
	ctx, cancel := context.WithTimeout(context.Background(), loadTimeout)
	defer cancel()
	var err error
	if env.AWS, err = config.LoadDefaultConfig(ctx); err != nil {
		fatal("reading the AWS configuration: %v", err)
	}
	return env
}

// Get returns a variable that Load was told of.
func (e *Environment) Get(name string) string { return e.variables[name] }

func fatal(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(1)
}
