package states

import (
	"fmt"

	"portolan/local/states/asl"
	"portolan/local/states/value"
)

// A tolerance is how many iterations of a Map may fail: it is exceeded once
// either bound is.
type tolerance struct {
	Count      int64   `json:"count"`
	Percentage float64 `json:"percentage"`
	ByCount    bool    `json:"byCount,omitempty"`
	ByShare    bool    `json:"byShare,omitempty"`
}

func (t *tolerance) takes(failed, total int) bool {
	if t == nil || failed == 0 {
		return false
	}
	byCount := t.ByCount && int64(failed) <= t.Count
	byShare := t.ByShare && float64(failed)*100 <= t.Percentage*float64(total)
	switch {
	case t.ByCount && t.ByShare:
		return byCount && byShare
	case t.ByCount:
		return byCount
	}
	return byShare
}

// tolerate reads a Map's tolerance, or nil where it has none.
func tolerate(st *asl.State, scope *asl.Scope) (*tolerance, error) {
	if !st.HasTolerance {
		return nil, nil
	}
	t := &tolerance{Count: st.ToleratedCount, Percentage: st.ToleratedPercentage,
		ByCount: st.ToleratedCount > 0, ByShare: st.ToleratedPercentage > 0}
	if path := st.ToleratedCountPath; path != nil {
		n, err := integerAt(path, scope, "ToleratedFailureCountPath")
		if err != nil {
			return nil, err
		}
		if n < 0 {
			return nil, &asl.Failure{Name: asl.ErrRuntime, Cause: "ToleratedFailureCount cannot be negative."}
		}
		t.Count, t.ByCount = n, true
	}
	if path := st.ToleratedPercentagePath; path != nil {
		v, err := path.Eval(scope, "ToleratedFailurePercentagePath")
		if err != nil {
			return nil, err
		}
		n, ok := v.(value.Number)
		if !ok {
			return nil, &asl.Failure{Name: asl.ErrRuntime, Cause: fmt.Sprintf("The ToleratedFailurePercentagePath "+
				"field refers to value \"%s\" which is not a valid float: %s", plain(v), path)}
		}
		t.Percentage, t.ByShare = n.Float(), true
		if t.Percentage < 0 || t.Percentage > 100 {
			return nil, &asl.Failure{Name: asl.ErrRuntime, Cause: "ToleratedFailurePercentage must be between 0 and 100."}
		}
	}
	return t, nil
}
