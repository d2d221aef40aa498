package kubernetes_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"portolan/shared/orchestrator"
)

// newMax is what the first release of a service may cost, beside watches: a write for
// each of five objects, and the look that a rollout begins with. A further release takes
// a look, a write, and that look.
const (
	newMax     = 6
	rolloutMax = 3
)

func TestARolloutCostsFewRequests(t *testing.T) {
	onPier(t, func(p *pier) {
		release := p.release(1, "web", 3)
		release.New = true
		seen := p.rollOut(release)
		if seen.Rollout.State != orchestrator.RolledOut || seen.Running != 3 {
			p.Fatalf("got %+v", seen)
		}
		asked := slices.Clone(p.asked)
		if requests, writes, watches := p.counted(); requests > newMax || writes != 5 || watches != 2 {
			p.Errorf("a new service took %d requests, %d of them writes, and %d watches: %q", requests, writes, watches, asked)
		}
		for number, image := range []string{2: "shop", 3: "crash", 4: "shop"} {
			if image == "" {
				continue
			}
			next := p.release(int64(number), image, 3)
			seen := p.rollOut(next)
			asked := slices.Clone(p.asked)
			if requests, writes, watches := p.counted(); requests > rolloutMax || writes != 1 || watches != 2 {
				p.Errorf("release %d took %d requests, %d of them writes, and %d watches: %q", number, requests, writes, watches, asked)
			}
			if failed := image == "crash"; (seen.Rollout.State == orchestrator.Failed) != failed {
				p.Errorf("release %d: %+v", number, seen)
			}
		}
	})
}

// However long a rollout is listened to, it costs no more requests.
func TestASlowRolloutIsNotPolled(t *testing.T) {
	onPier(t, func(p *pier) {
		p.rollOut(p.release(1, "web", 1))
		for n := range 3 {
			p.ask(http.MethodPatch, fmt.Sprintf("/api/v1/nodes/node-%d", n), `{"spec":{"unschedulable":true}}`)
		}
		p.counted()
		next := p.release(2, "shop", 1)
		next.Spec.Rollout.DeadlineSeconds = 3600
		p.must(p.driver.Apply(p.Context(), next))
		began := time.Now()
		seen, err := p.driver.Watch(p.Context(), next.Service, began.Add(4*time.Minute))
		p.must(err)
		if seen.Rollout.State != orchestrator.InProgress || seen.Rollout.Reason != "no capacity: every node is cordoned" {
			p.Errorf("got %+v", seen)
		}
		if requests, _, watches := p.counted(); requests > rolloutMax || watches != 2 || time.Since(began) < 4*time.Minute {
			p.Errorf("it took %d requests and %d watches", requests, watches)
		}
	})
}

func TestWhatChangesNothingMakesNoWrite(t *testing.T) {
	onPier(t, func(p *pier) {
		release := p.release(1, "web", 2)
		p.rollOut(release)
		p.counted()
		for range 3 {
			release.Operation += "-again"
			p.must(p.driver.Apply(p.Context(), release))
			p.must(p.driver.Scale(p.Context(), release.Service, 2))
			if requests, writes, _ := p.counted(); writes > 0 || requests > 7 {
				p.Errorf("it took %d requests, %d of them writes", requests, writes)
			}
		}
	})
}

func TestManyServicesAreSeenInFewLists(t *testing.T) {
	onPier(t, func(p *pier) {
		const many = 200
		var names []string
		for n := range many {
			release := p.release(1, "web", 0)
			release.Service.Name = fmt.Sprintf("web-%03d", n)
			p.must(p.driver.Apply(p.Context(), release))
			names = append(names, release.Service.Name)
		}
		p.counted()
		seen, err := p.driver.Glance(p.Context(), p.ref, names)
		p.must(err)
		if requests, _, _ := p.counted(); requests > 2 || len(seen) != many {
			p.Errorf("%d services were seen by %d requests", len(seen), requests)
		}
		if seen, err = p.driver.Glance(p.Context(), p.ref, names[:1]); err != nil || len(seen) != 1 || seen[names[0]].Rollout.Release != 1 {
			p.Errorf("one of them is %+v, %v", seen, err)
		}
	})
}
