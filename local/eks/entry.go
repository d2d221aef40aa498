package eks

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"portolan/local/identity"
	"portolan/local/wire"
)

// entry lets a principal of IAM into a cluster.
type entry struct {
	Cluster   string            `json:"clusterName"`
	Principal string            `json:"principalArn"`
	ARN       string            `json:"accessEntryArn"`
	Type      string            `json:"type"`
	Username  string            `json:"username"`
	Groups    []string          `json:"kubernetesGroups"`
	CreatedAt wire.Time         `json:"createdAt"`
	Tags      map[string]string `json:"tags"`
	Token     string            `json:"clientRequestToken,omitempty"`
	Policies  []policy          `json:"policies,omitempty"`
}

// policy is one of EKS's own, with the scope in which it holds.
type policy struct {
	ARN          string    `json:"policyArn"`
	Scope        scope     `json:"accessScope"`
	AssociatedAt wire.Time `json:"associatedAt"`
}

type scope struct {
	Type       string   `json:"type"`
	Namespaces []string `json:"namespaces"`
}

func (e entry) id() string { return e.Cluster + " " + e.Principal }

func (e entry) view() entry {
	e.Token, e.Policies = "", nil
	return e
}

// is tells whether the caller with that ARN is the entry's principal, or a session of it.
func (e entry) is(caller string) bool {
	if role, _, ok := identity.Session(caller); ok {
		return strings.HasSuffix(e.Principal, "/"+role) && strings.Contains(e.Principal, ":role/")
	}
	return e.Principal == caller
}

// nameOf is the user that the caller is in the cluster.
func (e entry) nameOf(caller string) string {
	_, session, _ := identity.Session(caller)
	return strings.ReplaceAll(e.Username, "{{SessionName}}", session)
}

type entryOutput struct {
	AccessEntry entry `json:"accessEntry"`
}

func (s *Server) createEntry(_ context.Context, in *entry) (*entryOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, _, err := s.findActive(in.Cluster); err != nil {
		return nil, err
	}
	e := *in
	if old, ok := s.entries.Get(e.id()); ok {
		if e.Token != "" && e.Token == old.Token {
			return &entryOutput{old.view()}, nil
		}
		return nil, inUse("The specified access entry resource is already in use on this cluster.")
	}
	_, name, ok := strings.Cut(e.Principal, ":iam::")
	if !ok {
		return nil, invalid("The principalArn parameter format is not valid")
	}
	e.ARN = s.arn("access-entry/" + e.Cluster + "/" + strings.Replace(name, ":", "/", 1) + "/" + s.config.IDs.Hex(8))
	e.Type, e.CreatedAt = cmp.Or(e.Type, "STANDARD"), wire.At(s.now())
	e.Username = cmp.Or(e.Username, userOf(e.Principal))
	return &entryOutput{e.view()}, s.entries.Put(e)
}

// userOf is the name that EKS gives to a principal, with the session's for a role.
func userOf(principal string) string {
	_, role, isRole := strings.Cut(principal, ":role/")
	if !isRole {
		return principal
	}
	_, rest, _ := strings.Cut(principal, ":iam::")
	account, _, _ := strings.Cut(rest, ":")
	return "arn:aws:sts::" + account + ":assumed-role/" + role[strings.LastIndexByte(role, '/')+1:] + "/{{SessionName}}"
}

type entryInput struct {
	Cluster   string `json:"clusterName"`
	Principal string `json:"principalArn"`
	PolicyARN string `json:"policyArn"`
	Scope     scope  `json:"accessScope"`
}

// findEntry is the entry that the input names. The caller has the lock.
func (s *Server) findEntry(in *entryInput) (entry, error) {
	if _, err := s.find(in.Cluster); err != nil {
		return entry{}, err
	}
	e, ok := s.entries.Get(entry{Cluster: in.Cluster, Principal: in.Principal}.id())
	if !ok {
		return e, notFound(in.Cluster, "The specified principalArn could not be found. You can view your available access entries with 'list-access-entries'.")
	}
	return e, nil
}

func (s *Server) describeEntry(_ context.Context, in *entryInput) (*entryOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.findEntry(in)
	return &entryOutput{e.view()}, err
}

type listEntriesOutput struct {
	Entries []string `json:"accessEntries"`
}

func (s *Server) listEntries(_ context.Context, in *entryInput) (*listEntriesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &listEntriesOutput{Entries: []string{}}
	for _, e := range s.entries.Find(func(e entry) bool { return e.Cluster == in.Cluster }) {
		out.Entries = append(out.Entries, e.Principal)
	}
	_, err := s.find(in.Cluster)
	return out, err
}

func (s *Server) deleteEntry(_ context.Context, in *entryInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.findEntry(in)
	if err != nil {
		return nil, err
	}
	return &struct{}{}, s.entries.Remove(e.id())
}

// policyName is the name of one of EKS's policies.
func policyName(arn string) string {
	_, name, _ := strings.Cut(arn, ":cluster-access-policy/")
	return name
}

type associatePolicyOutput struct {
	Cluster   string `json:"clusterName"`
	Principal string `json:"principalArn"`
	Policy    policy `json:"associatedAccessPolicy"`
}

// associatePolicy gives an entry a policy; the same again gives it the scope of now.
func (s *Server) associatePolicy(_ context.Context, in *entryInput) (*associatePolicyOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.findEntry(in)
	if err != nil {
		return nil, err
	}
	if _, known := rights[policyName(in.PolicyARN)]; !known {
		return nil, invalid("The policyArn parameter is not valid: the embedded AWS does not have %s", in.PolicyARN)
	}
	p := policy{ARN: in.PolicyARN, Scope: in.Scope, AssociatedAt: wire.At(s.now())}
	e.Policies = append(slices.DeleteFunc(slices.Clone(e.Policies), func(old policy) bool { return old.ARN == p.ARN }), p)
	return &associatePolicyOutput{e.Cluster, e.Principal, p}, s.entries.Put(e)
}

type listPoliciesOutput struct {
	Cluster   string   `json:"clusterName"`
	Principal string   `json:"principalArn"`
	Policies  []policy `json:"associatedAccessPolicies"`
}

func (s *Server) listPolicies(_ context.Context, in *entryInput) (*listPoliciesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.findEntry(in)
	return &listPoliciesOutput{e.Cluster, e.Principal, e.Policies}, err
}

// looking are the verbs that change nothing.
var looking = []string{"get", "list", "watch"}

// rights are what EKS's policies let their holders do, where that is all that is asked
// for here: https://docs.aws.amazon.com/eks/latest/userguide/access-policy-permissions.html.
var rights = map[string]func(verb, group, resource string) bool{
	"AmazonEKSClusterAdminPolicy": func(string, string, string) bool { return true },
	"AmazonEKSAdminViewPolicy":    func(verb, _, _ string) bool { return slices.Contains(looking, verb) },
	"AmazonEKSViewPolicy": func(verb, _, resource string) bool {
		return slices.Contains(looking, verb) && resource != "secrets" && resource != "nodes"
	},
}

// allows says whether one of the policies of a user's entry lets them do something.
func (s *Server) allows(cluster, user, verb, group, resource, namespace string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.entries.All() {
		if e.Cluster != cluster || !e.named(user) {
			continue
		}
		for _, p := range e.Policies {
			within := p.Scope.Type != "namespace" || slices.Contains(p.Scope.Namespaces, namespace)
			if within && rights[policyName(p.ARN)](verb, group, resource) {
				return true
			}
		}
	}
	return false
}

// named tells whether a user of the cluster is the entry's principal.
func (e entry) named(user string) bool {
	before, after, templated := strings.Cut(e.Username, "{{SessionName}}")
	if !templated {
		return e.Username == user
	}
	return strings.HasPrefix(user, before) && strings.HasSuffix(user, after)
}
