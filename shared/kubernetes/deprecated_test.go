package kubernetes

import (
	"slices"
	"strings"
	"testing"
)

// metricsText is what an API server counts, shortened.
const metricsText = `# HELP apiserver_requested_deprecated_apis [STABLE] Gauge of deprecated APIs that have been requested, broken out by API group
# TYPE apiserver_requested_deprecated_apis gauge
apiserver_requested_deprecated_apis{group="",removed_release="",resource="componentstatuses",subresource="",version="v1"} 1
apiserver_requested_deprecated_apis{group="flowcontrol.apiserver.k8s.io",removed_release="1.32",resource="flowschemas",subresource="",version="v1beta3"} 1
apiserver_requested_deprecated_apis{group="flowcontrol.apiserver.k8s.io",removed_release="1.32",resource="flowschemas",subresource="status",version="v1beta3"} 1
apiserver_requested_deprecated_apis{group="policy",removed_release="1.25",resource="podsecuritypolicies",subresource="",version="v1beta1"} 0
apiserver_requested_deprecated_apis{group="storage.k8s.io",removed_release="1.40",resource="volumeattributesclasses",subresource="",version="v1beta1"} 1
apiserver_request_total{code="200",resource="pods",verb="LIST"} 12
`

func TestAPIsInUseThatAVersionHasNoMore(t *testing.T) {
	flow := "somebody still asks for flowschemas of flowcontrol.apiserver.k8s.io/v1beta3, which 1.32 has no more"
	volume := "somebody still asks for volumeattributesclasses of storage.k8s.io/v1beta1, which 1.40 has no more"
	for to, want := range map[int][]string{31: nil, 32: {flow}, 39: {flow}, 40: {flow, volume}} {
		got, err := removedIn(strings.NewReader(metricsText), to)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("to 1.%d: %q, %v", to, got, err)
		}
	}
	if _, err := removedIn(strings.NewReader(strings.Repeat("x", 2*metricsLine)), 40); err == nil {
		t.Error("a line without an end is read")
	}
}

// FuzzMetrics wants no more of any text than lines that say something.
func FuzzMetrics(f *testing.F) {
	f.Add(metricsText, 32)
	f.Add("apiserver_requested_deprecated_apis{", 1)
	f.Fuzz(func(t *testing.T, text string, to int) {
		got, _ := removedIn(strings.NewReader(text), to)
		if len(got) > strings.Count(text, "apiserver_requested_deprecated_apis{") {
			t.Errorf("got %q", got)
		}
	})
}
