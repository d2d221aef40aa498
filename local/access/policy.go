package access

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Policy is a policy document: of a role's permissions, or of who may assume it.
type Policy struct{ statements []*statement }

type statement struct {
	allow      bool
	actions    []string
	lowered    []string // the actions in small letters: case does not tell them apart
	resources  []string // none in a trust policy
	principals []string // AWS principals of a trust policy
	conditions []condition

	// used says which actions and resources a request made use of.
	used map[string]bool
}

// Parse reads a policy document, as JSON has it. Members that it does not know are
// an error: a policy must not say less here than on AWS.
func Parse(document any) (*Policy, error) {
	fields, ok := document.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("a policy is no document but %T", document)
	}
	p := &Policy{}
	for _, each := range items(fields["Statement"]) {
		s, err := parseStatement(each)
		if err != nil {
			return nil, err
		}
		p.statements = append(p.statements, s)
	}
	if len(p.statements) == 0 {
		return nil, fmt.Errorf("a policy has no statement")
	}
	return p, nil
}

func parseStatement(value any) (*statement, error) {
	fields, ok := value.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("a statement is %T", value)
	}
	s := &statement{used: map[string]bool{}}
	var err error
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		member := fields[name]
		switch name {
		case "Sid":
		case "Effect":
			s.allow = member == "Allow"
			if !s.allow && member != "Deny" {
				return nil, fmt.Errorf("the effect of a statement is %v", member)
			}
		case "Action":
			s.actions, err = texts(member)
			for _, action := range s.actions {
				s.lowered = append(s.lowered, strings.ToLower(action))
			}
		case "Resource":
			s.resources, err = texts(member)
		case "Principal":
			s.principals, err = parsePrincipal(member)
		case "Condition":
			s.conditions, err = parseConditions(member)
		default:
			err = fmt.Errorf("statements with %s are not known here", name)
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s of a statement: %w", name, err)
		}
	}
	if len(s.actions) == 0 {
		return nil, fmt.Errorf("a statement has no Action")
	}
	return s, nil
}

// parsePrincipal returns the AWS principals: services assume no role here.
func parsePrincipal(value any) ([]string, error) {
	fields, ok := value.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("it is %v", value)
	}
	for name := range fields {
		if name != "AWS" && name != "Service" {
			return nil, fmt.Errorf("%s is not known here", name)
		}
	}
	return texts(fields["AWS"])
}

func items(value any) []any {
	if list, ok := value.([]any); ok {
		return list
	}
	if value == nil {
		return nil
	}
	return []any{value}
}

// texts reads a text or a list of texts.
func texts(value any) ([]string, error) {
	var out []string
	for _, item := range items(value) {
		text, ok := item.(string)
		if !ok {
			return nil, fmt.Errorf("%v is no text", item)
		}
		out = append(out, text)
	}
	return out, nil
}

// A Request is one action on one resource. Context has IAM's condition keys in
// small letters.
type Request struct {
	Action, Resource string
	Context          map[string][]string
}

// An Effect is what policies say about a request.
type Effect int

// Unmentioned requests are refused like Denied ones, in other words.
const (
	Unmentioned Effect = iota
	Allowed
	Denied
)

// Decide applies policies to a request, and marks what of them allowed it.
func Decide(policies []*Policy, r Request) Effect {
	effect := Unmentioned
	var mark []func()
	for _, p := range policies {
		for _, s := range p.statements {
			action, resource, ok := s.matches(r)
			switch {
			case !ok:
			case !s.allow:
				return Denied
			default:
				effect = Allowed
				mark = append(mark, func() { s.used[action], s.used[resource] = true, true })
			}
		}
	}
	for _, each := range mark {
		each()
	}
	return effect
}

// matches says whether the statement is about the request, and which of its
// actions and resources are.
func (s *statement) matches(r Request) (action, resource string, ok bool) {
	called := strings.ToLower(r.Action)
	a := slices.IndexFunc(s.lowered, func(p string) bool { return like(p, called) })
	if a < 0 {
		return "", "", false
	}
	b := slices.IndexFunc(s.resources, func(p string) bool { return likeARN(p, r.Resource) })
	if b < 0 {
		return "", "", false
	}
	for _, c := range s.conditions {
		if !c.holds(r.Context) {
			return "", "", false
		}
	}
	return s.actions[a], s.resources[b], true
}

// Trusts says whether a trust policy lets the session of a role assume the role
// that it belongs to.
func (p *Policy) Trusts(principalRole string) bool {
	context := map[string][]string{"aws:principalarn": {principalRole}}
	trusted := false
	for _, s := range p.statements {
		if !slices.Contains(s.actions, "sts:AssumeRole") || !s.names(principalRole) {
			continue
		}
		if slices.ContainsFunc(s.conditions, func(c condition) bool { return !c.holds(context) }) {
			continue
		}
		if !s.allow {
			return false
		}
		trusted = true
	}
	return trusted
}

// names says whether a trust policy's statement is about a role: by its ARN, or by
// its account's, which leaves it to the role's own policies.
func (s *statement) names(role string) bool {
	account := strings.Split(role, ":role/")[0] + ":root"
	return slices.Contains(s.principals, role) || slices.Contains(s.principals, account)
}
