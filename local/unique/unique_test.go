package unique_test

import (
	"regexp"
	"testing"
	"time"

	"portolan/local/unique"
)

func TestTheSameSeedGivesTheSameIDs(t *testing.T) {
	a, b := unique.New(7), unique.New(7)
	for range 100 {
		if x, y := a.UUID(), b.UUID(); x != y {
			t.Fatalf("%s differs from %s", x, y)
		}
	}
	if x, y := a.Fork().Hex(16), unique.New(8).Hex(16); x == y {
		t.Errorf("two streams both gave %s", x)
	}
}

func TestFormats(t *testing.T) {
	s := unique.New(1)
	for pattern, id := range map[string]string{
		`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`: s.UUID(),
		`^[0-9a-f]{17}$`:  s.Hex(17),
		`^[A-Z2-7]{16}$`:  s.Base32(16),
		`^[0-9a-z]{25}$`:  s.Base36(25),
		`^[1-9][0-9]{9}$`: s.Digits(10),
	} {
		if !regexp.MustCompile(pattern).MatchString(id) {
			t.Errorf("%s does not match %s", id, pattern)
		}
	}
	for range 100 {
		if d := s.Between(time.Second, 2*time.Second); d < time.Second || d > 2*time.Second {
			t.Errorf("%v is not between one and two seconds", d)
		}
	}
}
