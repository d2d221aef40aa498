package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/spf13/cobra"
)

var letterTable = columns("ID=id SENT=sent TRIED=receives WHAT=what FUNCTION=function ERROR=error")

// deadLetterFlags say where the dead letters are. These commands talk to AWS
// itself, and not to the API: what the API's doors could not do is in the queue.
type deadLetterFlags struct {
	endpoint, stack, queue, function string
	limit                            int
	all                              bool
}

func newDeadLettersCommand(a *app) *cobra.Command {
	flags := &deadLetterFlags{}
	list := &cobra.Command{
		Use: "list", Short: "List what could not be handled; nothing is taken from the queue", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.listLetters(c.Context(), flags) },
	}
	show := &cobra.Command{
		Use: "show ID", Short: "Show a dead letter whole, with what is known of the error", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return a.showLetter(c.Context(), flags, args[0]) },
	}
	redrive := &cobra.Command{
		Use: "redrive [ID...]", Short: "Hand dead letters to their functions again, and forget those that succeed",
		Long: `Hands dead letters to the functions that failed on them. What was handled in part is
not handled twice: events are remembered for longer than the queue keeps them.

A letter that names its function goes there, any other one to the functions whose rules
take it. A letter of the table's stream only names a record: the sweeper then looks for
what dispatch missed.`,
		RunE: func(c *cobra.Command, args []string) error { return a.redriveLetters(c.Context(), flags, args) },
	}
	redrive.Flags().BoolVar(&flags.all, "all", false, "all letters")
	redrive.Flags().StringVar(&flags.function, "function", "", "name or ARN of the function, where it cannot be told")
	g := group("dead-letters", "Events that could not be handled", list, show, redrive)
	g.PersistentFlags().StringVar(&flags.endpoint, "aws", os.Getenv("AWS_ENDPOINT_URL"),
		"URL of AWS where it is an embedded one, such as http://127.0.0.1:4566 (AWS_ENDPOINT_URL)")
	g.PersistentFlags().StringVar(&flags.stack, "stack", envOr("PORTOLAN_STACK", "portolan"),
		"the control plane's stack (PORTOLAN_STACK)")
	g.PersistentFlags().StringVar(&flags.queue, "queue", "", "URL of the queue; found by the stack's name when absent")
	g.PersistentFlags().IntVar(&flags.limit, "limit", 100, "how many letters to look at most")
	return g
}

// open connects to AWS and finds the queue.
func (f *deadLetterFlags) open(ctx context.Context) (*letterBox, *redriver, error) {
	settings, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the AWS configuration: %w", err)
	}
	if f.endpoint != "" {
		settings.BaseEndpoint = aws.String(f.endpoint)
	}
	if settings.Region == "" {
		settings.Region = "us-east-1"
	}
	box := &letterBox{sqs: sqs.NewFromConfig(settings), url: f.queue, limit: f.limit}
	if err := box.find(ctx, f.stack); err != nil {
		return nil, nil, err
	}
	return box, &redriver{rules: eventbridge.NewFromConfig(settings), functions: lambda.NewFromConfig(settings),
		stack: f.stack, function: f.function}, nil
}

// letters opens the box and reads it, and leaves it to the caller to release.
func (f *deadLetterFlags) letters(ctx context.Context) (*letterBox, *redriver, error) {
	box, redriver, err := f.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err := box.read(ctx); err != nil {
		return nil, nil, errors.Join(err, box.release(ctx))
	}
	return box, redriver, nil
}

func (a *app) listLetters(ctx context.Context, flags *deadLetterFlags) error {
	box, _, err := flags.letters(ctx)
	if err != nil {
		return err
	}
	items := []*letter{}
	for _, l := range box.letters {
		short := *l
		short.Body = nil
		items = append(items, &short)
	}
	body, err := json.Marshal(map[string]any{"items": items})
	if err == nil {
		err = a.print(body, letterTable)
	}
	return errors.Join(err, box.release(ctx))
}

func (a *app) showLetter(ctx context.Context, flags *deadLetterFlags, id string) error {
	box, _, err := flags.letters(ctx)
	if err != nil {
		return err
	}
	l, err := box.letter(id)
	if err == nil {
		var body []byte
		if body, err = json.MarshalIndent(l, "", "  "); err == nil {
			fmt.Fprintln(a.out, string(body))
		}
	}
	return errors.Join(err, box.release(ctx))
}

func (a *app) redriveLetters(ctx context.Context, flags *deadLetterFlags, ids []string) error {
	if flags.all == (len(ids) > 0) {
		return errors.New("name the letters to hand out again, or say --all")
	}
	box, redriver, err := flags.letters(ctx)
	if err != nil {
		return err
	}
	chosen := box.letters
	if !flags.all {
		chosen = nil
		for _, id := range ids {
			l, err := box.letter(id)
			if err != nil {
				return errors.Join(err, box.release(ctx))
			}
			chosen = append(chosen, l)
		}
	}
	failed := 0
	for _, l := range chosen {
		functions, err := redriver.redrive(ctx, l)
		if err == nil {
			err = box.forget(ctx, l)
		}
		if err != nil {
			failed++
			fmt.Fprintf(a.err, "%s stays: %v\n", l.ID, err)
			continue
		}
		fmt.Fprintf(a.out, "%s was handled by %s\n", l.ID, functions)
	}
	if failed > 0 {
		err = fmt.Errorf("%d of %d letters stay in the queue", failed, len(chosen))
	}
	return errors.Join(err, box.release(ctx))
}
