// Package cost measures what each kind of operation costs on AWS: it runs them one
// after the other on a control plane in virtual time, counts what AWS would bill, and
// writes docs/cost.md.
//
// It knows prices, and nothing of how an operation is done.
package cost
