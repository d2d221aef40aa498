package jsonpath_test

import (
	"errors"
	"testing"

	"portolan/local/states/jsonpath"
	"portolan/local/states/value"
)

const store = `{"store":{"book":[
	{"category":"reference","author":"Nigel Rees","title":"Sayings of the Century","price":8.95},
	{"category":"fiction","author":"Evelyn Waugh","title":"Sword of Honour","price":12.99},
	{"category":"fiction","author":"Herman Melville","title":"Moby Dick","isbn":"0-553-21311-3","price":8.99}],
	"bicycle":{"color":"red","price":19.95}},"limit":10,"my key":1,"a.b":2,"nothing":null,"empty":[],"it's":3}`

func TestEval(t *testing.T) {
	doc, err := value.ParseString(store)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"$.limit":                                `10`,
		"$['limit']":                             `10`,
		`$["limit"]`:                             `10`,
		"$.['limit']":                            `10`,
		"$['my key']":                            `1`,
		"$['a.b']":                               `2`,
		`$['it\'s']`:                             `3`,
		"$.nothing":                              `null`,
		"$.store.book[0].author":                 `"Nigel Rees"`,
		"$.store.book[-1].title":                 `"Moby Dick"`,
		"$.store.book[0,2].price":                `[8.95,8.99]`,
		"$.store.book[1:].price":                 `[12.99,8.99]`,
		"$.store.book[:1].price":                 `[8.95]`,
		"$.store.book[-2:].price":                `[12.99,8.99]`,
		"$.store.book[0:-1].price":               `[8.95,12.99]`,
		"$.store.book[*].price":                  `[8.95,12.99,8.99]`,
		"$.store.bicycle.*":                      `["red",19.95]`,
		"$.store.bicycle[*]":                     `["red",19.95]`,
		"$.store.bicycle['color','price']":       `{"color":"red","price":19.95}`,
		"$..isbn":                                `["0-553-21311-3"]`,
		"$..price":                               `[8.95,12.99,8.99,19.95]`,
		"$..book[0].title":                       `["Sayings of the Century"]`,
		"$.store.book[?(@.price < 9)].price":     `[8.95,8.99]`,
		"$.store.book[?(@.price<$.limit)].price": `[8.95,8.99]`,
		"$.store.book[?(@.isbn)].title":          `["Moby Dick"]`,
		"$.store.book[?(!@.isbn)].price":         `[8.95,12.99]`,
		"$.store.book[?(@.category == 'fiction' && @.price > 10)].price":      `[12.99]`,
		"$.store.book[?(@.category == 'reference' || @['price'] > 10)].price": `[8.95,12.99]`,
		"$.store.book[?(@.category != 'fiction')].price":                      `[8.95]`,
		"$.store.book[?(@.author =~ /.*melville/i)].price":                    `[8.99]`,
		"$.store.book[?(@.author =~ /melville/i)].price":                      `[]`,
		"$.store.book[?(@.category in ['reference','x'])].price":              `[8.95]`,
		"$.store.book[?(@.category nin ['reference'])].price":                 `[12.99,8.99]`,
		"$.store.book[?(@.title contains 'Sword')].price":                     `[12.99]`,
		"$.store.book[?(@.isbn == null)].price":                               `[]`,
		"$.store.book[?((@.price > 5) && !(@.price > 9))].price":              `[8.95,8.99]`,
		"$.store.book[?(@.none)].price":                                       `[]`,
		"$.missing[*]":                                                        `[]`,
		"$.missing[1:2].x":                                                    `[]`,
		"$.limit[*]":                                                          `[]`,
		"$.store.book.length()":                                               `3`,
		"$.store.book[*].price.max()":                                         `12.99`,
		"$.store.book[*].price.sum()":                                         `30.93`,
		"$.store.bicycle.keys()":                                              `["color","price"]`,
	} {
		p, err := jsonpath.Parse(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		got, err := p.Eval(doc)
		if err != nil {
			t.Errorf("%s: %v", path, err)
		} else if value.Text(got) != want {
			t.Errorf("%s: got %s, want %s", path, value.Text(got), want)
		}
	}
}

func TestWhatIsNotFound(t *testing.T) {
	doc, err := value.ParseString(store)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"$.none":          "No results for path: $['none']",
		"$.store.none":    "No results for path: $['store']['none']",
		"$.none.x.y":      "Missing property in path $['none']",
		"$.store.none[0]": "Missing property in path $['store']['none']",
		"$.store.book[9]": "No results for path: $['store']['book'][9]",
		"$.nothing[0]":    "The path $['nothing'] is null",
		"$.limit[0]":      "Filter: [0] can only be applied to arrays. Current context is: 10",
	} {
		p, err := jsonpath.Parse(path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.Eval(doc)
		if missing, ok := errors.AsType[*jsonpath.NotFound](err); !ok || missing.Reason != want {
			t.Errorf("%s: got %v, want %s", path, err, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, path := range []string{
		"", "a", "$.", "$a.", "$[", "$[]", "$['a", "$['a'", "$[x]", "$..", "$.a[?(@.b]", "$.a[?@.b]", "$.a b",
		"$.a[?(@.b ==)]", "$.a[?(@.b == [[1]])]", "$.a[1:2:3]", "$.a[99999999999999999999]", "$.a.nope()", "$.a.length().b",
	} {
		if _, err := jsonpath.Parse(path); err == nil {
			t.Errorf("%q was taken", path)
		}
	}
}

func TestRootsAndKinds(t *testing.T) {
	for _, test := range []struct {
		path                string
		root                jsonpath.Root
		name                string
		definite, reference bool
	}{
		{"$", jsonpath.Input, "", true, true},
		{"$.a[0]", jsonpath.Input, "", true, true},
		{"$$.Execution.Id", jsonpath.Context, "", true, true},
		{"$total", jsonpath.Variable, "total", true, true},
		{"$total.a", jsonpath.Variable, "total", true, true},
		{"$.a[*]", jsonpath.Input, "", false, false},
		{"$.a[1:]", jsonpath.Input, "", false, false},
		{"$..a", jsonpath.Input, "", false, false},
		{"$['a','b']", jsonpath.Input, "", true, false},
		{"$.a.length()", jsonpath.Input, "", true, false},
	} {
		p, err := jsonpath.Parse(test.path)
		if err != nil {
			t.Errorf("%s: %v", test.path, err)
			continue
		}
		if p.Root != test.root || p.Name != test.name || p.Definite() != test.definite || p.Reference() != test.reference {
			t.Errorf("%s is read as %+v", test.path, p)
		}
	}
}

func TestSet(t *testing.T) {
	for _, test := range []struct{ doc, path, want string }{
		{`{"a":1}`, "$", `9`},
		{`{"a":1}`, "$.b", `{"a":1,"b":9}`},
		{`{"a":1}`, "$.a", `{"a":9}`},
		{`{"a":{"x":1}}`, "$.a.y.z", `{"a":{"x":1,"y":{"z":9}}}`},
		{`{"a":[1,2]}`, "$.a[1]", `{"a":[1,9]}`},
		{`{"a":[1,2]}`, "$.a[2]", ``},
		{`[1]`, "$.a", ``},
		{`"text"`, "$.a", ``},
	} {
		doc, err := value.ParseString(test.doc)
		if err != nil {
			t.Fatal(err)
		}
		p, err := jsonpath.Parse(test.path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Set(doc, value.Number("9"))
		switch {
		case test.want == "" && err == nil:
			t.Errorf("%s into %s made %s", test.path, test.doc, value.Text(got))
		case test.want != "" && (err != nil || value.Text(got) != test.want):
			t.Errorf("%s into %s made %v, %v", test.path, test.doc, got, err)
		}
		if value.Text(doc) != test.doc {
			t.Errorf("%s changed the document to %s", test.path, value.Text(doc))
		}
	}
}

// FuzzParse checks that no path and no document make it panic, and that what a
// definite path names can be followed to one node only.
func FuzzParse(f *testing.F) {
	for _, path := range []string{"$.a[?(@.b == 'c' && !(@.d in [1,2]))]..e[0,1][1:2]['f','g'].*", "$$.x", "$v[0]", "$.a.length()"} {
		f.Add(path, `{"a":[{"b":"c"}]}`)
	}
	f.Fuzz(func(t *testing.T, path, text string) {
		p, err := jsonpath.Parse(path)
		if err != nil {
			return
		}
		doc, err := value.ParseString(text)
		if err != nil {
			return
		}
		got, err := p.Eval(doc)
		if err == nil {
			value.Text(got)
		}
		if p.Reference() {
			if changed, err := p.Set(doc, "x"); err == nil {
				if back, err := p.Eval(changed); err != nil || !value.Equal(back, "x") {
					t.Errorf("%s: wrote and read back %v, %v", path, back, err)
				}
			}
		}
	})
}
