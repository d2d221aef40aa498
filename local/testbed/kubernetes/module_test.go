package kubernetes

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestModuleOfTheComponents(t *testing.T) {
	var kubernetes goMod
	if err := json.Unmarshal([]byte(`{
		"Go": "1.26.0",
		"Require": [
			{"Path": "go.etcd.io/etcd/api/v3", "Version": "v3.1.0"},
			{"Path": "go.etcd.io/etcd/server/v3", "Version": "v3.2.0"}
		],
		"Replace": [
			{"Old": {"Path": "k8s.io/api"}, "New": {"Path": "./staging/src/k8s.io/api"}},
			{"Old": {"Path": "example.com/broken"}, "New": {"Path": "example.com/mended"}}
		]
	}`), &kubernetes); err != nil {
		t.Fatal(err)
	}
	content, err := kubernetes.forComponents()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"go 1.26.0",
		"require k8s.io/kubernetes " + kubernetesVersion,
		"require sigs.k8s.io/kwok " + kwokVersion,
		"require go.etcd.io/etcd/server/v3 v3.2.0",
		"replace k8s.io/api => k8s.io/api v0." + strings.TrimPrefix(kubernetesVersion, "v1."),
	} {
		if !strings.Contains(string(content), line+"\n") {
			t.Errorf("no line %q in\n%s", line, content)
		}
	}
	if strings.Contains(string(content), "example.com") {
		t.Errorf("what is not of the staging folder is replaced:\n%s", content)
	}
}

func TestModuleNeedsEtcd(t *testing.T) {
	if content, err := (goMod{Go: "1.26.0"}).forComponents(); err == nil {
		t.Errorf("without etcd the module is\n%s", content)
	}
}
