package asl

import "fmt"

// checkFlow reports transitions that lead nowhere, states that nothing leads to
// and flows that cannot end.
func (d *decoder) checkFlow(flow *Flow, location string) {
	reached := map[string]bool{}
	target := func(name, from, field string) {
		if name == "" {
			return
		}
		if flow.States[name] == nil {
			d.report(codeTarget, from, "Missing '%s' target: %s", field, name)
		}
		reached[name] = true
	}
	target(flow.StartAt, location+"/StartAt", "Next")
	ends := false
	for _, name := range flow.order {
		s := flow.States[name]
		at := location + "/States/" + name
		target(s.Next, at+"/Next", "Next")
		target(s.Default, at+"/Default", "Next")
		for i, r := range s.Choices {
			target(r.Next, fmt.Sprintf("%s/Choices[%d]/Next", at, i), "Next")
		}
		for i, c := range s.Catch {
			target(c.Next, fmt.Sprintf("%s/Catch[%d]/Next", at, i), "Next")
		}
		ends = ends || s.End || s.Type == "Succeed" || s.Type == "Fail"
		d.checkInner(s, at)
	}
	if !ends {
		d.report(codeEnd, location, "Workflow has no terminal state")
		return // AWS does not go on to look for what cannot be reached
	}
	for _, name := range flow.order {
		if !reached[name] {
			d.report(codeTarget, location+"/States/"+name, "State %q is not reachable.", name)
		}
	}
}

func (d *decoder) checkInner(s *State, at string) {
	for i, branch := range s.Branches {
		d.checkFlow(branch, fmt.Sprintf("%s/Branches[%d]", at, i))
	}
	if s.Processor != nil {
		d.checkFlow(s.Processor, at+"/ItemProcessor")
	}
}
