package swarm_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"

	"portolan/local/clock"
	"portolan/local/disk"
	engines "portolan/local/swarm"
	"portolan/local/unique"
)

func TestASwarmOutlivesTheProcess(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		open := func() (*bench, func()) {
			d, err := disk.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			e, err := engines.New(engines.Config{Clock: clock.New(1).Ordered(), IDs: unique.New(uint64(time.Now().UnixNano())), Disk: d})
			if err != nil {
				t.Fatal(err)
			}
			return &bench{T: t, engines: e}, func() {
				e.Close()
				if err := d.Close(); err != nil {
					t.Error(err)
				}
			}
		}
		b, stop := open()
		for n := range 3 {
			b.launch(n)
		}
		time.Sleep(time.Second)
		b.form(3)
		id := b.create(spec("web", "shop/web:1", 4))
		b.within(time.Minute, "running", func() bool { return b.running(id, "") == 4 })
		b.update(id, func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.Image = "shop/web:2" })
		time.Sleep(12 * time.Second)
		before := b.inspect(0)
		stop()

		b, stop = open()
		defer stop()
		for n := range 3 {
			b.clients = append(b.clients, b.dial(address(n)))
		}
		if after := b.inspect(1); after.ID != before.ID || after.JoinTokens != before.JoinTokens {
			t.Errorf("the swarm was %s and is %s", before.ID, after.ID)
		}
		b.within(3*time.Minute, "updated", func() bool {
			u := b.service(id).UpdateStatus
			return u != nil && u.State == swarm.UpdateStateCompleted && b.running(id, "shop/web:2") == 4
		})
		b.engines.Kill(machine(0))
		b.within(time.Minute, "another leader", func() bool { return b.managers(1)["node-1"].Leader || b.managers(1)["node-2"].Leader })
	})
}

// timeline is what happens in a swarm in which a lot does.
func timeline(t *testing.T, seed uint64) string {
	t.Helper()
	var told strings.Builder
	synctest.Test(t, func(t *testing.T) {
		e, err := engines.New(engines.Config{Clock: clock.New(1).Ordered(), IDs: unique.New(seed)})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		b := &bench{T: t, engines: e}
		for n := range 5 {
			b.launch(n)
		}
		time.Sleep(time.Second)
		b.form(3)
		for _, name := range []string{"web", "shop", "crash"} {
			b.create(spec(name, "shop/"+name+":1", 4))
		}
		time.Sleep(30 * time.Second)
		e.Kill(machine(0))
		b.clients = slices.Delete(b.clients, 0, 1)
		time.Sleep(time.Minute)
		b.update("web", func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.Image = "shop/web:2" })
		time.Sleep(3 * time.Minute)
		for _, name := range []string{"web", "shop", "crash"} {
			for _, task := range b.tasks(name) {
				fmt.Fprintln(&told, task.ID, task.Slot, task.NodeID, task.Version.Index, task.Status.State, task.Status.Timestamp)
			}
		}
	})
	return told.String()
}

func TestTheSameSeedGivesTheSameOrder(t *testing.T) {
	first := timeline(t, 7)
	if second := timeline(t, 7); first != second {
		t.Errorf("once it was\n%s\nand once\n%s", first, second)
	}
	if third := timeline(t, 8); first == third {
		t.Error("another seed gives the same")
	}
}

func TestUnknownCallsAreRefusedByName(t *testing.T) {
	inBubble(t, 1, func(b *bench) {
		transport := b.engines.WrapTransport(refusing{})
		for _, c := range []struct {
			method, path string
			code         int
			part         string
		}{
			{http.MethodGet, "/v1.41/nothing", 404, "page not found"},
			{http.MethodPost, "/v1.41/containers/create", 501, "POST /containers/create is not simulated"},
			{http.MethodGet, "/v1.42/info", 400, "client version 1.42 is too new. Maximum supported API version is 1.41"},
			{http.MethodGet, "/v1.11/info", 400, "client version 1.11 is too old. Minimum supported API version is 1.12, please upgrade"},
			{http.MethodGet, "/info", 200, `"LocalNodeState":"inactive"`},
			{http.MethodPost, "/v1.41/swarm/init", 400, "got EOF while reading request body"},
			{http.MethodGet, "/v1.41/services?filters=%7B", 503, "This node is not a swarm manager."},
		} {
			r, err := http.NewRequestWithContext(b.Context(), c.method, "http://"+address(0)+":2376"+c.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			response, err := transport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			body := make([]byte, 1<<16)
			n, _ := response.Body.Read(body)
			if response.StatusCode != c.code || !strings.Contains(string(body[:n]), c.part) {
				t.Errorf("%s %s: %d %s", c.method, c.path, response.StatusCode, body[:n])
			}
		}
		b.form(1)
		_, err := b.clients[0].ServiceList(b.Context(), client.ServiceListOptions{Filters: client.Filters{}.Add("color", "red")})
		wants(t, err, "Invalid filter 'color'")
	})
}
