// Command dynamodb measures the embedded DynamoDB twice: in process, through the real
// SDK beside the same SDK against a canned answer; and over loopback HTTP beside npm's
// dynalite. It exits with 1 when ours takes more than 1.5 times the SDK's own time, or
// answers less than four times dynalite's requests a second. See bench/README.md for how
// to install the peer.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"portolan/local/clock"
	"portolan/local/dynamodb"
	"portolan/local/port"
	"portolan/local/unique"
	"portolan/local/wire"
)

const (
	overSDKMax     = 1.5
	overPeerMin    = 4
	region         = "us-east-1"
	startupTimeout = 20 * time.Second
)

func main() {
	seconds := flag.Float64("seconds", 0.1, "how long each side of a round runs")
	rounds := flag.Int("rounds", 36, "how often both sides run in turn; the median of the rounds' ratios counts")
	serve := flag.Bool("serve", false, "serve the embedded DynamoDB alone, as the measured process")
	flag.Parse()
	if *serve {
		fail(serveOurs())
		return
	}
	span := time.Duration(*seconds * float64(time.Second))
	fail(errors.Join(compareInProcess(span, *rounds), compareServers(span, *rounds)))
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// newRouter is the embedded DynamoDB behind the router that it has in `portolan local`.
func newRouter() (*wire.Router, error) {
	server, err := dynamodb.New(dynamodb.Config{Clock: clock.New(1), Region: region, Account: "000000000000",
		NewID: unique.New(1).UUID})
	if err != nil {
		return nil, err
	}
	router := wire.NewRouter(wire.ResolverFunc(func(_ context.Context, key string) (wire.Identity, error) {
		return wire.Identity{Account: "000000000000", Region: region, AccessKey: key}, nil
	}))
	router.NewRequestID = unique.New(2).UUID
	router.Register("dynamodb", server)
	return router, nil
}

// serveOurs serves on a free port, which it prints, as `portolan local` does.
func serveOurs() error {
	debug.SetGCPercent(400)
	router, err := newRouter()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	server := &http.Server{Handler: router, ReadHeaderTimeout: startupTimeout}
	return server.Serve(port.Listen(listener, router, dynamodb.IsCall))
}

// ratio is the median of what a is to b in each round. A processor that others share is
// fast in one moment and slow in the next, for both sides of a round alike.
func ratio(a, b []float64) float64 {
	ratios := make([]float64, len(a))
	for i := range a {
		ratios[i] = a[i] / b[i]
	}
	return median(ratios)
}

func median(of []float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// compareServers loads both servers in turn, each in a process of its own.
func compareServers(span time.Duration, rounds int) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	ours, err := startServer(exec.Command(program, "-serve"))
	if err != nil {
		return err
	}
	defer ours.stop()
	command := exec.Command("node", "dynalite.mjs")
	command.Dir = "bench/peers"
	theirs, err := startServer(command)
	if err != nil {
		return fmt.Errorf("starting dynalite; bench/README.md tells how to install it: %w", err)
	}
	defer theirs.stop()
	var slow []string
	for _, c := range calls {
		var a, b []float64
		for range rounds {
			x, err := ours.load(c, span)
			if err != nil {
				return err
			}
			y, err := theirs.load(c, span)
			if err != nil {
				return err
			}
			a, b = append(a, x), append(b, y)
		}
		times := ratio(a, b)
		fmt.Printf("loopback   %-7s portolan %8.0f requests/s, dynalite %8.0f requests/s: %.1f times\n", c.name, median(a), median(b), times)
		if times < overPeerMin {
			slow = append(slow, c.name)
		}
	}
	if len(slow) > 0 {
		return fmt.Errorf("less than %d times dynalite: %s", overPeerMin, strings.Join(slow, ", "))
	}
	return nil
}
