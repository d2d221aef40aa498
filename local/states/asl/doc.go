// Package asl is the Amazon States Language in its JSONPath form: it reads a
// definition, says what is wrong with it in AWS's words, and evaluates the
// parts of a state that compute something (paths, payload templates, choice
// rules).
//
// It must never know about time, tasks or executions: package states runs what
// is read here.
package asl
