package intrinsic

import (
	"errors"
	"fmt"
	"slices"

	"portolan/local/states/value"
)

// maxRange is AWS's limit on what States.ArrayRange makes.
const maxRange = 1000

func array(_ *Env, arguments []any) (any, error) { return arguments, nil }

func arrayPartition(_ *Env, arguments []any) (any, error) {
	items, err := list(arguments, 0)
	if err != nil {
		return nil, err
	}
	size, err := integer(arguments, 1)
	if err != nil {
		return nil, err
	}
	if size < 1 {
		return nil, wrong(1, "a positive integer")
	}
	parts := []any{}
	for chunk := range slices.Chunk(items, int(min(size, int64(len(items)+1)))) {
		parts = append(parts, append([]any(nil), chunk...))
	}
	return parts, nil
}

func arrayContains(_ *Env, arguments []any) (any, error) {
	items, err := list(arguments, 0)
	if err != nil {
		return nil, err
	}
	return contains(items, arguments[1]), nil
}

func contains(items []any, v any) bool {
	return slices.ContainsFunc(items, func(item any) bool { return value.Equal(item, v) })
}

func arrayRange(_ *Env, arguments []any) (any, error) {
	var bounds [3]int64
	for i := range bounds {
		n, err := integer(arguments, i)
		if err != nil {
			return nil, err
		}
		bounds[i] = n
	}
	first, last, step := bounds[0], bounds[1], bounds[2]
	if step == 0 {
		return nil, errors.New("The step must not be zero")
	}
	numbers := []any{}
	for n := first; step > 0 && n <= last || step < 0 && n >= last; n += step {
		if len(numbers) == maxRange {
			return nil, fmt.Errorf("The range must not have more than %d elements", maxRange)
		}
		numbers = append(numbers, value.Whole(n))
		if step > 0 && n > last-step || step < 0 && n < last-step {
			break // the next would overflow or be past the end
		}
	}
	return numbers, nil
}

func arrayGetItem(_ *Env, arguments []any) (any, error) {
	items, err := list(arguments, 0)
	if err != nil {
		return nil, err
	}
	i, err := integer(arguments, 1)
	if err != nil {
		return nil, err
	}
	if i < 0 || i >= int64(len(items)) {
		return nil, fmt.Errorf("The index %d is out of bounds for an array of length %d", i, len(items))
	}
	return items[i], nil
}

func arrayLength(_ *Env, arguments []any) (any, error) {
	items, err := list(arguments, 0)
	if err != nil {
		return nil, err
	}
	return value.Whole(int64(len(items))), nil
}

func arrayUnique(_ *Env, arguments []any) (any, error) {
	items, err := list(arguments, 0)
	if err != nil {
		return nil, err
	}
	unique := []any{}
	for _, item := range items {
		if !contains(unique, item) {
			unique = append(unique, item)
		}
	}
	return unique, nil
}
