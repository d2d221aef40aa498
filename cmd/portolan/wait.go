package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"portolan/shared/contract"
)

// An endedError is an operation that ended other than well.
type endedError struct{ operation contract.Operation }

func (e *endedError) Error() string {
	text := fmt.Sprintf("operation %s ended %s: %s", e.operation.Id, e.operation.Status, e.operation.Reason)
	if len(e.operation.Left) > 0 {
		text += "\nleft behind:\n  " + strings.Join(e.operation.Left, "\n  ")
	}
	return text
}

func (e *endedError) code() int {
	if e.operation.Status == contract.OperationFailedDirty {
		return exitFailedDirty
	}
	return exitFailedClean
}

// follow tells of an operation until it ended, and shows its end.
func (a *app) follow(ctx context.Context, api *client, body []byte) error {
	told := ""
	for {
		var o contract.Operation
		if err := json.Unmarshal(body, &o); err != nil {
			return fmt.Errorf("reading the operation: %w", err)
		}
		if now := strings.TrimSpace(string(o.Status) + " " + o.Reason); now != told {
			fmt.Fprintf(a.err, "%s %s %s\n", o.Id, o.Kind, now)
			told = now
		}
		switch o.Status {
		case contract.OperationSucceeded:
			return a.print(body, operationTable)
		case contract.OperationFailedClean, contract.OperationFailedDirty:
			if err := a.print(body, operationTable); err != nil {
				return err
			}
			return &endedError{o}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("operation %s goes on: %w", o.Id, ctx.Err())
		case <-time.After(a.poll):
		}
		got, err := api.do(ctx, http.MethodGet, at("operations", o.Id), nil)
		if err != nil {
			return fmt.Errorf("following operation %s: %w", o.Id, err)
		}
		body = got.body
	}
}
