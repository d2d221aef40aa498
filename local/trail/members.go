package trail

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// readPrefixes begin the names of calls that change nothing.
var readPrefixes = []string{"Get", "List", "Describe", "BatchGet", "Head", "Search", "Test", "Validate", "Estimate",
	"Lookup", "Query", "Scan", "Simulate", "Check", "Filter", "Preview"}

// dataCalls change data and not resources. CloudTrail calls them data events, or
// does not know them at all.
var dataCalls = map[string][]string{
	"dynamodb": {"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems", "TransactGetItems",
		"ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction"},
	"sqs":        {"SendMessage", "SendMessageBatch", "ReceiveMessage", "DeleteMessage", "DeleteMessageBatch", "ChangeMessageVisibility", "ChangeMessageVisibilityBatch"},
	"sns":        {"Publish", "PublishBatch"},
	"lambda":     {"Invoke", "InvokeAsync", "InvokeWithResponseStream"},
	"events":     {"PutEvents"},
	"monitoring": {"PutMetricData"},
	"logs":       {"PutLogEvents", "StartQuery"},
	"states":     {"SendTaskSuccess", "SendTaskFailure", "SendTaskHeartbeat"},
	"ecr":        {"UploadLayerPart", "CompleteLayerUpload", "InitiateLayerUpload"},
}

// isRecorded tells whether the call is a management event that rules may see:
// one that changes something, or AssumeRole.
func isRecorded(service, operation string) bool {
	if operation == "" || slices.Contains(dataCalls[service], operation) {
		return false
	}
	return !slices.ContainsFunc(readPrefixes, func(p string) bool { return strings.HasPrefix(operation, p) })
}

const (
	redacted   = "(redacted)"
	hidden     = "HIDDEN_DUE_TO_SECURITY_REASONS"
	dateLayout = "Jan 2, 2006 3:04:05 PM"
)

// secrets are members that CloudTrail does not show, in lower case.
var secrets = map[string]string{
	"secretaccesskey": "", "sessiontoken": redacted, "secretstring": hidden, "secretbinary": hidden, "password": hidden,
	"templatebody": "", "zipfile": "", "userdata": hidden, "authparameters": hidden, "parametervalue": hidden, "kubeconfig": hidden,
	"private_key": hidden, "privatekey": hidden,
}

// parameters are a request's members as CloudTrail names them, or nil where
// there are none.
func parameters(members map[string]any) any {
	if len(members) == 0 {
		return nil
	}
	return lower(members, false)
}

// responseElements is what a call answered, its times as Java prints them.
func responseElements(output any) map[string]any {
	raw, err := json.Marshal(output)
	if err != nil {
		return nil
	}
	var members map[string]any
	if json.Unmarshal(raw, &members) != nil {
		return nil
	}
	elements, _ := lower(members, true).(map[string]any)
	return elements
}

// lower makes all names begin in lower case, hides secrets, and where times are
// asked for turns them into CloudTrail's text.
func lower(value any, times bool) any {
	switch v := value.(type) {
	case []any:
		for i := range v {
			v[i] = lower(v[i], times)
		}
	case map[string]any:
		lowered := make(map[string]any, len(v))
		for name, member := range v {
			shown, isSecret := secrets[strings.ToLower(name)]
			switch {
			case isSecret && shown == "":
				continue
			case isSecret:
				member = shown
			case name == "environment" || name == "Environment":
				member = hideValues(member)
			default:
				member = lower(member, times)
			}
			if seconds, ok := member.(float64); ok && times && isTime(name) {
				member = time.Unix(int64(seconds), 0).UTC().Format(dateLayout)
			}
			lowered[lowerFirst(name)] = member
		}
		return lowered
	}
	return value
}

func isTime(name string) bool {
	return slices.ContainsFunc([]string{"At", "Time", "Timestamp", "Date", "Expiration"},
		func(suffix string) bool { return strings.HasSuffix(name, suffix) })
}

// hideValues keeps the names of environment variables alone.
func hideValues(environment any) any {
	list, ok := environment.([]any)
	if !ok {
		return hidden
	}
	for _, item := range list {
		if variable, ok := item.(map[string]any); ok {
			variable["value"] = hidden
		}
	}
	return list
}

func lowerFirst(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	if !unicode.IsUpper(first) {
		return s
	}
	return string(unicode.ToLower(first)) + s[size:]
}
