package simulate

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"portolan/shared/connector"
)

func inSwarms(p *Profile) { p.Swarm = true }

// engineCall is what a connector is asked to send to an engine; nil for other calls.
func engineCall(body []byte) *connector.Request {
	var request connector.Request
	if json.Unmarshal(body, &request) != nil || request.URL == "" {
		return nil
	}
	return &request
}

// unasked ends a node's instance as soon as it is cordoned: nobody drains it, demotes it or
// lets it leave.
func unasked(states map[string]any) {
	states["CordonNode"].(map[string]any)["Next"] = "TerminateInstance"
	for _, skipped := range []string{"DrainNode", "WaitForDrain", "ObserveDrain", "IsDrained", "LeaveCluster"} {
		delete(states, skipped)
	}
}

// allAtOnce takes the nodes of a pool out at the same time.
func allAtOnce(states map[string]any) {
	states["RemoveNodes"].(map[string]any)["MaxConcurrency"] = 0
}

// upgradeNothing takes an upgrade for done where a new manager is to come first.
func upgradeNothing(states map[string]any) {
	for _, choice := range states["WhatToDo"].(map[string]any)["Choices"].([]any) {
		if c := choice.(map[string]any); c["Next"] == "SetDesiredCapacity" {
			c["Next"] = "Succeeded"
		}
	}
	delete(states, "SetDesiredCapacity")
}

// everyOneMakesASwarm lets engines make a swarm that should join one.
func everyOneMakesASwarm(_ string, send Send) Send {
	return edited(send, func(_ *http.Request, body []byte) []byte {
		request := engineCall(body)
		if request == nil || !strings.HasSuffix(request.URL, "/swarm/join") {
			return body
		}
		request.URL = strings.TrimSuffix(request.URL, "join") + "init"
		request.Body = []byte(`{"ListenAddr":"0.0.0.0:2377","Spec":{"Name":"default"}}`)
		text, _ := json.Marshal(request)
		return text
	})
}

// allReachable says of every node that it is up, and of every manager that the others
// reach it.
func allReachable(_ string, send Send) Send {
	plain := edited(send, func(_ *http.Request, body []byte) []byte {
		request := engineCall(body)
		if request == nil || !strings.HasSuffix(request.URL, "/nodes") {
			return body
		}
		request.Header.Del("Accept-Encoding")
		text, _ := json.Marshal(request)
		return text
	})
	return func(r *http.Request) (*http.Response, error) {
		answer, err := plain(r)
		if err != nil || !strings.Contains(r.URL.Path, "/invocations") {
			return answer, err
		}
		text, err := io.ReadAll(answer.Body)
		var told connector.Response
		if err == nil && json.Unmarshal(text, &told) == nil && told.Status == http.StatusOK {
			for was, is := range map[string]string{`"State":"down"`: `"State":"ready"`, `"Reachability":"unreachable"`: `"Reachability":"reachable"`} {
				told.Body = bytes.ReplaceAll(told.Body, []byte(was), []byte(is))
			}
			text, _ = json.Marshal(told)
		}
		answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
		answer.Header.Del("Content-Length")
		return answer, err
	}
}
