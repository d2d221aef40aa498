package cloudformation

import "slices"

func isPredicate(name string) bool {
	switch name {
	case "Condition", "Fn::And", "Fn::Or", "Fn::Not", "Fn::Equals", "Fn::Contains",
		"Fn::EachMemberEquals", "Fn::EachMemberIn":
		return true
	}
	return false
}

// condition is whether a condition of the template's holds.
func (r *Resolver) condition(name string) (bool, error) {
	if holds, ok := r.conditions[name]; ok {
		return holds, nil
	}
	expression, ok := r.template.Conditions[name]
	if !ok {
		return false, templateError("Template format error: Unresolved condition dependency %s in the "+
			"Conditions block of the template", name)
	}
	if r.visiting[name] {
		return false, templateError("Template format error: Circular dependency in conditions: [%s]", name)
	}
	r.visiting[name] = true
	holds, err := r.holdsExpression(expression)
	delete(r.visiting, name)
	if err != nil {
		return false, err
	}
	r.conditions[name] = holds
	return holds, nil
}

// holdsExpression evaluates an expression that is true or false.
func (r *Resolver) holdsExpression(expression any) (bool, error) {
	object, _ := expression.(map[string]any)
	name, argument, ok := functionCall(object)
	if !ok || !isPredicate(name) {
		return r.truth(expression)
	}
	if text, ok := argument.(string); ok && name == "Condition" {
		return r.condition(text)
	}
	list, ok := argument.([]any)
	if !ok {
		return false, templateError("Template error: every %s object requires a list", name)
	}
	switch name {
	case "Fn::And", "Fn::Or":
		return r.combine(name, list)
	case "Fn::Not":
		if len(list) != 1 {
			return false, templateError("Template error: every Fn::Not object requires one boolean parameter.")
		}
		holds, err := r.holdsExpression(list[0])
		return !holds, err
	}
	return r.compare(name, list)
}

func (r *Resolver) truth(expression any) (bool, error) {
	value, err := r.value(expression)
	if err != nil {
		return false, err
	}
	switch textOf(value) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, templateError("Template format error: %s is no condition", textOf(expression))
}

func (r *Resolver) combine(name string, list []any) (bool, error) {
	if len(list) < 2 || len(list) > 10 {
		return false, templateError("Template error: every %s object requires a list of at least 2 and at "+
			"most 10 boolean parameters.", name)
	}
	for _, expression := range list {
		holds, err := r.holdsExpression(expression)
		if err != nil || holds == (name == "Fn::Or") {
			return holds, err
		}
	}
	return name == "Fn::And", nil
}

// compare evaluates the functions of two parameters. All but Fn::Equals are for
// rules only.
func (r *Resolver) compare(name string, list []any) (bool, error) {
	if len(list) != 2 {
		return false, templateError("Template error: every %s object requires a list of 2 parameters.", name)
	}
	left, err := r.value(list[0])
	if err != nil {
		return false, err
	}
	right, err := r.value(list[1])
	if err != nil {
		return false, err
	}
	if name == "Fn::Equals" {
		return textOf(left) == textOf(right), nil
	}
	members, ok := left.([]any)
	if !ok {
		return false, templateError("Template error: every %s object requires a list of strings first", name)
	}
	has := func(list []any, text string) bool {
		return slices.ContainsFunc(list, func(item any) bool { return textOf(item) == text })
	}
	switch name {
	case "Fn::Contains":
		return has(members, textOf(right)), nil
	case "Fn::EachMemberEquals":
		return !slices.ContainsFunc(members, func(item any) bool { return textOf(item) != textOf(right) }), nil
	}
	allowed, _ := right.([]any)
	return !slices.ContainsFunc(members, func(item any) bool { return !has(allowed, textOf(item)) }), nil
}

// enforce checks the assertions of a rule whose condition holds.
func (r *Resolver) enforce(name string, rule Rule) error {
	if rule.Condition != nil {
		applies, err := r.holdsExpression(rule.Condition)
		if err != nil || !applies {
			return err
		}
	}
	for _, assertion := range rule.Assertions {
		holds, err := r.holdsExpression(assertion.Assert)
		if err != nil {
			return err
		}
		if !holds {
			return templateError("Template validation error: Rule %s failed: %s", name, assertion.Description)
		}
	}
	return nil
}
