package kubernetes

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	jsonserializer "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"

	"portolan/local/kubernetes/kinds"
)

// largest is how long a body may be, as Kubernetes has it.
const largest = 3 << 20

func readBody(q *request) ([]byte, error) {
	if q.Body == nil {
		return nil, nil
	}
	raw, err := io.ReadAll(io.LimitReader(q.Body, largest+1))
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	if len(raw) > largest {
		return nil, apierrors.NewRequestEntityTooLargeError(fmt.Sprintf("limit is %d", largest))
	}
	return raw, nil
}

// mediaType is a request's content type, which has to be one of those.
func mediaType(q *request, accepted ...string) (string, error) {
	header := q.Header.Get("Content-Type")
	media, _, err := mime.ParseMediaType(header)
	if header == "" && accepted[0] == runtime.ContentTypeJSON {
		return accepted[0], nil
	}
	for _, a := range accepted {
		if err == nil && media == a {
			return a, nil
		}
	}
	what := "the body of the request was in an unknown format - accepted media types include: " + strings.Join(accepted, ", ")
	return "", &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: http.StatusUnsupportedMediaType,
		Reason: metav1.StatusReasonUnsupportedMediaType, Message: what}}
}

// ofObjects are the media types that an object may be sent as. It is answered in JSON.
var ofObjects = []string{runtime.ContentTypeJSON, runtime.ContentTypeProtobuf}

var fromProtobuf = protobuf.NewSerializer(kinds.Scheme, kinds.Scheme)

// fromJSON reads JSON, and refuses fields that are unknown where it is strict.
var fromJSON = map[bool]runtime.Decoder{
	false: jsonserializer.NewSerializerWithOptions(jsonserializer.DefaultMetaFactory, kinds.Scheme, kinds.Scheme,
		jsonserializer.SerializerOptions{}),
	true: jsonserializer.NewSerializerWithOptions(jsonserializer.DefaultMetaFactory, kinds.Scheme, kinds.Scheme,
		jsonserializer.SerializerOptions{Strict: true}),
}

// decode reads an object of a kind. Fields that it does not have are refused where the
// request wants them to be.
func decode(q *request, raw []byte, gvk schema.GroupVersionKind, into runtime.Object) error {
	decoder := fromJSON[q.query.Get("fieldValidation") == metav1.FieldValidationStrict]
	if strings.HasPrefix(q.Header.Get("Content-Type"), runtime.ContentTypeProtobuf) {
		decoder = fromProtobuf
	}
	_, is, err := decoder.Decode(raw, &gvk, into)
	switch {
	case is != nil && *is != gvk:
		return apierrors.NewBadRequest(fmt.Sprintf("%s in version %q cannot be handled as a %s: the kind that is sent has to be the one "+
			"that the path names", is.Kind, is.Version, gvk.Kind))
	case err != nil && is == nil:
		return apierrors.NewBadRequest(fmt.Sprintf("the object provided is unrecognized (must be of type %s): %v (%s)", gvk.Kind, err,
			raw[:min(len(raw), 64)]))
	case err != nil:
		return apierrors.NewBadRequest(fmt.Sprintf("%s in version %q cannot be handled as a %s: %v", gvk.Kind, gvk.Version, gvk.Kind, err))
	}
	return nil
}
