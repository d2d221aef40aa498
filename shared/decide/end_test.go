package decide

import (
	"slices"
	"testing"
	"time"

	"portolan/shared/contract"
	"portolan/shared/model"
)

func TestWhatEndsDirtyNamesWhatIsLeft(t *testing.T) {
	o := model.Operation{Target: contract.Target{Cluster: "shop", Service: "web"}}
	for _, c := range []struct {
		status contract.OperationStatus
		left   []string
		want   []string
	}{
		{contract.OperationFailedDirty, nil, []string{"service/shop/web"}},
		{contract.OperationFailedDirty, []string{"arn"}, []string{"arn"}},
		{contract.OperationFailedClean, nil, nil},
		{contract.OperationSucceeded, nil, nil},
	} {
		if got := End(o, c.status, "", c.left, time.Time{}).Left; !slices.Equal(got, c.want) {
			t.Errorf("%s with %v left %v and not %v", c.status, c.left, got, c.want)
		}
	}
}
