// Package decide holds the control plane's decisions as pure functions: from
// what is wanted and what was seen to what should be done, and why.
//
// It must never know AWS, the time, randomness or a context: whatever it needs
// is handed in, and what it decides is returned as data that others carry out.
package decide
