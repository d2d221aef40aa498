// Command generate writes the compact form of openapi.yaml, and the sums by which
// a test sees that generated files are those of the document.
package main

import (
	"crypto/sha256"
	"fmt"
	"log"
	"os"

	"portolan/shared/contract/schema/compact"
)

func main() {
	document, err := os.ReadFile("../../../openapi.yaml")
	if err != nil {
		log.Fatal(err)
	}
	types, err := os.ReadFile("../contract.gen.go")
	if err != nil {
		log.Fatal(err)
	}
	text, err := compact.Of(document)
	if err != nil {
		log.Fatal(err)
	}
	sums := fmt.Sprintf("%x  openapi.yaml\n%x  shared/contract/contract.gen.go\n",
		sha256.Sum256(document), sha256.Sum256(types))
	for name, content := range map[string][]byte{"schema.gen.json": text, "sums.gen.txt": []byte(sums)} {
		if err := os.WriteFile(name, content, 0o644); err != nil {
			log.Fatal(err)
		}
	}
}
