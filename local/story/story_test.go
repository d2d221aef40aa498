package story_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"portolan"
	"portolan/local"
	"portolan/local/story"
)

// TestStory tells the whole story in virtual time, at AWS's own pace.
func TestStory(t *testing.T) { tell(t, story.Tell, checkPermissions) }

// TestStoryOverMidnight tells it on two days: what was decided yesterday is part of it.
func TestStoryOverMidnight(t *testing.T) {
	for _, before := range []time.Duration{15 * time.Minute, 30 * time.Minute, 45 * time.Minute} {
		t.Run(before.String(), func(t *testing.T) {
			tell(t, func(ctx context.Context, s *story.Stage) error {
				time.Sleep(24*time.Hour - before)
				return story.Tell(ctx, s)
			}, func(*testing.T, *local.Local) {})
		})
	}
}

// TestStoryOfSwarm tells the one of Docker Swarm on simulated engines.
func TestStoryOfSwarm(t *testing.T) { tell(t, story.TellSwarm, checkSwarmPermissions) }

// TestStoryOfKubernetes tells the one of a cluster in Amazon EKS.
func TestStoryOfKubernetes(t *testing.T) { tell(t, story.TellKubernetes, checkKubernetesPermissions) }

// tell tells a story on a control plane of its own, and then checks what it left.
func tell(t *testing.T, told func(context.Context, *story.Stage) error, check func(*testing.T, *local.Local)) {
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
		if err := told(t.Context(), &story.Stage{Local: l, Out: t.Output()}); err != nil {
			t.Fatal(err)
		}
		check(t, l)
	})
}
