package cost

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
)

// An execution is one run of a state machine.
type execution struct {
	machine, name, arn string
	input              string
	open               bool
}

// executions lists all executions of all machines.
func (r *run) executions(ctx context.Context) ([]execution, error) {
	client := sfn.NewFromConfig(r.stage.Local.UserConfig())
	machines, err := client.ListStateMachines(ctx, &sfn.ListStateMachinesInput{})
	if err != nil {
		return nil, err
	}
	var all []execution
	for _, machine := range machines.StateMachines {
		pages := sfn.NewListExecutionsPaginator(client, &sfn.ListExecutionsInput{StateMachineArn: machine.StateMachineArn})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, err
			}
			for _, x := range page.Executions {
				all = append(all, execution{machine: r.meter.short(*machine.Name), name: *x.Name, arn: *x.ExecutionArn,
					open: x.Status == types.ExecutionStatusRunning})
			}
		}
	}
	return all, nil
}

// transitions counts what AWS bills of an execution: each state that was entered, and
// each time that a state was tried again.
func (r *run) transitions(ctx context.Context, x *execution) (int, error) {
	client := sfn.NewFromConfig(r.stage.Local.UserConfig())
	pages := sfn.NewGetExecutionHistoryPaginator(client, &sfn.GetExecutionHistoryInput{ExecutionArn: &x.arn})
	entered, tasks, tried := 0, 0, 0
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return 0, fmt.Errorf("reading the history of %s: %w", x.arn, err)
		}
		for _, event := range page.Events {
			switch kind := string(event.Type); {
			case event.Type == types.HistoryEventTypeExecutionStarted:
				x.input = *event.ExecutionStartedEventDetails.Input
			case event.Type == types.HistoryEventTypeTaskStateEntered:
				entered, tasks = entered+1, tasks+1
			case strings.HasSuffix(kind, "StateEntered"):
				entered++
			case event.Type == types.HistoryEventTypeTaskScheduled, event.Type == types.HistoryEventTypeLambdaFunctionScheduled:
				tried++
			}
		}
	}
	return entered + max(0, tried-tasks), nil
}
