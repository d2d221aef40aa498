package swarm

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"portolan/shared/fault"
)

// The versions of the Engine API that are spoken. The moby client writes apiVersion into
// its requests; an engine that may not know it any more is asked in newerVersion. What is
// used of the API means the same in both.
const (
	apiVersion   = "1.41" // Docker 20.10, the first with jobs and with counts of tasks
	newerVersion = "1.44" // Docker 25.0, and the oldest that Docker 29 takes
)

// version returns the API's version in which an engine is asked. It makes one request for
// each engine every ten minutes. It is Invalid for an engine that is too old.
func (w *way) version(ctx context.Context, transport http.RoundTripper, host, address string) (string, error) {
	now := w.driver.config.Now()
	if known := w.driver.config.Connections.version(w.key(address), now); known != "" {
		return known, nil
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, schemeOf(address)+"://"+host+"/_ping", nil)
	if err != nil {
		return "", fault.New(fault.Invalid, "%q is no address of an engine", address)
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return "", err
	}
	response.Request = request
	if err := whole(response); err != nil {
		return "", err
	}
	version, err := versionFor(address, response)
	if err == nil {
		w.driver.config.Connections.keepVersion(w.key(address), version, now)
	}
	return version, err
}

func versionFor(address string, response *http.Response) (string, error) {
	told := response.Header.Get("Api-Version")
	switch {
	case response.StatusCode >= http.StatusInternalServerError || response.StatusCode == http.StatusTooManyRequests:
		return "", fault.New(fault.Unavailable, "the engine at %s answers %s", address, response.Status)
	case told == "":
		return "", fault.New(fault.Invalid, "what answers at %s is no Docker engine", address)
	case before(told, apiVersion):
		return "", fault.New(fault.Invalid, "the engine at %s is too old: it speaks version %s of the Engine API, and Portolan "+
			"needs %s, which is Docker 20.10", address, told, apiVersion)
	case before(told, newerVersion):
		return apiVersion, nil
	}
	return newerVersion, nil
}

// before compares versions such as 1.41. What is no version is before all.
func before(a, b string) bool {
	majorA, minorA := numbers(a)
	majorB, minorB := numbers(b)
	return majorA < majorB || majorA == majorB && minorA < minorB
}

func numbers(version string) (major, minor int) {
	first, second, found := strings.Cut(version, ".")
	major, err := strconv.Atoi(first)
	if err != nil || !found {
		return 0, 0
	}
	if minor, err = strconv.Atoi(second); err != nil {
		return 0, 0
	}
	return major, minor
}
