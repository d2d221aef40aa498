package decide

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"portolan/shared/contract"
	"portolan/shared/model"
)

// An Image is a reference to a container image.
type Image struct {
	// Repository is the registry's host and the path, Tag and Digest are empty when
	// the reference has none.
	Repository, Tag, Digest string
}

// imageMax is the longest reference that is taken from a pipeline's variables.
const imageMax = 1024

// ParseImage reads a reference such as registry.example.com/shop/web:1.4 or one
// with @sha256:… at its end.
func ParseImage(text string) (Image, bool) {
	if text == "" || len(text) > imageMax || strings.ContainsFunc(text, notInReference) {
		return Image{}, false
	}
	rest, digest, pinned := strings.Cut(text, "@")
	if pinned && !isDigest(digest) {
		return Image{}, false
	}
	image := Image{Repository: rest, Digest: digest}
	// A colon before the last slash is a port of the registry.
	if colon := strings.LastIndex(rest, ":"); colon > strings.LastIndex(rest, "/") {
		image.Repository, image.Tag = rest[:colon], rest[colon+1:]
		if image.Tag == "" {
			return Image{}, false
		}
	}
	return image, image.Repository != "" && !strings.HasSuffix(image.Repository, "/")
}

func notInReference(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return false
	}
	return !strings.ContainsRune("._-/:@+", r)
}

func isDigest(text string) bool {
	hex, found := strings.CutPrefix(text, "sha256:")
	return found && len(hex) >= 32 && len(hex) <= 64 &&
		!strings.ContainsFunc(hex, func(r rune) bool { return !strings.ContainsRune("0123456789abcdef", r) })
}

// Pinned is the reference by digest only, as releases have it.
func (i Image) Pinned() string { return i.Repository + "@" + i.Digest }

// A Registry is where an image of Amazon ECR lies.
type Registry struct{ Account, Region, Name string }

// Registry takes the address of an ECR repository apart; it is false for images
// of other registries.
func (i Image) Registry() (Registry, bool) {
	host, name, _ := strings.Cut(i.Repository, "/")
	parts := strings.Split(host, ".")
	ours := len(parts) >= 6 && parts[1] == "dkr" && (parts[2] == "ecr" || parts[2] == "ecr-fips") &&
		parts[4] == "amazonaws"
	if !ours || name == "" {
		return Registry{}, false
	}
	return Registry{Account: parts[0], Region: parts[3], Name: name}, true
}

// RegistryHost is the address of an account's registry in Amazon ECR. The partition
// shows in the Region.
func RegistryHost(account, region string) string {
	host := account + ".dkr.ecr." + region + ".amazonaws.com"
	if strings.HasPrefix(region, "cn-") {
		host += ".cn"
	}
	return host
}

// An Action is one action of a pipeline's execution that succeeded, with its
// output variables.
type Action struct {
	Name      string
	StartedAt time.Time
	Variables map[string]string
}

// imageVariables are looked for, in this order, when a binding names none: those
// of an ECR source, and what builds export by custom.
var imageVariables = []string{"ImageURI", "IMAGE_URI"}

// digestVariables are looked for in the action that gave the image.
var digestVariables = []string{"ImageDigest", "IMAGE_DIGEST"}

// FindImage finds the image that a pipeline's execution made among the output
// variables of its actions: the binding's variable, or else the customary ones.
// The action that started last wins. When there is none, reason says so.
func FindImage(actions []Action, variable string) (text string, image Image, reason string) {
	names := imageVariables
	if variable != "" {
		names = []string{variable}
	}
	latest := slices.SortedStableFunc(slices.Values(actions), func(a, b Action) int {
		return b.StartedAt.Compare(a.StartedAt)
	})
	for _, name := range names {
		for _, action := range latest {
			text := action.Variables[name]
			if text == "" {
				continue
			}
			image, ok := ParseImage(text)
			if !ok {
				return "", Image{}, fmt.Sprintf("the variable %s of action %s is no reference to an image", name, action.Name)
			}
			for _, digest := range digestVariables {
				if value := action.Variables[digest]; image.Digest == "" && isDigest(value) {
					image.Digest = value
				}
			}
			return text, image, ""
		}
	}
	return "", Image{}, "no action of the execution has an output variable " + strings.Join(names, " or ")
}

// FindCommit finds the commit among the revisions of an execution's source
// artifacts: the first that looks like one of git's.
func FindCommit(revisions []string) string {
	for _, revision := range revisions {
		if (len(revision) == 40 || len(revision) == 64) && !strings.ContainsFunc(revision, func(r rune) bool {
			return !strings.ContainsRune("0123456789abcdef", r)
		}) {
			return revision
		}
	}
	for _, revision := range revisions {
		if revision != "" && !strings.HasPrefix(revision, "sha256:") {
			return revision
		}
	}
	return ""
}

// A Build is an image that a pipeline made or that was pushed to a repository.
type Build struct {
	// Text is the image as it was named, Pinned the same by digest.
	Text, Pinned string
	Commit       string

	// At orders builds: when the execution started, or the image was pushed.
	At time.Time
}

// ReleaseBuild decides whether a build becomes a service's next release. wanted is
// the newest release wanted, and recent are the newest ones of all.
//
// Executions may finish in another order than they started, and events come in any
// order, so a build gives way to one that started later. One that was rolled back
// does not count: the release wanted is an earlier one again. It does for its own
// image, so that an event which comes after the sweep found the image is nothing new.
//
// deploying is as in PutService: an image whose rollout ended dirty is rolled out
// once more when it comes again.
func ReleaseBuild(service model.Service, wanted *model.Release, recent []model.Release, b Build,
	deploying bool, cause contract.Cause, now time.Time) ServiceChange {
	stay := func(format string, args ...any) ServiceChange {
		return ServiceChange{Service: service, Reason: fmt.Sprintf(format, args...)}
	}
	switch service.Status {
	case contract.ServiceRetiring, contract.ServiceRetired:
		return stay("the service is %s", service.Status)
	}
	if b.Pinned == wanted.Image && (InEffect(&service) || deploying) {
		return stay("release %d has this image already", wanted.Number)
	}
	for _, r := range recent {
		counts := r.Status != contract.ReleaseRolledBack || r.Image == b.Pinned
		if counts && b.At.Before(r.BuiltAt) {
			return stay("release %d was built later, at %s", r.Number, r.BuiltAt.UTC().Format(time.RFC3339))
		}
	}
	spec := wanted.Spec
	spec.Image = b.Text
	change := AddRelease(service, spec, b.Pinned, b.Commit, cause, now)
	change.Release.BuiltAt = b.At
	return change
}

// pushPatience is how long the event of a push may take before it counts as lost.
const pushPatience = 5 * time.Minute

// IsDue says whether a push of an image to the tag which a binding waits for must have
// been followed by now: it came after the binding, and not just now.
func IsDue(b model.Binding, pushedAt, now time.Time) bool {
	return pushedAt.After(b.ChangedAt) && now.Sub(pushedAt) >= pushPatience
}

// MissedPush says why an image has to be released whose push is due, or nothing when
// there is no need. newest is the newest of all releases of the service, whatever became
// of it, and nil when it has none: once there is one since the push, the push was
// followed, or somebody went on without it.
func MissedPush(newest *model.Release, pinned string, pushedAt time.Time) string {
	if newest == nil || newest.Image == pinned || !pushedAt.After(newest.CreatedAt) {
		return ""
	}
	return fmt.Sprintf("the event of the push was lost: nothing was released since %s",
		pushedAt.UTC().Format(time.RFC3339))
}
