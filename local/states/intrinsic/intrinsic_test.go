package intrinsic_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"portolan/local/states/intrinsic"
	"portolan/local/states/jsonpath"
	"portolan/local/states/value"
)

func env(t testing.TB, text string) *intrinsic.Env {
	t.Helper()
	doc, err := value.ParseString(text)
	if err != nil {
		t.Fatal(err)
	}
	return &intrinsic.Env{
		Path: func(p *jsonpath.Path) (any, error) { return p.Eval(doc) },
		Rand: rand.New(rand.NewPCG(1, 2)), UUID: func() string { return "uuid" },
	}
}

const input = `{"name":"Ada","n":1.5,"list":[1,2,3,4,5],"mixed":[1,1.0,"1",null,null,{"a":1},{"a":1}],"o":{"a":1,"b":2},
	"p":{"b":3,"c":4},"braces":"{}","q":"it's"}`

func TestFunctions(t *testing.T) {
	for call, want := range map[string]string{
		`States.Format('Hello {}, {} {} {}', $.name, 1, true, null)`:     `"Hello Ada, 1 true null"`,
		`States.Format('\{\} {} it\'s \\', 'x')`:                         `"{} x it's \\"`,
		`States.Format($.braces, 7)`:                                     `"7"`,
		`States.Format('{', 'x')`:                                        ``,
		`States.Format('{}')`:                                            ``,
		`States.Format('none', 1)`:                                       ``,
		`States.Format('{}', $.list)`:                                    ``,
		`States.StringToJson('{"a": [1, 2.50]}')`:                        `{"a":[1,2.50]}`,
		`States.StringToJson('{bad')`:                                    ``,
		`States.StringToJson('')`:                                        `null`,
		`States.JsonToString($.o)`:                                       `"{\"a\":1,\"b\":2}"`,
		`States.Array(1, 'a', $.o, States.Array())`:                      `[1,"a",{"a":1,"b":2},[]]`,
		`States.ArrayPartition($.list, 2)`:                               `[[1,2],[3,4],[5]]`,
		`States.ArrayPartition($.list, 1.5)`:                             `[[1,2],[3,4],[5]]`,
		`States.ArrayPartition($.list, 0)`:                               ``,
		`States.ArrayPartition('x', 1)`:                                  ``,
		`States.ArrayContains($.list, 3)`:                                `true`,
		`States.ArrayContains($.list, '3')`:                              `false`,
		`States.ArrayContains($.mixed, null)`:                            `true`,
		`States.ArrayRange(1, 9, 3)`:                                     `[1,4,7]`,
		`States.ArrayRange(5, 1, -2)`:                                    `[5,3,1]`,
		`States.ArrayRange(1, 5, 0)`:                                     ``,
		`States.ArrayRange(1, 1000, 1)`:                                  `length 1000`,
		`States.ArrayRange(0, 1000, 1)`:                                  ``,
		`States.ArrayRange(9223372036854775806, 9223372036854775807, 1)`: `[9223372036854775806,9223372036854775807]`,
		`States.ArrayGetItem($.list, 4)`:                                 `5`,
		`States.ArrayGetItem($.list, 5)`:                                 ``,
		`States.ArrayGetItem($.list, -1)`:                                ``,
		`States.ArrayLength($.mixed)`:                                    `7`,
		`States.ArrayUnique($.mixed)`:                                    `[1,"1",null,{"a":1}]`,
		`States.Base64Encode('Data to encode')`:                          `"RGF0YSB0byBlbmNvZGU="`,
		`States.Base64Decode('RGF0YSB0byBkZWNvZGU=')`:                    `"Data to decode"`,
		`States.Base64Decode('%')`:                                       ``,
		`States.Hash('input data', 'SHA-1')`:                             `"aaff4a450a104cd177d28d18d74485e8cae074b7"`,
		`States.Hash('input data', 'SHA-3')`:                             ``,
		`States.JsonMerge($.o, $.p, false)`:                              `{"a":1,"b":3,"c":4}`,
		`States.JsonMerge($.o, $.p, true)`:                               ``,
		`States.JsonMerge($.o, 1, false)`:                                ``,
		`States.MathAdd(111, -1)`:                                        `110`,
		`States.MathAdd($.n, -1.5)`:                                      `1`,
		`States.MathAdd('1', 1)`:                                         ``,
		`States.MathRandom(5, 6)`:                                        `5`,
		`States.MathRandom(6, 5)`:                                        ``,
		`States.StringSplit('1.2+3..4', '.+')`:                           `["1","2","3","4"]`,
		`States.StringSplit('abc', '')`:                                  `["abc"]`,
		`States.UUID()`:                                                  `"uuid"`,
		`States.ArrayGetItem(States.StringSplit($.q, '\''), 1)`:          `"s"`,
		`States.Format('{}', $.list[?(@ == 3)].length())`:                `"1"`,
		`States.Format('{}', $['name'])`:                                 `"Ada"`,
	} {
		c, err := intrinsic.Parse(call)
		if err != nil {
			t.Errorf("%s: %v", call, err)
			continue
		}
		got, err := c.Eval(env(t, input))
		if want == "" {
			if err == nil {
				t.Errorf("%s made %s", call, value.Text(got))
			} else if !strings.HasPrefix(err.Error(), "The function '"+call+"' had the following error: ") {
				t.Errorf("%s fails with %v", call, err)
			}
			continue
		}
		if length, ok := strings.CutPrefix(want, "length "); ok && err == nil {
			got, want = value.Number(itoa(len(got.([]any)))), length
		}
		if err != nil || value.Text(got) != want {
			t.Errorf("%s: got %v, %v, want %s", call, got, err, want)
		}
	}
}

func itoa(n int) string { return string(value.Whole(int64(n))) }

func TestRandomNumbersAreWithinTheirRange(t *testing.T) {
	e := env(t, `{}`)
	seen := map[string]bool{}
	for range 200 {
		c, err := intrinsic.Parse(`States.MathRandom(-2, 2)`)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Eval(e)
		if err != nil {
			t.Fatal(err)
		}
		seen[value.Text(got)] = true
	}
	if len(seen) != 4 || !seen["-2"] || !seen["1"] {
		t.Errorf("the numbers were %v", seen)
	}
	c, err := intrinsic.Parse(`States.MathRandom(1, 1000000, 42)`)
	if err != nil {
		t.Fatal(err)
	}
	first, _ := c.Eval(e)
	second, _ := c.Eval(e)
	if !value.Equal(first, second) {
		t.Errorf("the same seed made %v and %v", first, second)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, call := range []string{
		"", "States.", "States.Nope()", "Format('x')", "States.Format", "States.Format(", "States.Format()", "States.Format('a",
		"States.Format('a',)", "States.Array(,)", "States.UUID(1)", "States.Hash('a')", "States.Array([1])", "States.Array({})",
		"States.Array() x", `States.Array("a")`, "States.Array($)x", "States.Array($.)",
		strings.Repeat("States.Array(", 11) + strings.Repeat(")", 11),
	} {
		if _, err := intrinsic.Parse(call); err == nil {
			t.Errorf("%q was taken", call)
		}
	}
}

// FuzzParse checks that no call makes it panic, and that a call which was read
// reads the same from its own text.
func FuzzParse(f *testing.F) {
	for _, call := range []string{`States.Format('\'{}\\', $.a['x,y)'][?(@.b == ')')], -1.5e3)`,
		`States.ArrayGetItem(States.StringSplit($$.x, '-'), States.MathAdd(1, $v))`, `States.MathRandom(1, 2, 3)`} {
		f.Add(call)
	}
	f.Fuzz(func(t *testing.T, call string) {
		c, err := intrinsic.Parse(call)
		if err != nil {
			return
		}
		if _, err := intrinsic.Parse(c.String()); err != nil {
			t.Errorf("%q was read and its text %q was not: %v", call, c.String(), err)
		}
		if len(call) < 200 {
			if v, err := c.Eval(env(t, input)); err == nil {
				value.Text(v)
			}
		}
	})
}
