package cloudformation

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
)

// call evaluates one intrinsic function.
func (r *Resolver) call(name string, argument any) (any, error) {
	switch name {
	case "Ref":
		return r.ref(argument.(string))
	case "Fn::GetAtt":
		return r.getAtt(argument)
	case "Fn::Sub":
		return r.sub(argument)
	case "Fn::If":
		return r.ifElse(argument)
	case "Fn::Join":
		return r.join(argument)
	case "Fn::Select":
		return r.selectItem(argument)
	case "Fn::Split":
		return r.split(argument)
	case "Fn::FindInMap":
		return r.findInMap(argument)
	case "Fn::Cidr":
		return r.cidr(argument)
	case "Fn::Base64", "Fn::GetAZs", "Fn::ImportValue":
		text, err := r.text(argument)
		if err != nil {
			return nil, err
		}
		return r.callOnText(name, text)
	case "Fn::ToJsonString", "Fn::Length":
		value, err := r.value(argument)
		if err != nil {
			return nil, err
		}
		return describe(name, value)
	}
	if isPredicate(name) {
		return r.holdsExpression(map[string]any{name: argument})
	}
	return nil, templateError("Template format error: Unrecognized function %s", name)
}

func (r *Resolver) callOnText(name, text string) (any, error) {
	switch name {
	case "Fn::Base64":
		return base64.StdEncoding.EncodeToString([]byte(text)), nil
	case "Fn::GetAZs":
		return r.zones(text), nil
	}
	if r.scope.Import == nil {
		return nil, templateError("No export named %s found.", text)
	}
	return r.scope.Import(text)
}

// describe is the two functions of the AWS::LanguageExtensions transform.
func describe(name string, value any) (any, error) {
	if name == "Fn::Length" {
		list, ok := value.([]any)
		if !ok {
			return nil, templateError("Template error: Fn::Length needs a list")
		}
		return int64(len(list)), nil
	}
	raw, err := json.Marshal(value)
	return string(raw), err
}

func (r *Resolver) ref(name string) (any, error) {
	if value, ok := r.pseudo[name]; ok {
		return value, nil
	}
	if value, ok := r.scope.Parameters[name]; ok {
		return value, nil
	}
	return r.lookup(name, "")
}

func (r *Resolver) lookup(logicalID, attribute string) (any, error) {
	if r.scope.Lookup == nil {
		return nil, templateError("Template format error: Unresolved resource dependencies [%s] in the "+
			"Resources block of the template", logicalID)
	}
	return r.scope.Lookup(logicalID, attribute)
}

func (r *Resolver) getAtt(argument any) (any, error) {
	logicalID, attribute, err := r.attributeOf(argument)
	if err != nil {
		return nil, err
	}
	return r.lookup(logicalID, attribute)
}

func (r *Resolver) attributeOf(argument any) (logicalID, attribute string, err error) {
	if text, ok := argument.(string); ok {
		logicalID, attribute, _ = strings.Cut(text, ".")
	} else if list, ok := argument.([]any); ok && len(list) == 2 {
		logicalID, _ = list[0].(string)
		if attribute, err = r.text(list[1]); err != nil {
			return "", "", err
		}
	}
	if logicalID == "" || attribute == "" {
		return "", "", templateError("Template error: every Fn::GetAtt object requires two non-empty " +
			"parameters, the resource name and the resource attribute")
	}
	return logicalID, attribute, nil
}

// variable is ${Name}, ${Name.Attribute} or, to write a dollar and braces, ${!Text}.
var variable = regexp.MustCompile(`\$\{([^}]*)\}`)

func (r *Resolver) sub(argument any) (any, error) {
	text, ok := argument.(string)
	variables := map[string]any{}
	if list, isList := argument.([]any); isList && len(list) == 2 {
		text, ok = list[0].(string)
		if given, isObject := list[1].(map[string]any); isObject {
			variables = given
		} else {
			ok = false
		}
	}
	if !ok {
		return nil, templateError("Template error: One or more Fn::Sub intrinsic functions don't specify " +
			"expected arguments. Specify a string as first argument, and an optional second argument to " +
			"specify a mapping of values to replace in the string")
	}
	var failed error
	replaced := variable.ReplaceAllStringFunc(text, func(match string) string {
		name := strings.TrimSpace(match[2 : len(match)-1])
		if literal, ok := strings.CutPrefix(name, "!"); ok {
			return "${" + literal + "}"
		}
		value, err := r.variableValue(name, variables)
		if err != nil && failed == nil {
			failed = err
		}
		return value
	})
	return replaced, failed
}

func (r *Resolver) variableValue(name string, variables map[string]any) (string, error) {
	if expression, ok := variables[name]; ok {
		return r.text(expression)
	}
	if logicalID, attribute, ok := strings.Cut(name, "."); ok {
		return r.text(map[string]any{"Fn::GetAtt": []any{logicalID, attribute}})
	}
	return r.text(map[string]any{"Ref": name})
}

func (r *Resolver) ifElse(argument any) (any, error) {
	list, ok := argument.([]any)
	if !ok || len(list) != 3 {
		return nil, templateError("Template error: Fn::If requires a list argument with three elements")
	}
	name, ok := list[0].(string)
	if !ok {
		return nil, templateError("Template error: Fn::If requires the name of a condition")
	}
	holds, err := r.condition(name)
	if err != nil {
		return nil, err
	}
	if holds {
		return r.value(list[1])
	}
	return r.value(list[2])
}

func (r *Resolver) join(argument any) (any, error) {
	malformed := templateError("Template error: every Fn::Join object requires two parameters, (1) a " +
		"string delimiter and (2) a list of strings to be joined or a function that returns a list of " +
		"strings (such as Fn::GetAZs) to be joined.")
	list, ok := argument.([]any)
	if !ok || len(list) != 2 {
		return nil, malformed
	}
	delimiter, ok := list[0].(string)
	if !ok {
		return nil, malformed
	}
	items, err := r.list(list[1], malformed)
	if err != nil {
		return nil, err
	}
	var texts []string
	for _, item := range items {
		text, ok := scalarText(item)
		if !ok {
			return nil, malformed
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, delimiter), nil
}

// list evaluates an expression that must give a list.
func (r *Resolver) list(expression any, malformed error) ([]any, error) {
	value, err := r.value(expression)
	if err != nil {
		return nil, err
	}
	list, ok := value.([]any)
	if !ok {
		return nil, malformed
	}
	return list, nil
}

func (r *Resolver) selectItem(argument any) (any, error) {
	malformed := templateError("Template error: Fn::Select requires a list argument with two elements: " +
		"an integer index and a list")
	pair, ok := argument.([]any)
	if !ok || len(pair) != 2 {
		return nil, malformed
	}
	text, err := r.text(pair[0])
	if err != nil {
		return nil, err
	}
	index, err := strconv.Atoi(text)
	if err != nil {
		return nil, malformed
	}
	items, err := r.list(pair[1], malformed)
	if err != nil {
		return nil, err
	}
	if index < 0 || index >= len(items) {
		return nil, templateError("Template error: Fn::Select  cannot select nonexistent value at index %d", index)
	}
	return items[index], nil
}

func (r *Resolver) split(argument any) (any, error) {
	malformed := templateError("Template error: every Fn::Split object requires two parameters, (1) a " +
		"string delimiter and (2) a string to be split or a function that returns a string to be split.")
	pair, ok := argument.([]any)
	if !ok || len(pair) != 2 {
		return nil, malformed
	}
	delimiter, ok := pair[0].(string)
	if !ok || delimiter == "" {
		return nil, malformed
	}
	text, err := r.text(pair[1])
	if err != nil {
		return nil, err
	}
	var items []any
	for _, item := range strings.Split(text, delimiter) {
		items = append(items, item)
	}
	return items, nil
}

func (r *Resolver) findInMap(argument any) (any, error) {
	list, ok := argument.([]any)
	if !ok || len(list) < 3 || len(list) > 4 {
		return nil, templateError("Template error: every Fn::FindInMap object requires three parameters, " +
			"the map name, map key and the attribute for return value")
	}
	var keys [3]string
	for i := range keys {
		text, err := r.text(list[i])
		if err != nil {
			return nil, err
		}
		keys[i] = text
	}
	top, _ := r.template.Mappings[keys[0]].(map[string]any)
	second, _ := top[keys[1]].(map[string]any)
	if value, ok := second[keys[2]]; ok {
		return value, nil
	}
	if len(list) == 4 {
		if options, ok := list[3].(map[string]any); ok && options["DefaultValue"] != nil {
			return r.value(options["DefaultValue"])
		}
	}
	return nil, templateError("Template error: Unable to get mapping for %s::%s::%s", keys[0], keys[1], keys[2])
}

func (r *Resolver) zones(region string) []any {
	if region == "" {
		region = r.scope.Pseudo.Region
	}
	names := []string{region + "a", region + "b", region + "c"}
	if r.scope.Zones != nil {
		names = r.scope.Zones(region)
	}
	zones := make([]any, 0, len(names))
	for _, name := range names {
		zones = append(zones, name)
	}
	return zones
}
