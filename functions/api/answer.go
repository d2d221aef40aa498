package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/aws-lambda-go/events"

	"portolan/shared/contract"
	"portolan/shared/model"
	"portolan/shared/problem"
)

// retryAfter is how many seconds a caller is asked to wait.
const retryAfter = "2"

// An answer is a response before it is put into API Gateway's form.
type answer struct {
	status  int
	headers map[string]string
	body    []byte
}

// response is the answer as API Gateway wants it.
func (a answer) response() events.APIGatewayV2HTTPResponse {
	return events.APIGatewayV2HTTPResponse{StatusCode: a.status, Headers: a.headers, Body: string(a.body)}
}

// reply answers with a body of the contract.
func reply(status int, body any) (answer, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return answer{}, fmt.Errorf("encoding %T: %w", body, err)
	}
	return answer{
		status: status, body: text, headers: map[string]string{"Content-Type": "application/json"},
	}, nil
}

// ok answers with what is there now.
func ok(body any) (answer, error) { return reply(http.StatusOK, body) }

// accepted answers with the operation that carries the change out.
func accepted(o model.Operation) (answer, error) {
	a, err := reply(http.StatusAccepted, operationView(o))
	if err == nil {
		a.headers["Location"] = operationPath(o.ID)
	}
	return a, err
}

func operationPath(id string) string { return "/v1/operations/" + id }

// gone answers that there is nothing any more.
func gone() answer { return answer{status: http.StatusNoContent} }

// refusal answers with a problem document.
func refusal(document contract.Problem, err error) answer {
	headers := map[string]string{"Content-Type": problem.MediaType}
	if document.Status == http.StatusServiceUnavailable {
		headers["Retry-After"] = retryAfter
	}
	var method *notAllowed
	if errors.As(err, &method) {
		headers["Allow"] = method.allowed
	}
	return answer{status: document.Status, headers: headers, body: problem.Marshal(document)}
}

// page is a page of a list, of any of the contract's types.
type page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"`
}

// list answers with one page.
func list[T, V any](items []T, next string, view func(T) V) (answer, error) {
	out := page[V]{Items: make([]V, len(items)), Next: next}
	for i, item := range items {
		out.Items[i] = view(item)
	}
	return ok(out)
}
