package cloudformation

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	// pollEvery and pollMost are how often a Pending resource is looked at again: the longer
	// it has been Pending, the more rarely.
	pollEvery = 5 * time.Second
	pollMost  = 30 * time.Second
	// stackDelay is how long a stack takes to begin and to end an operation.
	stackDelay = time.Second
	// resourceDelay is how long after its turn came a resource's call is made.
	resourceDelay = time.Second
	// defaultPatience is how long a resource may be Pending.
	defaultPatience = time.Hour
)

// conductLater starts the goroutine that carries out the stack's operation, or
// wakes it when there is one. The lock must be held.
func (s *Service) conductLater(st *stack) {
	if wake, ok := s.running[st.ID]; ok {
		select {
		case wake <- struct{}{}:
		default:
		}
		return
	}
	wake := make(chan struct{}, 1)
	s.running[st.ID] = wake
	s.wait.Add(1)
	go func() {
		defer s.wait.Done()
		s.conduct(st, wake)
	}()
}

// conduct acts whenever something of the stack is due, one thing after another,
// so that the same calls lead to the same events.
func (s *Service) conduct(st *stack, wake chan struct{}) {
	if s.config.Clock.Wait(s.ctx) != nil {
		return
	}
	for {
		next, done := s.act(st)
		if done || s.ctx.Err() != nil {
			return
		}
		timer := s.config.Clock.NewTimer(max(0, next.Sub(s.now())))
		select {
		case <-timer.C:
		case <-wake:
		case <-s.ctx.Done():
		}
		timer.Stop()
	}
}

// act does all that is due, and tells when the next thing is. It is done when
// the stack has nothing under way.
func (s *Service) act(st *stack) (next time.Time, done bool) {
	s.mu.Lock()
	defer s.unlock()
	for s.ctx.Err() == nil {
		r, err := s.plan(st)
		if err == nil && st.Phase == idle {
			delete(s.running, st.ID)
			return time.Time{}, true
		}
		if err == nil && r == nil {
			return st.nextDue(), false
		}
		if err == nil {
			err = s.advance(st, r)
		}
		// Only the disk fails here. What was not written happens again.
		if err != nil {
			return s.now().Add(pollEvery), false
		}
	}
	return time.Time{}, true
}

// nextDue is when the first of the resources that are under way is due.
func (st *stack) nextDue() time.Time {
	next := st.NotBefore
	first := true
	for _, r := range st.Resources {
		if (r.Progress == starting || r.Progress == settling) && (first || r.Due.Before(next)) {
			next, first = r.Due, false
		}
	}
	if !st.Deadline.IsZero() && st.Phase == creating && st.Deadline.Before(next) {
		return st.Deadline
	}
	return next
}

// plan moves the stack's phase on as far as it goes by itself, and returns the
// resource that is due, if one is.
func (s *Service) plan(st *stack) (*resource, error) {
	if st.Phase == idle || s.now().Before(st.NotBefore) {
		return nil, nil
	}
	if st.Phase == creating && !st.Deadline.IsZero() && !s.now().Before(st.Deadline) {
		return nil, s.fail(st, "Stack creation time exceeded the specified timeout.")
	}
	if err := s.release(st); err != nil || st.Phase == idle || s.now().Before(st.NotBefore) {
		return nil, err
	}
	under := 0
	var due *resource
	for _, id := range st.logicalIDs() {
		r := st.Resources[id]
		if r.Progress != starting && r.Progress != settling {
			continue
		}
		under++
		if !r.Due.After(s.now()) && (due == nil || r.Due.Before(due.Due)) {
			due = r
		}
	}
	if due != nil || under > 0 {
		return due, nil
	}
	return nil, s.finish(st)
}

// release starts the resources whose dependencies are met.
func (s *Service) release(st *stack) error {
	for _, id := range st.logicalIDs() {
		if st.Phase == idle || s.now().Before(st.NotBefore) {
			return nil // The one before failed, and turned the stack around.
		}
		r := st.Resources[id]
		if r.Progress != waiting || !s.isReady(st, r) {
			continue
		}
		r.Progress, r.Due = starting, s.now().Add(resourceDelay)
		r.GiveUp = s.now().Add(s.patience(r.Type))
		if r.Action == "delete" {
			if err := s.startDelete(st, r); err != nil {
				return err
			}
			continue
		}
		if err := s.startChange(st, r); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) patience(kind string) time.Duration {
	if patience := s.config.Kinds[kind].Patience; patience > 0 {
		return patience
	}
	return defaultPatience
}

// isReady tells whether all is finished that must be before the resource: what
// it depends on, or, for a deletion, what depends on it.
func (s *Service) isReady(st *stack, r *resource) bool {
	if r.Action != "delete" {
		return !slices.ContainsFunc(r.DependsOn, func(id string) bool {
			other, ok := st.Resources[id]
			return ok && other.Progress != finished
		})
	}
	for _, other := range st.Resources {
		if other.Action == "delete" && other.Progress != finished && slices.Contains(other.DependsOn, r.LogicalID) {
			return false
		}
	}
	return true
}

// startDelete begins a deletion, or skips what is to be left.
func (s *Service) startDelete(st *stack, r *resource) error {
	if r.Leftover != nil {
		return s.noteResource(st, r, r.Leftover.PhysicalID, "DELETE_IN_PROGRESS", "")
	}
	if r.DeletionPolicy == "Retain" || slices.Contains(st.Retained, r.LogicalID) ||
		r.DeletionPolicy == "RetainExceptOnCreate" && st.Phase != rollingBack {
		r.Progress = finished
		return s.setResource(st, r, "DELETE_SKIPPED", "")
	}
	return s.setResource(st, r, "DELETE_IN_PROGRESS", "")
}

// startChange begins a creation, or an update where there is something to
// update. A resource that cannot be resolved has failed.
func (s *Service) startChange(st *stack, r *resource) error {
	properties, err := s.resolve(st, r)
	if err != nil {
		return s.failResource(st, r, err.Error())
	}
	if r.Action == "create" {
		r.Properties, r.untried = properties, r.Status == ""
		return s.setResource(st, r, "CREATE_IN_PROGRESS", "")
	}
	if textOf(r.Properties) == textOf(properties) {
		r.Progress = finished
		return s.stacks.Put(st)
	}
	r.Previous, r.Properties = r.Properties, properties
	if !replaces(s.config.Kinds[r.Type].CreateOnly, r.Previous, properties) {
		return s.setResource(st, r, "UPDATE_IN_PROGRESS", "")
	}
	r.Leftover = &leftover{r.PhysicalID, r.Name, r.Previous, r.Attributes, r.UpdateReplacePolicy == "Retain"}
	r.Name, r.Token, r.Action = s.newName(st, r), s.newUUID(), "replace"
	return s.setResource(st, r, "UPDATE_IN_PROGRESS",
		"Requested update requires the creation of a new physical resource; hence creating one.")
}

// replaces tells whether one of the properties at those paths changed.
func replaces(paths []string, old, now map[string]any) bool {
	at := func(properties map[string]any, path string) string {
		var value any = properties
		for step := range strings.SplitSeq(path, ".") {
			object, _ := value.(map[string]any)
			value = object[step]
		}
		return textOf(value)
	}
	return slices.ContainsFunc(paths, func(path string) bool { return at(old, path) != at(now, path) })
}

// resolve evaluates a resource's properties against what is made by now.
func (s *Service) resolve(st *stack, r *resource) (map[string]any, error) {
	resolver, err := s.resolver(st)
	if err != nil {
		return nil, err
	}
	return resolver.Properties(r.LogicalID)
}

func (s *Service) resolver(st *stack) (*Resolver, error) {
	template, err := st.template()
	if err != nil {
		return nil, err
	}
	return template.Resolver(s.scope(st))
}

func (s *Service) scope(st *stack) Scope {
	return Scope{
		Parameters: st.Values,
		Pseudo: Pseudo{
			AccountID: s.config.Account, Region: s.config.Region, StackID: st.ID, StackName: st.Name,
			NotificationARNs: st.NotificationARNs,
		},
		Import: func(name string) (string, error) {
			value, ok := s.exportOf(name)
			if !ok {
				return "", templateError("No export named %s found.", name)
			}
			if !slices.Contains(st.Imports, name) {
				st.Imports = append(st.Imports, name)
			}
			return value, nil
		},
		Lookup: func(id, attribute string) (any, error) {
			r, ok := st.Resources[id]
			if !ok {
				return nil, templateError("Resource %s does not exist in the stack", id)
			}
			if attribute == "" {
				return r.PhysicalID, nil
			}
			if value, ok := r.Attributes[attribute]; ok {
				return value, nil
			}
			return nil, templateError("Template error: resource %s does not support attribute type %s in Fn::GetAtt",
				id, attribute)
		},
	}
}

// newName is the name of a resource that the template gives none.
func (s *Service) newName(st *stack, r *resource) string {
	return st.Name + "-" + r.LogicalID + "-" + s.config.IDs.Base32(12)
}

// tags are those that CloudFormation puts on a resource.
func (st *stack) tags(r *resource) map[string]string {
	tags := map[string]string{
		"aws:cloudformation:stack-name": st.Name, "aws:cloudformation:stack-id": st.ID,
		"aws:cloudformation:logical-id": r.LogicalID,
	}
	for _, tag := range st.Tags {
		tags[tag.Key] = tag.Value
	}
	return tags
}

func (st *stack) request(r *resource) Request {
	return Request{
		Type: r.Type, LogicalID: r.LogicalID, StackName: st.Name, StackID: st.ID, Name: r.Name, Token: r.Token,
		PhysicalID: r.PhysicalID, Properties: maps.Clone(r.Properties), Previous: maps.Clone(r.Previous), Tags: st.tags(r),
	}
}

// pendingReason is the reason of a Pending in err's chain.
func pendingReason(err error) (string, bool) {
	pending, ok := errors.AsType[*Pending](err)
	if !ok {
		return "", false
	}
	return pending.Reason, true
}
