package sdktask

import (
	"net/http"
	"slices"

	"portolan/local/states"
	"portolan/local/states/value"
)

// optimised prepares the parameters of an optimised integration: where the
// service takes JSON text, a document may be given.
func optimised(action string, given *value.Object) *value.Object {
	switch action {
	case "sendMessage":
		return textual(given, "MessageBody")
	case "putEvents":
		entries, _ := given.Get("Entries")
		list, _ := entries.([]any)
		texts := make([]any, len(list))
		for i, entry := range list {
			texts[i] = entry
			if o, ok := entry.(*value.Object); ok {
				texts[i] = textual(o, "Detail")
			}
		}
		return given.With("Entries", texts)
	}
	return given
}

func textual(o *value.Object, member string) *value.Object {
	v, ok := o.Get(member)
	if _, isText := v.(string); !ok || isText {
		return o
	}
	return o.With(member, value.Text(v))
}

// withMetadata adds what an optimised integration tells of the HTTP answer.
func withMetadata(out *value.Object, response *http.Response) *value.Object {
	names := make([]string, 0, len(response.Header))
	for name := range response.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	all, single := value.NewObject(len(names)), value.NewObject(len(names))
	for _, name := range names {
		v := response.Header.Get(name)
		all.Set(name, []any{v})
		single.Set(name, v)
	}
	return out.Merge(value.Members(
		"SdkHttpMetadata", value.Members("AllHttpHeaders", all, "HttpHeaders", single,
			"HttpStatusCode", value.Whole(int64(response.StatusCode))),
		"SdkResponseMetadata", value.Members("RequestId", requestID(response))))
}

func requestID(response *http.Response) string { return response.Header.Get("X-Amzn-Requestid") }

// failedEntries makes an error of events that EventBridge did not take.
func failedEntries(action string, out *value.Object) error {
	if action != "putEvents" {
		return nil
	}
	v, _ := out.Get("FailedEntryCount")
	n, _ := v.(value.Number)
	if count, ok := n.Int(); !ok || count == 0 {
		return nil
	}
	return &states.CallError{Name: "EventBridge.FailedEntry", Cause: value.Text(out)}
}
