package states_test

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
)

const tooMuch = 256*1024 + 1

func TestExpressMachinesAnswerAtOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		ctx := w.t.Context()
		out, err := w.client.CreateStateMachine(ctx, &sfn.CreateStateMachineInput{Name: aws.String("fast"),
			Definition: aws.String(waits), RoleArn: aws.String(role), Type: types.StateMachineTypeExpress})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // a name can be used again at once
			end, err := w.client.StartSyncExecution(ctx, &sfn.StartSyncExecutionInput{
				StateMachineArn: out.StateMachineArn, Name: aws.String("n"), Input: aws.String(`{"a":1}`)})
			if err != nil || end.Status != types.SyncExecutionStatusSucceeded || *end.Output != `{"a":1}` {
				t.Fatalf("it ended with %+v, %v", end, err)
			}
		}
		standard := w.create("slow", waits)
		_, err = w.client.StartSyncExecution(ctx, &sfn.StartSyncExecutionInput{StateMachineArn: &standard})
		w.refused(err, "StateMachineTypeNotSupported")
	})
}

func TestPayloadsAreBounded(t *testing.T) {
	large := `"` + strings.Repeat("x", tooMuch-2) + `"`
	inWorld(t, func(w *world) {
		machine := w.create("m", passes)
		_, err := w.client.StartExecution(w.t.Context(), &sfn.StartExecutionInput{StateMachineArn: &machine, Input: &large})
		w.refused(err, "ValidationException")
		w.ends(w.run(machine, "", large[:tooMuch-2]+`"`), "SUCCEEDED", large[:tooMuch-2]+`"`)

		double := w.create("double", `{"StartAt":"A","States":{"A":{"Type":"Pass","Parameters":{"a.$":"$","b.$":"$"},"End":true}}}`)
		w.ends(w.run(double, "", large[:tooMuch/2]+`"`), "FAILED", "States.DataLimitExceeded: The state/task 'A' returned a result "+
			"with a size exceeding the maximum number of bytes service limit.")

		w.tasks.function = func(context.Context, string, []byte) ([]byte, error) { return []byte(large), nil }
		task := w.create("task", `{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"`+lambdaARN+`","End":true}}}`)
		w.ends(w.run(task, "", "{}"), "FAILED", "States.DataLimitExceeded: The state/task '"+lambdaARN+"' returned a result "+
			"with a size exceeding the maximum number of bytes service limit.")
	})
}

func TestNamesHaveRules(t *testing.T) {
	inWorld(t, func(w *world) {
		machine := w.create("m", passes)
		for name, code := range map[string]string{
			"a/b": "InvalidName", "a b": "InvalidName", "a\u007f": "InvalidName", strings.Repeat("n", 81): "ValidationException",
			strings.Repeat("n", 80): "", "Größe-1_2.3": "",
		} {
			_, err := w.client.StartExecution(w.t.Context(), &sfn.StartExecutionInput{StateMachineArn: &machine, Name: &name})
			if code != "" {
				w.refused(err, code)
			} else if err != nil {
				t.Errorf("%q: %v", name, err)
			}
		}
	})
}

func TestVariablesHaveScopes(t *testing.T) {
	inWorld(t, func(w *world) {
		machine := w.create("m", `{"StartAt":"A","States":{
			"A":{"Type":"Pass","Assign":{"outer":1,"list":[1,2]},"Next":"P"},
			"P":{"Type":"Parallel","Next":"B","Assign":{"joined.$":"$[1]"},"Branches":[
				{"StartAt":"C","States":{"C":{"Type":"Pass","Assign":{"inner":5},"Next":"D"},
					"D":{"Type":"Pass","Parameters":{"o.$":"$outer","i.$":"$inner"},"End":true}}},
				{"StartAt":"E","States":{"E":{"Type":"Map","ItemsPath":"$list","End":true,"ItemProcessor":{"StartAt":"F","States":{
					"F":{"Type":"Pass","Parameters":{"sum.$":"States.MathAdd($outer, $$.Map.Item.Value)"},"End":true}}}}}}]},
			"B":{"Type":"Pass","Parameters":{"all.$":"$","joined.$":"$joined[0].sum","swap.$":"$list[1]"},"Assign":{"list.$":"$outer","outer.$":"$list"},"Next":"G"},
			"G":{"Type":"Pass","Parameters":{"in.$":"$","list.$":"$list","outer.$":"$outer"},"End":true}}}`)
		w.ends(w.run(machine, "", "{}"), "SUCCEEDED", `{"in":{"all":[{"o":1,"i":5},[{"sum":2},{"sum":3}]],"joined":2,"swap":2},"list":1,"outer":[1,2]}`)

		inner := w.create("n", `{"StartAt":"P","States":{"P":{"Type":"Parallel","Next":"B","Branches":[
			{"StartAt":"C","States":{"C":{"Type":"Pass","Assign":{"inner":5},"End":true}}}]},
			"B":{"Type":"Pass","Parameters":{"i.$":"$inner"},"End":true}}}`)
		w.ends(w.run(inner, "", "{}"), "FAILED", "States.Runtime: An error occurred while executing the state 'B' "+
			"(entered at the event id #7). The variable '$inner' is not assigned.")
	})
}
