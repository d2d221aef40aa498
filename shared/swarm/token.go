package swarm

import (
	"context"
	"log/slog"

	"github.com/moby/moby/client"

	"portolan/shared/orchestrator"
)

// A Token lets an engine into a swarm. It shows itself in no text, log or JSON; who hands
// it to an engine does so with Join.
type Token string

// hidden stands for a token.
const hidden = "(hidden)"

// String implements fmt.Stringer.
func (Token) String() string { return hidden }

// GoString implements fmt.GoStringer.
func (Token) GoString() string { return hidden }

// LogValue implements slog.LogValuer.
func (Token) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText implements encoding.TextMarshaler.
func (Token) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// Tokens are those of a swarm.
type Tokens struct {
	Worker, Manager Token
}

// Tokens returns the tokens by which engines join the cluster's swarm.
func (d *Driver) Tokens(ctx context.Context, cluster orchestrator.ClusterRef) (Tokens, error) {
	c, err := d.connect(ctx, cluster)
	if err != nil {
		return Tokens{}, err
	}
	out, err := c.swarm(ctx)
	if err != nil {
		return Tokens{}, err
	}
	return Tokens{Worker: Token(out.Swarm.JoinTokens.Worker), Manager: Token(out.Swarm.JoinTokens.Manager)}, nil
}

// RotateTokens makes the tokens worthless that were handed out before. Nodes that joined
// stay.
func (d *Driver) RotateTokens(ctx context.Context, cluster orchestrator.ClusterRef) error {
	c, err := d.connect(ctx, cluster)
	if err != nil {
		return err
	}
	out, err := c.swarm(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, requestDeadline)
	defer cancel()
	_, err = c.client.SwarmUpdate(ctx, client.SwarmUpdateOptions{
		Version: out.Swarm.Version, Spec: out.Swarm.Spec, RotateWorkerToken: true, RotateManagerToken: true,
	})
	return classify(err, "rotating the tokens of cluster "+cluster.Name)
}

// swarm looks at the cluster's swarm.
func (c *connection) swarm(ctx context.Context) (client.SwarmInspectResult, error) {
	ctx, cancel := context.WithTimeout(ctx, requestDeadline)
	defer cancel()
	out, err := c.client.SwarmInspect(ctx, client.SwarmInspectOptions{})
	return out, classify(err, "looking at the swarm of cluster "+c.cluster.Name)
}
