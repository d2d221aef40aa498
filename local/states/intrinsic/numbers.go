package intrinsic

import (
	"errors"
	"math"
	"math/rand/v2"

	"portolan/local/states/value"
)

// round is Java's Math.round: to the nearest whole number, halves up.
func round(f float64) int64 {
	f = math.Floor(f + 0.5)
	switch {
	case math.IsNaN(f):
		return 0
	case f >= math.MaxInt64:
		return math.MaxInt64
	case f <= math.MinInt64:
		return math.MinInt64
	}
	return int64(f)
}

func mathAdd(_ *Env, arguments []any) (any, error) {
	a, err := integer(arguments, 0)
	if err != nil {
		return nil, err
	}
	b, err := integer(arguments, 1)
	if err != nil {
		return nil, err
	}
	return value.Whole(a + b), nil
}

// mathRandom picks from the start up to, but not with, the end. The same seed
// picks the same number.
func mathRandom(env *Env, arguments []any) (any, error) {
	start, err := integer(arguments, 0)
	if err != nil {
		return nil, err
	}
	end, err := integer(arguments, 1)
	if err != nil {
		return nil, err
	}
	if end <= start {
		return nil, errors.New("The end of the range must be greater than its start")
	}
	if len(arguments) == 2 {
		return value.Whole(start + int64(env.Rand.Uint64N(uint64(end-start)))), nil
	}
	seed, err := integer(arguments, 2)
	if err != nil {
		return nil, err
	}
	seeded := rand.New(rand.NewPCG(uint64(seed), 0))
	return value.Whole(start + int64(seeded.Uint64N(uint64(end-start)))), nil
}
