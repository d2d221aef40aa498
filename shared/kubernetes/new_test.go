package kubernetes_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"portolan/shared/contract"
	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// pieces are what a service behind a load balancer is, in the order in which it is made.
var pieces = []string{
	"/api/v1/namespaces/default/serviceaccounts", "/api/v1/namespaces/default/services",
	"/apis/networking.k8s.io/v1/namespaces/default/ingresses", "/apis/policy/v1/namespaces/default/poddisruptionbudgets",
	"/apis/apps/v1/namespaces/default/deployments",
}

// there are the paths of what has the name web.
func (p *pier) there() (found []string) {
	p.Helper()
	for _, path := range append(slices.Clone(pieces), "/apis/apps/v1/namespaces/default/daemonsets") {
		for _, item := range p.ask(http.MethodGet, path, "")["items"].([]any) {
			if item.(map[string]any)["metadata"].(map[string]any)["name"] == "web" {
				found = append(found, path)
			}
		}
	}
	return found
}

// retire removes the service web.
func (p *pier) retire() {
	p.Helper()
	ref := orchestrator.ServiceRef{Cluster: p.ref, Name: "web"}
	for range 60 {
		left, err := p.driver.Remove(p.Context(), ref)
		p.must(err)
		if len(left) == 0 {
			return
		}
		time.Sleep(10 * time.Second)
	}
	p.Fatal("it is never removed")
}

// theirs makes what has the name web of a kind, as somebody else does.
func (p *pier) theirs(path string) {
	p.Helper()
	template := `"selector":{"matchLabels":{"app":"old"}},"template":{"metadata":{"labels":{"app":"old"}},` +
		`"spec":{"containers":[{"name":"old","image":"old:1"}]}}`
	bodies := map[string]string{
		"serviceaccounts":      ``,
		"services":             `,"spec":{"selector":{"app":"old"},"ports":[{"name":"admin","port":9}]}`,
		"ingresses":            `,"spec":{"defaultBackend":{"service":{"name":"old","port":{"number":80}}}}`,
		"poddisruptionbudgets": `,"spec":{"maxUnavailable":2,"selector":{"matchLabels":{"app":"old"}}}`,
		"deployments":          `,"spec":{` + template + `}`,
		"daemonsets":           `,"spec":{` + template + `}`,
	}
	p.ask(http.MethodPost, path+"?fieldManager=kubectl-create", `{"metadata":{"name":"web"}`+bodies[path[strings.LastIndex(path, "/")+1:]]+`}`)
}

// Whatever somebody else has of a new service's names stays theirs: it has no mark that
// we made it, and is there when the service has gone.
func TestWhatSomebodyElseHasOfANewServiceStays(t *testing.T) {
	for _, path := range pieces[:4] {
		t.Run(path[strings.LastIndex(path, "/")+1:], func(t *testing.T) {
			onPier(t, func(p *pier) {
				p.theirs(path)
				release := p.release(1, "web", 1)
				release.New, release.Spec.Kubernetes.ForceConflicts = true, true
				if seen := p.rollOut(release); seen.Rollout.State != orchestrator.RolledOut {
					p.Fatalf("got %+v", seen)
				}
				for _, piece := range pieces[:4] {
					marked := strings.Contains(fmt.Sprint(p.ask(http.MethodGet, piece+"/web", "")["metadata"]), "portolan.dev/made")
					if marked == (piece == path) {
						p.Errorf("%s has a mark: %v", piece, marked)
					}
				}
				p.retire()
				if left := p.there(); !slices.Equal(left, []string{path}) {
					p.Errorf("left are %q", left)
				}
			})
		})
	}
}

// A conflict about what somebody else has is told, and not forced.
func TestAConflictOfANewServiceIsTold(t *testing.T) {
	onPier(t, func(p *pier) {
		p.theirs(pieces[3])
		release := p.release(1, "web", 1)
		release.New = true
		if err := p.driver.Apply(p.Context(), release); !fault.IsConflict(err) || !contains(err.Error(), "kubectl-create", "spec.selector") {
			p.Errorf("got %v", err)
		}
		p.retire()
		if left := p.there(); !slices.Equal(left, pieces[3:4]) {
			p.Errorf("left are %q", left)
		}
	})
}

// A Deployment of the name is looked at before it is changed, though companions are made
// before.
func TestADeploymentThatIsThereIsNotTakenForNew(t *testing.T) {
	onPier(t, func(p *pier) {
		p.theirs(pieces[4])
		release := p.release(1, "web", 1)
		release.New, release.Spec.Kubernetes.ForceConflicts = true, true
		if err := p.driver.Apply(p.Context(), release); !fault.IsConflict(err) || !contains(err.Error(), "none of its containers", "webapp") {
			p.Errorf("with another container: %v", err)
		}
		if text := fmt.Sprint(p.ask(http.MethodGet, pieces[4]+"/web", "")); strings.Contains(text, "portolan") || strings.Contains(text, "webapp") {
			p.Errorf("it was changed: %s", text)
		}
		release.Spec.Container = "old"
		if seen := p.rollOut(release); seen.Rollout.State != orchestrator.RolledOut {
			p.Fatalf("taken over: %+v", seen)
		}
		p.retire()
		if left := p.there(); !slices.Equal(left, pieces[4:]) {
			p.Errorf("left are %q", left)
		}
	})
}

// An attempt that died half way, before or after a request had its effect, leaves to the
// next one to find out what is its own.
func TestANewServiceIsMadeByWhoComesAfter(t *testing.T) {
	for n := range 5 {
		for _, effect := range []bool{false, true} {
			t.Run(fmt.Sprintf("write %d, effect %v", n+1, effect), func(t *testing.T) {
				onPier(t, func(p *pier) {
					writes := 0
					p.lose = func(r *http.Request) (bool, bool) {
						if r.Method == http.MethodGet {
							return false, true
						}
						writes++
						return writes == n+1, writes != n+1 || effect
					}
					release := p.release(1, "web", 1)
					release.New = true
					if err := p.driver.Apply(p.Context(), release); !fault.IsUnavailable(err) {
						p.Fatalf("got %v", err)
					}
					if seen := p.rollOut(release); seen.Rollout.State != orchestrator.RolledOut || seen.Foreign != "" {
						p.Fatalf("got %+v", seen)
					}
					p.retire()
					if left := p.there(); len(left) > 0 {
						p.Errorf("left are %q", left)
					}
				})
			})
		}
	}
}

// What has a service's name and is of the other kind is no business of the service.
func TestAWorkloadOfTheOtherKindIsLeftAlone(t *testing.T) {
	daemonSets := "/apis/apps/v1/namespaces/default/daemonsets"
	for path, mode := range map[string]contract.ServiceSpecMode{daemonSets: contract.Replicated, pieces[4]: contract.Global} {
		for _, isNew := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, new %v", mode, isNew), func(t *testing.T) {
				onPier(t, func(p *pier) {
					p.theirs(path)
					release := p.release(1, "web", 1)
					release.New, release.Spec.Mode = isNew, mode
					if seen := p.rollOut(release); seen.Rollout.State != orchestrator.RolledOut {
						p.Fatalf("got %+v", seen)
					}
					p.retire()
					if left := p.there(); !slices.Equal(left, []string{path}) {
						p.Errorf("left are %q", left)
					}
				})
			})
		}
	}
}
