package connector

import (
	"strings"

	"portolan/shared/environment"
)

// New builds the handler from what its Lambda function is given.
func New(env *environment.Environment) *Handler {
	h := &Handler{Wrap: env.WrapTransport, Log: env.Log, Now: env.Now}
	for _, host := range strings.Split(env.Get("ALLOWED_HOSTS"), ",") {
		h.Hosts = append(h.Hosts, withPort(host))
	}
	return h
}
