package swarm_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"
)

func TestSecretsAndConfigsAreReferred(t *testing.T) {
	inBubble(t, 1, func(b *bench) {
		b.form(1)
		ctx, docker := b.Context(), b.clients[0]
		secret, err := docker.SecretCreate(ctx, client.SecretCreateOptions{Spec: swarm.SecretSpec{
			Annotations: swarm.Annotations{Name: "password"}, Data: []byte("hunter2")}})
		if err != nil {
			t.Fatal(err)
		}
		if found, err := docker.SecretInspect(ctx, "password", client.SecretInspectOptions{}); err != nil || len(found.Secret.Spec.Data) > 0 {
			t.Errorf("it shows %+v, %v", found.Secret.Spec, err)
		}
		_, err = docker.SecretCreate(ctx, client.SecretCreateOptions{Spec: swarm.SecretSpec{
			Annotations: swarm.Annotations{Name: "password"}, Data: []byte("again")}})
		wants(t, err, "rpc error: code = AlreadyExists desc = secret password already exists")
		config, err := docker.ConfigCreate(ctx, client.ConfigCreateOptions{Spec: swarm.ConfigSpec{
			Annotations: swarm.Annotations{Name: "settings"}, Data: []byte("a=1")}})
		if err != nil {
			t.Fatal(err)
		}
		s := spec("web", "shop/web:1", 1)
		refer := func(secretID, configID string) error {
			s.TaskTemplate.ContainerSpec.Secrets = []*swarm.SecretReference{{SecretID: secretID, SecretName: "password",
				File: &swarm.SecretReferenceFileTarget{Name: "password"}}}
			s.TaskTemplate.ContainerSpec.Configs = []*swarm.ConfigReference{{ConfigID: configID, ConfigName: "settings",
				File: &swarm.ConfigReferenceFileTarget{Name: "/settings"}}}
			_, err := docker.ServiceCreate(ctx, client.ServiceCreateOptions{Spec: s})
			return err
		}
		wants(t, refer("none", config.ID), "rpc error: code = InvalidArgument desc = secret not found: password")
		wants(t, refer(secret.ID, "none"), "rpc error: code = InvalidArgument desc = config not found: settings")
		if err := refer(secret.ID, config.ID); err != nil {
			t.Fatal(err)
		}
		_, err = docker.SecretRemove(ctx, "password", client.SecretRemoveOptions{})
		wants(t, err, "rpc error: code = InvalidArgument desc = secret 'password' is in use by the following service: web")
	})
}

func TestNetworksAreReferred(t *testing.T) {
	inBubble(t, 2, func(b *bench) {
		b.form(1)
		ctx, docker := b.Context(), b.clients[0]
		made, err := docker.NetworkCreate(ctx, "backend", client.NetworkCreateOptions{Driver: "overlay"})
		if err != nil {
			t.Fatal(err)
		}
		s := spec("web", "shop/web:1", 1)
		s.TaskTemplate.Networks = []swarm.NetworkAttachmentConfig{{Target: "nowhere"}}
		_, err = docker.ServiceCreate(ctx, client.ServiceCreateOptions{Spec: s})
		wants(t, err, "network nowhere not found")
		s.TaskTemplate.Networks[0].Target = "backend"
		id := b.create(s)
		if got := b.service(id); got.Spec.TaskTemplate.Networks[0].Target != made.ID || len(got.Endpoint.VirtualIPs) != 1 {
			t.Errorf("the service is %+v", got)
		}
		listed, err := docker.NetworkList(ctx, client.NetworkListOptions{Filters: client.Filters{}.Add("scope", "swarm")})
		if err != nil || len(listed.Items) != 2 {
			t.Errorf("got %+v, %v", listed.Items, err)
		}
		_, err = docker.NetworkRemove(ctx, "backend", client.NetworkRemoveOptions{})
		wants(t, err, "is in use by service "+id)
		_, err = docker.NetworkInspect(ctx, "nowhere", client.NetworkInspectOptions{})
		wants(t, err, "network nowhere not found")
	})
}

func TestServicesAreChecked(t *testing.T) {
	inBubble(t, 1, func(b *bench) {
		b.form(1)
		refused := func(change func(*swarm.ServiceSpec), parts ...string) {
			b.Helper()
			s := spec("web", "shop/web:1", 1)
			change(&s)
			_, err := b.clients[0].ServiceCreate(b.Context(), client.ServiceCreateOptions{Spec: s})
			wants(b, err, parts...)
		}
		refused(func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.Image = "" }, "ContainerSpec: image reference must be provided")
		refused(func(s *swarm.ServiceSpec) { s.TaskTemplate.ContainerSpec.Image = "Not An Image" }, "is not a valid repository/tag")
		refused(func(s *swarm.ServiceSpec) { s.Name = "a b" }, "name must be valid as a DNS name component")
		refused(func(s *swarm.ServiceSpec) { s.Mode.Global = &swarm.GlobalService{} }, "must specify only one service mode")
		refused(func(s *swarm.ServiceSpec) {
			s.TaskTemplate.Resources = &swarm.ResourceRequirements{Limits: &swarm.Limit{MemoryBytes: 1 << 20}}
		}, "invalid memory value 1048576: Must be at least 4MiB")
		refused(func(s *swarm.ServiceSpec) { s.TaskTemplate.Placement = &swarm.Placement{Constraints: []string{"fast"}} },
			"constraint expected one operator from ==, !=")
		id := b.create(spec("web", "shop/web:1", 1))
		refused(func(*swarm.ServiceSpec) {}, "rpc error: code = AlreadyExists desc = name conflicts with an existing object: service web already exists")
		old := b.service(id)
		b.update(id, func(s *swarm.ServiceSpec) { s.Labels = map[string]string{"release": "2"} })
		_, err := b.clients[0].ServiceUpdate(b.Context(), id, client.ServiceUpdateOptions{Version: old.Version, Spec: old.Spec})
		wants(t, err, "rpc error: code = Unknown desc = update out of sequence")
		_, err = b.clients[0].ServiceInspect(b.Context(), "nothing", client.ServiceInspectOptions{})
		wants(t, err, "service nothing not found")
	})
}

func TestEventsAreTold(t *testing.T) {
	inBubble(t, 1, func(b *bench) {
		b.form(1)
		ctx, cancel := context.WithTimeout(b.Context(), 5*time.Minute)
		defer cancel()
		told := b.clients[0].Events(ctx, client.EventsListOptions{Filters: client.Filters{}.Add("type", "service")})
		id := b.create(spec("web", "shop/web:1", 1))
		b.update(id, func(s *swarm.ServiceSpec) { s.Labels = map[string]string{"release": "2"} })
		if _, err := b.clients[0].ServiceRemove(ctx, id, client.ServiceRemoveOptions{}); err != nil {
			t.Fatal(err)
		}
		var actions []string
		for range 3 {
			e := <-told.Messages
			actions = append(actions, string(e.Action))
			if e.Actor.ID != id || e.Actor.Attributes["name"] != "web" || e.Scope != "swarm" {
				t.Errorf("got %+v", e)
			}
		}
		if !slices.Equal(actions, []string{"create", "update", "remove"}) {
			t.Errorf("got %v", actions)
		}
		b.engines.Kill(machine(0))
		if err := <-told.Err; !errors.Is(err, io.EOF) {
			t.Errorf("the stream ended with %v", err)
		}
	})
}
