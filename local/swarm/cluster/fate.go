package cluster

import "strings"

// How an image's containers can fare.
const (
	failPull  = "fail-pull"
	failExit  = "fail-exit"
	failCrash = "fail-crash"
	failReady = "fail-ready"
	failLater = "fail-later"
)

// fates are the words in an image that choose how its containers fare, the first that
// is found.
var fates = []struct{ word, fate string }{
	{"fail-pull", failPull}, {"pull-fail", failPull}, {"fail-exit", failExit}, {"crash", failCrash},
	{"fail-ready", failReady}, {"unhealthy", failReady}, {"fail-later", failLater},
}

// imageChecked is in the name of an image that has a health check of its own. Those that
// get unhealthy have one anyway.
const imageChecked = "-checked"

// Images knows images that were pushed to a registry, with the tags that they ever had.
type Images interface {
	LookUpImage(uri string) (digest string, tags []string, ok bool)
}

// fateOf is how the containers of an image fare; empty is well.
func (c *Cluster) fateOf(image string) string { return Fate(c.config.Images, image) }

// Fate is how the containers of an image fare; empty is well. Images may be nil.
func Fate(images Images, image string) string {
	names := image
	if images != nil {
		_, tags, _ := images.LookUpImage(image)
		names += " " + strings.Join(tags, " ")
	}
	for _, f := range fates {
		if strings.Contains(names, f.word) {
			return f.fate
		}
	}
	return ""
}

// Pullable says whether an image can be pulled.
func Pullable(images Images, image string) bool { return Fate(images, image) != failPull }
