// Package model holds the things that Portolan keeps: clusters, services,
// releases, operations, policies, bindings and audit records, in the words of
// docs/glossary.md.
//
// It must never know where they are kept, what the time is, or that AWS exists.
package model
