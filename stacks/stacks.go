// Package stacks holds the CloudFormation templates of the clusters, as they are
// deployed. It knows no parameter's value and calls nothing.
package stacks

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed *.yaml
var files embed.FS

// Names lists the templates in alphabetical order, without their extension.
func Names() []string {
	// Reading an embedded directory's root cannot fail.
	entries, _ := files.ReadDir(".")
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		names = append(names, strings.TrimSuffix(entry.Name(), ".yaml"))
	}
	return names
}

// Template returns the text of a template by its name, such as "ecs". The text is
// short enough to be passed as TemplateBody, so no bucket is needed to deploy it.
func Template(name string) (string, error) {
	text, err := files.ReadFile(name + ".yaml")
	if err != nil {
		return "", fmt.Errorf("no stack template is called %q; there are %s",
			name, strings.Join(Names(), ", "))
	}
	return string(text), nil
}
