package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
)

// A column of a table: its title, and the path of its value in what the API
// answered, such as target.cluster.
type column struct{ title, path string }

// columns reads "TITLE=path TITLE=path …".
func columns(text string) []column {
	var out []column
	for _, word := range strings.Fields(text) {
		title, path, _ := strings.Cut(word, "=")
		out = append(out, column{title, path})
	}
	return out
}

// print shows an answer: one thing, or a page of them.
func (a *app) print(body []byte, table []column) error {
	if len(body) == 0 {
		return nil
	}
	if a.output == "json" {
		var indented bytes.Buffer
		if err := json.Indent(&indented, body, "", "  "); err != nil {
			return fmt.Errorf("reading the API's answer: %w", err)
		}
		_, err := fmt.Fprintln(a.out, indented.String())
		return err
	}
	var one map[string]any
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err := decoder.Decode(&one); err != nil {
		return fmt.Errorf("reading the API's answer: %w", err)
	}
	rows := []any{one}
	if items, isPage := one["items"].([]any); isPage {
		rows = items
	}
	if err := a.table(rows, table); err != nil {
		return err
	}
	if next, more := one["next"].(string); more {
		fmt.Fprintf(a.err, "There are more: --next %s\n", next)
	}
	return nil
}

func (a *app) table(rows []any, table []column) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	titles := make([]string, len(table))
	for i, c := range table {
		titles[i] = c.title
	}
	fmt.Fprintln(w, strings.Join(titles, "\t"))
	for _, row := range rows {
		cells := make([]string, len(table))
		for i, c := range table {
			cells[i] = cell(row, strings.Split(c.path, "."))
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	return w.Flush()
}

// cell finds a value by its path. Of a list it shows each item's.
func cell(v any, path []string) string {
	switch t := v.(type) {
	case nil:
		return "-"
	case []any:
		if len(t) == 0 {
			return "-"
		}
		parts := make([]string, len(t))
		for i, item := range t {
			parts[i] = cell(item, path)
		}
		return strings.Join(parts, ",")
	case map[string]any:
		if len(path) > 0 {
			return cell(t[path[0]], path[1:])
		}
		text, _ := json.Marshal(t) // it came from JSON
		return string(text)
	}
	// A table's cell has one line.
	return strings.Join(strings.Fields(fmt.Sprint(v)), " ")
}
