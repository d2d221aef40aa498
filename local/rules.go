package local

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
)

// startRules puts the template's rules on the bus.
func (l *Local) startRules(ctx context.Context) error {
	client := eventbridge.NewFromConfig(l.UserConfig())
	for _, r := range l.deployment.rules {
		in := &eventbridge.PutRuleInput{Name: &r.name, State: types.RuleState(r.state)}
		if in.EventPattern = &r.pattern; r.schedule != "" {
			in.EventPattern, in.ScheduleExpression = nil, &r.schedule
		}
		_, err := client.PutRule(ctx, in)
		if err != nil {
			return fmt.Errorf("creating rule %s: %w", r.name, err)
		}
		targets, err := readTargets(r.targets)
		if err != nil {
			return fmt.Errorf("reading the targets of rule %s: %w", r.name, err)
		}
		out, err := client.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: &r.name, Targets: targets})
		if err == nil && out.FailedEntryCount > 0 {
			err = fmt.Errorf("%d targets are refused", out.FailedEntryCount)
		}
		if err != nil {
			return fmt.Errorf("adding the targets of rule %s: %w", r.name, err)
		}
	}
	return nil
}

// readTargets reads targets as the template has them, whose member names are the
// API's.
func readTargets(raw []map[string]any) ([]types.Target, error) {
	text, err := json.Marshal(raw)
	if err != nil {
		return nil, err
	}
	var targets []types.Target
	return targets, json.Unmarshal(text, &targets)
}
