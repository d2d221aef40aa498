package swarm

import (
	"net/http"
	"strings"

	"github.com/moby/moby/api/types/swarm"

	"portolan/local/swarm/cluster"
)

// A networkView is a network as the Engine API shows it.
type networkView struct {
	Name       string            `json:"Name"`
	ID         string            `json:"Id"`
	Created    string            `json:"Created"`
	Scope      string            `json:"Scope"`
	Driver     string            `json:"Driver"`
	EnableIPv6 bool              `json:"EnableIPv6"`
	IPAM       ipam              `json:"IPAM"`
	Internal   bool              `json:"Internal"`
	Attachable bool              `json:"Attachable"`
	Ingress    bool              `json:"Ingress"`
	ConfigFrom map[string]string `json:"ConfigFrom"`
	ConfigOnly bool              `json:"ConfigOnly"`
	Containers map[string]string `json:"Containers"`
	Options    map[string]string `json:"Options"`
	Labels     map[string]string `json:"Labels"`
}

type ipam struct {
	Driver  string             `json:"Driver"`
	Options map[string]string  `json:"Options"`
	Config  []swarm.IPAMConfig `json:"Config"`
}

// networks are those of the engine, and of its swarm where it is a manager.
func (n *engine) networks() (out []networkView) {
	for _, local := range [][2]string{{"bridge", "bridge"}, {"host", "host"}, {"none", "null"}} {
		out = append(out, networkView{Name: local[0], ID: localID(n.DaemonID, local[0]), Created: n.Boots.Format("2006-01-02T15:04:05Z"),
			Scope: "local", Driver: local[1], IPAM: ipam{Driver: "default", Config: []swarm.IPAMConfig{}}, ConfigFrom: map[string]string{"Network": ""},
			Containers: map[string]string{}, Options: map[string]string{}, Labels: map[string]string{}})
	}
	of := n.cluster()
	if of == nil || !of.IsMember(n.NodeID) || !of.Led() {
		return out
	}
	for _, one := range of.Networks() {
		labels := one.Spec.Labels
		if labels == nil {
			labels = map[string]string{}
		}
		out = append(out, networkView{Name: one.Spec.Name, ID: one.ID, Created: one.CreatedAt.Format("2006-01-02T15:04:05.999999999Z"),
			Scope: "swarm", Driver: one.DriverState.Name, EnableIPv6: one.Spec.IPv6Enabled, Internal: one.Spec.Internal,
			Attachable: one.Spec.Attachable, Ingress: one.Spec.Ingress, IPAM: ipam{Driver: "default", Config: one.IPAMOptions.Configs},
			ConfigFrom: map[string]string{"Network": ""}, Options: one.DriverState.Options, Labels: labels})
	}
	return out
}

// localID is the id of a network of the engine's own.
func localID(daemon, name string) string {
	hex := strings.ReplaceAll(daemon, "-", "")
	return (hex + hex)[:64-len(name)*2] + asHex(name)
}

func asHex(name string) string {
	const digits = "0123456789abcdef"
	out := make([]byte, 0, 2*len(name))
	for i := range len(name) {
		out = append(out, digits[name[i]>>4], digits[name[i]&15])
	}
	return string(out)
}

func listNetworks(c *call) (answer, error) {
	f, err := c.filters()
	if err != nil {
		return answer{}, err
	}
	for name := range f {
		switch name {
		case "dangling", "driver", "id", "label", "name", "scope", "type":
		default:
			return answer{}, invalid("Invalid filter '%s'", name)
		}
	}
	out := []networkView{}
	for _, one := range c.engine.networks() {
		if contains(f["name"], one.Name) && prefixed(f["id"], one.ID) && has(f["driver"], one.Driver) && has(f["scope"], one.Scope) &&
			labelled(f["label"], one.Labels) {
			out = append(out, one)
		}
	}
	return ok(out)
}

func contains(asked []string, value string) bool {
	for _, a := range asked {
		if strings.Contains(value, a) {
			return true
		}
	}
	return len(asked) == 0
}

func prefixed(asked []string, value string) bool {
	for _, a := range asked {
		if strings.HasPrefix(value, a) {
			return true
		}
	}
	return len(asked) == 0
}

func labelled(asked []string, labels map[string]string) bool {
	for _, a := range asked {
		key, want, exact := strings.Cut(a, "=")
		if value, ok := labels[key]; !ok || exact && value != want {
			return false
		}
	}
	return true
}

func (n *engine) findNetwork(input string) (networkView, error) {
	var begin []networkView
	for _, one := range n.networks() {
		if one.ID == input || one.Name == input {
			return one, nil
		}
		if strings.HasPrefix(one.ID, input) {
			begin = append(begin, one)
		}
	}
	switch len(begin) {
	case 1:
		return begin[0], nil
	case 0:
		return networkView{}, cluster.Errorf(http.StatusNotFound, "network %s not found", input)
	}
	return networkView{}, invalid("network %s is ambiguous (%d matches found based on ID prefix)", input, len(begin))
}

func inspectNetwork(c *call) (answer, error) {
	one, err := c.engine.findNetwork(c.path[1])
	return answer{http.StatusOK, one}, err
}

// A networkRequest is what a network is made of.
type networkRequest struct {
	Name       string
	Driver     string
	Internal   bool
	Attachable bool
	Ingress    bool
	EnableIPv6 *bool
	Options    map[string]string
	Labels     map[string]string
	IPAM       *struct{ Config []swarm.IPAMConfig }
}

func createNetwork(c *call) (answer, error) {
	var in networkRequest
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	switch {
	case in.Name == "":
		return answer{}, invalid("invalid name: name is empty")
	case in.Driver != "overlay":
		return answer{}, cluster.Errorf(http.StatusNotImplemented, "only networks with the driver overlay are simulated")
	}
	for _, one := range c.engine.networks() {
		if one.Name == in.Name {
			return answer{}, cluster.Errorf(http.StatusConflict, "network with name %s already exists", in.Name)
		}
	}
	of, err := c.engine.manager()
	if err != nil {
		return answer{}, err
	}
	spec := swarm.NetworkSpec{Annotations: swarm.Annotations{Name: in.Name, Labels: in.Labels}, Internal: in.Internal,
		Attachable: in.Attachable, Ingress: in.Ingress, DriverConfiguration: &swarm.Driver{Name: in.Driver, Options: in.Options}, Scope: "swarm"}
	spec.IPv6Enabled = in.EnableIPv6 != nil && *in.EnableIPv6
	if in.IPAM != nil {
		spec.IPAMOptions = &swarm.IPAMOptions{Configs: in.IPAM.Config}
	}
	id, err := of.CreateNetwork(spec)
	return answer{http.StatusCreated, map[string]string{"Id": id, "Warning": ""}}, err
}

func removeNetwork(c *call) (answer, error) {
	one, err := c.engine.findNetwork(c.path[1])
	if err != nil {
		return answer{}, err
	}
	if one.Scope == "local" {
		return answer{}, cluster.Errorf(http.StatusForbidden, "%s is a pre-defined network and cannot be removed", one.Name)
	}
	of, err := c.engine.manager()
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusNoContent, nil}, of.RemoveNetwork(one.ID)
}
