package event

import (
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// Call is one AWS API call, as CloudTrail recorded it.
//
// The response is never read: it can hold credentials, and it is not in the
// shapes of the API. Who called is told by ARN, never by access key.
type Call struct {
	Header
	EventID string
	At      time.Time

	// Service is the endpoint's prefix such as ecs, and Name the operation.
	Service string
	Name    string
	Region  string

	// Who is the caller's ARN, or the AWS service that called. Role and Session are
	// set when the caller assumed a role; InvokedBy when an AWS service called for
	// somebody.
	Who       string
	Role      string
	Session   string
	InvokedBy string
	SourceIP  string
	UserAgent string

	// Error is the error code of a call that failed, and so changed nothing.
	Error string

	// Request holds the request's parameters as encoding/json has them; a number
	// may have come as 2.0. It can hold secrets: keep only chosen values of it.
	Request map[string]any

	// Resources are ARNs.
	Resources []string
}

func decodeCall(h Header, detail json.RawMessage) (any, error) {
	var d struct {
		EventID      string `json:"eventID"`
		EventTime    string `json:"eventTime"`
		EventSource  string `json:"eventSource"`
		EventName    string `json:"eventName"`
		AWSRegion    string `json:"awsRegion"`
		SourceIP     string `json:"sourceIPAddress"`
		UserAgent    string `json:"userAgent"`
		ErrorCode    string `json:"errorCode"`
		UserIdentity struct {
			ARN       string `json:"arn"`
			InvokedBy string `json:"invokedBy"`
		} `json:"userIdentity"`
		Request   json.RawMessage `json:"requestParameters"`
		Resources json.RawMessage `json:"resources"`
	}
	if err := json.Unmarshal(detail, &d); err != nil {
		return nil, err
	}
	service, _, dotted := strings.Cut(d.EventSource, ".")
	if d.EventID == "" || d.EventName == "" || !dotted || service == "" {
		return nil, errors.New("it has no eventID, eventSource or eventName")
	}
	at, err := parseTime(d.EventTime)
	if err != nil {
		return nil, err
	}
	call := Call{
		Header: h, EventID: clip(d.EventID, 64), At: at, Service: clip(service, 64),
		Name: clip(d.EventName, 128), Region: clip(d.AWSRegion, 32),
		Who: clip(d.UserIdentity.ARN, 500), InvokedBy: clip(d.UserIdentity.InvokedBy, 128),
		SourceIP: clip(d.SourceIP, 64), UserAgent: clip(d.UserAgent, 256), Error: clip(d.ErrorCode, 128),
		Resources: resources(d.Resources),
	}
	// Some events have no parameters, and a few have a text in their place.
	if present(d.Request) && json.Unmarshal(d.Request, &call.Request) != nil {
		call.Request = nil
	}
	if session := afterSlash(call.Who, "assumed-role"); len(session) >= 2 {
		call.Role, call.Session = session[len(session)-2], session[len(session)-1]
	}
	if call.Who == "" {
		call.Who = call.InvokedBy
	}
	return call, nil
}

// resources reads the ARNs of the record's resources, and none from a shape that
// is unknown.
func resources(raw json.RawMessage) []string {
	var list []struct {
		ARN string `json:"ARN"`
	}
	if !present(raw) || json.Unmarshal(raw, &list) != nil {
		return nil
	}
	var arns []string
	for _, r := range list[:min(len(list), 20)] {
		if r.ARN != "" {
			arns = append(arns, clip(r.ARN, 500))
		}
	}
	return arns
}
