// Package connector calls hosts in the VPC of a cluster through a function that stands
// there: an http.RoundTripper whose requests travel in invocations of the function, one
// for each, and what both ends say to one another.
//
// It must never know what is called, and it writes nothing that travels anywhere.
package connector
