// Package api is the door for people and programs: the Lambda function behind API
// Gateway's HTTP API, which answers everything below /v1 in openapi.yaml.
//
// A request that changes something becomes one transaction of desired state, an
// operation and the answer under the caller's idempotency key; the table's stream
// carries on from there. The package reads the table, and calls nothing else.
//
// It must never know how a change is carried out.
package api
