package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v4"
)

// A field is a flag that sets a part of a request's body. The path is that in the
// body, such as nodePools.0.size.
type field struct {
	flag, path string
	kind       kind
	usage      string
}

type kind int

const (
	text kind = iota
	number
	texts
	pairs    // NAME=VALUE, into an object
	ports    // numbers, into objects with a containerPort
	ingress  // CIDR:PORT, into objects of the two
	agreeing // a switch
)

// An input is a request's body, from a file and from flags that change what the
// file says.
type input struct {
	file   string
	fields []field
}

// define adds the flags to a command.
func (i *input) define(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVarP(&i.file, "file", "f", "", "file with the description in YAML or JSON; - for standard input")
	for _, f := range i.fields {
		switch f.kind {
		case text:
			flags.String(f.flag, "", f.usage)
		case number:
			flags.Int(f.flag, 0, f.usage)
		case texts, pairs, ports, ingress:
			flags.StringArray(f.flag, nil, f.usage+" (may be repeated)")
		case agreeing:
			flags.Bool(f.flag, false, f.usage)
		}
	}
}

// body reads the file and the flags that were given.
func (i *input) body(c *cobra.Command) (map[string]any, error) {
	var body any = map[string]any{}
	if i.file != "" {
		text, err := readFile(i.file, c.InOrStdin())
		if err != nil {
			return nil, err
		}
		if body, err = parse(text); err != nil {
			return nil, fmt.Errorf("%s: %w", i.file, err)
		}
	}
	for _, f := range i.fields {
		if !c.Flags().Changed(f.flag) {
			continue
		}
		value, err := f.value(c)
		if err != nil {
			return nil, err
		}
		if body, err = set(body, strings.Split(f.path, "."), value); err != nil {
			return nil, fmt.Errorf("--%s: %w", f.flag, err)
		}
	}
	object, ok := body.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s: the description must be an object", i.file)
	}
	return object, nil
}

func readFile(name string, standard io.Reader) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(standard)
	}
	return os.ReadFile(name)
}

// parse reads JSON as JSON, and anything else as YAML.
func parse(text []byte) (any, error) {
	var body any
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		if err := decoder.Decode(&body); err == nil {
			return body, nil
		}
	}
	err := yaml.Unmarshal(text, &body)
	return body, err
}

// value is what a flag sets in the body.
func (f *field) value(c *cobra.Command) (any, error) {
	flags := c.Flags()
	// The flags were defined with these very types, so reading them cannot fail.
	switch f.kind {
	case number:
		n, _ := flags.GetInt(f.flag)
		return n, nil
	case agreeing:
		yes, _ := flags.GetBool(f.flag)
		return yes, nil
	case text:
		value, _ := flags.GetString(f.flag)
		return value, nil
	}
	given, _ := flags.GetStringArray(f.flag)
	switch f.kind {
	case pairs:
		return f.pairs(given)
	case ports, ingress:
		return f.objects(given)
	}
	return given, nil
}

func (f *field) pairs(given []string) (any, error) {
	out := map[string]any{}
	for _, each := range given {
		name, value, found := strings.Cut(each, "=")
		if !found {
			return nil, fmt.Errorf("--%s %s is not NAME=VALUE", f.flag, each)
		}
		out[name] = value
	}
	return out, nil
}

// objects reads a port, or an address range with a port behind it.
func (f *field) objects(given []string) (any, error) {
	out := []any{}
	for _, each := range given {
		object := map[string]any{}
		digits, name := each, "containerPort"
		if f.kind == ingress {
			at := strings.LastIndex(each, ":")
			if at < 0 {
				return nil, fmt.Errorf("--%s %s is not CIDR:PORT, such as 203.0.113.0/24:22", f.flag, each)
			}
			object["cidr"], digits, name = each[:at], each[at+1:], "port"
		}
		port, err := strconv.Atoi(digits)
		if err != nil {
			return nil, fmt.Errorf("--%s %s: %q is no port", f.flag, each, digits)
		}
		object[name] = port
		out = append(out, object)
	}
	return out, nil
}

// set puts a value at a path, and makes the objects and lists on the way.
func set(in any, path []string, value any) (any, error) {
	if len(path) == 0 {
		return value, nil
	}
	if i, err := strconv.Atoi(path[0]); err == nil {
		items, ok := in.([]any)
		if in != nil && !ok {
			return nil, fmt.Errorf("the file has no list where this flag needs one")
		}
		for len(items) <= i {
			items = append(items, nil)
		}
		items[i], err = set(items[i], path[1:], value)
		return items, err
	}
	object, ok := in.(map[string]any)
	if in != nil && !ok {
		return nil, fmt.Errorf("the file has no object where this flag needs one")
	}
	if object == nil {
		object = map[string]any{}
	}
	var err error
	object[path[0]], err = set(object[path[0]], path[1:], value)
	return object, err
}
