// Package identity is AWS STS of the embedded AWS: it knows which access key is
// whose, and issues keys for sessions of roles.
//
// It must never know what a role may do; it does not even know which roles
// exist, unless it is told how to ask.
package identity
