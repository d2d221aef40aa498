package local

import (
	"log/slog"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"portolan"
	"portolan/shared/environment"
)

func deployed(t *testing.T) *deployment {
	t.Helper()
	d, err := readDeployment(portolan.Files, Account, "us-east-1", "portolan")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestWhatIsDeployedRunsHere(t *testing.T) {
	var ids []string
	for _, f := range deployed(t).functions {
		ids = append(ids, f.logicalID)
	}
	if here := slices.Sorted(maps.Keys(handlers)); !slices.Equal(slices.Sorted(slices.Values(ids)), here) {
		t.Errorf("the template deploys %q, and here run %q", ids, here)
	}
}

// Each variable that a function reads is set, and none is set that it does not
// read.
func TestFunctionsReadTheVariablesThatTheyAreGiven(t *testing.T) {
	for _, f := range deployed(t).functions {
		read := map[string]bool{}
		handlers[f.logicalID](&environment.Environment{
			AWS: aws.Config{Region: "us-east-1"}, Log: slog.New(slog.DiscardHandler), Now: time.Now,
			NewID: func() string { return "id" }, Variables: func(name string) string {
				read[name] = true
				return "arn:aws:iam::000000000000:role/given"
			},
		})
		given := slices.Sorted(maps.Keys(f.variables))
		if got := slices.Sorted(maps.Keys(read)); !slices.Equal(got, given) {
			t.Errorf("%s reads %q and is given %q", f.logicalID, got, given)
		}
	}
}
