package cloudformation

import "time"

// advance takes the next step with a resource that is due. The lock is let go
// while the provider is called; meanwhile the stack's operation may change, and
// then what came of the call is kept, and nothing more is made of it.
func (s *Service) advance(st *stack, r *resource) error {
	if r.Progress == settling {
		return s.settle(st, r)
	}
	operation := r.Action
	if operation == "replace" {
		operation = "create"
	}
	if err := s.faultFor(st, r, operation); err != nil {
		return s.failResource(st, r, err.Error())
	}
	if r.Action == "delete" {
		return s.beginDelete(st, r)
	}
	kind, request, phase := s.config.Kinds[r.Type], st.request(r), st.Phase
	untried := r.untried
	r.untried = false
	var made Made
	var err error
	s.unlocked(func() {
		if operation == "create" {
			request.PhysicalID, request.Again = "", !untried
			made, err = kind.Provider.Create(s.ctx, request)
		} else {
			made, err = kind.Provider.Update(s.ctx, request)
		}
	})
	if s.ctx.Err() != nil {
		return s.ctx.Err()
	}
	if err == nil {
		r.PhysicalID, r.Attributes = made.PhysicalID, made.Attributes
	}
	if st.Phase != phase {
		return s.stacks.Put(st)
	}
	if err != nil {
		return s.later(st, r, err)
	}
	r.Progress = settling
	r.Due = s.now().Add(kind.takes(r.Action))
	if operation == "create" {
		status := "CREATE_IN_PROGRESS"
		if r.Action == "replace" {
			status = "UPDATE_IN_PROGRESS"
		}
		return s.setResource(st, r, status, "Resource creation Initiated")
	}
	return s.stacks.Put(st)
}

func (k Kind) takes(action string) time.Duration {
	switch action {
	case "update":
		return k.UpdateTakes
	case "delete":
		return k.DeleteTakes
	}
	return k.CreateTakes
}

// unlocked calls do without the lock, and sends what happened before.
func (s *Service) unlocked(do func()) {
	s.unlock()
	defer s.mu.Lock()
	do()
}

// later looks at a Pending resource again after a while, and fails any other.
func (s *Service) later(st *stack, r *resource, err error) error {
	reason, pending := pendingReason(err)
	if !pending || !s.now().Before(r.GiveUp) {
		if !pending {
			reason = err.Error()
		}
		return s.failResource(st, r, reason)
	}
	lasted := s.patience(r.Type) - r.GiveUp.Sub(s.now())
	r.Due = s.now().Add(min(max(lasted/8, pollEvery), pollMost))
	return s.stacks.Put(st)
}

// settle completes a resource once it is stable.
func (s *Service) settle(st *stack, r *resource) error {
	if r.Action == "delete" {
		return s.settleDelete(st, r)
	}
	kind, request, phase := s.config.Kinds[r.Type], st.request(r), st.Phase
	if stabilizer, ok := kind.Provider.(Stabilizer); ok {
		var err error
		var attributes map[string]any
		s.unlocked(func() {
			err = stabilizer.Stable(s.ctx, request)
			if reader, ok := kind.Provider.(Reader); ok && err == nil {
				attributes, err = reader.Read(s.ctx, request)
			}
		})
		if s.ctx.Err() != nil || st.Phase != phase {
			return s.ctx.Err()
		}
		if err != nil {
			return s.later(st, r, err)
		}
		if attributes != nil {
			r.Attributes = attributes
		}
	}
	r.Progress, r.Previous = finished, nil
	if r.Action == "create" {
		return s.setResource(st, r, "CREATE_COMPLETE", "")
	}
	return s.setResource(st, r, "UPDATE_COMPLETE", "")
}

// beginDelete deletes what the resource is or, in a cleanup, what it was.
func (s *Service) beginDelete(st *stack, r *resource) error {
	kind, request, phase := s.config.Kinds[r.Type], st.request(r), st.Phase
	if r.Leftover != nil {
		request.PhysicalID, request.Properties, request.Name = r.Leftover.PhysicalID, r.Leftover.Properties, r.Leftover.Name
	}
	var err error
	if request.PhysicalID != "" {
		s.unlocked(func() { err = kind.Provider.Delete(s.ctx, request) })
	}
	if s.ctx.Err() != nil || st.Phase != phase {
		return s.ctx.Err()
	}
	if err != nil {
		return s.later(st, r, err)
	}
	r.Progress, r.Due = settling, s.now()
	if request.PhysicalID != "" {
		r.Due = s.now().Add(kind.DeleteTakes)
	}
	return s.stacks.Put(st)
}

func (s *Service) settleDelete(st *stack, r *resource) error {
	if r.Leftover == nil {
		r.Progress = finished
		return s.setResource(st, r, "DELETE_COMPLETE", "")
	}
	old := r.Leftover.PhysicalID
	r.Leftover, r.Progress = nil, finished
	return s.noteResource(st, r, old, "DELETE_COMPLETE", "")
}

// failResource notes that a step failed, and what that means for the stack.
func (s *Service) failResource(st *stack, r *resource, reason string) error {
	if r.Leftover != nil && r.Action == "delete" {
		old := r.Leftover.PhysicalID
		r.Leftover, r.Progress = nil, finished
		return s.noteResource(st, r, old, "DELETE_FAILED", reason)
	}
	r.Progress = failed
	status := map[string]string{
		"create": "CREATE_FAILED", "update": "UPDATE_FAILED", "replace": "UPDATE_FAILED", "delete": "DELETE_FAILED",
	}[r.Action]
	if err := s.setResource(st, r, status, reason); err != nil {
		return err
	}
	switch {
	case st.Phase == creating:
		return s.fail(st, "")
	case st.Phase == updating && !st.GoingBack:
		verb := "update"
		if r.Action == "create" {
			verb = "create"
		}
		return s.goBack(st, "The following resource(s) failed to "+verb+": "+brackets([]string{r.LogicalID})+". ")
	}
	return nil
}
