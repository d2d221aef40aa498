package story_test

import (
	"log/slog"
	"testing"
	"testing/synctest"

	"portolan"
	"portolan/local"
	"portolan/local/story"
)

// TestStory tells the whole story in virtual time, at AWS's own pace.
func TestStory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := local.Start(local.Config{
			Files: portolan.Files, Region: "us-east-1", Stack: "portolan", Seed: 1,
			Log: slog.New(slog.NewJSONHandler(t.Output(), nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		}()
		if err := story.Tell(t.Context(), &story.Stage{Local: l, Out: t.Output()}); err != nil {
			t.Fatal(err)
		}
		checkPermissions(t, l)
	})
}

// TestStoryOfSwarm tells the one of Docker Swarm on simulated engines.
func TestStoryOfSwarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := local.Start(local.Config{
			Files: portolan.Files, Region: "us-east-1", Stack: "portolan", Seed: 1,
			Log: slog.New(slog.NewJSONHandler(t.Output(), nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		}()
		if err := story.TellSwarm(t.Context(), &story.Stage{Local: l, Out: t.Output()}); err != nil {
			t.Fatal(err)
		}
		checkSwarmPermissions(t, l)
	})
}

// TestStoryOfKubernetes tells the one of a cluster in Amazon EKS.
func TestStoryOfKubernetes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := local.Start(local.Config{
			Files: portolan.Files, Region: "us-east-1", Stack: "portolan", Seed: 1,
			Log: slog.New(slog.NewJSONHandler(t.Output(), nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		}()
		if err := story.TellKubernetes(t.Context(), &story.Stage{Local: l, Out: t.Output()}); err != nil {
			t.Fatal(err)
		}
		checkKubernetesPermissions(t, l)
	})
}
