package asl_test

import (
	"encoding/json"
	"strings"
	"testing"

	"portolan/local/states/asl"
	"portolan/local/states/value"
)

// machine wraps a state, and others that it may lead to.
func machine(state string) string {
	return `{"StartAt":"S","States":{"S":` + state + `,"T":{"Type":"Succeed"}}}`
}

func TestDiagnostics(t *testing.T) {
	for _, test := range []struct{ definition, want string }{
		{`{`, `INVALID_JSON_DESCRIPTION: Invalid JSON: unexpected end of the document at null`},
		{`[]`, `INVALID_JSON_DESCRIPTION: The definition must be a JSON object at null`},
		{`{}`, `SCHEMA_VALIDATION_FAILED: These fields are required: [StartAt, States] at /`},
		{`{"StartAt":"S","States":{"S":{"Type":"Succeed"}},"X":1}`, `SCHEMA_VALIDATION_FAILED: Field 'X' is not supported at /`},
		{`{"StartAt":"A","States":{"S":{"Type":"Succeed"}}}`, `MISSING_TRANSITION_TARGET: Missing 'Next' target: A at /StartAt, ` +
			`MISSING_TRANSITION_TARGET: State "S" is not reachable. at /States/S`},
		{`{"StartAt":"S","States":{"S":{"Type":"Pass","Next":"S"}}}`, `MISSING_END_STATE: Workflow has no terminal state at null`},
		{`{"QueryLanguage":"JSONata","StartAt":"S","States":{"S":{"Type":"Succeed"}}}`, `SCHEMA_VALIDATION_FAILED: ` +
			`QueryLanguage JSONata is not supported by the embedded Step Functions: use JSONPath at /QueryLanguage`},
		{`{"StartAt":"S","States":{"S":{"Type":"Succeed","QueryLanguage":"JSONata"}}}`, `SCHEMA_VALIDATION_FAILED: ` +
			`QueryLanguage JSONata is not supported by the embedded Step Functions: use JSONPath at /States/S/QueryLanguage`},
		{machine(`{"Type":"Nope"}`), `SCHEMA_VALIDATION_FAILED: The field 'Type' should have one of these values: ` +
			`[Task, Wait, Pass, Succeed, Fail, Choice, Parallel, Map] at /States/S/Type`},
		{machine(`{"Type":"Pass"}`), `SCHEMA_VALIDATION_FAILED: State must have either 'Next' or 'End' at /States/S`},
		{machine(`{"Type":"Pass","Next":"T","TimeoutSeconds":1}`), `SCHEMA_VALIDATION_FAILED: Field 'TimeoutSeconds' is not supported at /States/S`},
		{machine(`{"Type":"Pass","Next":"T","Parameters":{"a.$":"x"}}`), `SCHEMA_VALIDATION_FAILED: The value for the field 'a.$' ` +
			`must be a valid JSONPath or a valid intrinsic function call at /States/S/Parameters`},
		{machine(`{"Type":"Pass","Next":"T","ResultPath":"$.a[*]"}`), `SCHEMA_VALIDATION_FAILED: Value is not a Reference Path at /States/S/ResultPath`},
		{machine(`{"Type":"Pass","Next":"T","Assign":{"1a":1}}`), `SCHEMA_VALIDATION_FAILED: The name '1a' is not a valid variable name at /States/S/Assign`},
		{machine(`{"Type":"Pass","Next":"T","Output":1}`), `SCHEMA_VALIDATION_FAILED: The QueryLanguage is set to 'JSONPath', ` +
			`but field 'Output' is only supported for the 'JSONata' QueryLanguage at /States/S`},
		{machine(`{"Type":"Map","Next":"T","MaxConcurrency":1,"MaxConcurrencyPath":"$.n","ItemProcessor":{"StartAt":"I","States":{"I":{"Type":"Succeed"}}}}`),
			`SCHEMA_VALIDATION_FAILED: There should only be one of the following fields: [MaxConcurrency, MaxConcurrencyPath] at /States/S`},
		{machine(`{"Type":"Map","Next":"T","MaxConcurrency":-1,"ToleratedFailureCountPath":"$$.x","ItemProcessor":{"StartAt":"I","States":{"I":{"Type":"Succeed"}}}}`),
			`SCHEMA_VALIDATION_FAILED: Minimum value is 0 at /States/S/MaxConcurrency, ` +
				`SCHEMA_VALIDATION_FAILED: Value is not a Reference Path at /States/S/ToleratedFailureCountPath`},
		{machine(`{"Type":"Task","Next":"T"}`), `SCHEMA_VALIDATION_FAILED: These fields are required: [Resource] at /States/S`},
		{machine(`{"Type":"Task","Next":"T","Resource":"x"}`), `SCHEMA_VALIDATION_FAILED: Value is not a valid resource ARN at /States/S/Resource`},
		{machine(`{"Type":"Task","Next":"T","Resource":"arn:x","Retry":[{"ErrorEquals":["States.ALL"]},{"ErrorEquals":["A"]}]}`),
			`SCHEMA_VALIDATION_FAILED: 'States.ALL' can only appear in the last element at /States/S/Retry[0]/ErrorEquals`},
		{machine(`{"Type":"Task","Next":"T","Resource":"arn:x","Catch":[{"ErrorEquals":["States.ALL","A"],"Next":"T"}]}`),
			`SCHEMA_VALIDATION_FAILED: 'States.ALL' can only appear alone at /States/S/Catch[0]/ErrorEquals`},
		{machine(`{"Type":"Task","Next":"T","Resource":"arn:x","HeartbeatSeconds":5,"TimeoutSeconds":5}`),
			`SCHEMA_VALIDATION_FAILED: HeartbeatSeconds must be smaller than TimeoutSeconds at /States/S`},
		{machine(`{"Type":"Wait","Next":"T"}`), `SCHEMA_VALIDATION_FAILED: Exactly one of these fields is required: ` +
			`[Seconds, Timestamp, SecondsPath, TimestampPath] at /States/S`},
		{machine(`{"Type":"Choice","Choices":[],"Default":"T"}`), `SCHEMA_VALIDATION_FAILED: There must be at least one choice rule at /States/S/Choices`},
		{machine(`{"Type":"Choice","Choices":[{"Variable":"$","NumericEquals":"1","Next":"T"}]}`),
			`SCHEMA_VALIDATION_FAILED: Expected value of type Number at /States/S/Choices[0]/NumericEquals`},
		{machine(`{"Type":"Choice","Choices":[{"Variable":"$","BooleanLessThan":true,"Next":"T"}]}`),
			`SCHEMA_VALIDATION_FAILED: A choice rule must have a comparison at /States/S/Choices[0], ` +
				`SCHEMA_VALIDATION_FAILED: Field 'BooleanLessThan' is not supported at /States/S/Choices[0]`},
		{machine(`{"Type":"Map","Next":"T","ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},` +
			`"StartAt":"I","States":{"I":{"Type":"Succeed"}}}}`), `SCHEMA_VALIDATION_FAILED: Distributed Map (Mode DISTRIBUTED) ` +
			`is not supported by the embedded Step Functions: use INLINE at /States/S/ItemProcessor/ProcessorConfig/Mode`},
		{machine(`{"Type":"Map","Next":"T","ItemProcessor":{"StartAt":"T","States":{"T":{"Type":"Succeed"}}}}`),
			`DUPLICATE_STATE_NAME: Duplicate State name: T at /States/T`},
		{machine(`{"Type":"Parallel","Next":"T","Branches":[{"StartAt":"I","States":{"I":{"Type":"Pass","Next":"T"}}}]}`),
			`MISSING_TRANSITION_TARGET: Missing 'Next' target: T at /States/S/Branches[0]/States/I/Next, ` +
				`MISSING_END_STATE: Workflow has no terminal state at /States/S/Branches[0]`},
	} {
		m, diagnostics := asl.Parse(test.definition, asl.Dialect{})
		want := "Invalid State Machine Definition: '" + test.want + "'"
		if got := asl.Explain(diagnostics); m != nil || got != want {
			t.Errorf("%s\n got  %s\n want %s", test.definition, got, want)
		}
	}
}

func TestWhatIsTaken(t *testing.T) {
	for _, definition := range []string{
		machine(`{"Type":"Pass","Comment":"c","Result":{"a.$":"no path"},"InputPath":null,"OutputPath":"$$.Execution","ResultPath":null,"Next":"T"}`),
		machine(`{"Type":"Map","Iterator":{"StartAt":"I","States":{"I":{"Type":"Pass","End":true}}},"Parameters":{"a.$":"$$.Map.Item.Value"},"Next":"T"}`),
		machine(`{"Type":"Choice","Choices":[{"Variable":"$.a","IsNull":true,"Next":"F"}],"Default":"T"},
			"F":{"Type":"Fail","ErrorPath":"$.e","CausePath":"States.Format('{}', $.c)"}`),
	} {
		if m, diagnostics := asl.Parse(definition, asl.Dialect{}); m == nil {
			t.Errorf("%s: %s", definition, asl.Explain(diagnostics))
		}
	}
}

func TestChoiceOperators(t *testing.T) {
	const early, late = `"2024-01-01T00:00:00Z"`, `"2024-01-01T02:00:00+01:00"`
	for _, test := range []struct {
		operator, operand, variable string
		want                        bool
	}{
		{"StringEquals", `"a"`, `"a"`, true}, {"StringEquals", `"1"`, `1`, false},
		{"StringLessThan", `"b"`, `"a"`, true}, {"StringGreaterThanEquals", `"b"`, `"b"`, true},
		{"StringMatches", `"log-*.txt"`, `"log-1.txt"`, true}, {"StringMatches", `"log-*.txt"`, `"log-.tx"`, false},
		{"StringMatches", `"*a*b*"`, `"xaxbx"`, true}, {"StringMatches", `"a*a"`, `"a"`, false},
		{"StringMatches", `"a\\*b"`, `"a*b"`, true}, {"StringMatches", `"a\\*b"`, `"axb"`, false},
		{"StringMatches", `"\\\\*"`, `"\\x"`, true}, {"StringMatches", `"*"`, `""`, true}, {"StringMatches", `"*"`, `1`, false},
		{"NumericEquals", `1`, `1.0`, true}, {"NumericEquals", `0`, `false`, false},
		{"NumericLessThan", `1e2`, `99.99`, true}, {"NumericGreaterThan", `9007199254740993`, `9007199254740992`, false},
		{"NumericLessThan", `9007199254740993`, `9007199254740992`, true},
		{"BooleanEquals", `true`, `true`, true}, {"BooleanEquals", `false`, `null`, false},
		{"TimestampLessThan", late, early, true}, {"TimestampEquals", `"2024-01-01T01:00:00Z"`, late, true},
		{"TimestampEquals", early, `"2024-01-01"`, false}, {"TimestampGreaterThanEquals", early, late, true},
		{"IsNull", `true`, `null`, true}, {"IsNull", `false`, `0`, true}, {"IsPresent", `true`, `null`, true},
		{"IsNumeric", `true`, `"1"`, false}, {"IsString", `true`, `"1"`, true}, {"IsBoolean", `false`, `"true"`, true},
		{"IsTimestamp", `true`, early, true}, {"IsTimestamp", `true`, `"2024-01-01T00:00:00"`, false},
	} {
		holds(t, `"`+test.operator+`":`+test.operand, `{"v":`+test.variable+`}`, test.want)
		if !strings.HasPrefix(test.operator, "Is") && test.operator != "StringMatches" {
			holds(t, `"`+test.operator+`Path":"$.o"`, `{"v":`+test.variable+`,"o":`+test.operand+`}`, test.want)
		}
	}
	holds(t, `"IsPresent":false`, `{}`, true)
}

func holds(t *testing.T, operator, input string, want bool) {
	t.Helper()
	for rule, want := range map[string]bool{
		`{"Variable":"$.v",` + operator + `,"Next":"T"}`:                                               want,
		`{"Not":{"Variable":"$.v",` + operator + `},"Next":"T"}`:                                       !want,
		`{"And":[{"Variable":"$.v",` + operator + `},{"Variable":"$.v","IsPresent":true}],"Next":"T"}`: want && input != "{}",
		`{"Or":[{"Variable":"$.v",` + operator + `},{"Variable":"$.x","IsPresent":true}],"Next":"T"}`:  want,
	} {
		m, diagnostics := asl.Parse(machine(`{"Type":"Choice","Choices":[`+rule+`]}`), asl.Dialect{})
		if m == nil {
			t.Fatalf("%s: %s", rule, asl.Explain(diagnostics))
		}
		doc, err := value.ParseString(input)
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.Flow.States["S"].Choices[0].Holds(&asl.Scope{Input: doc})
		if err != nil || got != want {
			t.Errorf("%s of %s: %v, %v, want %v", rule, input, got, err, want)
		}
	}
}

func TestMatches(t *testing.T) {
	for _, test := range []struct {
		names []string
		name  string
		want  bool
	}{
		{[]string{"A", "B"}, "B", true}, {[]string{"A"}, "B", false},
		{[]string{"States.ALL"}, "B", true}, {[]string{"States.ALL"}, "States.Runtime", false},
		{[]string{"States.Runtime"}, "States.Runtime", false},
		{[]string{"States.TaskFailed"}, "B", true}, {[]string{"States.TaskFailed"}, "States.Timeout", false},
		{[]string{"States.Timeout"}, "States.HeartbeatTimeout", true},
	} {
		if got := asl.Matches(test.names, test.name); got != test.want {
			t.Errorf("%v takes %s: %v", test.names, test.name, got)
		}
	}
}

// FuzzParse checks that no definition makes it panic, and that one which is
// refused says why.
func FuzzParse(f *testing.F) {
	for _, state := range []string{
		`{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Parameters":{"a.$":"$.b"},"Retry":[{"ErrorEquals":["A"]}],"Next":"T"}`,
		`{"Type":"Choice","Choices":[{"And":[{"Variable":"$.a","StringMatches":"*"},{"Not":{"Variable":"$.b","IsNull":true}}],"Next":"T"}]}`,
		`{"Type":"Map","ItemProcessor":{"StartAt":"I","States":{"I":{"Type":"Wait","Seconds":1,"End":true}}},"Next":"T"}`,
		`{"Type":"Parallel","Branches":[{"StartAt":"I","States":{"I":{"Type":"Fail"}}}],"Next":"T"}`,
	} {
		f.Add(machine(state))
	}
	f.Fuzz(func(t *testing.T, definition string) {
		m, diagnostics := asl.Parse(definition, asl.Dialect{DistributedMap: true})
		if (m == nil) != (len(diagnostics) > 0) {
			t.Errorf("machine %v with %d diagnostics", m, len(diagnostics))
		}
		if _, err := json.Marshal(diagnostics); err != nil {
			t.Error(err)
		}
	})
}
