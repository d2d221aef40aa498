package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"portolan"
	"portolan/local"
	"portolan/local/story"
)

// demoSpeed brings an hour and a half of AWS's time into half a minute.
const demoSpeed = 300

func newDemoCommand(a *app) *cobra.Command {
	flags := struct {
		speed   float64
		verbose bool
	}{}
	c := &cobra.Command{
		Use:   "demo",
		Short: "Tell the whole story on this machine, and check each step of it",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			log := io.Discard
			if flags.verbose {
				log = a.err
			}
			return runDemo(c.Context(), a, flags.speed, log)
		},
	}
	c.Flags().Float64Var(&flags.speed, "speed", demoSpeed, "how much faster than AWS time passes")
	c.Flags().BoolVar(&flags.verbose, "verbose", false, "write the functions' logs to standard error")
	return c
}

func runDemo(ctx context.Context, a *app, speed float64, log io.Writer) error {
	began := time.Now()
	apiListener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	awsListener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	started, err := local.Start(local.Config{
		Files: portolan.Files, Region: localRegion, Stack: localStack, Speed: speed, Seed: 1,
		Log: slog.New(slog.NewJSONHandler(log, nil)),
	})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() {
		served <- serve(ctx, map[net.Listener]http.Handler{apiListener: started.API, awsListener: started.AWS})
	}()
	fmt.Fprintf(a.out, "Portolan on this machine, %g times as fast as AWS: API http://%s, AWS http://%s\n",
		speed, apiListener.Addr(), awsListener.Addr())
	err = story.Tell(ctx, &story.Stage{Local: started, Out: a.out})
	stop()
	if err := errors.Join(err, <-served, started.Close()); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "\nEach step came out as told, in %v.\n", time.Since(began).Round(100*time.Millisecond))
	return nil
}
