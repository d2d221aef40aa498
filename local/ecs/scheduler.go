package ecs

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// The scheduler's pace.
const (
	reaction   = 2 * time.Second  // from a change to the look at it
	placeAgain = 30 * time.Second // from a task that found no place to the next try
	tellAgain  = 15 * time.Minute // from telling of that to telling it again
)

// wake makes the scheduler look at the service after a while, unless it does so
// earlier anyway.
func (s *Server) wake(v *service, after time.Duration) {
	due := s.config.Clock.Now().Add(after)
	if earlier, ok := s.woken[v.key()]; ok && !earlier.After(due) {
		return
	}
	s.woken[v.key()] = due
	s.at("service "+v.key(), due, func() {
		delete(s.woken, v.key())
		if s.services[v.key()] == v {
			s.reconcile(v)
		}
	})
}

// desired is the number of tasks that the service should have. A daemon has one
// on each active instance.
func (s *Server) desired(v *service) int {
	if v.Scheduling == "DAEMON" && v.Status == "ACTIVE" {
		return len(s.daemonInstances(v))
	}
	return v.Desired
}

// reconcile brings the service's tasks closer to what it should have: it stops
// and starts as many as the percentages allow, and concludes a rollout that has
// arrived.
func (s *Server) reconcile(v *service) {
	if v.Status == "INACTIVE" {
		return
	}
	all := s.tasksOf(v)
	live := slices.DeleteFunc(slices.Clone(all), func(t *task) bool { return t.View.DesiredStatus == "STOPPED" })
	if v.Status == "DRAINING" {
		s.stopAll(v, live)
		ended := func(t *task) bool { return t.View.LastStatus == "STOPPED" }
		if !slices.ContainsFunc(all, func(t *task) bool { return !ended(t) }) {
			s.inactivate(v)
		}
		return
	}
	desired := s.desired(v)
	v.primary().View.DesiredCount = desired
	kept, surplus := s.divide(v, live, desired)
	s.stopSurplus(v, live, surplus, desired)
	started := s.startMissing(v, len(kept), len(live), desired)
	if started == 0 {
		s.conclude(v, slices.DeleteFunc(live, func(t *task) bool { return t.View.DesiredStatus == "STOPPED" }))
	} else if v.Steady {
		v.Steady = false
		s.keep(serviceBucket, v.key(), v)
	}
}

// tasksOf are the service's tasks, the oldest first.
func (s *Server) tasksOf(v *service) []*task {
	var tasks []*task
	for _, t := range s.tasks {
		if t.Service == v.key() {
			tasks = append(tasks, t)
		}
	}
	slices.SortFunc(tasks, func(a, b *task) int {
		if c := a.View.CreatedAt.Compare(b.View.CreatedAt.Time); c != 0 {
			return c
		}
		return strings.Compare(a.id(), b.id())
	})
	return tasks
}

// divide tells the tasks that should stay from those that should go: of an older
// deployment, on an instance that drains, or more than desired. Those that do
// not run yet go first, then the newest.
func (s *Server) divide(v *service, live []*task, desired int) (kept, surplus []*task) {
	for _, t := range live {
		if t.View.StartedBy != v.primary().View.ID || t.moving(s) {
			surplus = append(surplus, t)
		} else {
			kept = append(kept, t)
		}
	}
	slices.SortStableFunc(kept, func(a, b *task) int { return b.progress() - a.progress() })
	if len(kept) > desired {
		surplus = append(surplus, kept[desired:]...)
		kept = kept[:desired]
	}
	return kept, surplus
}

// stopSurplus stops what should go, as long as enough healthy tasks stay.
func (s *Server) stopSurplus(v *service, live, surplus []*task, desired int) {
	if v.primary().View.RolloutState == "FAILED" && len(v.Deployments) > 1 {
		// A failed deployment starts nothing more; what it should replace stays.
		surplus = slices.DeleteFunc(surplus, func(t *task) bool { return t.View.StartedBy != v.primary().View.ID })
	}
	minimum, _ := v.percents()
	healthy := 0
	for _, t := range live {
		if t.Settled {
			healthy++
		}
	}
	spare := healthy - ceilPercent(desired, minimum)
	slices.SortStableFunc(surplus, func(a, b *task) int { return a.progress() - b.progress() })
	var stopped []*task
	for _, t := range surplus {
		if t.Settled {
			if spare <= 0 {
				continue
			}
			spare--
		}
		reason := "Scaling activity initiated by (deployment " + v.primary().View.ID + ")"
		s.stop(t, "ServiceSchedulerInitiated", reason)
		stopped = append(stopped, t)
	}
	if len(stopped) > 0 {
		s.say(v, fmt.Sprintf("has stopped %d running tasks: %s.", len(stopped), taskList(stopped)))
		v.Steady = false
	}
}

func (s *Server) stopAll(v *service, live []*task) {
	for _, t := range live {
		s.stop(t, "ServiceSchedulerInitiated", "Scaling activity initiated by (deployment "+v.primary().View.ID+")")
	}
	if len(live) > 0 {
		s.say(v, fmt.Sprintf("has stopped %d running tasks: %s.", len(live), taskList(live)))
	}
}

func ceilPercent(n, percent int) int { return (n*percent + 99) / 100 }

// startMissing starts what the primary deployment lacks, and tells how many
// tasks are still missing or on their way.
func (s *Server) startMissing(v *service, kept, live, desired int) int {
	p := v.primary()
	if p.View.RolloutState == "FAILED" || kept >= desired {
		return 0
	}
	if wait := s.config.Clock.Until(p.Retry); wait > 0 {
		s.wake(v, wait)
		return desired - kept
	}
	_, maximum := v.percents()
	room := max(desired*maximum/100, 1) - live
	d, err := s.findDefinition(p.View.TaskDefinition)
	if err != nil {
		return desired - kept
	}
	var started []*task
	refusal := ""
	for range min(desired-kept, room) {
		var t *task
		if t, refusal = s.startFor(v, d); refusal != "" {
			break
		}
		started = append(started, t)
	}
	if len(started) > 0 {
		s.say(v, fmt.Sprintf("has started %d tasks: %s.", len(started), taskList(started)))
	}
	if refusal != "" {
		s.impair(v, refusal)
		s.wake(v, placeAgain)
	}
	return desired - kept
}

// impair tells that a task found no place: once, and again after a while.
func (s *Server) impair(v *service, refusal string) {
	now := s.config.Clock.Now()
	if now.Sub(v.Impaired) < tellAgain {
		return
	}
	v.Impaired = now
	s.say(v, "was unable to place a task because no container instance met all of its requirements. "+refusal+
		" For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.")
	s.act(v, "ERROR", "SERVICE_TASK_PLACEMENT_FAILURE", map[string]any{"reason": refusalCode(refusal)})
}

// startFor starts one task of the service, where its strategy and its
// constraints allow.
func (s *Server) startFor(v *service, d *definition) (*task, string) {
	p := placement{cluster: v.Cluster, definition: d, launchType: v.LaunchType, service: v,
		constraints: v.Settings.PlacementConstraints, strategy: v.Settings.PlacementStrategy}
	if len(v.Strategy) > 0 {
		p.provider = s.nextProvider(v)
		p.launchType = ""
	}
	spot, refusal := s.place(p)
	if refusal != "" {
		return nil, refusal
	}
	order := taskOrder{cluster: v.Cluster, definition: d, spot: spot, group: "service:" + v.Name, service: v,
		startedBy: v.primary().View.ID, network: v.Settings.NetworkConfiguration, tags: s.propagated(v, d),
		execute: v.Settings.EnableExecuteCommand != nil && *v.Settings.EnableExecuteCommand}
	return s.start(order), ""
}

func (s *Server) propagated(v *service, d *definition) []tag {
	var tags []tag
	if managed := v.Settings.EnableECSManagedTags; managed != nil && *managed {
		tags = append(tags, tag{"aws:ecs:clusterName", v.Cluster}, tag{"aws:ecs:serviceName", v.Name})
	}
	switch v.Settings.PropagateTags {
	case "SERVICE":
		tags = append(tags, v.Tags...)
	case "TASK_DEFINITION":
		tags = append(tags, d.Tags...)
	}
	return tags
}

// nextProvider is whose turn it is by the strategy: first each base, then by
// weight.
func (s *Server) nextProvider(v *service) string {
	count := map[string]int{}
	for _, t := range s.tasksOf(v) {
		if t.View.DesiredStatus == "RUNNING" && t.View.StartedBy == v.primary().View.ID {
			count[t.View.CapacityProviderName]++
		}
	}
	best, load := v.Strategy[0].CapacityProvider, -1.0
	for _, item := range v.Strategy {
		n := count[item.CapacityProvider] - item.Base
		if n < 0 {
			return item.CapacityProvider
		}
		if item.Weight == 0 {
			continue
		}
		if l := float64(n) / float64(item.Weight); load < 0 || l < load {
			best, load = item.CapacityProvider, l
		}
	}
	return best
}
