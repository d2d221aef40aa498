package portolan_test

import (
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"portolan"
	"portolan/local/cloudformation"
	"portolan/shared/contract"
	"portolan/shared/decide"
)

func template(t *testing.T) *cloudformation.Template {
	t.Helper()
	text, err := fs.ReadFile(portolan.Files, "template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := cloudformation.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// declared are the logical ids of a type's resources.
func declared(t *cloudformation.Template, kind string) []string {
	return slices.DeleteFunc(t.LogicalIDs(), func(id string) bool { return t.Resources[id].Type != kind })
}

// logicalID is what a machine or a function is called in the template.
func logicalID(name, suffix string) string {
	var id strings.Builder
	for _, word := range strings.Split(name, "-") {
		id.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return id.String() + suffix
}

func TestEachMachineIsDeployed(t *testing.T) {
	template := template(t)
	var files []string
	for _, m := range machines(t) {
		id := logicalID(m.name, "Machine")
		files = append(files, id)
		resource, ok := template.Resources[id]
		if !ok {
			t.Errorf("template.yaml has no %s for statemachines/%s.asl.json", id, m.name)
			continue
		}
		properties := resource.Properties
		if uri := properties["DefinitionUri"]; uri != "statemachines/"+m.name+".asl.json" {
			t.Errorf("%s is defined by %v", id, uri)
		}
		name, _ := properties["Name"].(map[string]any)
		if name["Fn::Sub"] != "${AWS::StackName}-"+m.name {
			t.Errorf("%s is named %v", id, name)
		}
		if properties["Type"] != "STANDARD" {
			t.Errorf("%s is no STANDARD machine, and only those have task tokens", id)
		}
		sameSubstitutions(t, m, properties)
	}
	if deployed := declared(template, "AWS::Serverless::StateMachine"); !slices.Equal(slices.Sorted(slices.Values(files)), deployed) {
		t.Errorf("the files make %q, and the template deploys %q", files, deployed)
	}
}

func sameSubstitutions(t *testing.T, m machine, properties map[string]any) {
	t.Helper()
	used := map[string]bool{}
	for _, each := range substitution.FindAllString(m.text, -1) {
		used[each[2:len(each)-1]] = true
	}
	given, _ := properties["DefinitionSubstitutions"].(map[string]any)
	if !slices.Equal(slices.Sorted(maps.Keys(used)), slices.Sorted(maps.Keys(given))) {
		t.Errorf("%s uses the substitutions %q and is given %q", m.name,
			slices.Sorted(maps.Keys(used)), slices.Sorted(maps.Keys(given)))
	}
	for name, value := range given {
		if want := substituted(name); want != "" && refersTo(value) != want {
			t.Errorf("%s: %s is %v", m.name, name, value)
		}
	}
}

// substituted is the resource that a substitution is named after.
func substituted(name string) string {
	for _, suffix := range []string{"FunctionArn", "MachineArn", "RoleArn"} {
		if owner, ok := strings.CutSuffix(name, suffix); ok {
			return owner + strings.TrimSuffix(suffix, "Arn")
		}
	}
	if name == "TableName" {
		return "Table"
	}
	return ""
}

func refersTo(value any) string {
	expression, _ := value.(map[string]any)
	if id, ok := expression["Ref"].(string); ok {
		return id
	}
	if parts, ok := expression["Fn::GetAtt"].([]any); ok && len(parts) == 2 && parts[1] == "Arn" {
		id, _ := parts[0].(string)
		return id
	}
	return ""
}

// runByOther are the kinds of operations that are no machine of their own: others
// start it.
var runByOther = map[contract.OperationKind]string{
	contract.KindReplaceNode: "resize-pool starts replace-node for each node that has to go",
}

func TestEachKindOfOperationHasItsMachine(t *testing.T) {
	all := map[string]machine{}
	for _, m := range machines(t) {
		all[m.name] = m
	}
	started := startedByDispatch(t, template(t))
	for _, kind := range operationKinds {
		if runByOther[kind] != "" {
			continue
		}
		m, ok := all[string(kind)]
		if !ok {
			t.Errorf("there is no machine for operations of kind %s", kind)
			continue
		}
		id := logicalID(m.name, "Machine")
		if !started[id] {
			t.Errorf("dispatch may not start %s", id)
		}
		delete(started, id)
		now := time.Unix(0, 0)
		o := decide.NewOperation("o", kind, contract.Target{}, "", 1, contract.Cause{}, now)
		if limit := time.Duration(m.TimeoutSeconds) * time.Second; limit > o.Deadline.Sub(now) {
			t.Errorf("%s may run for %s, past the operation's deadline of %s", m.name, limit, o.Deadline.Sub(now))
		}
	}
	if len(started) > 0 {
		t.Errorf("dispatch may start %v, which carry out no operation", started)
	}
}

var operationKinds = []contract.OperationKind{
	contract.KindProvision, contract.KindAdopt, contract.KindSurvey, contract.KindDrain, contract.KindUncordon, contract.KindUpgrade, contract.KindRecover,
	contract.KindScale, contract.KindDeploy, contract.KindAutoscale,
	contract.KindRepair, contract.KindReplaceNode, contract.KindRunJob, contract.KindRetire,
}

// startedByDispatch are the machines that dispatch's policy lets it start.
func startedByDispatch(t *testing.T, template *cloudformation.Template) map[string]bool {
	t.Helper()
	started := map[string]bool{}
	for _, s := range statements(template.Resources["DispatchFunction"].Properties["Policies"]) {
		if s["Action"] != "states:StartExecution" {
			continue
		}
		resources, _ := s["Resource"].([]any)
		for _, r := range resources {
			started[refersTo(r)] = true
		}
	}
	return started
}

// statements are those of inline policies.
func statements(policies any) []map[string]any {
	var all []map[string]any
	list, _ := policies.([]any)
	for _, each := range list {
		policy, _ := each.(map[string]any)
		parts, _ := policy["Statement"].([]any)
		for _, part := range parts {
			if s, ok := part.(map[string]any); ok {
				all = append(all, s)
			}
		}
	}
	return all
}
