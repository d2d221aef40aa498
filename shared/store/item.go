package store

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// encode turns v into an item that has the members that JSON has.
func encode(v any) (map[string]types.AttributeValue, error) {
	item, err := attributevalue.MarshalMapWithOptions(v, func(o *attributevalue.EncoderOptions) {
		o.TagKey = "json"
	})
	if err != nil {
		return nil, fmt.Errorf("encoding %T: %w", v, err)
	}
	omitZero(reflect.ValueOf(v), item)
	return item, nil
}

// omitZero leaves out of an item which v became what JSON leaves out as omitzero, which
// attributevalue does not know: half of a description may be structures that nobody filled.
func omitZero(v reflect.Value, item map[string]types.AttributeValue) {
	for i := range v.NumField() {
		field, value := v.Type().Field(i), v.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case !field.IsExported():
		case field.Anonymous && name == "" && value.Kind() == reflect.Struct:
			omitZero(value, item)
		case strings.Contains(options, "omitzero") && isZero(value):
			delete(item, name)
		default:
			omitZeroIn(value, item[name])
		}
	}
}

func omitZeroIn(v reflect.Value, attribute types.AttributeValue) {
	switch a := attribute.(type) {
	case *types.AttributeValueMemberM:
		for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
			v = v.Elem()
		}
		if v.Kind() == reflect.Struct {
			omitZero(v, a.Value)
			return
		}
		for key, value := range v.Seq2() {
			omitZeroIn(value, a.Value[key.String()])
		}
	case *types.AttributeValueMemberL:
		for i, item := range a.Value {
			omitZeroIn(v.Index(i), item)
		}
	}
}

func isZero(v reflect.Value) bool {
	if t, isTime := v.Interface().(time.Time); isTime {
		return t.IsZero()
	}
	return v.IsZero()
}

func decode(item map[string]types.AttributeValue, out any) error {
	err := attributevalue.UnmarshalMapWithOptions(item, out, func(o *attributevalue.DecoderOptions) {
		o.TagKey = "json"
	})
	if err != nil {
		return fmt.Errorf("decoding %T: %w", out, err)
	}
	return nil
}

// appendDecoded appends what an item is to things of its kind.
func appendDecoded[T any](things []T, item map[string]types.AttributeValue) ([]T, error) {
	var thing T
	err := decode(item, &thing)
	return append(things, thing), err
}
