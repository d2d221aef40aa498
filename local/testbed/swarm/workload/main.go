// Command workload is what the testbed's images run. It serves HTTP at port 8080 until
// it is asked to end, or is a job that ends by itself:
//
//	workload serve [-unhealthy-after 5s]
//	workload job [-after 1s] [-exit 3]
//	workload check
//
// Check is the health check: it ends with 0 when the server beside it says that it is
// healthy, and with 1 otherwise. A server that is asked to end while it is unhealthy ends
// with 1: an engine counts one that ends with 0 as complete, whatever its health was.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) < 2 {
		fail("serve, job or check?")
	}
	arguments := os.Args[2:]
	switch os.Args[1] {
	case "serve":
		serve(arguments)
	case "job":
		job(arguments)
	case "check":
		check()
	default:
		fail("serve, job or check, and not " + os.Args[1])
	}
}

func fail(why string) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(1)
}

// lingers is how long a server that is asked to end goes on to take connections: those
// who send them need a moment to see that it ends.
const lingers = time.Second

func serve(arguments []string) {
	flags := flag.NewFlagSet("serve", flag.ExitOnError)
	unhealthyAfter := flags.Duration("unhealthy-after", -1, "how long the server is healthy; always where it is negative")
	_ = flags.Parse(arguments) // ends the process itself
	began := time.Now()
	unhealthy := func() bool { return *unhealthyAfter >= 0 && time.Since(began) >= *unhealthyAfter }
	host, _ := os.Hostname() // only told
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		if unhealthy() {
			http.Error(w, "unhealthy", http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "%s on %s\n", os.Getenv("IMAGE"), host)
	})
	server := &http.Server{Addr: ":8080", Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	asked, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	select {
	case err := <-ended:
		fail(err.Error())
	case <-asked.Done():
	}
	time.Sleep(lingers)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		fail(err.Error())
	}
	if unhealthy() {
		fail("asked to end while unhealthy")
	}
}

func job(arguments []string) {
	flags := flag.NewFlagSet("job", flag.ExitOnError)
	after := flags.Duration("after", 0, "how long the job takes")
	code := flags.Int("exit", 0, "what it exits with")
	_ = flags.Parse(arguments) // ends the process itself
	fmt.Println("the job works for", *after)
	time.Sleep(*after)
	os.Exit(*code)
}

func check() {
	client := &http.Client{Timeout: 4 * time.Second}
	response, err := client.Get("http://127.0.0.1:8080/health")
	if err != nil {
		fail(err.Error())
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		fail(response.Status)
	}
}
