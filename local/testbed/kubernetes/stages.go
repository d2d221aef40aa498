package kubernetes

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
	"text/template"
	"time"
)

// What kwok does with nodes and volumes needs no table.
//
//go:embed stages.yaml
var fixedStages []byte

// podStatus is the status that a stage gives a pod: a template of kwok's within a
// template of ours, whose delimiters are << and >>.
//
//go:embed podstatus.tmpl
var podStatusText string

var podStatusTemplate = template.Must(template.New("podstatus").Delims("<<", ">>").Parse(podStatusText))

// A stage is one step in the life of the pods that it selects. Kwok chooses at random
// where two stages select the same pod, so that no two of them may.
type stage struct {
	name    string
	image   string // what is true of the image's name, in jq
	when    []object
	delay   time.Duration
	delayBy string // the annotation with another delay
	event   object
	status  podStatus
}

// A podStatus is what becomes of a pod and of all its containers.
type podStatus struct {
	Phase    string
	Ready    bool
	State    string // of each container, as YAML in one line
	Restarts string // how often each was restarted
	Last     string // the state before the restart
}

// The states of containers.
const (
	stateRunning   = `{running: {startedAt: {{ $now | Quote }}}}`
	stateSucceeded = `{terminated: {exitCode: 0, reason: Completed, startedAt: {{ $now | Quote }}, finishedAt: {{ $now | Quote }}}}`
	stateFailed    = `{terminated: {exitCode: 1, reason: Error, startedAt: {{ $now | Quote }}, finishedAt: {{ $now | Quote }}}}`
	statePulling   = `{waiting: {reason: ImagePullBackOff, message: "Back-off pulling image: not found"}}`
	stateCrashing  = `{waiting: {reason: CrashLoopBackOff, message: "back-off restarting failed container"}}`
)

// How far a pod has come, as kwok's selectors say it.
var (
	isNew     = object{"key": ".status.podIP", "operator": "DoesNotExist"}
	isRunning = object{"key": ".status.phase", "operator": "In", "values": []string{"Running"}}
	isReady   = object{"key": `.status.conditions[] | select(.type == "Ready") | .status`, "operator": "In", "values": []string{"True"}}
	isOfJob   = object{"key": ".metadata.ownerReferences[].kind", "operator": "In", "values": []string{"Job"}}
)

// stages are the lives of pods, in the order in which doc.go tells them.
var stages = []stage{
	{
		name: "pull", image: `test("fail-pull")`, when: []object{isNew},
		event:  warning("Failed", "Failed to pull image: not found"),
		status: podStatus{Phase: "Pending", State: statePulling},
	},
	{
		name: "crash", image: `test("fail-crash")`, when: []object{isNew},
		event:  warning("BackOff", "Back-off restarting failed container"),
		status: podStatus{Phase: "Running", State: stateCrashing, Restarts: "1", Last: stateFailed},
	},
	{
		name: "crash-again", image: `test("fail-crash")`, when: []object{isRunning}, delay: 5 * time.Second,
		status: podStatus{Phase: "Running", State: stateCrashing, Last: stateFailed,
			Restarts: "{{ add 1 (index $root.status.containerStatuses $i).restartCount }}"},
	},
	{
		name: "unready", image: `test("fail-ready")`, when: []object{isNew},
		event:  warning("Unhealthy", "Readiness probe failed"),
		status: podStatus{Phase: "Running", State: stateRunning},
	},
	{
		name: "later", image: `test("fail-later")`, when: []object{isRunning, isReady}, delay: 5 * time.Second,
		event:  warning("Unhealthy", "Readiness probe failed"),
		status: podStatus{Phase: "Running", State: stateRunning},
	},
	{
		name: "exit", image: `test("fail-exit")`, when: []object{isNew}, delayBy: "testbed/run-time",
		status: podStatus{Phase: "Failed", State: stateFailed},
	},
	{
		name: "ready", image: `test("fail-(pull|crash|ready|exit)") | not`, when: []object{isNew},
		delayBy: "testbed/ready-delay",
		status:  podStatus{Phase: "Running", Ready: true, State: stateRunning},
	},
	{
		name: "complete", image: `test("fail-") | not`, when: []object{isRunning, isOfJob}, delayBy: "testbed/run-time",
		status: podStatus{Phase: "Succeeded", State: stateSucceeded},
	},
}

func warning(reason, message string) object {
	return object{"type": "Warning", "reason": reason, "message": message}
}

// stagesFile returns the configuration of kwok. Pods log what is in podLog, which has
// to be in the format of a container runtime's logs.
func stagesFile(podLog string) ([]byte, error) {
	out := bytes.NewBuffer(bytes.Clone(fixedStages))
	documents := []object{{
		"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "ClusterLogs", "metadata": object{"name": "pods"},
		"spec": object{"logs": []object{{"logsFile": podLog, "follow": true}}},
	}}
	for _, s := range stages {
		document, err := s.document()
		if err != nil {
			return nil, err
		}
		documents = append(documents, document)
	}
	for _, document := range documents {
		content, err := json.Marshal(document)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(out, "---\n%s\n", content)
	}
	return out.Bytes(), nil
}

// document returns the stage as kwok reads it.
func (s stage) document() (object, error) {
	var status strings.Builder
	if err := podStatusTemplate.Execute(&status, s.status); err != nil {
		return nil, fmt.Errorf("writing the stage %s: %w", s.name, err)
	}
	selected := []object{
		{"key": ".metadata.deletionTimestamp", "operator": "DoesNotExist"},
		{"key": fmt.Sprintf(".spec.containers[0].image | select(%s)", s.image), "operator": "Exists"},
	}
	delay := object{"durationMilliseconds": s.delay.Milliseconds()}
	if s.delayBy != "" {
		delay["durationFrom"] = object{"expressionFrom": fmt.Sprintf(".metadata.annotations[%q]", s.delayBy)}
	}
	next := object{"statusTemplate": status.String()}
	if s.event != nil {
		next["event"] = s.event
	}
	return object{
		"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "Stage", "metadata": object{"name": "pod-" + s.name},
		"spec": object{
			"resourceRef": object{"apiGroup": "v1", "kind": "Pod"},
			"selector":    object{"matchExpressions": append(selected, s.when...)},
			"delay":       delay,
			"next":        next,
		},
	}, nil
}
