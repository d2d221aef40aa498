package wire

import (
	"reflect"
	"testing"
)

type deep struct {
	Name  string            `json:"Name"`
	Count *int32            `json:"Count"`
	On    bool              `json:"On"`
	Rate  float64           `json:"Rate"`
	At    *Time             `json:"At"`
	Blob  []byte            `json:"Blob"`
	List  []string          `json:"List"`
	Deep  []deep            `json:"Deep"`
	Map   map[string]string `json:"Map"`
}

func TestFormDecodes(t *testing.T) {
	form, err := parseForm("Name=n&Count=3&On=true&List.member.2=b&List.member.10=c&List.member.1=a" +
		"&Deep.1.Name=x&Deep.1.List.1=y&Map.entry.1.key=k&Map.entry.1.value=v&Unknown.1=z&Blob=aGk%3D")
	if err != nil {
		t.Fatal(err)
	}
	var got deep
	if err := form.decode(reflect.ValueOf(&got).Elem()); err != nil {
		t.Fatal(err)
	}
	three := int32(3)
	want := deep{Name: "n", Count: &three, On: true, List: []string{"a", "b", "c"}, Blob: []byte("hi"),
		Deep: []deep{{Name: "x", List: []string{"y"}}}, Map: map[string]string{"k": "v"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestFormRefuses(t *testing.T) {
	for _, form := range []string{"Count=many", "On=perhaps", "Rate=fast", "At=noon", "Blob=%3D", "Deep.1.Count=9999999999"} {
		parsed, err := parseForm(form)
		if err != nil {
			t.Fatal(err)
		}
		if err := parsed.decode(reflect.ValueOf(&deep{}).Elem()); err == nil {
			t.Errorf("%s was decoded", form)
		}
	}
}

func FuzzForm(f *testing.F) {
	for _, seed := range []string{"", "Name=n&Count=3", "List.member.1=a&List.member.-1=b", "Deep.1.Deep.1.Deep.2.Name=x",
		"Map.entry.1.key=k", "List=&List.1=", "%", "a;b", "Deep..1=.", "At=2026-01-02T03:04:05Z"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		form, err := parseForm(raw)
		if err != nil {
			return
		}
		var got deep
		if form.decode(reflect.ValueOf(&got).Elem()) != nil {
			return
		}
		if _, err := encodeXML(&Exchange{Operation: "Op", protocol: EC2Query}, &got); err != nil {
			t.Errorf("what was decoded from %q does not encode: %v", raw, err)
		}
	})
}

// FuzzBody decodes any bytes in the protocols that are not forms. What decodes
// is encoded again without fail.
func FuzzBody(f *testing.F) {
	f.Add(int(JSON11), []byte(`{"Name":"n","Count":3,"At":1.5,"Deep":[{"List":["a",null]}],"Map":{"k":"v"}}`))
	f.Add(int(JSON10), []byte(`{"At":"2026-01-02T03:04:05Z","Count":99999999999}`))
	f.Add(int(CBOR), []byte("\xa2\x64Name\x61n\x62At\xc1\xfb\x41\xd6\x00\x00\x00\x00\x00\x00"))
	f.Add(int(CBOR), []byte("\xbf\x64List\x9f\x61a\xff\xff"))
	f.Fuzz(func(t *testing.T, protocol int, raw []byte) {
		p := Protocol(protocol)
		if p != JSON10 && p != JSON11 && p != CBOR {
			return
		}
		x := &Exchange{protocol: p, body: &Body{protocol: p, raw: raw}}
		x.Parameters()
		var got deep
		if x.body.Decode(&got) != nil {
			return
		}
		if _, err := encode(x, &got); err != nil {
			t.Errorf("what was decoded from %q does not encode: %v", raw, err)
		}
	})
}
