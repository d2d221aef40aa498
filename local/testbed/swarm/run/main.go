// Command run starts Docker engines to play with, and ends them with Ctrl-C. Given a
// command, it runs that one with DOCKER_HOST set to the first engine, and ends with it.
// With -check it only says whether this machine has what engines need.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"

	"portolan/local/testbed/swarm"
)

func main() {
	engines := flag.Int("engines", 3, "how many engines there are")
	check := flag.Bool("check", false, "only look whether this machine has what engines need")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	run := swarm.Check
	if !*check {
		run = func() error { return play(ctx, *engines, flag.Args()) }
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// play runs engines until it is interrupted, or the command ends.
func play(ctx context.Context, count int, command []string) (err error) {
	testbed, err := swarm.Start(ctx, swarm.Config{Registries: []string{swarm.SharedRegistry}})
	if err != nil {
		return err
	}
	defer func() {
		if stopped := testbed.Stop(); err == nil {
			err = stopped
		}
	}()
	engines, err := testbed.StartEngines(ctx, count)
	if err != nil {
		return err
	}
	if err := push(ctx, testbed); err != nil {
		return err
	}
	client, err := testbed.Client()
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{"ca.pem": client.CA, "cert.pem": client.Certificate, "key.pem": client.Key} {
		if err := os.WriteFile(filepath.Join(testbed.Directory(), name), content, 0o600); err != nil {
			return err
		}
	}
	if len(command) > 0 {
		return follow(ctx, command, "unix://"+engines[0].Socket())
	}
	tell(testbed, engines)
	<-ctx.Done()
	return nil
}

// push puts all workloads into the registry, each under its name.
func push(ctx context.Context, testbed *swarm.Testbed) error {
	for name := range swarm.Workloads {
		if _, err := testbed.PushWorkload(ctx, name, "shop/"+name, "1"); err != nil {
			return err
		}
	}
	return nil
}

func tell(testbed *swarm.Testbed, engines []*swarm.Engine) {
	fmt.Println("Engines run, of which none is in a swarm. In another terminal:")
	fmt.Println()
	for _, e := range engines {
		fmt.Printf("  docker -H unix://%s info\n", e.Socket())
	}
	fmt.Println("\nor with mutual TLS, from this machine only:")
	fmt.Println()
	for _, e := range engines {
		fmt.Printf("  DOCKER_CERT_PATH=%s docker --tlsverify -H tcp://%s info\n", testbed.Directory(), e.Address())
	}
	var names []string
	for name := range swarm.Workloads {
		names = append(names, name)
	}
	slices.Sort(names)
	fmt.Printf("\nThe images %s/shop/NAME:1 are there, where NAME is one of %q. Ctrl-C ends all of it.\n", swarm.SharedRegistry, names)
}

// follow runs a command to its end, which an interrupt asks for.
func follow(ctx context.Context, command []string, engine string) error {
	c := exec.CommandContext(ctx, command[0], command[1:]...)
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.Env = append(os.Environ(), "DOCKER_HOST="+engine)
	return c.Run()
}
