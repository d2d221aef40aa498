package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"portolan/shared/contract"
)

func TestAdoptedClusters(t *testing.T) {
	m := open(t)
	const adopt = "cluster adopt demo --team shop --credentials arn:aws:secretsmanager:eu-central-1:123456789012:secret:portolan/shop/demo-AbCdEf"
	var o contract.Operation
	if err := json.Unmarshal([]byte(m.does(strings.Fields(adopt+" -o json")...)), &o); err != nil {
		t.Fatal(err)
	}
	m.end(o.Id, contract.OperationSucceeded, "", nil)
	for _, each := range []struct{ line, want string }{
		{"cluster get demo", `demo\s+shop\s+kubernetes\s+Ready`},
		{"cluster workloads demo", `NAMESPACE\s+KIND\s+NAME\s+READY`},
		{"cluster survey demo", `survey\s+demo`},
		{"cluster set demo --verbs drain --verbs deploy", `demo\s+shop`},
		{"node drain demo ip-10-0-1-17.ec2.internal", `drain\s+demo`},
		{"node uncordon demo ip-10-0-1-17.ec2.internal", `uncordon\s+demo`},
	} {
		if out := m.does(strings.Fields(each.line)...); !regexp.MustCompile(each.want).MatchString(out) {
			t.Errorf("%s says\n%sand nothing like %s", each.line, out, each.want)
		}
	}
	if _, err, code := m.run("service", "put", "demo", "web", "--image", "web:1"); code == 0 || !strings.Contains(err, "memory") {
		t.Errorf("exit code %d: %s", code, err)
	}
}
