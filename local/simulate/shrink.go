package simulate

import "slices"

// Shrink returns the shortest plan that it finds which still fails, by leaving out
// ever fewer steps at a time. It calls fails at most so many times.
func Shrink(p Plan, tries int, fails func(Plan) bool) Plan {
	for size := len(p.Steps) / 2; size > 0; size /= 2 {
		for at := 0; at+size <= len(p.Steps); {
			if tries--; tries < 0 {
				return p
			}
			shorter := p
			shorter.Steps = slices.Delete(slices.Clone(p.Steps), at, at+size)
			if fails(shorter) {
				p = shorter
			} else {
				at += size
			}
		}
	}
	return p
}
