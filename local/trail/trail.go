package trail

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"portolan/local/agenda"
	"portolan/local/clock"
	"portolan/local/disk"
	"portolan/local/events"
	"portolan/local/identity"
	"portolan/local/unique"
	"portolan/local/wire"
)

// Config is what a Trail is made of.
type Config struct {
	Clock   *clock.Clock
	Disk    *disk.Disk
	IDs     *unique.Source
	Account string
	Region  string
	Events  events.Emitter
}

// A Trail records calls.
type Trail struct {
	config Config
	agenda *agenda.Agenda

	mu      sync.Mutex
	pending map[string]*pendingRecord // by event id
}

// pendingRecord is a record on its way to the event bus.
type pendingRecord struct {
	Source string         `json:"source"`
	Due    time.Time      `json:"due"`
	Time   time.Time      `json:"time"`
	Record map[string]any `json:"record"`
}

const bucket = "trail/pending"

// How late records come. CloudTrail promises minutes; it is mostly faster.
const (
	delayLow  = 3 * time.Second
	delayHigh = 12 * time.Second
)

// New returns a trail that goes on with the records that were on their way.
func New(config Config) (*Trail, error) {
	t := &Trail{config: config, agenda: agenda.New(config.Clock), pending: map[string]*pendingRecord{}}
	err := disk.LoadJSON(config.Disk, bucket, func(id string, p *pendingRecord) { t.pending[id] = p })
	if err != nil {
		return nil, fmt.Errorf("loading the trail: %w", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(t.pending)) {
		t.note(id, t.pending[id])
	}
	return t, nil
}

// Close keeps what is on its way for the next start from the same disk.
func (t *Trail) Close() { t.agenda.Close() }

// Middleware records the calls that pass through it, after they were answered.
func (t *Trail) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := t.config.Clock.Now()
		next.ServeHTTP(w, r)
		service, operation := wire.OperationOf(r)
		if !isRecorded(service, operation) {
			return
		}
		t.send(service, began, t.record(r, began))
	})
}

// RecordAssumeRole records that a service of AWS assumed a role on its own
// account, such as ECS for a task.
func (t *Trail) RecordAssumeRole(_ context.Context, invokedBy, roleARN, sessionName string) {
	t.assumed(invokedBy, map[string]any{"roleArn": roleARN, "roleSessionName": sessionName}, roleARN)
}

// RecordPodIdentity records that EKS assumed a role for a pod, whose session has tags.
func (t *Trail) RecordPodIdentity(_ context.Context, roleARN, sessionName string, tags map[string]string) {
	t.assumed("pods.eks.amazonaws.com", map[string]any{"roleArn": roleARN, "roleSessionName": sessionName, "principalTags": tags}, roleARN)
}

func (t *Trail) assumed(invokedBy string, parameters map[string]any, roleARN string) {
	now := t.config.Clock.Now()
	ids := t.config.IDs
	t.send("sts", now, map[string]any{
		"eventVersion": "1.08",
		"userIdentity": map[string]any{"type": "AWSService", "invokedBy": invokedBy},
		"eventTime":    stamp(now), "eventSource": "sts.amazonaws.com", "eventName": "AssumeRole",
		"awsRegion": t.config.Region, "sourceIPAddress": invokedBy, "userAgent": invokedBy,
		"requestParameters": parameters,
		"responseElements": map[string]any{"credentials": map[string]any{"sessionToken": redacted,
			"accessKeyId": "ASIA" + ids.Base32(16), "expiration": now.Add(6 * time.Hour).Format(dateLayout)}},
		"requestID": ids.UUID(), "eventID": ids.UUID(), "readOnly": true,
		"resources": []any{map[string]any{"ARN": roleARN, "accountId": t.config.Account, "type": "AWS::IAM::Role"}},
		"eventType": "AwsApiCall", "managementEvent": true, "recipientAccountId": t.config.Account,
		"sharedEventID": ids.UUID(), "eventCategory": "Management",
	})
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// send puts the record on the bus after a while.
func (t *Trail) send(service string, at time.Time, record map[string]any) {
	id := record["eventID"].(string)
	p := &pendingRecord{Source: "aws." + service, Time: at, Record: record,
		Due: t.config.Clock.Now().Add(t.config.IDs.Between(delayLow, delayHigh))}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pending[id] = p
	// Records are best effort on AWS too: one that is not on disk is lost only by
	// a restart.
	_ = t.config.Disk.Update(func(tx *disk.Tx) error { return tx.PutJSON(bucket, id, p) })
	t.note(id, p)
}

func (t *Trail) note(id string, p *pendingRecord) {
	t.agenda.At(id, p.Due, func() {
		t.config.Events.Emit(context.Background(), events.Event{Source: p.Source, DetailType: "AWS API Call via CloudTrail",
			Time: p.Time, Detail: events.Members(p.Record)})
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.pending, id)
		_ = t.config.Disk.Update(func(tx *disk.Tx) error { return tx.Delete(bucket, []byte(id)) })
	})
}

// record is the call in CloudTrail's words.
func (t *Trail) record(r *http.Request, at time.Time) map[string]any {
	x := wire.ExchangeOf(r)
	caller := wire.Caller(r.Context())
	address, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		address = r.RemoteAddr
	}
	record := map[string]any{
		"eventVersion": "1.11", "userIdentity": userIdentity(caller, at), "eventTime": stamp(at),
		"eventSource": x.Service + ".amazonaws.com", "eventName": x.Operation, "awsRegion": regionOf(x.Service, t.config.Region),
		"sourceIPAddress": address, "userAgent": r.UserAgent(), "requestParameters": parameters(x.Parameters()),
		"responseElements": nil, "requestID": x.RequestID, "eventID": t.config.IDs.UUID(),
		"readOnly": x.Operation == "AssumeRole", "eventType": "AwsApiCall", "managementEvent": true,
		"recipientAccountId": t.config.Account, "eventCategory": "Management",
		"tlsDetails": map[string]any{"tlsVersion": "TLSv1.3"},
	}
	if x.Err != nil {
		record["errorCode"], record["errorMessage"] = errorCode(x.Err.Code), x.Err.Message
		return record
	}
	if elements := responseElements(x.Output); len(elements) > 0 {
		record["responseElements"] = elements
	}
	if x.Operation == "AssumeRole" {
		role := x.Member("RoleArn").Text()
		record["resources"] = []any{map[string]any{"ARN": role, "accountId": t.config.Account, "type": "AWS::IAM::Role"}}
	}
	return record
}

// regionOf is where CloudTrail says that a call was made: IAM is global, and at
// home in us-east-1.
func regionOf(service, region string) string {
	if service == "iam" {
		return "us-east-1"
	}
	return region
}

// errorCode is the code as CloudTrail has it, which for this one is not the code
// on the wire.
func errorCode(code string) string {
	if code == "ValidationError" {
		return "ValidationException"
	}
	return code
}

// userIdentity describes the caller: a user, the account itself, a session of a
// role, or a service of AWS.
func userIdentity(caller wire.Identity, at time.Time) map[string]any {
	if caller.Service != "" {
		return map[string]any{"type": "AWSService", "invokedBy": caller.Service}
	}
	who := map[string]any{"type": "IAMUser", "principalId": caller.UserID, "arn": caller.ARN,
		"accountId": caller.Account, "accessKeyId": caller.AccessKey}
	role, _, isSession := identity.Session(caller.ARN)
	switch {
	case isSession:
		roleID, _, _ := strings.Cut(caller.UserID, ":")
		who["type"] = "AssumedRole"
		who["sessionContext"] = map[string]any{
			"sessionIssuer": map[string]any{"type": "Role", "principalId": roleID, "accountId": caller.Account,
				"arn": "arn:aws:iam::" + caller.Account + ":role/" + role, "userName": role},
			"attributes": map[string]any{"creationDate": stamp(at), "mfaAuthenticated": "false"},
		}
	case strings.HasSuffix(caller.ARN, ":root"):
		who["type"] = "Root"
	default:
		who["userName"] = caller.ARN[strings.LastIndexByte(caller.ARN, '/')+1:]
	}
	return who
}
