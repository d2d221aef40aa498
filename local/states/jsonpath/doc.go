// Package jsonpath reads and follows JSONPath expressions as Step Functions
// does, which is as Jayway's Java library does: dots, brackets, wildcards,
// slices, recursive descent, filters, and the rule that a path which can match
// only one node yields that node, and any other a list.
//
// It must never know what the document is for.
package jsonpath
