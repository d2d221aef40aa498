package wire

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"

	"github.com/fxamacker/cbor/v2"
)

// An Error is what AWS answers in place of a result.
type Error struct {
	Code    string // as the protocol's SDK sees it, such as ClusterNotFoundException
	Message string
	Status  int            // 0 means 400
	Fields  map[string]any // further members of the error's shape, by wire name
	// QueryCode is the code that the service had before it left the Query
	// protocol; SDKs prefer it. It is empty for all other services.
	QueryCode string
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

func (e *Error) status() int {
	if e.Status == 0 {
		return http.StatusBadRequest
	}
	return e.Status
}

// Errorf makes an Error of status 400.
func Errorf(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// asError finds the *Error in err's chain. What is none of AWS's errors is a bug
// of the embedded AWS, and says so with a status that SDKs retry.
func asError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Code: "InternalFailure", Message: err.Error(), Status: http.StatusInternalServerError}
}

// Fail answers r with err in the protocol that r came in. Middleware and
// services that are no *Service use it too.
func Fail(w http.ResponseWriter, r *http.Request, err error) {
	e := asError(err)
	x := exchangeOf(r)
	x.Err = e
	header := w.Header()
	header.Set("X-Amzn-Requestid", x.RequestID)
	var body []byte
	switch x.protocol {
	case Query:
		header.Set("Content-Type", "text/xml")
		body = queryError(e, x)
	case EC2Query:
		header.Set("Content-Type", "text/xml;charset=UTF-8")
		body = ec2Error(e, x)
	case CBOR:
		header.Set("Content-Type", "application/cbor")
		header.Set("Smithy-Protocol", "rpc-v2-cbor")
		setQueryError(r, header, e)
		body, err = cbor.Marshal(errorMembers(e))
	default:
		header.Set("Content-Type", x.protocol.contentType())
		if x.protocol == REST {
			header.Set("X-Amzn-Errortype", e.Code)
		}
		setQueryError(r, header, e)
		body, err = json.Marshal(errorMembers(e))
	}
	if err != nil && body == nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(e.status())
	w.Write(body)
}

// errorMembers carries the message twice: AWS's services do not agree on its
// name, and SDKs take either.
func errorMembers(e *Error) map[string]any {
	members := map[string]any{}
	maps.Copy(members, e.Fields)
	members["__type"] = e.Code
	members["message"] = e.Message
	return members
}

// setQueryError tells a client of a service that once spoke Query the code that
// it had then. Only such a client asks for it; any other would be misled.
func setQueryError(r *http.Request, header http.Header, e *Error) {
	if e.QueryCode != "" && r.Header.Get("X-Amzn-Query-Mode") != "" {
		header.Set("X-Amzn-Query-Error", e.QueryCode+";"+fault(e))
	}
}

func fault(e *Error) string {
	if e.status() >= 500 {
		return "Receiver"
	}
	return "Sender"
}

func queryError(e *Error, x *Exchange) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "<ErrorResponse%s>\n  <Error>\n    <Type>%s</Type>\n", xmlns(x.namespace), fault(e))
	code := e.Code
	if e.QueryCode != "" {
		code = e.QueryCode
	}
	fmt.Fprintf(&b, "    <Code>%s</Code>\n    <Message>%s</Message>\n  </Error>\n", escape(code), escape(e.Message))
	fmt.Fprintf(&b, "  <RequestId>%s</RequestId>\n</ErrorResponse>\n", escape(x.RequestID))
	return []byte(b.String())
}

func ec2Error(e *Error, x *Exchange) []byte {
	return fmt.Appendf(nil, "%s<Response><Errors><Error><Code>%s</Code><Message>%s</Message></Error></Errors>"+
		"<RequestID>%s</RequestID></Response>", xml.Header, escape(e.Code), escape(e.Message), escape(x.RequestID))
}

func xmlns(namespace string) string {
	if namespace == "" {
		return ""
	}
	return ` xmlns="` + escape(namespace) + `"`
}

func escape(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s))
	return b.String()
}
