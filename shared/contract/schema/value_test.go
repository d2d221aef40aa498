package schema

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"portolan/shared/fault"
)

func TestReadRefusesWhatReadersDifferOn(t *testing.T) {
	for name, test := range map[string]struct{ text, pointer, detail string }{
		"a stray character": {
			"{\"name\": \"web\",\n \"team\": shop}", "",
			"is not JSON: invalid character 's' looking for beginning of value at line 2, column 10 (byte 25)",
		},
		"an end too early": {
			`{"name": "web"`, "",
			"is not JSON: unexpected end of JSON input at line 1, column 15 (byte 14)",
		},
		"nothing": {
			" ", "", "is not JSON: unexpected end of JSON input at line 1, column 2 (byte 1)",
		},
		"something behind": {
			`{} {}`, "",
			"is not JSON: invalid character '{' after top-level value at line 1, column 4 (byte 3)",
		},
		"a trailing comma": {
			`{"a":1,}`, "",
			"is not JSON: invalid character '}' looking for beginning of object key string at line 1, column 8 (byte 7)",
		},
		"a name twice": {
			"{\"team\": \"a\",\n\"team\": \"b\"}", "/team",
			"is given twice, the second time at line 2, column 7 (byte 20)",
		},
		"a name twice inside": {
			`{"a/b": [{"c~": 1, "c~": 2}]}`, "/a~1b/0/c~0",
			"is given twice, the second time at line 1, column 24 (byte 23)",
		},
		"no UTF-8": {
			"{\"é\": \"\xff\"}", "", "is not UTF-8 at line 1, column 8 (byte 8)",
		},
		"too deep": {
			strings.Repeat("[", 33) + strings.Repeat("]", 33), strings.Repeat("/0", 32),
			"is nested more than 32 deep",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read([]byte(test.text))
			want := []fault.Field{{Pointer: test.pointer, Detail: test.detail}}
			if got := fault.FieldsOf(err); !fault.IsInvalid(err) || !reflect.DeepEqual(got, want) {
				t.Errorf("got  %v\nwant %v", got, want)
			}
		})
	}
}

func TestReadKeepsWhatWasWritten(t *testing.T) {
	v, err := Read([]byte(`{"b": [1.50, "x", true, null], "a": {}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := &Value{Kind: Object, Members: []Member{
		{"b", Value{Kind: Array, Items: []Value{
			{Kind: Number, Text: "1.50"}, {Kind: String, Text: "x"},
			{Kind: Boolean, Text: "true"}, {Kind: Null, Text: "null"},
		}}},
		{"a", Value{Kind: Object}},
	}}
	if !reflect.DeepEqual(v, want) {
		t.Errorf("got %+v", v)
	}
}

// FuzzRead looks for texts that Read and encoding/json take differently.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		`{"name":"web","team":"shop","orchestrator":"ecs"}`, `{"a":{"a":1},"b":[{},[]]}`, `"\ud800"`,
		`{"a":1,"a":2}`, "\xff", `1e999`, `[1,2`, ``, `{"a":1}x`, "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := Read(text)
		if err == nil {
			if !json.Valid(text) {
				t.Fatal("what is no JSON was read")
			}
			Load().Check(&Schema{Ref: "ServiceSpec"}, v)
			return
		}
		var e *fault.Error
		if !errors.As(err, &e) || e.Kind != fault.Invalid || len(e.Fields) != 1 {
			t.Fatalf("refused without blaming a field: %v", err)
		}
	})
}
