//go:build testbed

package swarm

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// seenService is what the test looks at of one.
type seenService struct {
	ID      string
	Version struct{ Index int }
	Spec    object
	Status  object `json:"UpdateStatus"`
}

func meshService(image string, replicas int) object {
	return object{
		"Name":         "web",
		"TaskTemplate": object{"ContainerSpec": object{"Image": image}},
		"Mode":         object{"Replicated": object{"Replicas": replicas}},
		"UpdateConfig": object{"Parallelism": 1, "Order": "start-first", "FailureAction": "pause", "Monitor": 2 * time.Second},
		"EndpointSpec": object{"Ports": []object{{"Protocol": "tcp", "TargetPort": 8080, "PublishedPort": 80, "PublishMode": "ingress"}}},
	}
}

// Each node answers for all, and a rollout under load loses no request.
func TestTheMeshAnswersOnEachNodeThroughoutARollout(t *testing.T) {
	t.Parallel()
	engines := EnginesForTest(t, 3)
	formSwarm(t, engines, 1)
	first, next := push(t, "web", "shop/mesh", "1"), push(t, "web", "shop/mesh", "2")
	manager := engines[0]
	err := manager.call(t.Context(), http.MethodPost, "/services/create", meshService(SharedRegistry+"/shop/mesh@"+first.Digest, 2), nil)
	if err != nil {
		t.Fatal(err)
	}
	var urls []string
	for _, e := range engines {
		urls = append(urls, "http://"+e.IP()+"/")
		eventually(t, e.Name()+" to answer for the service", func() error { return wantAnswers("http://"+e.IP()+"/", "shop/mesh:1", 2) })
	}
	load := StartLoad(func() []string { return urls }, 20*time.Millisecond)
	var before seenService
	if err := manager.call(t.Context(), http.MethodGet, "/services/web", nil, &before); err != nil {
		t.Fatal(err)
	}
	path := fmt.Sprintf("/services/%s/update?version=%d", before.ID, before.Version.Index)
	if err := manager.call(t.Context(), http.MethodPost, path, meshService(SharedRegistry+"/shop/mesh@"+next.Digest, 2), nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the rollout", func() error {
		var now seenService
		if err := manager.call(t.Context(), http.MethodGet, "/services/web", nil, &now); err != nil || now.Status["State"] != "completed" {
			return fmt.Errorf("it is %v, %v", now.Status, err)
		}
		return wantAnswers(urls[2], "shop/mesh:2", 2)
	})
	report := load.Stop()
	t.Logf("%d requests, %d failed", report.Sent, report.Failed)
	if report.Failed > 0 || report.Sent == 0 {
		t.Errorf("of %d requests %d failed: %q", report.Sent, report.Failed, report.Failures)
	}
}

// What a host lacks counts when it lacks it for long, and not once it was there.
func TestAMeshIsPatient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, e := &mesh{failures: map[*Engine]failure{}}, &Engine{}
		lacking := errors.New("network docker_gwbridge not found")
		for _, look := range []struct {
			after time.Duration
			err   error
			lasts bool
		}{{0, lacking, false}, {meshPatience, lacking, false}, {time.Second, lacking, true}, {0, nil, false}, {time.Minute, lacking, false}} {
			time.Sleep(look.after)
			if m.count(e, look.err); m.failures[e].lasts() != look.lasts {
				t.Errorf("after %v with %v it is %+v", look.after, look.err, m.failures[e])
			}
		}
	})
}

// wantAnswers asks until a second has no other answers than those of an image, and of
// so many tasks.
func wantAnswers(url, image string, tasks int) error {
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	var answers []string
	for range 4 * tasks {
		response, err := client.Get(url)
		if err != nil {
			return err
		}
		answer, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			return err
		}
		if !slices.Contains(answers, string(answer)) {
			answers = append(answers, string(answer))
		}
		var from, host string
		if _, err := fmt.Sscanf(string(answer), "%s on %s", &from, &host); err != nil || from != image {
			return fmt.Errorf("the answer is %q", answer)
		}
	}
	if len(answers) != tasks {
		return fmt.Errorf("the answers are %q", answers)
	}
	return nil
}
