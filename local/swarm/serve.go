package swarm

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"portolan/local/swarm/cluster"
)

// The versions of the Engine API that the engines speak.
const (
	apiVersion    = "1.41"
	apiVersionMin = "1.12"
	jsonErrors    = "1.23" // the first that answers errors in JSON
)

// A call is one request of the Engine API.
type call struct {
	*http.Request
	engine *engine
	path   []string // behind the version
	body   []byte
	w      http.ResponseWriter

	// plain answers errors in plain text, as was done before there was any JSON for them.
	plain bool
}

// An answer is what a call is answered with: a value in JSON, or nothing.
type answer struct {
	code  int
	value any
}

func ok(value any) (answer, error) { return answer{http.StatusOK, value}, nil }

// done answers a call that has nothing to say.
func done(err error) (answer, error) { return answer{http.StatusOK, nil}, err }

// ServeHTTP answers one request.
func (n *engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Api-Version", apiVersion)
	w.Header().Set("Docker-Experimental", "false")
	w.Header().Set("Ostype", "linux")
	w.Header().Set("Server", "Docker/"+n.Version+" (linux)")
	c := &call{Request: r, engine: n, w: w}
	if err := c.read(); err != nil {
		if c.plain {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		writeError(w, err)
		return
	}
	route := c.route()
	if route == nil {
		writeError(w, c.unknown())
		return
	}
	route(c)
}

// read takes the version from the path, and reads the body.
func (c *call) read() error {
	path := strings.Trim(c.URL.Path, "/")
	first, rest, _ := strings.Cut(path, "/")
	if version, is := strings.CutPrefix(first, "v"); is && isVersion(version) {
		c.plain = newer(jsonErrors, version)
		switch {
		case newer(version, apiVersion):
			return invalid("client version %s is too new. Maximum supported API version is %s", version, apiVersion)
		case newer(apiVersionMin, version):
			return invalid("client version %s is too old. Minimum supported API version is %s, please upgrade your client to "+
				"a newer version", version, apiVersionMin)
		}
		path = rest
	}
	c.path = strings.Split(path, "/")
	if c.Body == nil {
		return nil
	}
	raw, err := io.ReadAll(io.LimitReader(c.Body, bodyMax+1))
	if err == nil && len(raw) > bodyMax {
		err = errors.New("http: request body too large")
	}
	c.body = raw
	if err != nil {
		return invalid("%s", err)
	}
	return nil
}

func isVersion(s string) bool {
	major, minor, ok := strings.Cut(s, ".")
	return ok && digits(major) && digits(minor)
}

func digits(s string) bool {
	return s != "" && len(s) < 6 && strings.Trim(s, "0123456789") == ""
}

// newer compares versions of the API, such as 1.41.
func newer(a, b string) bool {
	majorA, minorA, _ := strings.Cut(a, ".")
	majorB, minorB, _ := strings.Cut(b, ".")
	x, y := number(majorA), number(majorB)
	return x > y || x == y && number(minorA) > number(minorB)
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}

// decode reads the body into v.
func (c *call) decode(v any) error {
	if len(c.body) == 0 {
		return invalid("got EOF while reading request body")
	}
	if err := json.Unmarshal(c.body, v); err != nil {
		return invalid("%s", err)
	}
	return nil
}

// version is the version of the object that a call means to change.
func (c *call) version(kind string) (uint64, error) {
	raw := c.URL.Query().Get("version")
	v, err := strconv.ParseUint(raw, 10, 64)
	if err != nil {
		return 0, invalid("invalid %s version '%s': %v", kind, raw, err)
	}
	return v, nil
}

// flag is a parameter that is true or false, as Docker reads those that never fail.
func (c *call) flag(name string) bool {
	switch strings.ToLower(strings.TrimSpace(c.URL.Query().Get(name))) {
	case "", "0", "no", "false", "none":
		return false
	}
	return true
}

// filters reads the filters of a list: {"name": ["web"]} or {"name": {"web": true}}.
func (c *call) filters() (cluster.Filters, error) { return parseFilters(c.URL.Query().Get("filters")) }

func parseFilters(raw string) (cluster.Filters, error) {
	out := cluster.Filters{}
	if raw == "" {
		return out, nil
	}
	var sets map[string]map[string]bool
	if err := json.Unmarshal([]byte(raw), &sets); err == nil {
		for name, values := range sets {
			out[name] = append(out[name], sortedKeys(values)...)
		}
		return out, nil
	}
	lists := map[string][]string{}
	if err := json.Unmarshal([]byte(raw), &lists); err != nil {
		return nil, invalid("invalid filter: %s", err)
	}
	return lists, nil
}

// unknown is the error for a call that is not simulated, or that Docker has not either.
func (c *call) unknown() error {
	known := map[string]bool{"auth": true, "build": true, "commit": true, "containers": true, "distribution": true, "exec": true,
		"images": true, "plugins": true, "session": true, "system": true, "volumes": true}
	if known[c.path[0]] {
		return cluster.Errorf(http.StatusNotImplemented, "%s /%s is not simulated", c.Method, strings.Join(c.path, "/"))
	}
	return cluster.Errorf(http.StatusNotFound, "page not found")
}

// reply writes an answer that was encoded while nothing could change.
func (c *call) reply(code int, raw []byte) {
	if raw != nil {
		c.w.Header().Set("Content-Type", "application/json")
	}
	c.w.WriteHeader(code)
	_, _ = c.w.Write(raw)
}

func encode(v any) []byte {
	if v == nil {
		return nil
	}
	raw, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("encoding a %T: %v", v, err)) // all of its types are Docker's
	}
	return append(raw, '\n')
}

func writeError(w http.ResponseWriter, err error) {
	code := http.StatusInternalServerError
	var known *cluster.Error
	if errors.As(err, &known) {
		code = known.Status
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(encode(map[string]string{"message": err.Error()}))
}
