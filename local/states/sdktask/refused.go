package sdktask

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"strings"

	"portolan/local/states"
)

// refused is the service's error in Step Functions' words.
func (s *service) refused(response *http.Response, body []byte, sdk bool) error {
	code, message, id := s.readError(body)
	if id == "" {
		id = requestID(response)
	}
	if code == "" {
		code = http.StatusText(response.StatusCode)
	}
	if sdk {
		return &states.CallError{Name: s.prefix + "." + s.class(code),
			Cause: fmt.Sprintf("%s (Service: %s, Status Code: %d, Request ID: %s)",
				message, s.prefix, response.StatusCode, id)}
	}
	name := code
	if !strings.HasSuffix(name, "Exception") {
		name += "Exception"
	}
	return &states.CallError{Name: s.old + "." + name,
		Cause: fmt.Sprintf("%s (Service: %s; Status Code: %d; Error Code: %s; Request ID: %s; Proxy: null)",
			message, s.oldName, response.StatusCode, code, id)}
}

func (s *service) readError(body []byte) (code, message, id string) {
	if s.protocol == query {
		var e struct {
			Error struct {
				Code    string `xml:"Code"`
				Message string `xml:"Message"`
			} `xml:"Error"`
			RequestID string `xml:"RequestId"`
		}
		if xml.Unmarshal(body, &e) != nil {
			return "", strings.TrimSpace(string(body)), ""
		}
		return e.Error.Code, e.Error.Message, e.RequestID
	}
	var e struct {
		Type    string `json:"__type"`
		Message string `json:"message"` // encoding/json takes Message too
	}
	if json.Unmarshal(body, &e) != nil {
		return "", strings.TrimSpace(string(body)), ""
	}
	return e.Type[strings.LastIndexByte(e.Type, '#')+1:], e.Message, ""
}
