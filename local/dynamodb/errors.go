package dynamodb

import "strings"

// An apiError is an answer other than success, as it goes over the wire.
type apiError struct {
	kind    string // with its namespace, as __type gives it
	message string
	status  int
	// capital has the message under "Message", as serialization errors do.
	capital bool
	// item is what ReturnValuesOnConditionCheckFailure asked for.
	item item
	// reasons are the cancellation reasons of a transaction.
	reasons []cancellation
}

func (e *apiError) Error() string {
	_, code, _ := strings.Cut(e.kind, "#")
	return code + ": " + e.message
}

const model = "com.amazonaws.dynamodb.v20120810#"

func failure(code, message string) *apiError {
	return &apiError{kind: model + code, message: message, status: 400}
}

func validation(message string) *apiError {
	return &apiError{kind: "com.amazon.coral.validate#ValidationException", message: message,
		status: 400}
}

// invalidParameters is a validation error that begins as many of AWS's do.
func invalidParameters(message string) *apiError {
	return validation("One or more parameter values were invalid: " + message)
}

func serialization(message string) *apiError {
	return &apiError{kind: "com.amazon.coral.service#SerializationException", message: message,
		status: 400, capital: true}
}

// internal is a failure of the machine beneath, such as a full disk.
func internal(err error) *apiError {
	return &apiError{kind: model + "InternalServerError", message: err.Error(), status: 500}
}

func notFound() *apiError {
	return failure("ResourceNotFoundException", "Requested resource not found")
}

func tableNotFound(name string) *apiError {
	return failure("ResourceNotFoundException",
		"Requested resource not found: Table: "+name+" not found")
}

func conditionFailed(current item, wanted bool) *apiError {
	err := failure("ConditionalCheckFailedException", "The conditional request failed")
	if wanted {
		err.item = current
	}
	return err
}

const keyMismatch = "The provided key element does not match the schema"
