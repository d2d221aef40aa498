package portolan_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"portolan/shared/fault"
)

func TestMachinesAreExplained(t *testing.T) {
	for _, m := range machines(t) {
		if m.Comment == "" || m.QueryLanguage != "JSONPath" || m.TimeoutSeconds == 0 {
			t.Errorf("%s needs a Comment, TimeoutSeconds and the QueryLanguage JSONPath", m.name)
		}
		m.each(func(name string, s state, _ bool) {
			if s.Comment == "" {
				t.Errorf("%s has no Comment", name)
			}
			for _, c := range s.Catch {
				if c.Comment == "" {
					t.Errorf("%s: the Catch of %v has no Comment", name, c.ErrorEquals)
				}
			}
			if s.Type == "Wait" && !strings.Contains(name, ".Wait") {
				t.Errorf("%s waits, and is not named Wait…", name)
			}
		})
	}
}

func TestMachinesAreWhole(t *testing.T) {
	for _, m := range machines(t) {
		whole(t, m)
		m.each(func(name string, s state, _ bool) {
			for _, inner := range s.inner() {
				inner.name = name
				whole(t, inner)
			}
		})
	}
}

// whole checks that every state can be reached, and that every next state exists.
func whole(t *testing.T, m machine) {
	t.Helper()
	for name, s := range m.States {
		if !m.reaches(m.StartAt, name) {
			t.Errorf("%s.%s cannot be reached", m.name, name)
		}
		for _, next := range s.next() {
			if _, ok := m.States[next]; !ok {
				t.Errorf("%s.%s is followed by %q, which does not exist", m.name, name, next)
			}
		}
	}
}

func TestMachinesEndInOneOfThreeWays(t *testing.T) {
	ends := map[string]string{"Succeeded": "Succeed", "FailedClean": "Fail", "FailedDirty": "Fail"}
	for _, m := range machines(t) {
		for name, s := range m.States {
			kind, isEnd := ends[name]
			switch {
			case isEnd && s.Type != kind:
				t.Errorf("%s.%s is a %s state", m.name, name, s.Type)
			case !isEnd && (s.End || len(s.next()) == 0):
				t.Errorf("%s.%s is an end of its own", m.name, name)
			case s.Type == "Fail" && s.Error != name:
				t.Errorf("%s.%s fails with %q", m.name, name, s.Error)
			}
		}
	}
}

// boundedByFunction are the loops that a function ends, and how.
var boundedByFunction = map[string]string{
	"autoscale": "LookAtAlarm counts the looks and hands over to another operation",
}

// Without the choices that count, no machine has a loop; and the choice that
// counts leaves the loop before any other choice goes round in it.
func TestLoopsAreCounted(t *testing.T) {
	for _, m := range machines(t) {
		if boundedByFunction[m.name] != "" {
			continue
		}
		uncounted := machine{States: map[string]state{}}
		for name, s := range m.States {
			index, counts := s.counter()
			if !counts {
				uncounted.States[name] = s
				continue
			}
			if m.reaches(s.Choices[index].Next, name) {
				t.Errorf("%s.%s counts, and goes on all the same", m.name, name)
			}
			for _, before := range s.Choices[:index] {
				if m.reaches(before.Next, name) {
					t.Errorf("%s.%s goes round by way of %s before it counts", m.name, name, before.Next)
				}
			}
		}
		for name, s := range uncounted.States {
			for _, next := range s.next() {
				if uncounted.reaches(next, name) {
					t.Errorf("%s.%s is in a loop that nothing counts, by way of %s", m.name, name, next)
				}
			}
		}
	}
}

var (
	sdkResource  = regexp.MustCompile(`^arn:aws:states:::aws-sdk:([a-z]+):[a-z][A-Za-z]+(\.waitForTaskToken)?$`)
	substitution = regexp.MustCompile(`\$\{[^}]*\}`)
)

func TestMachinesNameNoAccountsResources(t *testing.T) {
	anyARN := regexp.MustCompile(`arn:[^"\s]*`)
	for _, m := range machines(t) {
		for _, arn := range anyARN.FindAllString(m.text, -1) {
			if !strings.HasPrefix(arn, "arn:aws:states:::") {
				t.Errorf("%s names %s; substitute it", m.name, arn)
			}
		}
		for _, name := range substitution.FindAllString(m.text, -1) {
			if !regexp.MustCompile(`^\$\{[A-Z][A-Za-z]*\}$`).MatchString(name) {
				t.Errorf("%s substitutes %s, which is no name", m.name, name)
			}
		}
	}
}

// lambdaErrors are the troubles of Lambda itself, which pass, and the ends of
// functions that were killed on their way: a step can be done again.
var lambdaErrors = []string{
	"Lambda.ClientExecutionTimeoutException", "Lambda.ServiceException", "Lambda.AWSLambdaException",
	"Lambda.SdkClientException", "Lambda.TooManyRequestsException",
	"Lambda.Unknown", "Sandbox.Timedout", "Runtime.ExitError", "States.Timeout",
}

func TestTasksAreBoundedAndRetried(t *testing.T) {
	for _, m := range machines(t) {
		m.each(func(name string, s state, _ bool) {
			if s.Type != "Task" {
				return
			}
			if s.TimeoutSeconds == 0 && s.TimeoutSecondsPath == "" {
				t.Errorf("%s may take for ever", name)
			}
			if len(s.Retry) == 0 {
				t.Errorf("%s is not retried", name)
			}
			var retried []string
			for _, r := range s.Retry {
				retried = append(retried, r.ErrorEquals...)
				if r.MaxAttempts < 1 || r.MaxAttempts > 10 || r.MaxDelaySeconds == 0 || r.JitterStrategy != "FULL" {
					t.Errorf("%s: the Retry of %v is not bounded or has no jitter", name, r.ErrorEquals)
				}
			}
			if s.payload() == nil {
				return
			}
			for _, wanted := range append(lambdaErrors, string(fault.Unavailable), string(fault.Conflict)) {
				if !slices.Contains(retried, wanted) {
					t.Errorf("%s does not retry %s", name, wanted)
				}
			}
		})
	}
}

// A task catches what is named before the rest. Within a Map, what a task does not
// catch fails the Map, which catches it then.
func TestFailuresAreCaught(t *testing.T) {
	for _, m := range machines(t) {
		m.each(func(name string, s state, nested bool) {
			mayFail := s.Type == "Task" || s.Type == "Map" || s.Type == "Parallel"
			if !mayFail || nested && len(s.Catch) == 0 {
				return
			}
			if len(s.Catch) == 0 || !slices.Equal(s.Catch[len(s.Catch)-1].ErrorEquals, []string{"States.ALL"}) {
				t.Errorf("%s does not catch States.ALL last", name)
				return
			}
			switch {
			case s.payload() != nil && !slices.Contains(s.Catch[0].ErrorEquals, string(fault.Halted)):
				t.Errorf("%s does not tell a lost lease from a failure", name)
			case strings.HasSuffix(s.Resource, ".waitForTaskToken") && !slices.Contains(s.Catch[0].ErrorEquals, "States.Timeout"):
				t.Errorf("%s does not tell a time-out from a failure", name)
			}
		})
	}
}

// prefixes are what the errors of SDK integrations begin with.
var prefixes = map[string]string{
	"dynamodb": "DynamoDb.", "cloudformation": "CloudFormation.", "autoscaling": "AutoScaling.",
}

// An error that is named can happen: functions fail with our kinds, services with
// errors of their own, and an execution that another waits for as a task.
func TestErrorsAreNamedThatHappen(t *testing.T) {
	named := map[string]bool{}
	for _, m := range machines(t) {
		m.each(func(name string, s state, _ bool) {
			var errors []string
			for _, r := range s.Retry {
				errors = append(errors, r.ErrorEquals...)
			}
			for _, c := range s.Catch {
				errors = append(errors, c.ErrorEquals...)
			}
			for _, each := range errors {
				named[each] = true
				if !happens(each, s) {
					t.Errorf("%s: %s never happens there", name, each)
				}
			}
		})
	}
	if !named["States.ALL"] {
		t.Errorf("nothing catches the kinds %v", fault.Kinds())
	}
}

func happens(name string, s state) bool {
	if name == "States.ALL" {
		return true
	}
	if s.payload() != nil {
		return slices.Contains(lambdaErrors, name) || slices.Contains(fault.Kinds(), fault.Kind(name))
	}
	if strings.HasSuffix(s.Resource, ".waitForTaskToken") && name == "States.Timeout" {
		return true
	}
	if parts := sdkResource.FindStringSubmatch(s.Resource); parts != nil {
		return prefixes[parts[1]] != "" && strings.HasPrefix(name, prefixes[parts[1]])
	}
	if s.Resource == "arn:aws:states:::states:startExecution.sync:2" {
		return strings.HasPrefix(name, "StepFunctions.") || name == "States.TaskFailed"
	}
	return false
}
