package dynamodb

import (
	"strconv"
	"strings"
)

// Violations collects what a request breaks of the constraints of AWS's model,
// which are all checked before anything else and answered together.
type violations struct{ list []string }

// violationsMax is how many AWS lists at most.
const violationsMax = 10

func (v *violations) add(shown, path, constraint string) {
	v.list = append(v.list, "Value "+shown+" at '"+path+
		"' failed to satisfy constraint: "+constraint)
}

// err is the one answer to all of them, nil when there are none.
func (v *violations) err() *apiError {
	if len(v.list) == 0 {
		return nil
	}
	list := v.list[:min(len(v.list), violationsMax)]
	noun := " validation errors detected: "
	if len(list) == 1 {
		noun = " validation error detected: "
	}
	return validation(strconv.Itoa(len(list)) + noun + strings.Join(list, "; "))
}

func (v *violations) missing(path string) { v.add("null", path, "Member must not be null") }

const (
	namePattern = "[a-zA-Z0-9_.-]+"
	// mapKeys is the constraint on the table names of a batch.
	mapKeys = "Map keys must satisfy constraint: [Member must have length less than or equal " +
		"to 255, Member must have length greater than or equal to 3, Member must satisfy " +
		"regular expression pattern: " + namePattern + "]"
)

// tableName checks a required name of a table.
func (v *violations) tableName(name text, path string) {
	if !name.set {
		v.missing(path)
		return
	}
	v.name(name, path)
}

// arnPrefix begins a table's ARN, which every operation takes in place of its
// name.
const arnPrefix = "arn:aws"

// name checks the name of a table or an index, if there is one.
func (v *violations) name(name text, path string) {
	if !name.set || strings.HasPrefix(name.value, arnPrefix) {
		return
	}
	shown := "'" + name.value + "'"
	if !isName(name.value) {
		v.add(shown, path, "Member must satisfy regular expression pattern: "+namePattern)
	}
	if len(name.value) < 3 {
		v.add(shown, path, "Member must have length greater than or equal to 3")
	}
	if len(name.value) > 255 {
		v.add(shown, path, "Member must have length less than or equal to 255")
	}
}

func isName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') &&
			c != '_' && c != '.' && c != '-' {
			return false
		}
	}
	return name != ""
}

// oneOf checks an optional member with an enumeration. The set is in the order
// in which AWS prints it.
func (v *violations) oneOf(member text, path, set string) {
	if !member.set {
		return
	}
	for option := range strings.SplitSeq(set, ", ") {
		if option == member.value {
			return
		}
	}
	v.add("'"+member.value+"'", path, "Member must satisfy enum value set: ["+set+"]")
}

func (v *violations) atLeast(member optionalInt, path string, least int) {
	if member.set && member.value < least {
		v.add("'"+strconv.Itoa(member.value)+"'", path,
			"Member must have value greater than or equal to "+strconv.Itoa(least))
	}
}

const (
	capacitySet = "INDEXES, TOTAL, NONE"
	metricsSet  = "SIZE, NONE"
	valuesSet   = "ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW"
	failureSet  = "ALL_OLD, NONE"
	selectSet   = "SPECIFIC_ATTRIBUTES, COUNT, ALL_ATTRIBUTES, ALL_PROJECTED_ATTRIBUTES"
	operatorSet = "OR, AND"
	compareSet  = "IN, NULL, BETWEEN, LT, NOT_CONTAINS, EQ, GT, NOT_NULL, NE, LE, BEGINS_WITH, " +
		"GE, CONTAINS"
	actionSet = "ADD, DELETE, PUT"
)

func (v *violations) capacity(r *request) {
	v.oneOf(r.returnConsumed, "returnConsumedCapacity", capacitySet)
}

func (v *violations) attributesToGet(r *request) {
	if r.attributesToGet.present && len(r.attributesToGet.names) == 0 {
		v.add("'[]'", "attributesToGet", "Member must have length greater than or equal to 1")
	}
}

// operators checks the comparison operators of legacy conditions; Expected may
// do without.
func (v *violations) operators(c *conditions, path string, required bool) {
	for i := range c.list {
		at := path + "." + c.list[i].name + ".member.comparisonOperator"
		if required && !c.list[i].operator.set {
			v.missing(at)
		}
		v.oneOf(c.list[i].operator, at, compareSet)
	}
}

// writes checks what the single writes have in common.
func (v *violations) writes(r *request) {
	v.capacity(r)
	v.oneOf(r.returnMetrics, "returnItemCollectionMetrics", metricsSet)
	v.oneOf(r.returnValues, "returnValues", valuesSet)
	v.oneOf(r.returnOnFailure, "returnValuesOnConditionCheckFailure", failureSet)
	v.oneOf(r.conditionalOperator, "conditionalOperator", operatorSet)
	v.operators(&r.expected, "expected", false)
	v.tableName(r.tableName, "tableName")
}
