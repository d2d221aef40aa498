package portolan_test

import (
	"encoding/json"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"portolan"
)

// A machine is a state machine as it is written, or what runs within a Map.
type machine struct {
	Comment        string
	QueryLanguage  string
	StartAt        string
	TimeoutSeconds int
	States         map[string]state

	name, text string
}

type state struct {
	Type, Comment, Next, Default string
	Resource, Error              string
	End                          bool
	TimeoutSeconds               int
	TimeoutSecondsPath           string
	Retry                        []retrier
	Catch                        []catcher
	Choices                      []choice
	Parameters                   map[string]any
	ItemProcessor                *machine
	Branches                     []machine
}

type retrier struct {
	ErrorEquals     []string
	MaxAttempts     int
	MaxDelaySeconds int
	JitterStrategy  string
}

type catcher struct {
	Comment, Next string
	ErrorEquals   []string
}

type choice struct {
	Next, Variable           string
	NumericGreaterThanEquals *int
}

// machines reads all state machines, by name.
func machines(t *testing.T) []machine {
	t.Helper()
	files, err := fs.Glob(portolan.Files, "statemachines/*.asl.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are the state machines %q, %v", files, err)
	}
	all := make([]machine, 0, len(files))
	for _, file := range files {
		text, err := fs.ReadFile(portolan.Files, file)
		if err != nil {
			t.Fatal(err)
		}
		m := machine{name: strings.TrimSuffix(path.Base(file), ".asl.json"), text: string(text)}
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, m)
	}
	return all
}

// each calls visit with every state, those within others too, in order of name.
func (m machine) each(visit func(name string, s state, nested bool)) { m.walk(visit, false) }

func (m machine) walk(visit func(name string, s state, nested bool), nested bool) {
	for _, name := range slices.Sorted(maps.Keys(m.States)) {
		s := m.States[name]
		visit(m.name+"."+name, s, nested)
		for _, inner := range s.inner() {
			inner.name = m.name + "." + name
			inner.walk(visit, true)
		}
	}
}

// inner are the machines within a state.
func (s state) inner() []machine {
	if s.ItemProcessor != nil {
		return []machine{*s.ItemProcessor}
	}
	return s.Branches
}

// next are the states that may follow.
func (s state) next() []string {
	var names []string
	for _, c := range s.Choices {
		names = append(names, c.Next)
	}
	for _, c := range s.Catch {
		names = append(names, c.Next)
	}
	for _, name := range []string{s.Next, s.Default} {
		if name != "" {
			names = append(names, name)
		}
	}
	return names
}

// reaches says whether a state can be reached from another, or is it.
func (m machine) reaches(from, to string) bool {
	seen := map[string]bool{}
	var visit func(string) bool
	visit = func(name string) bool {
		if name == to || seen[name] {
			return name == to
		}
		seen[name] = true
		return slices.ContainsFunc(m.States[name].next(), visit)
	}
	return visit(from)
}

// counter is the index of the choice that bounds the loops which the state is in.
func (s state) counter() (index int, ok bool) {
	index = slices.IndexFunc(s.Choices, func(c choice) bool {
		counted := strings.HasSuffix(c.Variable, ".looks") || strings.HasSuffix(c.Variable, ".removals")
		return counted && c.NumericGreaterThanEquals != nil
	})
	return index, index >= 0
}

// payload is what a task that invokes a function sends it; nil for other states.
func (s state) payload() map[string]any {
	if s.Resource != "arn:aws:states:::lambda:invoke" {
		return nil
	}
	payload, _ := s.Parameters["Payload"].(map[string]any)
	return payload
}
