package instances

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"portolan/local/testbed/swarm"
)

const (
	// loadPause is between two requests of a load.
	loadPause = 20 * time.Millisecond

	// An instance has passed its health checks when it has answered as many in a row as
	// target groups ask for by default. Checks here come faster than a load balancer's.
	checksWanted  = 5
	checkPause    = 200 * time.Millisecond
	checkDeadline = 2 * time.Second

	// firstMax is how long a load waits for an instance that passes them, before it begins
	// all the same.
	firstMax = time.Minute
)

// Load sends requests to a port of instances, to one after the other, until it is
// stopped. As a load balancer it sends them to an instance once that has passed its health
// checks: the embedded one counts time only, which flies here. It goes on whatever becomes
// of the instance then. Load returns when the first has passed them.
func (s *Instances) Load(port int, ids func() []string) (stop func() (sent, failed int, failures []string)) {
	ctx, cancel := context.WithCancel(context.Background())
	c := &checks{passed: map[string]bool{}}
	targets := func() []string {
		var urls []string
		for _, id := range ids() {
			if engine, ok := s.Engine(id); ok {
				urls = append(urls, fmt.Sprintf("http://%s/", net.JoinHostPort(engine.IP(), strconv.Itoa(port))))
			}
		}
		return c.among(ctx, urls)
	}
	for began := time.Now(); len(targets()) == 0 && time.Since(began) < firstMax; {
		time.Sleep(checkPause)
	}
	load := swarm.StartLoad(targets, loadPause)
	return func() (int, int, []string) {
		report := load.Stop()
		cancel()
		c.running.Wait()
		return report.Sent, report.Failed, report.Failures
	}
}

// checks are the health checks of a load's targets.
type checks struct {
	running sync.WaitGroup

	mu     sync.Mutex
	passed map[string]bool // false while they go on
}

// among returns those that have passed, and begins to check the others.
func (c *checks) among(ctx context.Context, urls []string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var healthy []string
	for _, url := range urls {
		passed, known := c.passed[url]
		switch {
		case passed:
			healthy = append(healthy, url)
		case !known:
			c.passed[url] = false
			c.running.Go(func() { c.check(ctx, url) })
		}
	}
	return healthy
}

// check asks a target until it has answered often enough in a row.
func (c *checks) check(ctx context.Context, url string) {
	client := &http.Client{Timeout: checkDeadline, Transport: &http.Transport{DisableKeepAlives: true}}
	for answered := 0; answered < checksWanted; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(checkPause):
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return
		}
		response, err := client.Do(request)
		if err != nil || response.StatusCode != http.StatusOK {
			answered = 0
		} else {
			answered++
		}
		if err == nil {
			response.Body.Close()
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.passed[url] = true
}
