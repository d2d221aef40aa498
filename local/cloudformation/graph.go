package cloudformation

import (
	"maps"
	"slices"
	"strings"
)

// check finds references to what the template does not have. A template with a
// transform is left unchecked: a transform such as SAM's adds resources.
func (t *Template) check() error {
	if len(t.Transforms) > 0 {
		return nil
	}
	missing := map[string]bool{}
	for _, id := range t.LogicalIDs() {
		declared := t.Resources[id]
		if err := t.checkCondition(declared.Condition, "Resources"); err != nil {
			return err
		}
		t.collectMissing(declared.Properties, missing)
		for _, other := range declared.DependsOn {
			if _, ok := t.Resources[other]; !ok {
				missing[other] = true
			}
		}
	}
	if err := unresolved(missing, "Resources"); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(t.Outputs)) {
		declared := t.Outputs[name]
		if err := t.checkCondition(declared.Condition, "Outputs"); err != nil {
			return err
		}
		t.collectMissing(declared.Value, missing)
	}
	return unresolved(missing, "Outputs")
}

func (t *Template) checkCondition(name, block string) error {
	if _, ok := t.Conditions[name]; name != "" && !ok {
		return formatError("Unresolved condition dependency %s in the %s block of the template", name, block)
	}
	return nil
}

func (t *Template) collectMissing(expression any, missing map[string]bool) {
	references(expression, nil, func(name string) {
		_, isResource := t.Resources[name]
		_, isParameter := t.Parameters[name]
		if !isResource && !isParameter && !strings.HasPrefix(name, "AWS::") {
			missing[name] = true
		}
	})
}

func unresolved(missing map[string]bool, block string) error {
	if len(missing) == 0 {
		return nil
	}
	return formatError("Unresolved resource dependencies %s in the %s block of the template",
		brackets(slices.Sorted(maps.Keys(missing))), block)
}

// references calls visit with each name that an expression refers to. Where
// decide knows a condition, only the branch that it chooses counts.
func references(expression any, decide func(condition string) bool, visit func(name string)) {
	switch v := expression.(type) {
	case []any:
		for _, item := range v {
			references(item, decide, visit)
		}
	case map[string]any:
		name, argument, ok := functionCall(v)
		if !ok {
			for _, key := range slices.Sorted(maps.Keys(v)) {
				references(v[key], decide, visit)
			}
			return
		}
		callReferences(name, argument, decide, visit)
	}
}

func callReferences(name string, argument any, decide func(string) bool, visit func(string)) {
	list, _ := argument.([]any)
	switch name {
	case "Ref":
		visit(argument.(string))
		return
	case "Condition":
		return
	case "Fn::GetAtt":
		text, _ := argument.(string)
		if len(list) > 0 {
			text, _ = list[0].(string)
		}
		if text, _, _ = strings.Cut(text, "."); text != "" {
			visit(text)
		}
		return
	case "Fn::Sub":
		subReferences(argument, visit)
	case "Fn::If":
		if condition, ok := firstText(list); ok && decide != nil && len(list) == 3 {
			branch := list[2]
			if decide(condition) {
				branch = list[1]
			}
			references(branch, decide, visit)
			return
		}
	}
	references(argument, decide, visit)
}

func firstText(list []any) (string, bool) {
	if len(list) == 0 {
		return "", false
	}
	text, ok := list[0].(string)
	return text, ok
}

// subReferences visits what the text of an Fn::Sub refers to; the values of its
// own variables are visited as any other expression.
func subReferences(argument any, visit func(string)) {
	text, _ := argument.(string)
	var own map[string]any
	if list, ok := argument.([]any); ok && len(list) == 2 {
		text, _ = list[0].(string)
		own, _ = list[1].(map[string]any)
	}
	for _, match := range variable.FindAllStringSubmatch(text, -1) {
		name := strings.TrimSpace(match[1])
		if _, ok := own[name]; ok || strings.HasPrefix(name, "!") {
			continue
		}
		name, _, _ = strings.Cut(name, ".")
		visit(name)
	}
}

// dependencies lists, for each active resource, the active resources that must
// be complete before it starts. Its error names a circle, or a reference to a
// resource whose condition does not hold.
func (r *Resolver) dependencies() (map[string][]string, error) {
	needs := map[string][]string{}
	for _, id := range r.template.LogicalIDs() {
		if !r.Active(id) {
			continue
		}
		declared, found := r.template.Resources[id], map[string]bool{}
		var inactive []string
		references(declared.Properties, r.holds, func(name string) {
			if _, ok := r.template.Resources[name]; !ok {
				return
			}
			if found[name] = true; !r.Active(name) {
				inactive = append(inactive, name)
			}
		})
		if len(inactive) > 0 {
			return nil, formatError("Unresolved resource dependencies %s in the Resources block of the template",
				brackets(inactive))
		}
		for _, other := range declared.DependsOn {
			if r.Active(other) {
				found[other] = true
			}
		}
		needs[id] = slices.Sorted(maps.Keys(found))
	}
	return needs, circle(needs)
}

// circle finds resources that wait for one another.
func circle(needs map[string][]string) error {
	done := map[string]bool{}
	for len(done) < len(needs) {
		before := len(done)
		for id, others := range needs {
			if !done[id] && !slices.ContainsFunc(others, func(other string) bool { return !done[other] }) {
				done[id] = true
			}
		}
		if len(done) == before {
			var stuck []string
			for _, id := range slices.Sorted(maps.Keys(needs)) {
				if !done[id] {
					stuck = append(stuck, id)
				}
			}
			return templateError("Circular dependency between resources: %s", brackets(stuck))
		}
	}
	return nil
}
