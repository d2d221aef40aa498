package states_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"portolan/local/disk"
)

// onDisk runs fn in virtual time with a disk. The file is opened outside of the
// bubble, where waiting for it counts for nothing.
func onDisk(t *testing.T, fn func(w *world)) {
	t.Helper()
	d, err := disk.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, tasks: &tasks{}, disk: d}
		w.start()
		defer func() { w.server.Close() }()
		fn(w)
	})
}

// restart closes the server in the middle of everything and starts another.
func (w *world) restart() {
	w.t.Helper()
	synctest.Wait()
	if err := w.server.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.start()
}

func TestWaitsGoOnAfterARestart(t *testing.T) {
	onDisk(t, func(w *world) {
		machine := w.create("m", waits)
		began := time.Now()
		x := w.run(machine, "one", `{"b":1,"a":1.0}`)
		time.Sleep(20 * time.Minute)
		w.restart()
		time.Sleep(20 * time.Minute)
		w.restart()
		if again := w.run(machine, "one", `{"b":1,"a":1.0}`); again != x {
			t.Errorf("the name was forgotten: %s", again)
		}
		w.ends(x, "SUCCEEDED", `{"b":1,"a":1.0}`)
		if took := time.Since(began); took != time.Hour {
			t.Errorf("it took %v", took)
		}
		w.restart()
		w.ends(x, "SUCCEEDED", `{"b":1,"a":1.0}`)
		want := []string{"ExecutionStarted", "WaitStateEntered", "WaitStateExited", "ExecutionSucceeded"}
		events := w.history(x)
		if got := kinds(events); !slices.Equal(got, want) {
			t.Errorf("the history is %v", got)
		}
		for i, e := range events {
			if e.Id != int64(i+1) || e.PreviousEventId != int64(i) && i != 1 {
				t.Errorf("event %d has id %d after %d", i, e.Id, e.PreviousEventId)
			}
		}
	})
}

func TestTokensGoOnAfterARestart(t *testing.T) {
	onDisk(t, func(w *world) {
		sent := tokens(w)
		machine := w.create("m", tokenMachine)
		x := w.run(machine, "", "{}")
		token := <-sent
		w.restart()
		output := `{"ok":true}`
		if _, err := w.client.SendTaskSuccess(w.t.Context(), &sfn.SendTaskSuccessInput{TaskToken: &token, Output: &output}); err != nil {
			t.Fatal(err)
		}
		w.ends(x, "SUCCEEDED", output)
		if len(w.tasks.made()) != 1 {
			t.Errorf("the task was submitted again: %v", w.tasks.made())
		}

		x = w.run(machine, "", "{}")
		<-sent
		time.Sleep(30 * time.Second)
		began := time.Now()
		w.restart()
		w.ends(x, "SUCCEEDED", `{"error":{"Error":"States.HeartbeatTimeout","Cause":""}}`)
		if took := time.Since(began); took != 30*time.Second {
			t.Errorf("the heartbeat was missed after %v", took)
		}
	})
}

func TestTasksInFlightStartAgain(t *testing.T) {
	onDisk(t, func(w *world) {
		w.tasks.function = func(ctx context.Context, _ string, payload []byte) ([]byte, error) {
			select {
			case <-time.After(time.Minute):
				return payload, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		machine := w.create("m", `{"StartAt":"A","States":{"A":{"Type":"Pass","Assign":{"v":{"k":[1]}},"Next":"M"},
			"M":{"Type":"Map","MaxConcurrency":2,"ItemSelector":{"i.$":"$$.Map.Item.Index","x.$":"$$.Map.Item.Value"},"Next":"E",
			"ItemProcessor":{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"`+lambdaARN+`","Next":"W","Retry":[{"ErrorEquals":["States.ALL"]}]},
			"W":{"Type":"Wait","Seconds":30,"End":true}}}},
			"E":{"Type":"Pass","Parameters":{"out.$":"$","v.$":"$v"},"End":true}}}`)
		x := w.run(machine, "", `["a","b","c"]`)
		time.Sleep(30 * time.Second)
		w.restart() // in the first two tasks
		time.Sleep(75 * time.Second)
		w.restart() // in their waits
		time.Sleep(30 * time.Second)
		w.restart() // in the third task
		w.ends(x, "SUCCEEDED", `{"out":[{"i":0,"x":"a"},{"i":1,"x":"b"},{"i":2,"x":"c"}],"v":{"k":[1]}}`)
		if n := len(w.tasks.made()); n != 6 {
			t.Errorf("the function was invoked %d times", n)
		}
	})
}

func TestNestedExecutionsGoOnAfterARestart(t *testing.T) {
	onDisk(t, func(w *world) {
		w.create("inner", waits)
		outer := w.create("outer", `{"StartAt":"N","States":{"N":{"Type":"Task","Resource":"arn:aws:states:::states:startExecution.sync:2",
			"Parameters":{"StateMachineArn":"arn:aws:states:eu-west-1:111122223333:stateMachine:inner","Input.$":"$"},
			"OutputPath":"$.Output","End":true}}}`)
		x := w.run(outer, "", `{"a":1}`)
		time.Sleep(time.Minute)
		w.restart()
		w.ends(x, "SUCCEEDED", `{"a":1}`)
	})
}

func TestRedriveAfterARestart(t *testing.T) {
	onDisk(t, func(w *world) {
		w.tasks.function = failing(1, "Broken")
		machine := w.create("m", `{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"`+lambdaARN+`","End":true}}}`)
		x := w.run(machine, "", "{}")
		w.ends(x, "FAILED", `Broken: {"errorType":"Broken"}`)
		w.restart()
		if _, err := w.client.RedriveExecution(w.t.Context(), &sfn.RedriveExecutionInput{ExecutionArn: &x}); err != nil {
			t.Fatal(err)
		}
		w.ends(x, "SUCCEEDED", "{}")
		if got := kinds(w.history(x)); len(got) != 13 || got[5] != "ExecutionFailed" || got[6] != "ExecutionRedriven" {
			t.Errorf("the history is %v", got)
		}
	})
}

func TestOldExecutionsAreForgotten(t *testing.T) {
	onDisk(t, func(w *world) {
		w.retain = 3
		w.restart()
		machine := w.create("m", passes)
		var all []string
		for i := range 6 {
			all = append(all, w.run(machine, fmt.Sprint("x", i), "{}"))
			time.Sleep(time.Second)
		}
		for range 2 {
			list, err := w.client.ListExecutions(w.t.Context(), &sfn.ListExecutionsInput{StateMachineArn: &machine})
			if err != nil || len(list.Executions) != 3 || *list.Executions[2].ExecutionArn != all[3] {
				t.Fatalf("listed %+v, %v", list, err)
			}
			name := "x0"
			_, err = w.client.StartExecution(w.t.Context(), &sfn.StartExecutionInput{StateMachineArn: &machine, Name: &name})
			w.refused(err, "ExecutionAlreadyExists")
			w.restart()
		}
	})
}

func TestRedriveOfAMapAfterARestart(t *testing.T) {
	onDisk(t, func(w *world) { redriveMap(w, w.restart) })
}
