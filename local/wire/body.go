package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"

	"github.com/fxamacker/cbor/v2"
)

// A Body is a request's parameters as they came.
type Body struct {
	protocol Protocol
	raw      []byte
	form     *node // of a Query body
}

// Bytes is the body as it came, with its compression undone. It must not be
// changed.
func (b *Body) Bytes() []byte { return b.raw }

// A replay is a request's body that was read once, for a service that is no
// *Service and reads the request itself.
type replay struct {
	bytes.Reader
	raw []byte
}

func newReplay(raw []byte) *replay {
	r := &replay{raw: raw}
	r.Reset(raw)
	return r
}

// Bytes is all of the body, without reading it. It must not be changed.
func (r *replay) Bytes() []byte { return r.raw }

// Close implements io.Closer.
func (r *replay) Close() error { return nil }

// Decode fills the struct that into points to. Members that it does not have are
// ignored, as AWS does. Its error is a SerializationException.
func (b *Body) Decode(into any) error {
	var err error
	switch b.protocol {
	case Query, EC2Query:
		err = b.form.decode(reflect.ValueOf(into).Elem())
		if err != nil {
			return Errorf("MalformedInput", "%v", err)
		}
		return nil
	case CBOR:
		if len(b.raw) > 0 {
			err = cborDecoding.Unmarshal(b.raw, into)
		}
	default:
		err = decodeJSON(b.raw, into)
	}
	if err != nil {
		return &Error{Code: "SerializationException", Message: err.Error()}
	}
	return nil
}

func decodeJSON(raw []byte, into any) error {
	if len(raw) == 0 {
		return nil
	}
	err := json.Unmarshal(raw, into)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%s cannot be converted to %s (at %s)", wrong.Value, kindName(wrong.Type), wrong.Field)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("Unexpected end of input")
	}
	return err
}

func kindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "String"
	case reflect.Bool:
		return "Boolean"
	case reflect.Slice, reflect.Array:
		return "List"
	case reflect.Struct, reflect.Map:
		return "Structure"
	}
	return "Number"
}

var cborDecoding = func() cbor.DecMode {
	mode, err := cbor.DecOptions{
		MaxNestedLevels: 64, DefaultMapType: reflect.TypeFor[map[string]any](),
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return mode
}()

var cborEncoding = func() cbor.EncMode {
	mode, err := cbor.EncOptions{Sort: cbor.SortLengthFirst}.EncMode()
	if err != nil {
		panic(err)
	}
	return mode
}()
