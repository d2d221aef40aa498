package cloudformation

import (
	"slices"
	"strings"
	"time"
)

// begin starts a phase: act moves on at the clock's pace from here.
func (s *Service) begin(st *stack, next phase) {
	st.Phase, st.NotBefore = next, s.now().Add(stackDelay)
	s.conductLater(st)
}

// end puts the stack to rest.
func (s *Service) end(st *stack, status, reason string) error {
	st.Phase, st.Deadline, st.Retained = idle, time.Time{}, nil
	st.Previous, st.GoingBack = nil, false
	if status == "DELETE_COMPLETE" {
		st.Deleted = s.now()
	}
	return s.setStatus(st, status, reason)
}

// finish is called when nothing is under way or ready any more.
func (s *Service) finish(st *stack) error {
	failures := st.in(failed)
	switch st.Phase {
	case creating:
		if err := s.resolveOutputs(st); err != nil {
			return s.fail(st, err.Error())
		}
		return s.end(st, "CREATE_COMPLETE", "")
	case updating:
		return s.finishUpdate(st, failures)
	case cleaningUp:
		// What could not be cleaned up is left; the update stands all the same.
		return s.finishCleanup(st)
	case rollingBack:
		if len(failures) > 0 {
			return s.end(st, "ROLLBACK_FAILED",
				"The following resource(s) failed to delete: "+brackets(failures)+". ")
		}
		return s.end(st, "ROLLBACK_COMPLETE", "")
	}
	if len(failures) > 0 {
		return s.end(st, "DELETE_FAILED", "The following resource(s) failed to delete: "+brackets(failures)+". ")
	}
	return s.end(st, "DELETE_COMPLETE", "")
}

// in lists the resources that are so far.
func (st *stack) in(p progress) []string {
	return slices.DeleteFunc(st.logicalIDs(), func(id string) bool { return st.Resources[id].Progress != p })
}

// resolveOutputs computes the outputs from what is made by now.
func (s *Service) resolveOutputs(st *stack) error {
	resolver, err := s.resolver(st)
	if err != nil {
		return err
	}
	outputs, err := resolver.Outputs()
	if err != nil {
		return err
	}
	st.Outputs = outputs
	return s.checkExports(st)
}

// fail ends a creation that went wrong as the caller asked for. Without a reason
// of its own it names the resources that failed, those included that were only
// cancelled.
func (s *Service) fail(st *stack, reason string) error {
	for _, id := range st.logicalIDs() {
		r := st.Resources[id]
		if r.Progress == starting || r.Progress == settling {
			r.Progress = failed
			if err := s.setResource(st, r, "CREATE_FAILED", "Resource creation cancelled"); err != nil {
				return err
			}
		}
		if r.Progress == waiting {
			delete(st.Resources, id)
		}
	}
	if reason == "" {
		reason = "The following resource(s) failed to create: " + brackets(st.in(failed)) + "."
	}
	switch st.OnFailure {
	case "DO_NOTHING":
		return s.end(st, "CREATE_FAILED", reason+" ")
	case "DELETE":
		s.deleteAll(st)
		s.begin(st, deletingFailed)
		return s.setStatus(st, "DELETE_IN_PROGRESS", reason+" Delete requested by user.")
	}
	s.deleteAll(st)
	s.begin(st, rollingBack)
	return s.setStatus(st, "ROLLBACK_IN_PROGRESS", reason+" Rollback requested by user.")
}

// deleteAll makes every resource that is not gone wait for its deletion.
func (s *Service) deleteAll(st *stack) {
	for _, r := range st.Resources {
		if r.Status == "DELETE_COMPLETE" || r.Status == "DELETE_SKIPPED" {
			r.Progress, r.Action = finished, "delete"
			continue
		}
		r.Progress, r.Action = waiting, "delete"
	}
}

// arrange makes the stack's resources those of its template, and notes what is
// to be done to each: create what is new, update the rest, and remove, in the
// cleanup, what is no longer there.
func (s *Service) arrange(st *stack) error {
	template, err := st.template()
	if err != nil {
		return err
	}
	resolver, err := template.Resolver(s.scope(st))
	if err != nil {
		return err
	}
	needs, err := resolver.dependencies()
	if err != nil {
		return err
	}
	if st.Resources == nil {
		st.Resources = map[string]*resource{}
	}
	for _, id := range template.LogicalIDs() {
		others, active := needs[id]
		if !active {
			continue
		}
		declared := template.Resources[id]
		r, exists := st.Resources[id]
		if !exists || r.Status == "DELETE_COMPLETE" {
			r = &resource{LogicalID: id, Type: declared.Type, Token: s.newUUID()}
			r.Name = s.newName(st, r)
			st.Resources[id] = r
		}
		if r.Action = "update"; r.PhysicalID == "" {
			r.Action = "create"
		}
		r.DependsOn, r.Progress, r.Removed = others, waiting, false
		r.DeletionPolicy, r.UpdateReplacePolicy = declared.DeletionPolicy, declared.UpdateReplacePolicy
	}
	for _, id := range st.logicalIDs() {
		r := st.Resources[id]
		if _, active := needs[id]; !active {
			r.Removed, r.Progress = r.Status != "DELETE_COMPLETE", finished
		}
	}
	return nil
}

// goBack turns a failed update around, towards the version before it.
func (s *Service) goBack(st *stack, reason string) error {
	for _, id := range st.logicalIDs() {
		r := st.Resources[id]
		if r.Progress != starting && r.Progress != settling {
			continue
		}
		status := "UPDATE_FAILED"
		if r.Action == "create" {
			status = "CREATE_FAILED"
		}
		if err := s.setResource(st, r, status, "Resource "+strings.ToLower(status[:6])+" cancelled"); err != nil {
			return err
		}
	}
	for _, id := range st.logicalIDs() {
		s.restore(st, st.Resources[id])
	}
	st.version, st.GoingBack = *st.Previous, true
	if err := s.arrange(st); err != nil {
		return s.end(st, "UPDATE_ROLLBACK_FAILED", err.Error())
	}
	s.begin(st, updating)
	return s.setStatus(st, "UPDATE_ROLLBACK_IN_PROGRESS", reason)
}

// restore undoes what a failed update noted of a resource. What replaced the
// old resource becomes the leftover, and the old one stands again.
func (s *Service) restore(st *stack, r *resource) {
	if r.Action == "create" && r.PhysicalID == "" {
		delete(st.Resources, r.LogicalID)
		return
	}
	if r.Leftover == nil {
		return
	}
	old := r.Leftover
	replacement := &leftover{PhysicalID: r.PhysicalID, Name: r.Name, Properties: r.Properties}
	r.PhysicalID, r.Name, r.Properties, r.Attributes = old.PhysicalID, old.Name, old.Properties, old.Attributes
	if r.Leftover = nil; replacement.PhysicalID != r.PhysicalID {
		r.Leftover = replacement
	}
}

func (s *Service) finishUpdate(st *stack, failures []string) error {
	if len(failures) > 0 {
		return s.end(st, "UPDATE_ROLLBACK_FAILED",
			"The following resource(s) failed to update: "+brackets(failures)+". ")
	}
	if err := s.resolveOutputs(st); err != nil && !st.GoingBack {
		return s.goBack(st, err.Error())
	}
	for _, r := range st.Resources {
		if r.Leftover != nil && r.Leftover.Retain {
			r.Leftover = nil
		}
		if r.Removed || r.Leftover != nil {
			r.Action, r.Progress = "delete", waiting
		}
	}
	s.begin(st, cleaningUp)
	if st.GoingBack {
		return s.setStatus(st, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "")
	}
	return s.setStatus(st, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "")
}

func (s *Service) finishCleanup(st *stack) error {
	for id, r := range st.Resources {
		if r.Removed {
			delete(st.Resources, id)
		}
	}
	if st.GoingBack {
		return s.end(st, "UPDATE_ROLLBACK_COMPLETE", "")
	}
	return s.end(st, "UPDATE_COMPLETE", "")
}
