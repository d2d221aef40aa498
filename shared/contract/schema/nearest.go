package schema

import "strings"

// Nearest returns the known name that a misspelt one most probably stands for, or
// nothing when none is near. Of equally near ones it is the first.
func Nearest(name string, known []string) string {
	const longest = 64 // no known name comes near it, and the work is bounded
	if len(name) > longest {
		return ""
	}
	best, nearest := len(name)/3+2, ""
	for _, each := range known {
		if d := distance(strings.ToLower(name), strings.ToLower(each)); d < best {
			best, nearest = d, each
		}
	}
	return nearest
}

// distance is Levenshtein's, in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
