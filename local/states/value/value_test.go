package value_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"portolan/local/states/value"
)

func TestTextIsKept(t *testing.T) {
	for text, want := range map[string]string{
		` { "b" : 1.0 , "a" : [ -0 , 1e3, 12345678901234567890 ] } `: `{"b":1.0,"a":[-0,1e3,12345678901234567890]}`,
		`"\u00e9\ud83d\ude00\/\n\u0001<&>"`:                          `"é😀/\n\u0001<&>"`,
		`{"a":1,"a":2}`:                                              `{"a":2}`,
		`[]`:                                                         `[]`,
		`"\ud800"`:                                                   `"�"`,
	} {
		v, err := value.ParseString(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := value.Text(v); got != want {
			t.Errorf("%s became %s, want %s", text, got, want)
		}
		if n := value.Size(v, 1<<20); n != len(want) {
			t.Errorf("%s has size %d, want %d", want, n, len(want))
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{
		"", "{", "[", "[1,", "[1,]", `{"a"}`, `{"a":}`, `{"a":1,}`, "01", "1.", "1e", "-", "tru", `"`, `"\x"`, `"\u12"`,
		"\"\n\"", "1 2", "'a'", strings.Repeat("[", 5000),
	} {
		if v, err := value.ParseString(text); err == nil {
			t.Errorf("%.20q was taken as %v", text, v)
		}
	}
}

func TestEqualAndCompare(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{`1`, `1.0`, true}, {`100`, `1e2`, true}, {`0.1`, `0.10000000000000000001`, false}, {`-0`, `0`, true},
		{`{"a":1,"b":2}`, `{"b":2,"a":1}`, true}, {`{"a":1}`, `{"a":1,"b":2}`, false}, {`[1,2]`, `[2,1]`, false},
		{`null`, `false`, false}, {`"1"`, `1`, false}, {`1e999`, `2e999`, true}, {`[]`, `{}`, false}, {`1`, `[1]`, false},
	} {
		a, _ := value.ParseString(test.a)
		b, _ := value.ParseString(test.b)
		if got := value.Equal(a, b); got != test.want {
			t.Errorf("%s equals %s: %v", test.a, test.b, got)
		}
	}
}

func TestObjectsShareNothingThatChanges(t *testing.T) {
	o := value.NewObject(0)
	for i := range 20 {
		o.Set(string(rune('a'+i)), value.Whole(int64(i)))
	}
	text := value.Text(o)
	changed := o.With("a", nil).With("z", true)
	if value.Text(o) != text {
		t.Errorf("the object became %s", value.Text(o))
	}
	if v, ok := changed.Get("a"); v != nil || !ok || changed.Len() != 21 {
		t.Errorf("the copy is %s", value.Text(changed))
	}
}

func TestSizeStopsEarly(t *testing.T) {
	list := make([]any, 1000)
	for i := range list {
		list[i] = "0123456789"
	}
	if n := value.Size(list, 100); n <= 100 {
		t.Errorf("a list past the limit has size %d", n)
	}
}

// FuzzParse compares with encoding/json: what one takes the other takes, and
// they read the same from it.
func FuzzParse(f *testing.F) {
	for _, text := range []string{`{"a":[1,-2.5e3,"\u00e9\n",true,null]}`, `[[],{}]`, `"\ud83d\ude00"`, `1`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := value.Parse(text)
		if (err == nil) != json.Valid(text) {
			if err != nil && strings.Contains(err.Error(), "too deeply") {
				return
			}
			t.Fatalf("%q: %v, and encoding/json says %v", text, err, json.Valid(text))
		}
		if err != nil {
			return
		}
		written := value.Append(nil, v)
		again, err := value.Parse(written)
		if err != nil || !value.Equal(v, again) || !bytes.Equal(value.Append(nil, again), written) {
			t.Fatalf("%q was written as %q: %v", text, written, err)
		}
		if n := value.Size(v, 1<<30); n != len(written) {
			t.Fatalf("%q has size %d, want %d", written, n, len(written))
		}
	})
}
