// Package wire speaks the protocols in which AWS's services are called: JSON
// 1.0 and 1.1, Query, EC2's dialect of Query, and RPC v2 CBOR. A service of the
// embedded AWS is a table of operations on Go structs; wire turns requests into
// them and their answers, errors included, into what an AWS SDK expects.
//
// It must never know what an operation does, nor which services exist. It does
// not check signatures: the access key alone says who calls.
package wire
