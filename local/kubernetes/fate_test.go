package kubernetes_test

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"portolan/local/kubernetes"
)

// pushed are images with the tags that they were pushed with, by digest.
type pushed map[string]string

func (p pushed) LookUpImage(image string) (digest string, tags []string, ok bool) {
	_, digest, _ = strings.Cut(image, "@")
	tag, ok := p[digest]
	return digest, []string{tag}, ok
}

// waits says what the first of web's pods that waits, waits for.
func (b *bench) waits() (reason string, s corev1.ContainerStatus) {
	for _, p := range b.pods("") {
		for _, s := range p.Status.ContainerStatuses {
			if s.State.Waiting != nil {
				return s.State.Waiting.Reason, s
			}
		}
	}
	return "", s
}

func TestAnImageFaresAsItsTagSays(t *testing.T) {
	bad := "sha256:" + strings.Repeat("0b", 32)
	withConfig(t, 1, kubernetes.Config{Images: pushed{bad: "crash-at-start"}}, func(b *bench) {
		b.apply(web("shop/web@"+bad, 1))
		var counts []int32
		b.within(20*time.Minute, "six restarts", func() bool {
			reason, s := b.waits()
			if reason == "CrashLoopBackOff" && (len(counts) == 0 || counts[len(counts)-1] != s.RestartCount) {
				counts = append(counts, s.RestartCount)
				if last := s.LastTerminationState.Terminated; last == nil || last.ExitCode != 1 {
					b.Fatalf("it ended with %+v", last)
				}
			}
			return len(counts) == 6
		})
		if counts[5] != 6 {
			b.Errorf("the counts of restarts were %v", counts)
		}
	})
}

func TestAnImageThatIsNotThereIsTriedAgain(t *testing.T) {
	inCluster(t, 1, func(b *bench) {
		b.apply(web("shop/web:pull-fail", 1))
		seen := map[string]bool{}
		b.within(5*time.Minute, "a back-off and another try", func() bool {
			reason, s := b.waits()
			seen[reason] = true
			if reason == "ErrImagePull" && !strings.Contains(s.State.Waiting.Message, "not found") {
				b.Fatalf("the message is %q", s.State.Waiting.Message)
			}
			return seen["ContainerCreating"] && seen["ErrImagePull"] && seen["ImagePullBackOff"]
		})
	})
}

func TestAPodMayTurnUnready(t *testing.T) {
	inCluster(t, 1, func(b *bench) {
		b.apply(web("shop/web:fail-later", 2))
		b.within(time.Minute, "ready", func() bool { return b.deployment().Status.ReadyReplicas == 2 })
		b.within(time.Minute, "unready", func() bool { return b.deployment().Status.ReadyReplicas == 0 })
		b.wait(10 * time.Minute)
		if d := b.deployment(); d.Status.ReadyReplicas != 0 || d.Status.UnavailableReplicas != 2 {
			b.Errorf("later it is %+v", d.Status)
		}
	})
}
