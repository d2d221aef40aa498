package portolan_test

import (
	"testing"

	"go.yaml.in/yaml/v4"

	"portolan"
)

// TestEveryOperationIsSignedAndIntegrated checks what API Gateway needs of each
// operation: it takes neither from the document as a whole.
func TestEveryOperationIsSignedAndIntegrated(t *testing.T) {
	text, err := portolan.Files.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	type operation struct {
		ID          string           `yaml:"operationId"`
		Security    []map[string]any `yaml:"security"`
		Integration map[string]any   `yaml:"x-amazon-apigateway-integration"`
	}
	var document struct {
		Paths map[string]struct {
			Get, Put, Post, Patch, Delete *operation
		} `yaml:"paths"`
	}
	if err := yaml.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for path, item := range document.Paths {
		for _, o := range []*operation{item.Get, item.Put, item.Post, item.Patch, item.Delete} {
			if o == nil {
				continue
			}
			seen++
			if len(o.Security) != 1 || o.Security[0]["sigv4"] == nil {
				t.Errorf("%s of %s does not ask for a signature", o.ID, path)
			}
			if o.Integration["$ref"] != "#/components/x-amazon-apigateway-integrations/ApiFunction" {
				t.Errorf("%s of %s leads to no function", o.ID, path)
			}
		}
	}
	if seen == 0 {
		t.Error("the document has no operations")
	}
}
