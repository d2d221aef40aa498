package swarm

import (
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// credentialsKept is how long certificates are used before they are read again: they are
// changed in Secrets Manager without anybody telling. Those that an engine refuses are
// read again at once.
const credentialsKept = 5 * time.Minute

// versionKept is how long an engine is taken to be of the version that it told. One that
// is replaced under the same address tells anew when it refuses a request as too new.
const versionKept = 10 * time.Minute

// silenceKept is how long an engine that did not answer is asked after the others: one that
// has just gone takes a request's whole time before anybody else is asked.
const silenceKept = time.Minute

// Connections are the certificates that were read from Secrets Manager, the transports
// made of them, and what is known of engines, all kept for the drivers to come. The zero
// value is ready, and safe for concurrent use.
type Connections struct {
	mu         sync.Mutex
	secrets    map[string]kept[credentials]
	transports map[string]http.RoundTripper
	versions   map[string]kept[string]

	// reading reads a secret once for all who ask for it meanwhile.
	reading singleflight.Group

	// answered is the manager of a cluster that answered last, and silent are the engines
	// that did not answer.
	answered map[string]string
	silent   map[string]kept[bool]
}

// kept is something that is known for a while.
type kept[T any] struct {
	value T
	until time.Time
}

// connectionsKept bounds each of them; one function works on few clusters.
const connectionsKept = 256

// remember keeps a value, and starts anew where there are too many.
func remember[T any](all *map[string]T, key string, value T) {
	if *all == nil || len(*all) >= connectionsKept {
		*all = map[string]T{}
	}
	(*all)[key] = value
}

func (c *Connections) credentials(arn string, now time.Time) (credentials, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.secrets[arn]
	return found.value, ok && now.Before(found.until)
}

func (c *Connections) keepCredentials(arn string, value credentials, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	remember(&c.secrets, arn, kept[credentials]{value, now.Add(credentialsKept)})
}

func (c *Connections) forgetCredentials(arn string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.secrets, arn)
}

// transport returns the transport of a key, which is made once.
func (c *Connections) transport(key string, make func() http.RoundTripper) http.RoundTripper {
	c.mu.Lock()
	defer c.mu.Unlock()
	if found, ok := c.transports[key]; ok {
		return found
	}
	made := make()
	remember(&c.transports, key, made)
	return made
}

func (c *Connections) version(key string, now time.Time) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if found, ok := c.versions[key]; ok && now.Before(found.until) {
		return found.value
	}
	return ""
}

func (c *Connections) keepVersion(key, version string, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	remember(&c.versions, key, kept[string]{version, now.Add(versionKept)})
}

func (c *Connections) forgetVersion(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.versions, key)
}

func (c *Connections) lastAnswered(cluster string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.answered[cluster]
}

func (c *Connections) keepAnswered(cluster, address string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	remember(&c.answered, cluster, address)
}

func (c *Connections) isSilent(key string, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.silent[key]
	return ok && now.Before(found.until)
}

func (c *Connections) keepSilent(key string, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	remember(&c.silent, key, kept[bool]{true, now.Add(silenceKept)})
}

func (c *Connections) forgetSilent(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.silent, key)
}
