// Package sdktask calls AWS's services as Step Functions does from a Task: it
// turns PascalCase parameters into a request of the service's wire protocol, and
// the answer back into PascalCase JSON. It implements the Call of
// states.TaskRunner.
//
// It must never know which services answer, nor whether they are embedded or
// real: all go to one http.Client.
package sdktask
