package swarm

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
)

// ask sends a GET to the engine's socket, and reads its JSON answer into out.
func (e *Engine) ask(ctx context.Context, path string, out any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://engine"+path, nil)
	if err != nil {
		return err
	}
	response, err := e.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s: %s", e.name, response.Status, answer)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}

// newSocketClient returns a client of whoever listens at a socket.
func newSocketClient(path string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, // engines come and go
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}}
}

// membership is what an engine says of the swarm that it is in.
type membership struct {
	NodeID           string
	ControlAvailable bool
	RemoteManagers   []struct{ NodeID string }
}

func (e *Engine) membership(ctx context.Context) (membership, error) {
	var info struct{ Swarm membership }
	err := e.ask(ctx, "/info", &info)
	return info.Swarm, err
}

// published is a port that a swarm answers at on each of its nodes.
type published struct{ port, target int }

// A service and a task are what the mesh looks at of them.
type service struct {
	ID       string
	Endpoint struct {
		Ports []struct {
			Protocol, PublishMode     string
			TargetPort, PublishedPort int
		}
	}
}

type task struct {
	ServiceID           string
	Status              struct{ State string }
	NetworksAttachments []struct {
		Network   struct{ Spec struct{ Ingress bool } }
		Addresses []string
	}
}

// backends returns the addresses that answer at each published port, as a manager sees
// it: tasks that run, are healthy, and are to go on.
func (e *Engine) backends(ctx context.Context) (map[published][]string, error) {
	var services []service
	if err := e.ask(ctx, "/v1.41/services", &services); err != nil {
		return nil, err
	}
	var tasks []task
	if err := e.ask(ctx, "/v1.41/tasks?filters="+url.QueryEscape(`{"desired-state":["running"]}`), &tasks); err != nil {
		return nil, err
	}
	byService := map[string][]string{}
	for _, t := range tasks {
		if t.Status.State != "running" {
			continue
		}
		for _, attachment := range t.NetworksAttachments {
			if !attachment.Network.Spec.Ingress || len(attachment.Addresses) == 0 {
				continue
			}
			address, _, err := net.ParseCIDR(attachment.Addresses[0])
			if err != nil {
				return nil, err
			}
			byService[t.ServiceID] = append(byService[t.ServiceID], address.String())
		}
	}
	table := map[published][]string{}
	for _, s := range services {
		for _, p := range s.Endpoint.Ports {
			if p.Protocol == "tcp" && p.PublishMode == "ingress" {
				table[published{p.PublishedPort, p.TargetPort}] = byService[s.ID]
			}
		}
	}
	return table, nil
}
