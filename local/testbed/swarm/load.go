package swarm

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// loadMax bounds the requests that are on their way at the same time.
const loadMax = 64

// failuresTold is how many failures a Report tells of.
const failuresTold = 5

// A Load is a steady stream of requests, each on a connection of its own, so that none
// profits from where an earlier one was led to.
type Load struct {
	targets func() []string
	client  *http.Client
	stop    context.CancelFunc
	ended   chan struct{}

	mu     sync.Mutex
	report Report
}

// A Report is what became of a load's requests.
type Report struct {
	Sent, Failed int

	// Failures are the first that there were, in words.
	Failures []string
}

// StartLoad sends one request in each interval, to the targets in turns. Targets returns
// their URLs at each time, as a load balancer knows them.
func StartLoad(targets func() []string, interval time.Duration) *Load {
	ctx, stop := context.WithCancel(context.Background())
	l := &Load{targets: targets, stop: stop, ended: make(chan struct{}), client: &http.Client{
		Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true},
	}}
	go l.run(ctx, interval)
	return l
}

func (l *Load) run(ctx context.Context, interval time.Duration) {
	defer close(l.ended)
	slots := make(chan struct{}, loadMax)
	var sending sync.WaitGroup
	defer sending.Wait()
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for turn := 0; ; turn++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		targets := l.targets()
		if len(targets) == 0 {
			l.count("", fmt.Errorf("there is nobody to send a request to"))
			continue
		}
		target := targets[turn%len(targets)]
		slots <- struct{}{}
		sending.Go(func() {
			defer func() { <-slots }()
			l.count(target, l.send(target))
		})
	}
}

func (l *Load) send(target string) error {
	response, err := l.client.Get(target)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("answered %s", response.Status)
	}
	return nil
}

func (l *Load) count(target string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.report.Sent++
	if err == nil {
		return
	}
	l.report.Failed++
	if len(l.report.Failures) < failuresTold {
		l.report.Failures = append(l.report.Failures, fmt.Sprintf("%s %s: %v", time.Now().Format(time.TimeOnly), target, err))
	}
}

// Report is what became of the requests until now.
func (l *Load) Report() Report {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.report
}

// Stop ends the load, and reports on all of it.
func (l *Load) Stop() Report {
	l.stop()
	<-l.ended
	return l.Report()
}
