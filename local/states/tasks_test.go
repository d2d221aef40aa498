package states_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"portolan/local/states"
)

const lambdaARN = "arn:aws:lambda:eu-west-1:111122223333:function:work"

func failing(times int, name string) func(context.Context, string, []byte) ([]byte, error) {
	return func(_ context.Context, _ string, payload []byte) ([]byte, error) {
		if times--; times >= 0 {
			return nil, &states.FunctionError{Type: name, Payload: []byte(`{"errorType":"` + name + `"}`)}
		}
		return payload, nil
	}
}

func TestRetriesWaitAsTheySay(t *testing.T) {
	inWorld(t, func(w *world) {
		w.tasks.function = failing(4, "Busy")
		machine := w.create("m", `{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"`+lambdaARN+`","End":true,
			"Retry":[{"ErrorEquals":["Other"]},{"ErrorEquals":["Busy"],"IntervalSeconds":2,"BackoffRate":3,
			"MaxAttempts":4,"MaxDelaySeconds":10}],"ResultSelector":{"n.$":"$$.State.RetryCount"}}}}`)
		began := time.Now()
		w.ends(w.run(machine, "", "{}"), "SUCCEEDED", `{"n":4}`)
		if took := time.Since(began); took != (2+6+10+10)*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestJitterStaysBelowTheDelay(t *testing.T) {
	inWorld(t, func(w *world) {
		w.tasks.function = failing(3, "Busy")
		machine := w.create("m", `{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"`+lambdaARN+`","End":true,
			"Retry":[{"ErrorEquals":["States.ALL"],"IntervalSeconds":100,"BackoffRate":1,"JitterStrategy":"FULL"}]}}}`)
		began := time.Now()
		w.ends(w.run(machine, "", "{}"), "SUCCEEDED", `{}`)
		if took := time.Since(began); took <= 0 || took >= 300*time.Second || took%(100*time.Second) == 0 {
			t.Errorf("it took %v", took)
		}
	})
}

func TestCatchersMatchInOrder(t *testing.T) {
	catch := `"Catch":[{"ErrorEquals":["Known"],"Next":"K","ResultPath":"$.e","Assign":{"why.$":"$.Error"}},
		{"ErrorEquals":["States.TaskFailed"],"Next":"F"},{"ErrorEquals":["States.ALL"],"Next":"A"}]`
	definition := `{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"` + lambdaARN + `","TimeoutSeconds":5,"End":true,` + catch + `},
		"K":{"Type":"Pass","Parameters":{"why.$":"$why","in.$":"$.a","error.$":"$.e.Error"},"End":true},
		"F":{"Type":"Pass","Result":"failed","End":true},"A":{"Type":"Pass","Result":"any","End":true}}}`
	for name, want := range map[string]string{
		"Known": `{"why":"Known","in":1,"error":"Known"}`, "Unknown": `"failed"`, "slow": `"any"`,
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.tasks.function = failing(1, name)
				if name == "slow" {
					w.tasks.function = func(ctx context.Context, _ string, _ []byte) ([]byte, error) {
						<-ctx.Done()
						return nil, ctx.Err()
					}
				}
				w.ends(w.run(w.create("m", definition), "", `{"a":1}`), "SUCCEEDED", want)
			})
		})
	}
}

const tokenMachine = `{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"arn:aws:states:::aws-sdk:ecs:updateService.waitForTaskToken",
	"HeartbeatSeconds":60,"TimeoutSeconds":600,"Parameters":{"Token.$":"$$.Task.Token"},"End":true,
	"Catch":[{"ErrorEquals":["States.Timeout"],"Next":"Late","ResultPath":"$.error"}]},"Late":{"Type":"Pass","End":true}}}`

// tokens makes the service hand over the tokens that it is given.
func tokens(w *world) <-chan string {
	sent := make(chan string, 10)
	w.tasks.service = func(_ context.Context, _, _ string, parameters json.RawMessage) (json.RawMessage, error) {
		var p struct{ Token string }
		if err := json.Unmarshal(parameters, &p); err != nil {
			return nil, err
		}
		sent <- p.Token
		return json.RawMessage(`{"Service":{}}`), nil
	}
	return sent
}

func TestTaskTokens(t *testing.T) {
	inWorld(t, func(w *world) {
		ctx := w.t.Context()
		sent := tokens(w)
		machine := w.create("m", tokenMachine)
		x := w.run(machine, "", "{}")
		token := <-sent
		for range 5 {
			time.Sleep(50 * time.Second)
			if _, err := w.client.SendTaskHeartbeat(ctx, &sfn.SendTaskHeartbeatInput{TaskToken: &token}); err != nil {
				t.Fatal(err)
			}
		}
		success := func(token, output string) error {
			_, err := w.client.SendTaskSuccess(ctx, &sfn.SendTaskSuccessInput{TaskToken: &token, Output: &output})
			return err
		}
		w.refused(success("nonsense", "{}"), "InvalidToken")
		w.refused(success(token, "{"), "InvalidOutput")
		if err := success(token, `{"ok":true}`); err != nil {
			t.Fatal(err)
		}
		w.ends(x, "SUCCEEDED", `{"ok":true}`)
		w.refused(success(token, `{}`), "TaskTimedOut")

		x = w.run(machine, "", "{}")
		token = <-sent
		_, err := w.client.SendTaskFailure(ctx, &sfn.SendTaskFailureInput{
			TaskToken: &token, Error: aws.String("Bad"), Cause: aws.String("it broke")})
		if err != nil {
			t.Fatal(err)
		}
		w.ends(x, "FAILED", "Bad: it broke")

		began := time.Now()
		w.ends(w.run(machine, "", `{}`), "SUCCEEDED", `{"error":{"Error":"States.HeartbeatTimeout","Cause":""}}`)
		if took := time.Since(began); took != time.Minute {
			t.Errorf("a heartbeat was missed after %v", took)
		}
	})
}

func kinds(events []types.HistoryEvent) []string {
	var all []string
	for _, e := range events {
		all = append(all, string(e.Type))
	}
	return all
}

func TestNestedExecutions(t *testing.T) {
	const outer = `{"StartAt":"N","States":{"N":{"Type":"Task","Resource":"arn:aws:states:::states:startExecution.PATTERN",
		"Parameters":{"StateMachineArn":"arn:aws:states:eu-west-1:111122223333:stateMachine:inner","Input.$":"$"},
		"ResultSelector":{"Status.$":"$.Status","Output.$":"$.Output"},"End":true}}}`
	const inner = `{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":60,"Next":"C"},
		"C":{"Type":"Choice","Choices":[{"Variable":"$.fail","IsPresent":true,"Next":"F"}],"Default":"S"},
		"S":{"Type":"Succeed"},"F":{"Type":"Fail","Error":"Broken","Cause":"inside"}}}`
	inWorld(t, func(w *world) {
		w.create("inner", inner)
		text := w.create("text", strings.Replace(outer, "PATTERN", "sync", 1))
		doc := w.create("doc", strings.Replace(outer, "PATTERN", "sync:2", 1))
		x := w.run(text, "", `{"a":1}`)
		w.ends(x, "SUCCEEDED", `{"Status":"SUCCEEDED","Output":"{\"a\":1}"}`)
		want := []string{"ExecutionStarted", "TaskStateEntered", "TaskScheduled", "TaskStarted",
			"TaskSubmitted", "TaskSucceeded", "TaskStateExited", "ExecutionSucceeded"}
		if got := kinds(w.history(x)); !slices.Equal(got, want) {
			t.Errorf("the history is %v", got)
		}
		w.ends(w.run(doc, "", `{"a":1}`), "SUCCEEDED", `{"Status":"SUCCEEDED","Output":{"a":1}}`)

		x = w.run(doc, "", `{"fail":1}`)
		if _, err := w.server.Wait(w.t.Context(), x); err != nil {
			t.Fatal(err)
		}
		d := w.describe(x)
		var cause map[string]any
		if err := json.Unmarshal([]byte(*d.Cause), &cause); err != nil {
			t.Fatal(err)
		}
		if *d.Error != "States.TaskFailed" || cause["Error"] != "Broken" || cause["Status"] != "FAILED" {
			t.Errorf("a failed child makes %s %s", *d.Error, *d.Cause)
		}

		x = w.run(doc, "", `{"a":2}`)
		time.Sleep(time.Second)
		if _, err := w.client.StopExecution(w.t.Context(), &sfn.StopExecutionInput{ExecutionArn: &x}); err != nil {
			t.Fatal(err)
		}
		list, err := w.client.ListExecutions(w.t.Context(), &sfn.ListExecutionsInput{
			StateMachineArn: aws.String("arn:aws:states:eu-west-1:111122223333:stateMachine:inner"),
			StatusFilter:    types.ExecutionStatusAborted})
		if err != nil || len(list.Executions) != 1 {
			t.Errorf("stopping the parent left the child: %v, %v", list, err)
		}
	})
}

func TestErrorsOfCalls(t *testing.T) {
	inWorld(t, func(w *world) {
		w.tasks.service = func(context.Context, string, string, json.RawMessage) (json.RawMessage, error) {
			return nil, &states.CallError{Name: "DynamoDb.ConditionalCheckFailedException", Cause: "no"}
		}
		machine := w.create("m", `{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"arn:aws:states:::aws-sdk:dynamodb:putItem",
			"Parameters":{"TableName":"t"},"Catch":[{"ErrorEquals":["DynamoDb.ConditionalCheckFailedException"],"Next":"C"}],"End":true},
			"C":{"Type":"Pass","Result":"kept","End":true}}}`)
		w.ends(w.run(machine, "", "{}"), "SUCCEEDED", `"kept"`)
		if got := w.tasks.made(); !slices.Equal(got, []string{`aws-sdk:dynamodb:putItem {"TableName":"t"}`}) {
			t.Errorf("the calls were %v", got)
		}
		w.tasks.service = func(context.Context, string, string, json.RawMessage) (json.RawMessage, error) {
			return nil, errors.New("no such host")
		}
		w.ends(w.run(machine, "", "{}"), "FAILED", "States.TaskFailed: no such host")
	})
}

func TestTimeOutsOfMachines(t *testing.T) {
	inWorld(t, func(w *world) {
		machine := w.create("m", strings.Replace(waits, `{`, `{"TimeoutSeconds":60,`, 1))
		began := time.Now()
		x := w.run(machine, "", "{}")
		if d := w.ends(x, "TIMED_OUT", ": "); d.Error != nil || d.Cause != nil {
			t.Errorf("described with %v and %v", d.Error, d.Cause)
		}
		if took := time.Since(began); took != time.Minute {
			t.Errorf("it took %v", took)
		}
		last := w.history(x)[2]
		if last.PreviousEventId != 0 || *last.ExecutionTimedOutEventDetails.Error != "States.Timeout" {
			t.Errorf("the last event is %+v", last)
		}
	})
}

func TestMapRunsSoManyAtOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		w.tasks.function = func(_ context.Context, _ string, payload []byte) ([]byte, error) {
			time.Sleep(10 * time.Second)
			return payload, nil
		}
		machine := w.create("m", `{"StartAt":"M","States":{"M":{"Type":"Map","MaxConcurrency":3,"End":true,"ItemProcessor":{
			"StartAt":"T","States":{"T":{"Type":"Task","Resource":"`+lambdaARN+`","End":true}}}}}}`)
		began := time.Now()
		w.ends(w.run(machine, "", "[1,2,3,4,5,6,7]"), "SUCCEEDED", "[1,2,3,4,5,6,7]")
		if took := time.Since(began); took != 30*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestAFailedBranchStopsTheOthers(t *testing.T) {
	inWorld(t, func(w *world) {
		stopped := make(chan struct{})
		w.tasks.function = func(ctx context.Context, _ string, _ []byte) ([]byte, error) {
			<-ctx.Done()
			close(stopped)
			return nil, ctx.Err()
		}
		machine := w.create("m", `{"StartAt":"P","States":{"P":{"Type":"Parallel","End":true,"Branches":[
			{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"`+lambdaARN+`","End":true}}},
			{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":5,"Next":"F"},"F":{"Type":"Fail","Error":"E","Cause":"c"}}}]}}}`)
		x := w.run(machine, "", "{}")
		w.ends(x, "FAILED", "E: c")
		synctest.Wait()
		select {
		case <-stopped:
		default:
			t.Error("the other branch's task goes on")
		}
		got := kinds(w.history(x))
		want := []string{"TaskStateAborted", "ParallelStateFailed", "ExecutionFailed"}
		if !slices.Equal(got[len(got)-3:], want) {
			t.Errorf("the history ends with %v", got)
		}
	})
}

func TestEndlessLoopsEnd(t *testing.T) {
	inWorld(t, func(w *world) {
		machine := w.create("m", `{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"B"},"B":{"Type":"Choice",
			"Choices":[{"Variable":"$.stop","IsPresent":true,"Next":"C"}],"Default":"A"},"C":{"Type":"Succeed"}}}`)
		x := w.run(machine, "", "{}")
		w.ends(x, "FAILED", "States.Runtime: The execution reached the maximum number of history events (25000).")
		last, err := w.client.GetExecutionHistory(w.t.Context(),
			&sfn.GetExecutionHistoryInput{ExecutionArn: &x, ReverseOrder: true, MaxResults: 1})
		if err != nil || last.Events[0].Id != 25000 || last.Events[0].Type != types.HistoryEventTypeExecutionFailed {
			t.Errorf("the last event is %+v, %v", last, err)
		}
	})
}

func TestRedrive(t *testing.T) {
	inWorld(t, func(w *world) {
		w.tasks.function = failing(1, "Broken")
		machine := w.create("m", `{"StartAt":"A","States":{"A":{"Type":"Pass","Assign":{"v":7},"Next":"T"},
			"T":{"Type":"Task","Resource":"`+lambdaARN+`","ResultSelector":{"v.$":"$v","redriven.$":"$$.Execution.RedriveCount"},"End":true}}}`)
		x := w.run(machine, "", "{}")
		w.ends(x, "FAILED", `Broken: {"errorType":"Broken"}`)
		if d := w.describe(x); d.RedriveStatus != types.ExecutionRedriveStatusRedrivable {
			t.Errorf("it is %s", d.RedriveStatus)
		}
		redrive := func() error {
			_, err := w.client.RedriveExecution(w.t.Context(), &sfn.RedriveExecutionInput{ExecutionArn: &x})
			return err
		}
		if err := redrive(); err != nil {
			t.Fatal(err)
		}
		d := w.ends(x, "SUCCEEDED", `{"v":7,"redriven":1}`)
		if *d.RedriveCount != 1 || d.RedriveDate == nil {
			t.Errorf("it was redriven %d times", *d.RedriveCount)
		}
		w.refused(redrive(), "ExecutionNotRedrivable")
		if w.tasks.made()[0] != "invoke "+lambdaARN || len(w.tasks.made()) != 2 {
			t.Errorf("the calls were %v", w.tasks.made())
		}
	})
}

func TestRedriveKeepsWhatSucceeded(t *testing.T) {
	inWorld(t, func(w *world) { redriveMap(w, func() {}) })
}

// redriveMap fails in one of three iterations and redrives.
func redriveMap(w *world, between func()) {
	w.tasks.function = func(_ context.Context, _ string, payload []byte) ([]byte, error) {
		if len(w.tasks.made()) == 2 {
			return nil, &states.FunctionError{Type: "Broken", Payload: []byte("{}")}
		}
		return payload, nil
	}
	machine := w.create("m", `{"StartAt":"M","States":{"M":{"Type":"Map","MaxConcurrency":1,"End":true,"ItemProcessor":{
		"StartAt":"P","States":{"P":{"Type":"Pass","Assign":{"v.$":"$"},"Next":"T"},
		"T":{"Type":"Task","Resource":"`+lambdaARN+`","ResultSelector":{"v.$":"$v"},"End":true}}}}}}`)
	x := w.run(machine, "", "[1,2,3]")
	w.ends(x, "FAILED", "Broken: {}")
	between()
	if _, err := w.client.RedriveExecution(w.t.Context(), &sfn.RedriveExecutionInput{ExecutionArn: &x}); err != nil {
		w.t.Fatal(err)
	}
	w.ends(x, "SUCCEEDED", `[{"v":1},{"v":2},{"v":3}]`)
	if n := len(w.tasks.made()); n != 4 {
		w.t.Errorf("the function was invoked %d times", n)
	}
}
