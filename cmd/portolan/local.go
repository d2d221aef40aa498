package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"portolan"
	"portolan/local"
	"portolan/local/dynamodb"
	"portolan/local/port"
)

const (
	localRegion = "us-east-1"
	localStack  = "portolan"

	// headerTimeout and shutdownTimeout bound how long a connection may keep the
	// process waiting.
	headerTimeout   = 10 * time.Second
	shutdownTimeout = 5 * time.Second
)

// localFlags are the flags of `portolan local`.
type localFlags struct {
	api, aws, data string
	speed          float64
}

func newLocalCommand(a *app) *cobra.Command {
	flags := localFlags{}
	c := &cobra.Command{
		Use:   "local",
		Short: "Run the whole control plane as one process, over an AWS of its own",
		Long: `Runs the control plane on this machine with nothing installed: the handlers, state
machines and template that are deployed, over an embedded AWS whose clusters are simulated.
With --data everything goes on where it was after a restart.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runLocal(c.Context(), a, flags) },
	}
	c.Flags().StringVar(&flags.api, "api", "127.0.0.1:8080", "address of the API")
	c.Flags().StringVar(&flags.aws, "aws", "127.0.0.1:4566", "address of the embedded AWS")
	c.Flags().StringVar(&flags.data, "data", "", "directory that keeps all state; none when empty")
	c.Flags().Float64Var(&flags.speed, "speed", 20, "how much faster than AWS time passes")
	return c
}

// gcPercent lets more garbage pile up than Go does by itself: each call of the embedded
// AWS makes some, and next to it little is kept.
const gcPercent = 400

func runLocal(ctx context.Context, a *app, flags localFlags) error {
	if flags.speed <= 0 || flags.speed > 1000 {
		return fmt.Errorf("--speed %v is not above 0 and up to 1000", flags.speed)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	apiListener, err := net.Listen("tcp", flags.api)
	if err != nil {
		return fmt.Errorf("listening for the API: %w; --api chooses another address", err)
	}
	awsListener, err := net.Listen("tcp", flags.aws)
	if err != nil {
		return errors.Join(fmt.Errorf("listening for the embedded AWS: %w; --aws chooses another address", err),
			apiListener.Close())
	}
	started, err := local.Start(local.Config{
		Files: portolan.Files, Directory: flags.data, Region: localRegion, Stack: localStack,
		Speed: flags.speed, Seed: uint64(time.Now().UnixNano()),
		Log: slog.New(slog.NewJSONHandler(a.err, nil)),
	})
	if err != nil {
		return errors.Join(err, apiListener.Close(), awsListener.Close())
	}
	greet(a, apiListener.Addr().String(), awsListener.Addr().String(), flags)
	return errors.Join(serve(ctx, map[net.Listener]http.Handler{
		apiListener: started.API, port.Listen(awsListener, started.AWS, dynamodb.IsCall): started.AWS,
	}), started.Close())
}

// serve answers on all listeners until ctx ends.
func serve(ctx context.Context, handlers map[net.Listener]http.Handler) error {
	failed := make(chan error, len(handlers))
	var servers []*http.Server
	for listener, handler := range handlers {
		server := &http.Server{Handler: handler, ReadHeaderTimeout: headerTimeout}
		servers = append(servers, server)
		go func() { failed <- server.Serve(listener) }()
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	ending, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	for _, server := range servers {
		if server.Shutdown(ending) != nil {
			_ = server.Close() // whoever still waits is cut off
		}
	}
	return err
}

// greet tells where everything is, and what to try first.
func greet(a *app, api, aws string, flags localFlags) {
	program := os.Args[0]
	if abs, err := filepath.Abs(program); err == nil && filepath.Base(program) != program {
		program = abs
	}
	keeps := "nothing is kept after it ends (--data DIR keeps it)"
	if flags.data != "" {
		keeps = "state is kept in " + flags.data
	}
	credentials := fmt.Sprintf("AWS_ACCESS_KEY_ID=%s AWS_SECRET_ACCESS_KEY=%s AWS_REGION=%s",
		local.User.AccessKeyID, local.User.SecretAccessKey, localRegion)
	fmt.Fprintf(a.out, `Portolan runs on this machine. Time passes %g times as fast as on AWS; %s.

  API           http://%s
  embedded AWS  http://%s
  credentials   %s

Three things to try, in another terminal:

  %[5]s %[6]s --api http://%[3]s cluster create shop --team storefront --orchestrator ecs --capacity FARGATE --wait
  %[5]s %[6]s --api http://%[3]s service put shop wildfly --image quay.io/wildfly/wildfly --memory 1024 --cpu 512 --port 8080 --replicas 2 --wait
  %[5]s %[6]s --api http://%[3]s operation list --cluster shop --service wildfly

The AWS CLI looks inside: %[5]s AWS_DEFAULT_REGION=%[7]s aws --endpoint-url http://%[4]s stepfunctions list-state-machines

Ctrl-C ends it.
`, flags.speed, keeps, api, aws, credentials, program, localRegion)
}
