package states_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"testing"
	"time"

	"portolan/local/states"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestHistoryShapes compares a history that has most types of event with a
// golden file.
func TestHistoryShapes(t *testing.T) {
	inWorld(t, func(w *world) {
		sent := make(chan string, 1)
		w.tasks.service = func(_ context.Context, service, _ string, parameters json.RawMessage) (json.RawMessage, error) {
			if service == "dynamodb" {
				return nil, &states.CallError{Name: "DynamoDB.ConditionalCheckFailedException", Cause: "no"}
			}
			var p struct{ Token string }
			if err := json.Unmarshal(parameters, &p); err != nil {
				return nil, err
			}
			sent <- p.Token
			return json.RawMessage(`{}`), nil
		}
		w.tasks.function = failing(1, "Busy")
		definition, err := os.ReadFile("testdata/history.asl.json")
		if err != nil {
			t.Fatal(err)
		}
		x := w.run(w.create("history", string(definition)), "one", `{"items":[1,2]}`)
		token := <-sent
		time.Sleep(time.Second)
		if err := w.server.SendTaskSuccess(token, `"done"`); err != nil {
			t.Fatal(err)
		}
		if _, err := w.server.Wait(w.t.Context(), x); err != nil {
			t.Fatal(err)
		}
		events, err := w.server.History(x)
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		for _, e := range events {
			got.Write(append(e, '\n'))
		}
		const golden = "testdata/history.golden.jsonl"
		if *update {
			if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("the history is\n%s", got.Bytes())
		}
		w.history(x) // the SDK can read it
	})
}
