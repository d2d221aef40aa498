package api

import (
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/getkin/kin-openapi/openapi3"
)

// document is openapi.yaml as kin-openapi reads it.
var document = sync.OnceValues(func() (*openapi3.T, error) {
	text, err := os.ReadFile("../../openapi.yaml")
	if err != nil {
		return nil, err
	}
	return openapi3.NewLoader().LoadFromData(text)
})

// conforms checks a response against the document: its status is one that the
// operation has, and its body is as the schema says.
func conforms(t *testing.T, method, path string, response events.APIGatewayV2HTTPResponse) {
	t.Helper()
	d, err := document()
	if err != nil {
		t.Fatal(err)
	}
	path, _, _ = strings.Cut(path, "?")
	route, err := find(method, path)
	if err != nil {
		return // what is not in the document has no response there
	}
	operation := d.Paths.Find(route.operation.Path).GetOperation(method)
	described := operation.Responses.Value(strconv.Itoa(response.StatusCode))
	if described == nil {
		described = operation.Responses.Default()
		if response.StatusCode < 400 {
			t.Errorf("%s answers %d, which the document does not have", operation.OperationID, response.StatusCode)
			return
		}
	}
	content := described.Value.Content.Get(response.Headers["Content-Type"])
	if content == nil {
		if response.Body != "" || len(described.Value.Content) > 0 {
			t.Errorf("%s answers %d with %q, and not as the document says", operation.OperationID,
				response.StatusCode, response.Headers["Content-Type"])
		}
		return
	}
	var body any
	if err := json.Unmarshal([]byte(response.Body), &body); err != nil {
		t.Fatal(err)
	}
	if err := content.Schema.Value.VisitJSON(body, openapi3.MultiErrors()); err != nil {
		t.Errorf("%s answers %d otherwise than the document says: %v", operation.OperationID, response.StatusCode, err)
	}
}
