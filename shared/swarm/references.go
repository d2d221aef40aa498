package swarm

import (
	"context"
	"fmt"
	"strings"

	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"

	"portolan/shared/contract"
	"portolan/shared/fault"
)

// references finds the networks, secrets and configs that a description names. It is
// Invalid, with each field, when there is none of a name.
func (c *connection) references(ctx context.Context, spec contract.ServiceSpec) (references, error) {
	var r references
	var missing []fault.Field
	look := func(kind, pointer string, names []string, list func(context.Context, client.Filters) (map[string]string, error)) (map[string]string, error) {
		if len(names) == 0 {
			return nil, nil
		}
		timed, cancel := context.WithTimeout(ctx, requestDeadline)
		defer cancel()
		found, err := list(timed, client.Filters{}.Add("name", names...))
		if err != nil {
			return nil, classify(err, "looking for "+kind+"s")
		}
		for i, name := range names {
			if found[name] == "" {
				missing = append(missing, fault.Field{Pointer: fmt.Sprintf(pointer, i),
					Detail: fmt.Sprintf("Swarm: there is no %s %q on cluster %s", kind, name, c.cluster.Name)})
			}
		}
		return found, nil
	}
	var err error
	if r.networks, err = look("overlay network", "/swarm/networks/%d", spec.Swarm.Networks, c.overlays); err != nil {
		return r, err
	}
	if r.secrets, err = look("secret", "/swarm/secretFiles/%d/name", namesOf(spec.Swarm.SecretFiles), c.secrets); err != nil {
		return r, err
	}
	if r.configs, err = look("config", "/swarm/configs/%d/name", namesOf(spec.Swarm.Configs), c.configs); err != nil {
		return r, err
	}
	if len(missing) > 0 {
		return r, fault.NewInvalid(missing, "the description names what is not on the swarm")
	}
	return r, nil
}

func namesOf(files []contract.SwarmFile) []string {
	var names []string
	for _, file := range files {
		names = append(names, file.Name)
	}
	return names
}

// overlays are the networks of the swarm, which its services can join.
func (c *connection) overlays(ctx context.Context, filters client.Filters) (map[string]string, error) {
	out, err := c.client.NetworkList(ctx, client.NetworkListOptions{Filters: filters.Add("scope", "swarm")})
	ids := map[string]string{}
	for _, network := range out.Items {
		if !network.Ingress {
			ids[network.Name] = network.ID
		}
	}
	return ids, err
}

func (c *connection) secrets(ctx context.Context, filters client.Filters) (map[string]string, error) {
	out, err := c.client.SecretList(ctx, client.SecretListOptions{Filters: filters})
	ids := map[string]string{}
	for _, one := range out.Items {
		ids[one.Spec.Name] = one.ID
	}
	return ids, err
}

func (c *connection) configs(ctx context.Context, filters client.Filters) (map[string]string, error) {
	out, err := c.client.ConfigList(ctx, client.ConfigListOptions{Filters: filters})
	ids := map[string]string{}
	for _, one := range out.Items {
		ids[one.Spec.Name] = one.ID
	}
	return ids, err
}

// explainRefusal names the field where the swarm refuses a description for what others
// have: a port, or a network that has gone in between.
func explainRefusal(err error, spec *swarm.ServiceSpec) error {
	if err == nil || !strings.Contains(err.Error(), "already in use by service") {
		return err
	}
	said := err.Error()[strings.Index(err.Error(), "port"):]
	return fault.NewInvalid([]fault.Field{{Pointer: "/ports", Detail: "Swarm: " + said}}, "service %s cannot publish its ports", spec.Name)
}
