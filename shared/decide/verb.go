package decide

import (
	"fmt"
	"slices"
	"strings"

	"portolan/shared/contract"
	"portolan/shared/model"
)

// verbs are what an operation of each kind does on an adopted cluster. The kinds
// that are missing only look, or let go.
var verbs = map[contract.OperationKind]contract.Verb{
	contract.KindDeploy:      contract.VerbDeploy,
	contract.KindRunJob:      contract.VerbRun,
	contract.KindScale:       contract.VerbScale,
	contract.KindAutoscale:   contract.VerbScale,
	contract.KindRepair:      contract.VerbRepair,
	contract.KindDrain:       contract.VerbDrain,
	contract.KindUncordon:    contract.VerbDrain,
	contract.KindReplaceNode: contract.VerbDrain,
}

// Refusal says why an operation of a kind may not be done on a cluster, and is empty
// when it may: somebody else's cluster is changed only as far as its verbs allow.
func Refusal(c *model.Cluster, kind contract.OperationKind) string {
	verb, changes := verbs[kind]
	if !Adopted(c.Spec) || !changes || slices.Contains(c.Spec.Adopted.Verbs, verb) {
		return ""
	}
	return fmt.Sprintf("cluster %s is adopted, and Portolan may not %s there: its verbs are %s", c.Name(), verb, list(c.Spec.Adopted.Verbs))
}

func list(verbs []contract.Verb) string {
	if len(verbs) == 0 {
		return "none"
	}
	words := make([]string, len(verbs))
	for i, verb := range verbs {
		words[i] = string(verb)
	}
	return strings.Join(words, ", ")
}
