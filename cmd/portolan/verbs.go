package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"
)

// get is a command that shows one thing. path is given the command's arguments.
func (a *app) get(use, short string, arguments int, table []column, path func([]string) string) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(arguments),
		RunE: func(c *cobra.Command, args []string) error {
			api, err := a.connect(c.Context())
			if err != nil {
				return err
			}
			got, err := api.do(c.Context(), http.MethodGet, path(args), nil)
			if err != nil {
				return err
			}
			return a.print(got.body, table)
		},
	}
}

// list is a command that shows a page. The query's flags are added by the caller,
// under the names of the query's parameters.
func (a *app) list(use, short string, arguments int, table []column, path func([]string) string, queries ...string) *cobra.Command {
	var limit int
	var next string
	c := &cobra.Command{Use: use, Short: short, Args: cobra.ExactArgs(arguments)}
	c.Flags().IntVar(&limit, "limit", 50, "how many to show at most")
	c.Flags().StringVar(&next, "next", "", "go on behind a page; it says with what")
	c.RunE = func(c *cobra.Command, args []string) error {
		api, err := a.connect(c.Context())
		if err != nil {
			return err
		}
		query := url.Values{"limit": {strconv.Itoa(limit)}}
		if next != "" {
			query.Set("next", next)
		}
		for _, name := range queries {
			if value, _ := c.Flags().GetString(name); value != "" {
				query.Set(name, value)
			}
		}
		got, err := api.do(c.Context(), http.MethodGet, path(args)+"?"+query.Encode(), nil)
		if err != nil {
			return err
		}
		return a.print(got.body, table)
	}
	return c
}

// A change is a command that changes something.
type change struct {
	use, short string
	arguments  cobra.PositionalArgs
	method     string
	path       func(args []string) string
	table      []column // of the answer, where that is no operation

	// input is nil for a request without a body. prepare completes the body.
	input   *input
	prepare func(body map[string]any, args []string)

	// done is said when there is nothing to show.
	done string
}

func (a *app) change(d change) *cobra.Command {
	wait := false
	c := &cobra.Command{Use: d.use, Short: d.short, Args: d.arguments}
	if d.input != nil {
		d.input.define(c)
	}
	c.Flags().BoolVar(&wait, "wait", false, "follow the operation to its end")
	c.RunE = func(c *cobra.Command, args []string) error {
		api, err := a.connect(c.Context())
		if err != nil {
			return err
		}
		var body any
		if d.input != nil {
			object, err := d.input.body(c)
			if err != nil {
				return err
			}
			if d.prepare != nil {
				d.prepare(object, args)
			}
			body = object
		}
		got, err := api.do(c.Context(), d.method, d.path(args), body)
		switch {
		case err != nil:
			return err
		case got.status == http.StatusAccepted && wait:
			return a.follow(c.Context(), api, got.body)
		case got.status == http.StatusAccepted:
			return a.print(got.body, operationTable)
		case len(got.body) == 0:
			fmt.Fprintln(a.err, d.done)
		}
		return a.print(got.body, d.table)
	}
	return c
}
