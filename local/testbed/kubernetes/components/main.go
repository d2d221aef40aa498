//go:build ignore

// Command components is etcd, the three parts of Kubernetes's control plane and kwok
// in one program: the first argument says which of them it is, and the others are that
// component's own. One program is linked once, and what the components have in common
// is compiled once.
//
// It is no part of this module, which must not depend on Kubernetes: the testbed builds
// it in a module that is made for it.
//
// Whoever starts a component holds the other end of its standard input, and the
// component ends with it. So none is left behind, however its parent ended.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	_ "time/tzdata" // for the time zones of CronJobs

	"github.com/spf13/pflag"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	"sigs.k8s.io/kwok/pkg/config"
	kwok "sigs.k8s.io/kwok/pkg/kwok/cmd"
	"sigs.k8s.io/kwok/pkg/log"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: components <component> [argument]...")
		os.Exit(2)
	}
	component := os.Args[1]
	os.Args = os.Args[1:] // so that each reads its own arguments, under its own name
	go endWithParent()
	switch component {
	case "etcd":
		// A log that is thrown away needs no 64 MB in advance.
		wal.SegmentSizeBytes = 4 << 20
		etcdmain.Main(os.Args)
	case "kube-apiserver":
		os.Exit(cli.Run(apiserver.NewAPIServerCommand()))
	case "kube-controller-manager":
		os.Exit(cli.Run(controllers.NewControllerManagerCommand()))
	case "kube-scheduler":
		os.Exit(cli.Run(scheduler.NewSchedulerCommand()))
	case "kwok":
		if err := runKwok(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	default:
		fmt.Fprintf(os.Stderr, "there is no component %q\n", component)
		os.Exit(2)
	}
}

// endWithParent ends the process when nobody holds the other end of its input.
func endWithParent() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(1)
}

// runKwok does what kwok's own main package does.
func runKwok(ctx context.Context) error {
	// Kubernetes's packages have put a --version there that kwok's own cannot be beside.
	pflag.CommandLine = pflag.NewFlagSet("kwok", pflag.ContinueOnError)
	flags := pflag.NewFlagSet("global", pflag.ContinueOnError)
	flags.ParseErrorsAllowlist.UnknownFlags = true
	flags.Usage = func() {}
	ctx, _ = log.InitFlags(ctx, flags)
	ctx, err := config.InitFlags(ctx, flags)
	if err != nil {
		return err
	}
	command := kwok.NewCommand(ctx)
	command.PersistentFlags().AddFlagSet(flags)
	return command.ExecuteContext(ctx)
}
