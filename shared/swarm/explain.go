package swarm

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/moby/moby/api/types/swarm"
)

// A trouble is what is wrong with a task, in words that a developer understands. The
// weight is how much it says about the release.
type trouble struct {
	reason string
	weight int
}

func worse(a, b trouble) trouble {
	if b.weight > a.weight {
		return b
	}
	return a
}

// How much a trouble says.
const (
	aside  = iota + 1 // the node is to blame
	waits             // there is no room yet
	fails             // the task itself does
	cannot            // it can never start
)

// missingImages are the words by which engines say that an image cannot be had.
var missingImages = []string{
	"No such image", "pull access denied", "manifest unknown", "not found: manifest", "repository does not exist", "manifest for",
	"no matching manifest", "failed to resolve reference", "error pulling image", "failed to register layer", "dial tcp",
}

// exited finds the code with which a task ended.
var exited = regexp.MustCompile(`non-zero exit \((\d+)\)`)

// troubleOf says what is wrong with a task; the zero value when nothing is.
func troubleOf(task *swarm.Task) trouble {
	said := task.Status.Err
	switch {
	case task.Status.State == swarm.TaskStateOrphaned:
		return trouble{"its node was lost", aside}
	case task.Status.State == swarm.TaskStateComplete:
		// An engine stops a task that gets unhealthy, and does not tell so of one that ends
		// well then.
		return trouble{"the task exited with code 0, by itself or as its health check failed", fails}
	case said == "":
		return trouble{}
	case strings.Contains(said, "no suitable node"):
		return trouble{noNode(said), waits}
	case strings.Contains(said, "unhealthy container"):
		return trouble{"the task failed its health check", fails}
	case task.Status.State == swarm.TaskStateRejected || task.Status.State == swarm.TaskStatePreparing:
		return rejected(task, said)
	}
	if found := exited.FindStringSubmatch(said); found != nil {
		return trouble{exit(found[1]), fails}
	}
	if failedState(task.Status.State) {
		return trouble{"the task failed: " + bounded(said), fails}
	}
	return trouble{}
}

// exit says an exit code; those above 128 are signals.
func exit(code string) string {
	if code == "137" {
		return "the task exited with code 137: it was killed, as one is that uses more memory than its limit"
	}
	return "the task exited with code " + code
}

// rejected says why an engine did not start a task.
func rejected(task *swarm.Task, said string) trouble {
	for _, words := range missingImages {
		if strings.Contains(said, words) {
			image := ""
			if task.Spec.ContainerSpec != nil {
				image = " " + task.Spec.ContainerSpec.Image
			}
			return trouble{fmt.Sprintf("image%s could not be pulled: %s", image, bounded(said)), cannot}
		}
	}
	return trouble{"the node could not start the task: " + bounded(said), cannot}
}

// noNode says why no node takes a task, as the scheduler's filters do: "no suitable node
// (insufficient resources on 2 nodes; 1 node not available for new tasks)".
func noNode(said string) string {
	_, why, _ := strings.Cut(said, "(")
	why = strings.TrimSuffix(strings.TrimSpace(why), ")")
	switch {
	case strings.Contains(why, "insufficient resources"):
		return "there is no capacity: " + why
	case why == "":
		return "no node takes the task"
	}
	return "no node takes the task: " + why
}

// wordsMax is how much of what an engine says is told.
const wordsMax = 300

func bounded(said string) string {
	said = tokens.ReplaceAllString(strings.TrimSpace(said), "SWM$1-…")
	if len(said) > wordsMax {
		return strings.ToValidUTF8(said[:wordsMax], "") + "…"
	}
	return said
}
