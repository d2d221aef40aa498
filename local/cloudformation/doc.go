// Package cloudformation is AWS CloudFormation in one process: it reads
// templates, resolves their intrinsic functions, and creates, updates, rolls back
// and deletes stacks at the pace and in the words of the real service.
//
// It must never know how a resource is made: that is the business of a Provider,
// and package resources holds those of the types that Portolan's stacks use. The
// template reader and the resolver stand alone, so that package local can wire
// itself from the template that is deployed.
package cloudformation
