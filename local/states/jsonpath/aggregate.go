package jsonpath

import (
	"math"
	"strconv"

	"portolan/local/states/value"
)

var functions = map[string]bool{
	"length": true, "size": true, "keys": true, "min": true, "max": true,
	"avg": true, "sum": true, "stddev": true, "first": true, "last": true,
}

// aggregate applies the function that ends a path to what the path found.
func aggregate(name string, v any) (any, error) {
	switch name {
	case "length", "size":
		if n, ok := length(v); ok {
			return value.Whole(int64(n)), nil
		}
		return nil, nil
	case "keys":
		o, ok := v.(*value.Object)
		if !ok {
			return nil, missing("Aggregation function attempted to list the keys of what is no object")
		}
		keys := make([]any, o.Len())
		for i := range keys {
			keys[i], _ = o.At(i)
		}
		return keys, nil
	}
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		return nil, missing("Aggregation function attempted to calculate value using empty array")
	}
	switch name {
	case "first":
		return list[0], nil
	case "last":
		return list[len(list)-1], nil
	}
	return calculate(name, list)
}

func calculate(name string, list []any) (any, error) {
	var sum, squares, low, high, count float64
	low, high = math.Inf(1), math.Inf(-1)
	for _, v := range list {
		n, ok := v.(value.Number)
		if !ok {
			continue
		}
		f := n.Float()
		sum, squares, count = sum+f, squares+f*f, count+1
		low, high = min(low, f), max(high, f)
	}
	if count == 0 {
		return nil, missing("Aggregation function attempted to calculate value using empty array")
	}
	result := map[string]float64{
		"sum": sum, "avg": sum / count, "min": low, "max": high,
		"stddev": math.Sqrt(squares/count - sum*sum/count/count),
	}[name]
	return double(result), nil
}

// double writes a float as Java does: always with a fraction.
func double(f float64) value.Number {
	if f == math.Trunc(f) && math.Abs(f) < 1e15 {
		return value.Number(strconv.FormatFloat(f, 'f', 1, 64))
	}
	return value.Number(strconv.FormatFloat(f, 'g', -1, 64))
}
