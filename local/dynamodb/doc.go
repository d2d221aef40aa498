// Package dynamodb is the embedded Amazon DynamoDB: tables, items, indexes,
// expressions, transactions, time to live and streams, answered on the wire as
// AWS answers them, error texts included.
//
// A Server is an http.Handler for the targets DynamoDB_20120810 and
// DynamoDBStreams_20120810. Beside it stand two ways in for the same process:
// CreateTableFromProperties for a template's tables, and OpenStream for an
// event source mapping.
//
// The package knows nothing of who calls, of other services, nor of what its
// items mean.
package dynamodb
