// Package value holds JSON documents as Step Functions sees them: the order of
// an object's members and the spelling of a number are kept, and a document
// that was built is never changed.
//
// A document is nil, a bool, a string, a Number, an []any or an *Object. Because
// none is changed in place, states, variables and history share parts freely.
//
// It must never know what a document means.
package value
