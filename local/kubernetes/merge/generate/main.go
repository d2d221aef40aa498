// Command generate writes the part of client-go's schema that the kinds need.
package main

import (
	"encoding/json"
	"log"
	"os"
	"strings"

	"k8s.io/client-go/applyconfigurations"

	"portolan/local/kubernetes/kinds"
	"portolan/local/kubernetes/merge"
)

func main() {
	types, err := merge.Of(applyconfigurations.NewTypeConverter(kinds.Scheme))
	if err != nil {
		log.Fatal(err)
	}
	lines := make([]string, len(types))
	for i, t := range types {
		line, err := json.Marshal(t)
		if err != nil {
			log.Fatal(err)
		}
		lines[i] = string(line)
	}
	text := "[\n" + strings.Join(lines, ",\n") + "\n]\n"
	if err := os.WriteFile("schema.gen.json", []byte(text), 0o644); err != nil {
		log.Fatal(err)
	}
}
