package simulate

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"portolan/shared/contract"
	"portolan/shared/model"
)

// onceOnly: an event that comes twice or late changes nothing more.
var onceOnly = promise{number: 3, change: driftIsNobodys, end: eventsHandled}

// driftIsNobodys checks that what an operation of ours is about to change is not
// taken for somebody's drift.
func driftIsNobodys(o *oracle, before, after *state) {
	for _, id := range changedOperations(before, after) {
		repair := after.operations[id]
		if _, known := before.operations[id]; known || repair.Kind != contract.KindRepair || repair.Cause.Source != "trail" {
			continue
		}
		for _, other := range o.sorted() {
			if other.ID != id && other.Target == repair.Target && other.Status == contract.OperationRunning &&
				time.Since(o.started[other.ID]) > lookMax {
				o.broken(3, "operation %s repairs what %s (%s) is changing", id, other.ID, other.Kind)
			}
		}
	}
}

// lookMax is longer than the trail's door may take from its look to its decision.
const lookMax = 35 * time.Second

func eventsHandled(o *oracle) {
	eachEventOnce(o)
	pushesFollowed(o)
	deadLettersExplained(o)
}

// pushesFollowed checks that each image that was pushed to a tag which a binding waits
// for became a release, or that there is a release since then; and that none became
// two without anybody asking.
func pushesFollowed(o *oracle) {
	became := map[string]int64{}
	last := map[string]time.Time{} // release of a service
	for _, r := range o.w.mirror.releases() {
		target := model.TargetKey(contract.Target{Cluster: r.Cluster, Service: r.Service})
		if r.CreatedAt.After(last[target]) {
			last[target] = r.CreatedAt
		}
		_, digest, pinned := strings.Cut(r.Image, "@")
		if !pinned {
			continue
		}
		if before, seen := became[target+digest]; seen && r.Cause.Source != "api" {
			o.broken(3, "%s of %s became release %d and again release %d", digest, target, before, r.Number)
		}
		became[target+digest] = r.Number
	}
	for _, target := range slices.Sorted(maps.Keys(o.w.pushed)) {
		p := o.w.pushed[target]
		if _, followed := became[target+p.digest]; followed || last[target].After(p.at) || !o.waitsFor(target, p) {
			continue
		}
		o.broken(3, "image %s was pushed at %v for %s, and nothing followed", p.digest, p.at.Sub(o.w.began), target)
	}
}

// waitsFor says whether a push had to be followed: a binding waited for it, and the
// service was there before and is now.
func (o *oracle) waitsFor(target string, p push) bool {
	t, err := model.ParseTarget(target)
	if err != nil {
		return false
	}
	c, err := o.w.mirror.cluster(t.Cluster)
	if err != nil || c.Status != contract.ClusterReady {
		return false
	}
	b, err := o.w.mirror.binding(t.Cluster, t.Service)
	if err != nil || b.Spec.Repository == "" || b.ChangedAt.After(p.at) {
		return false
	}
	v, err := o.w.mirror.service(t.Cluster, t.Service)
	return err == nil && v.Status != contract.ServiceRetired && v.Status != contract.ServiceRetiring && v.CreatedAt.Before(p.at)
}

// deadLettersExplained checks that what is in the dead-letter queue is there because
// of faults alone.
func deadLettersExplained(o *oracle) {
	client := sqs.NewFromConfig(o.w.UserConfig())
	for {
		out, err := client.ReceiveMessage(o.ctx(), &sqs.ReceiveMessageInput{QueueUrl: &o.w.deadLetters, MaxNumberOfMessages: 10})
		if err != nil {
			o.broken(0, "the dead-letter queue cannot be read: %v", err)
			return
		}
		if len(out.Messages) == 0 {
			return
		}
		for _, m := range out.Messages {
			body := aws.ToString(m.Body)
			if strings.Contains(body, "DDBStreamBatchInfo") {
				o.broken(3, "a record of the table's stream was given up: %s", body)
			}
			if why, ok := o.w.blameless[hash([]byte(body))]; ok {
				o.broken(3, "an event is a dead letter, and no fault befell %s", why)
			}
		}
	}
}

func eachEventOnce(o *oracle) {
	first := map[string]string{}
	for _, operation := range o.sorted() {
		cause := operation.Cause
		switch cause.Source {
		case "alarm", "pipeline", "trail":
		default:
			continue
		}
		key := fmt.Sprintf("%s event %s on %s", cause.Source, cause.EventId, model.TargetKey(operation.Target))
		if cause.Source == "alarm" {
			// An operation hands its cause on to the next when it followed its alarm for
			// long enough.
			key += " " + operation.CreatedAt.Format("2006-01-02")
		}
		if before, seen := first[key]; seen {
			o.broken(3, "%s led to %s and again to %s", key, before, operation.ID)
		}
		first[key] = operation.ID
	}
	released := map[string]int64{}
	for _, release := range o.w.mirror.releases() {
		if release.Commit == "" || release.Cause.Source == "api" {
			continue // somebody may ask for it again
		}
		built := release.Cluster + "/" + release.Service + " commit " + release.Commit
		if before, seen := released[built]; seen {
			o.broken(3, "%s became release %d and again release %d", built, before, release.Number)
		}
		released[built] = release.Number
	}
}
