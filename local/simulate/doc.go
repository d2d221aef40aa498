// Package simulate tries to break the promises of docs/architecture.md. A seed
// draws a workload of some simulated hours and the faults that befall it; the
// real handlers, state machine files and SDK clients run it in virtual time on
// the embedded AWS, and a checker for each promise watches every call and every
// change of the table, and looks at AWS itself in the end.
//
// The same seed makes the same run: calls of functions and machines pass one at a
// time through a turnstile, in an order that the seed draws.
//
// It must never know how the product keeps a promise.
package simulate
