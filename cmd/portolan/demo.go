package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"portolan"
	"portolan/local"
	"portolan/local/story"
	"portolan/local/testbed/instances"
	"portolan/local/testbed/swarm"
	"portolan/shared/contract"
)

const (
	// demoSpeed brings an hour and a half of AWS's time into half a minute.
	demoSpeed = 300

	// realSpeed is for a real cluster, whose time passes as it does.
	realSpeed = 20
)

func newDemoCommand(a *app) *cobra.Command {
	flags := struct {
		orchestrator  string
		speed         float64
		real, verbose bool
	}{}
	c := &cobra.Command{
		Use:   "demo",
		Short: "Tell the whole story on this machine, and check each step of it",
		Long: "Tell the whole story on this machine, and check each step of it: of a cluster that is made,\n" +
			"or with --real of the one that KUBECONFIG names, which is adopted. Use one to play with:\n" +
			"the story makes a namespace and a workload there. A swarm is made of real engines with --real,\n" +
			"which needs root and Debian's packages.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			log := io.Discard
			if flags.verbose {
				log = a.err
			}
			stage := &story.Stage{Out: a.out}
			if flags.real && flags.orchestrator == string(contract.Swarm) {
				return runOnEngines(c, a, stage, flags.speed, log)
			}
			tell, err := choose(stage, flags.orchestrator, flags.real)
			if err != nil {
				return err
			}
			if flags.real && !c.Flags().Changed("speed") {
				flags.speed = realSpeed
			}
			return runDemo(c.Context(), a, stage, tell, flags.speed, log, nil)
		},
	}
	c.Flags().StringVar(&flags.orchestrator, "orchestrator", "ecs", "ecs, swarm or kubernetes")
	c.Flags().BoolVar(&flags.real, "real", false, fmt.Sprintf("adopt the cluster that KUBECONFIG names; time then passes %d times as fast as on AWS", realSpeed))
	c.Flags().Float64Var(&flags.speed, "speed", demoSpeed, "how much faster than AWS time passes")
	c.Flags().BoolVar(&flags.verbose, "verbose", false, "write the functions' logs to standard error")
	return c
}

// choose finds the story to tell, and sets the stage for it.
func choose(stage *story.Stage, orchestrator string, real bool) (func(context.Context, *story.Stage) error, error) {
	switch {
	case orchestrator == string(contract.Ecs) && !real:
		return story.Tell, nil
	case orchestrator == string(contract.Swarm) && !real:
		return story.TellSwarm, nil
	case orchestrator == string(contract.Kubernetes) && !real:
		return story.TellKubernetes, nil
	case orchestrator != string(contract.Kubernetes):
		return nil, fmt.Errorf("there is no such story of %s; there are ecs, swarm and kubernetes, the last two with --real too", orchestrator)
	}
	file := os.Getenv("KUBECONFIG")
	if file == "" {
		return nil, errors.New("--real needs KUBECONFIG: the file that names a cluster to play with")
	}
	kubeconfig, err := os.ReadFile(file)
	stage.Kubeconfig = kubeconfig
	return story.TellAdopted, err
}

// enginesSpeed is for real engines, which take real time to start, pull and stop, with
// deadlines that pass as fast as AWS's time does.
const enginesSpeed = 10

// runOnEngines tells the story of a swarm whose instances are real engines.
func runOnEngines(c *cobra.Command, a *app, stage *story.Stage, speed float64, log io.Writer) (err error) {
	if !c.Flags().Changed("speed") {
		speed = enginesSpeed
	}
	testbed, err := swarm.Start(c.Context(), swarm.Config{Registries: []string{story.Registry}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, testbed.Stop()) }()
	machines := instances.New(testbed, slog.New(slog.NewJSONHandler(log, nil)))
	stage.Engines = machines
	return runDemo(c.Context(), a, stage, story.TellSwarm, speed, log, machines)
}

func runDemo(ctx context.Context, a *app, stage *story.Stage, tell func(context.Context, *story.Stage) error,
	speed float64, log io.Writer, machines *instances.Instances) error {
	began := time.Now()
	apiListener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	awsListener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	config := local.Config{
		Files: portolan.Files, Region: localRegion, Stack: localStack, Speed: speed, Seed: 1,
		Log: slog.New(slog.NewJSONHandler(log, nil)),
	}
	if machines != nil {
		config.Machines = machines
	}
	started, err := local.Start(config)
	if err != nil {
		return err
	}
	if machines != nil {
		machines.UseSecrets(started.Secrets.Value)
	}
	ctx, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() {
		served <- serve(ctx, map[net.Listener]http.Handler{apiListener: started.API, awsListener: started.AWS})
	}()
	fmt.Fprintf(a.out, "Portolan on this machine, %g times as fast as AWS: API http://%s, AWS http://%s\n",
		speed, apiListener.Addr(), awsListener.Addr())
	stage.Local = started
	err = tell(ctx, stage)
	stop()
	if err := errors.Join(err, <-served, started.Close()); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "\nEach step came out as told, in %v.\n", time.Since(began).Round(100*time.Millisecond))
	return nil
}
