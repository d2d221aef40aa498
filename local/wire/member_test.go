package wire

import (
	"encoding/json"
	"testing"
)

func TestAMemberIsFoundWithoutDecodingTheRest(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{`{"TableName":"t","Key":{"pk":{"S":"a"}}}`, "t"},
		{" {\n \"Key\" : {\"TableName\":\"inner\", \"x\":[1,{\"y\":\"}]\"}]} ,\t\"TableName\" : \"t\" } ", "t"},
		{`{"TableName":"first","TableName":"last"}`, "last"},
		{`{"Tab\u006ceName":"a\"b\\"}`, `a"b\`},
		{`{"text":"\\","TableName":"behind a backslash"}`, "behind a backslash"},
		{`{"n":-1.5e3,"b":true,"z":null,"TableName":"t"}`, "t"},
		{`{"TableName":7}`, ""},
		{`["TableName","t"]`, ""},
		{`{}`, ""},
		{``, ""},
	} {
		if got := (Member{raw: []byte(c.body)}).Member("TableName").Text(); got != c.want {
			t.Errorf("%s has %q, want %q", c.body, got, c.want)
		}
	}
}

func TestMembersOfListsAndStructures(t *testing.T) {
	x := &Exchange{protocol: JSON10, body: &Body{raw: []byte(
		`{"names":["a", "b" ,"c"],"tags":[ ],"map":{ },"none":null,"items":[{"Put":{"TableName":"t"}},{}],"zero":0}`)}}
	var names string
	for _, item := range x.Member("names").Items() {
		names += item.Text()
	}
	if names != "abc" {
		t.Errorf("the names are %s", names)
	}
	if got := (Member{raw: []byte(`{"b":1,"a":{"c":2},"b":3}`)}).Members(); len(got) != 2 || string(got["b"].raw) != "3" || got["a"].IsEmpty() {
		t.Errorf("the names are %v", got)
	}
	items := x.Member("items").Items()
	if len(items) != 2 || items[0].Member("Put").Member("TableName").Text() != "t" || !items[1].IsEmpty() {
		t.Errorf("the items are %v", items)
	}
	for name, empty := range map[string]bool{"tags": true, "map": true, "none": true, "absent": true,
		"names": false, "zero": false, "items": false} {
		if x.Member(name).IsEmpty() != empty {
			t.Errorf("%s is empty: %v", name, !empty)
		}
	}
}

func TestMembersOfAForm(t *testing.T) {
	form, err := parseForm("Action=CreateTargetGroup&Name=n&Tags.member.1.Key=a&ResourceArns.member.1=x&ResourceArns.member.2=y")
	if err != nil {
		t.Fatal(err)
	}
	x := &Exchange{protocol: Query, body: &Body{form: form}}
	arns := x.Member("ResourceArns").Items()
	if x.Member("Name").Text() != "n" || x.Member("Tags").IsEmpty() || !x.Member("Other").IsEmpty() ||
		len(arns) != 2 || arns[1].Text() != "y" {
		t.Errorf("the form has %v", form)
	}
}

func TestMembersInCBOR(t *testing.T) {
	raw, err := cborEncoding.Marshal(map[string]any{"name": "n", "list": []any{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	x := &Exchange{protocol: CBOR, body: &Body{raw: raw}}
	if x.Member("name").Text() != "n" || len(x.Member("list").Items()) != 1 {
		t.Errorf("the members are %s", x.Parameter().raw)
	}
}

// FuzzMember holds that scanning finds in JSON what decoding finds, and gets through
// whatever else there is.
func FuzzMember(f *testing.F) {
	f.Add([]byte(`{"a":"b","c":["d",{"e":1}],"a":"\u0066"}`), "a")
	f.Add([]byte(`{"a":{"b":"}"},"b"`), "b")
	f.Add([]byte(`]`), "")
	f.Add([]byte("{\"a\":\"\xc4\"}"), "a")
	f.Fuzz(func(t *testing.T, raw []byte, name string) {
		got := Member{raw: raw}.Member(name)
		got.Items()
		got.IsEmpty()
		var members map[string]any
		if json.Unmarshal(raw, &members) != nil {
			return
		}
		want, _ := members[name].(string)
		if got.Text() != want {
			t.Errorf("%q of %q is %q, want %q", name, raw, got.Text(), want)
		}
	})
}
