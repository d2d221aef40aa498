// Package portolan holds the files that are deployed, as they stand in the
// repository: the template, the API's contract and the state machines. What runs
// on one machine is wired from these very files.
package portolan

import "embed"

// Files are template.yaml, openapi.yaml and statemachines/*.asl.json.
//
//go:embed template.yaml openapi.yaml statemachines/*.asl.json
var Files embed.FS
