package decide

import (
	"strings"
	"testing"

	"portolan/shared/contract"
	"portolan/shared/model"
)

func TestRefusal(t *testing.T) {
	spec := adopted()
	spec.Adopted.Verbs = []contract.Verb{contract.VerbDeploy, contract.VerbDrain}
	taken, own := &model.Cluster{Spec: spec}, &model.Cluster{Spec: onEKS()}
	for kind, refused := range map[contract.OperationKind]bool{
		contract.KindAdopt: false, contract.KindSurvey: false, contract.KindRetire: false, contract.KindRecover: false,
		contract.KindDeploy: false, contract.KindDrain: false, contract.KindUncordon: false, contract.KindReplaceNode: false,
		contract.KindScale: true, contract.KindAutoscale: true, contract.KindRepair: true,
	} {
		if why := Refusal(taken, kind); (why != "") != refused {
			t.Errorf("%s on an adopted cluster: %q", kind, why)
		}
		if why := Refusal(own, kind); why != "" {
			t.Errorf("%s on a cluster that Portolan made: %q", kind, why)
		}
	}
	why := Refusal(taken, contract.KindScale)
	if !strings.Contains(why, "may not scale") || !strings.Contains(why, "deploy, drain") {
		t.Errorf("%q does not say what may not be done, and what may", why)
	}
	if why := Refusal(&model.Cluster{Spec: adopted()}, contract.KindScale); !strings.Contains(why, "none") {
		t.Errorf("%q does not say that there are no verbs", why)
	}
}
