// Command portolan is the command line of Portolan: a client of its API.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// The exit codes beside 0. Those of an operation's ends are for scripts that wait.
const (
	exitFailedClean = 1
	exitFailedDirty = 2
	exitOther       = 3
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, &app{in: os.Stdin, out: os.Stdout, err: os.Stderr, poll: time.Second}, os.Args[1:]))
}

// run executes the command line and returns its exit code.
func run(ctx context.Context, a *app, args []string) int {
	root := newRootCommand(a)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintln(a.err, "Error:", err)
	var ended *endedError
	if errors.As(err, &ended) {
		return ended.code()
	}
	return exitOther
}

// An app is what all commands share.
type app struct {
	in       io.Reader
	out, err io.Writer
	poll     time.Duration // between two looks at an operation

	api    string
	output string // json or table
	client *client
}

func newRootCommand(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "portolan",
		Short: "Clusters and services of several container orchestrators, by one API",
		Long: `Portolan runs clusters of container orchestrators on AWS, and services on them.

Requests are signed with the AWS credentials of the environment or profile. A change
answers with an operation; --wait follows it to its end.

Exit codes: 0 well, 1 the operation FailedClean, 2 it FailedDirty, 3 anything else.`,
		SilenceUsage: true, SilenceErrors: true,
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	flags := root.PersistentFlags()
	flags.StringVar(&a.api, "api", envOr("PORTOLAN_API", "http://127.0.0.1:8080"), "URL of the API (PORTOLAN_API)")
	flags.StringVarP(&a.output, "output", "o", "table", "table or json")
	root.AddCommand(
		newClusterCommand(a), newNodeCommand(a), newNodePoolCommand(a), newServiceCommand(a), newJobCommand(a), newPolicyCommand(a),
		newBindingCommand(a), newOperationCommand(a), newAuditCommand(a), newDeadLettersCommand(a), newTableCommand(a),
		newLocalCommand(a), newDemoCommand(a),
	)
	return root
}

// connect makes the client. Commands that talk to the API call it first.
func (a *app) connect(ctx context.Context) (*client, error) {
	if a.output != "table" && a.output != "json" {
		return nil, fmt.Errorf("-o %s is not one of: table, json", a.output)
	}
	if a.client != nil {
		return a.client, nil
	}
	var err error
	a.client, err = newClient(ctx, a.api)
	return a.client, err
}

func envOr(name, other string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return other
}

// group is a command that only has others below it.
func group(name, short string, commands ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use: name, Short: short, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(commands...)
	return c
}
