// Command run starts a Kubernetes to play with, and ends it with Ctrl-C. Given a command,
// it runs that one with KUBECONFIG set, and ends with it. With -build it only builds what
// is needed to start one.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"portolan/local/testbed/kubernetes"
)

func main() {
	nodes := flag.Int("nodes", 3, "how many nodes the cluster has")
	build := flag.Bool("build", false, "only build the components")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	run := func() error { return play(ctx, *nodes, flag.Args()) }
	if *build {
		run = func() error {
			_, err := kubernetes.Build(ctx, os.Stderr)
			return err
		}
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// play runs a cluster until it is interrupted, or the command ends.
func play(ctx context.Context, nodes int, command []string) (err error) {
	cluster, err := kubernetes.Start(ctx, kubernetes.Config{Nodes: nodes})
	if err != nil {
		return err
	}
	defer func() {
		if stopped := cluster.Stop(); err == nil {
			err = stopped
		}
	}()
	files := map[string][]byte{
		"kubeconfig":         cluster.Kubeconfig(),
		"limited.kubeconfig": cluster.LimitedKubeconfig(),
		"expired.kubeconfig": cluster.ExpiredKubeconfig(),
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(cluster.Directory(), name), content, 0o600); err != nil {
			return err
		}
	}
	if len(command) > 0 {
		return follow(ctx, command, filepath.Join(cluster.Directory(), "kubeconfig"))
	}
	fmt.Printf(`Kubernetes is running. In another terminal:

  export KUBECONFIG=%[1]s/kubeconfig
  kubectl create deployment web --image web:1 --replicas 3
  kubectl create deployment bad --image fail-pull:1

limited.kubeconfig beside it may do nothing, expired.kubeconfig is not let in, and the
components' logs are there too. Ctrl-C ends all of it.
`, cluster.Directory())
	<-ctx.Done()
	return nil
}

// follow runs a command to its end, which an interrupt asks for.
func follow(ctx context.Context, command []string, kubeconfig string) error {
	c := exec.CommandContext(ctx, command[0], command[1:]...)
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	return c.Run()
}
