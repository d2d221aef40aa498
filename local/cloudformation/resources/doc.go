// Package resources makes the resources of CloudFormation stacks by calling the
// services that own them, with the AWS SDK as CloudFormation itself would. It
// has the types that Portolan's own stacks use.
//
// It must never know in which order resources are made, nor what a stack is.
package resources
