// Package schema checks requests against openapi.yaml, of which it embeds a compact
// form: the operations, their parameters, and the schemas of what is sent.
//
// It answers what is wrong field by field, and what would be right. It knows the
// keywords of JSON Schema that the document uses, and no others: the compact form
// cannot be made of a document that uses one more.
//
// It must never know what a field means, or what a request leads to.
package schema

//go:generate go run ./compact/generate
