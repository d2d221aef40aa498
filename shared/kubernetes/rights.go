package kubernetes

import (
	"context"
	"slices"
	"sync"

	authorization "k8s.io/api/authorization/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"portolan/shared/contract"
)

// A need is a right that something takes.
type need struct {
	verb string
	kind kind
	part string // a subresource

	// everywhere needs are needed in all namespaces.
	everywhere bool
}

func (n need) of() kind {
	if n.part == "" {
		return n.kind
	}
	return n.kind.part(n.part)
}

// needs are the rights that looking takes, and those of each verb.
func needs(verbs []contract.Verb) []need {
	all := lookNeeds()
	for _, verb := range verbs {
		switch verb {
		case contract.VerbDeploy:
			all = append(all, deployNeeds()...)
		case contract.VerbScale:
			all = append(all, scaleNeeds()...)
		case contract.VerbRepair:
			all = append(append(all, deployNeeds()...), scaleNeeds()...)
		case contract.VerbRun:
			all = append(all, jobNeeds()...)
		case contract.VerbDrain:
			all = append(all, drainNeeds()...)
		}
	}
	var unique []need
	for _, n := range all {
		if !slices.Contains(unique, n) {
			unique = append(unique, n)
		}
	}
	return unique
}

func lookNeeds() []need {
	var all []need
	for _, k := range surveyed {
		all = append(all, need{verb: "list", kind: k, everywhere: true})
	}
	all = append(all, need{verb: "list", kind: nodes})
	for _, k := range []kind{deployments, daemonSets} {
		all = append(all, need{verb: "get", kind: k}, need{verb: "watch", kind: k})
	}
	return append(all, need{verb: "watch", kind: pods})
}

func deployNeeds() []need {
	var all []need
	for _, k := range []kind{deployments, daemonSets, services, ingresses, budgets, accounts, claims, volumes} {
		for _, verb := range []string{"get", "list", "create", "patch", "delete"} {
			if verb != "list" || k != deployments && k != daemonSets {
				all = append(all, need{verb: verb, kind: k})
			}
		}
	}
	return append(append(all, need{verb: "delete", kind: pods}), scaleNeeds()...)
}

func jobNeeds() []need {
	var all []need
	for _, verb := range []string{"get", "create", "delete"} {
		all = append(all, need{verb: verb, kind: jobs})
	}
	for _, verb := range []string{"list", "create", "patch", "delete"} {
		all = append(all, need{verb: verb, kind: accounts})
	}
	return all
}

func scaleNeeds() []need {
	return []need{{verb: "patch", kind: deployments, part: "scale"}}
}

func drainNeeds() []need {
	all := []need{
		{verb: "patch", kind: pods, everywhere: true}, {verb: "create", kind: pods, part: "eviction", everywhere: true},
	}
	for _, verb := range []string{"get", "patch", "delete"} {
		all = append(all, need{verb: verb, kind: nodes})
	}
	return all
}

// asked is how many rights are asked for at the same time.
const asked = 8

// everything is what administrators have a right to: all verbs of all kinds, in the words of
// an access review.
var everything = need{verb: "*", kind: kind{version: "*/*", plural: "*", everywhere: true}, everywhere: true}

// missing asks for each right whether we have it, and returns in words those that we do
// not have, in their order. Who has all rights is asked once.
func (c *connection) missing(ctx context.Context, namespace string, all []need) ([]string, error) {
	if allowed, err := c.allowed(ctx, "", everything); allowed || err != nil {
		return nil, err
	}
	words, failures := make([]string, len(all)), make([]error, len(all))
	var wait sync.WaitGroup
	slots := make(chan struct{}, asked)
	for i, n := range all {
		wait.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			where := namespace
			if n.everywhere {
				where = ""
			}
			allowed, err := c.allowed(ctx, where, n)
			if failures[i] = err; !allowed {
				words[i] = right(n.verb, n.of(), where)
			}
		})
	}
	wait.Wait()
	for _, err := range failures {
		if err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(words, func(word string) bool { return word == "" }), nil
}

func (c *connection) allowed(ctx context.Context, namespace string, n need) (bool, error) {
	attributes := &authorization.ResourceAttributes{
		Namespace: namespace, Verb: n.verb, Group: n.kind.group(), Resource: n.kind.plural, Subresource: n.part,
	}
	if n.kind.everywhere {
		attributes.Namespace = ""
	}
	review := authorization.SelfSubjectAccessReview{
		TypeMeta: meta.TypeMeta{APIVersion: reviews.version, Kind: reviews.name},
		Spec:     authorization.SelfSubjectAccessReviewSpec{ResourceAttributes: attributes},
	}
	answer := authorization.SelfSubjectAccessReview{}
	err := c.create(ctx, reviews, &review, &answer)
	return answer.Status.Allowed, err
}
