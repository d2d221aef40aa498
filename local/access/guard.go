package access

import (
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"portolan/local/identity"
	"portolan/local/wire"
)

// Config is what a Guard knows.
type Config struct {
	Account, Region string

	// Roles are those whose policies are known, by name. All others may do
	// everything.
	Roles map[string]Role

	// PartitionKeys are the partition keys of tables, by the table's name.
	PartitionKeys map[string]string

	// Group returns the Auto Scaling group of that name, or the one that an instance
	// of that id is in, with its tags.
	Group func(nameOrInstance string) (group string, tags map[string]string)

	// Machine returns the ARN of the state machine that a task token belongs to.
	Machine func(token string) string

	// Log is told of what is refused.
	Log *slog.Logger
}

// A Role is what a role may do, and who may assume it; nil trusts everybody.
type Role struct {
	Policies []*Policy
	Trust    *Policy
}

// A Guard refuses what roles may not do. It is safe for concurrent use.
type Guard struct {
	config Config

	mu      sync.Mutex // of what follows, and of what the policies' statements were used for
	decided map[question]Effect
}

// A question is what a decision depends on where the context of a request has one value
// at most: policies do not change.
type question struct{ role, action, resource, key, value string }

// decidedMax bounds how many decisions are remembered.
const decidedMax = 10_000

// New returns a guard.
func New(config Config) *Guard { return &Guard{config: config, decided: map[question]Effect{}} }

// Middleware answers with AWS's own refusal instead of a call that the caller's
// role may not make.
func (g *Guard) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller := wire.Caller(r.Context())
		role, _, isSession := identity.Session(caller.ARN)
		_, ok := g.config.Roles[role]
		if !isSession || !ok {
			next.ServeHTTP(w, r)
			return
		}
		exchange := wire.ExchangeOf(r)
		for _, request := range g.requests(exchange) {
			effect := g.decide(role, request)
			if effect == Allowed && request.Action == "sts:AssumeRole" && !g.trusts(request.Resource, role) {
				effect = Unmentioned
			}
			if effect != Allowed {
				refused := refusal(exchange.Service, caller.ARN, request, effect)
				g.config.Log.Warn("a call is refused", "service", exchange.Service, "operation", exchange.Operation,
					"error", refused.Message)
				wire.Fail(w, r, refused)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// Check says what a role may do, and counts it as used. An unknown role may do
// everything.
func (g *Guard) Check(role string, r Request) Effect {
	if _, ok := g.config.Roles[role]; !ok {
		return Allowed
	}
	return g.decide(role, r)
}

func (g *Guard) decide(role string, r Request) Effect {
	g.mu.Lock()
	defer g.mu.Unlock()
	asked, simple := questionOf(role, r)
	if effect, ok := g.decided[asked]; ok && simple {
		return effect
	}
	effect := Decide(g.config.Roles[role].Policies, r)
	if simple {
		if len(g.decided) == decidedMax {
			clear(g.decided)
		}
		g.decided[asked] = effect
	}
	return effect
}

func questionOf(role string, r Request) (asked question, simple bool) {
	asked = question{role: role, action: r.Action, resource: r.Resource}
	for key, values := range r.Context {
		if len(r.Context) > 1 || len(values) != 1 {
			return question{}, false
		}
		asked.key, asked.value = key, values[0]
	}
	return asked, true
}

func (g *Guard) trusts(target, role string) bool {
	_, name, _ := strings.Cut(target, ":role/")
	trust := g.config.Roles[name].Trust
	return trust == nil || trust.Trusts("arn:aws:iam::"+g.config.Account+":role/"+role)
}

// refusal is the error of a service that asked IAM in vain.
func refusal(service, caller string, r Request, effect Effect) *wire.Error {
	why := "because no identity-based policy allows the " + r.Action + " action"
	if effect == Denied {
		why = "with an explicit deny in an identity-based policy"
	}
	on := ""
	if r.Resource != "*" {
		on = " on resource: " + r.Resource
	}
	e := &wire.Error{
		Code: "AccessDeniedException", QueryCode: "AccessDenied", Status: http.StatusBadRequest,
		Message: fmt.Sprintf("User: %s is not authorized to perform: %s%s %s", caller, r.Action, on, why),
	}
	switch service {
	case "ec2":
		e.Code, e.Status = "UnauthorizedOperation", http.StatusForbidden
		e.Message = "You are not authorized to perform this operation. " + e.Message
	case "sts", "iam", "cloudformation", "autoscaling", "elasticloadbalancing":
		e.Code, e.Status = "AccessDenied", http.StatusForbidden
	}
	return e
}

// A Grant is a permission: one action of a statement, or one of its resources.
type Grant struct{ Role, Action, Resource string }

// String is the grant in words.
func (g Grant) String() string {
	if g.Action == "" {
		return g.Role + " may act on " + g.Resource
	}
	return g.Role + " may " + g.Action
}

// Unused lists the permissions of which nothing made use yet, by role.
func (g *Guard) Unused() []Grant {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []Grant
	for _, role := range slices.Sorted(maps.Keys(g.config.Roles)) {
		for _, p := range g.config.Roles[role].Policies {
			for _, s := range p.statements {
				out = append(out, s.unused(role)...)
			}
		}
	}
	return out
}

func (s *statement) unused(role string) []Grant {
	var out []Grant
	for _, action := range s.actions {
		if s.allow && !s.used[action] {
			out = append(out, Grant{Role: role, Action: action})
		}
	}
	for _, resource := range s.resources {
		// Where no action was used, the resources say nothing more.
		if s.allow && !s.used[resource] && len(out) < len(s.actions) {
			out = append(out, Grant{Role: role, Resource: resource})
		}
	}
	return out
}
