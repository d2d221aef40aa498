package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/spf13/cobra"

	"portolan/shared/restore"
)

func newTableCommand(a *app) *cobra.Command {
	var endpoint, from, to string
	c := &cobra.Command{
		Use: "restore", Short: "Make the control plane's table hold what a restored backup holds", Args: cobra.NoArgs,
		Long: `Copies the items of a table that a backup was restored to into the control plane's own,
and deletes what that has beside them. The table stays, and with it its stream and all that
refers to it.

Stop the functions before, as docs/operating.md says. It may be repeated.`,
		RunE: func(c *cobra.Command, _ []string) error { return a.restoreTable(c.Context(), endpoint, from, to) },
	}
	c.Flags().StringVar(&endpoint, "aws", os.Getenv("AWS_ENDPOINT_URL"), "URL of AWS where it is an embedded one (AWS_ENDPOINT_URL)")
	c.Flags().StringVar(&from, "from", "", "the table that the backup was restored to")
	c.Flags().StringVar(&to, "to", "", "the control plane's table, the output TableName of its stack")
	return group("table", "The table with all state", c)
}

func (a *app) restoreTable(ctx context.Context, endpoint, from, to string) error {
	if from == "" || to == "" || from == to {
		return errors.New("name two tables, --from and --to")
	}
	settings, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return fmt.Errorf("reading the AWS configuration: %w", err)
	}
	if endpoint != "" {
		settings.BaseEndpoint = aws.String(endpoint)
	}
	report, err := restore.Copy(ctx, dynamodb.NewFromConfig(settings), from, to)
	fmt.Fprintf(a.out, "%d items written, %d deleted\n", report.Written, report.Deleted)
	return err
}
