// Package access decides who may call what in the embedded AWS, as IAM does: a
// role may do what its identity policies allow and none of them denies. It knows
// which actions on which resources each operation of the embedded services is, and
// it keeps which permissions were used, so that a test can name those that never
// are.
//
// It reads only what the control plane's own template says, and refuses by name
// what it does not know of IAM's language. Callers without policies here, such as
// the person at this machine, may do everything.
package access
