//go:build testbed

package instances_test

import (
	"log/slog"
	"testing"

	"portolan"
	"portolan/local"
	"portolan/local/story"
	"portolan/local/testbed/instances"
	"portolan/local/testbed/swarm"
)

// speed is how much faster than AWS's time passes; the engines take the time they take.
const speed = 10

// TestStoryOnRealEngines tells the whole story of Docker Swarm where each instance is a
// real engine: from five of them that know nothing of each other to none.
func TestStoryOnRealEngines(t *testing.T) {
	testbed, err := swarm.Start(t.Context(), swarm.Config{Registries: []string{story.Registry}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if t.Failed() {
			t.Log(testbed.Log())
		}
		if err := testbed.Stop(); err != nil {
			t.Error(err)
		}
	}()
	log := slog.New(slog.NewJSONHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	machines := instances.New(testbed, log)
	l, err := local.Start(local.Config{
		Files: portolan.Files, Region: "us-east-1", Stack: "portolan", Speed: speed, Seed: 1, Log: log, Machines: machines,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	machines.UseSecrets(l.Secrets.Value)
	if err := story.TellSwarm(t.Context(), &story.Stage{Local: l, Out: t.Output(), Engines: machines}); err != nil {
		t.Fatal(err)
	}
}
