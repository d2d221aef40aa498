package dynamodb

import (
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCanonicalNumbers(t *testing.T) {
	for text, want := range map[string]string{
		"0": "0", "-0": "0", "0.000": "0", "00012": "12", "+1": "1", "1.50": "1.5", ".5": "0.5", "5.": "5",
		"1e3": "1000", "1E-3": "0.001", "-12.5e1": "-125", "100": "100", "1e125": "1" + strings.Repeat("0", 125),
		"0001.000e-130": "0." + strings.Repeat("0", 129) + "1",
	} {
		if got, problem := canonical(text); got != want || problem != "" {
			t.Errorf("canonical(%q) = %q %s, want %q", text, got, problem, want)
		}
	}
	for text, want := range map[string]string{
		"": notNumeric, "x": notNumeric + ": x", "1x": notNumeric + ": 1x", "-": notNumeric + ": -", ".": notNumeric + ": .",
		"1e": notNumeric + ": 1e", "e1": notNumeric + ": e1", "1e1.5": notNumeric + ": 1e1.5", "--1": notNumeric + ": --1",
		"1e126": numberTooLarge, "1e-131": numberTooSmall, "1e99999999999999999999": numberTooLarge,
		"1e-99999999999999999999": numberTooSmall, strings.Repeat("1", 39): tooPrecise,
	} {
		if got, problem := canonical(text); problem != want {
			t.Errorf("canonical(%q) = %q, problem %q, want %q", text, got, problem, want)
		}
	}
}

// numbers draws numbers that can be stored.
func numbers() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		text := rapid.StringMatching(`-?[0-9]{1,20}(\.[0-9]{1,15})?(e-?[0-9]{1,2})?`).Draw(t, "number")
		canonical, problem := canonical(text)
		if problem != "" {
			t.Skip()
		}
		return canonical
	})
}

func rational(t *rapid.T, text string) *big.Rat {
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		t.Fatalf("%q is no number", text)
	}
	return r
}

func TestNumbersOrderAndAddAsNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := numbers().Draw(t, "a"), numbers().Draw(t, "b")
		x, y := rational(t, a), rational(t, b)
		if got, want := compareNumbers(a, b), x.Cmp(y); got != want {
			t.Fatalf("compare(%s, %s) = %d, want %d", a, b, got, want)
		}
		if sum, problem := addNumbers(a, b, false); problem == "" && rational(t, sum).Cmp(new(big.Rat).Add(x, y)) != 0 {
			t.Fatalf("%s + %s = %s", a, b, sum)
		}
		if again, problem := canonical(a); again != a || problem != "" {
			t.Fatalf("canonical(%s) = %s %s", a, again, problem)
		}
	})
}
