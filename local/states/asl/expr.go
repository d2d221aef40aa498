package asl

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"portolan/local/states/intrinsic"
	"portolan/local/states/jsonpath"
	"portolan/local/states/value"
)

// A Failure is what a part of a state comes to when it cannot be computed.
type Failure struct {
	Name  string // such as States.Runtime
	Cause string
}

func (e *Failure) Error() string { return e.Name + ": " + e.Cause }

func runtimeFailure(format string, args ...any) *Failure {
	return &Failure{ErrRuntime, fmt.Sprintf(format, args...)}
}

// A Scope is what an expression sees. It is for one goroutine.
type Scope struct {
	Input any // what $ stands for
	World World
	Rand  *rand.Rand
	UUID  func() string

	context any // of World, once it was asked for
}

// A World is what an expression sees beyond its input.
type World interface {
	// Context makes the context object, which $$ stands for.
	Context() any
	// Variable is what was assigned to a name.
	Variable(name string) (any, bool)
}

// document is what the path starts from, and the path's way within it.
func (s *Scope) document(p *jsonpath.Path) (any, error) {
	switch p.Root {
	case jsonpath.Context:
		if s.context == nil {
			s.context = s.World.Context()
		}
		return s.context, nil
	case jsonpath.Variable:
		v, ok := s.World.Variable(p.Name)
		if !ok {
			return nil, runtimeFailure("The variable '$%s' is not assigned.", p.Name)
		}
		return v, nil
	}
	return s.Input, nil
}

// follow resolves a path; its error is a *Failure or a *jsonpath.NotFound.
func (s *Scope) follow(p *jsonpath.Path) (any, error) {
	doc, err := s.document(p)
	if err != nil {
		return nil, err
	}
	return p.Eval(doc)
}

// text is the document that a path was not found in, for messages.
func (s *Scope) text(p *jsonpath.Path) string {
	doc, err := s.document(p)
	if err != nil {
		return "null"
	}
	return value.Text(doc)
}

// An Expr is a path or a call of an intrinsic function.
type Expr struct {
	Path *jsonpath.Path
	Call *intrinsic.Call
}

// ParseExpr reads either.
func ParseExpr(text string) (*Expr, error) {
	if intrinsic.Is(text) {
		call, err := intrinsic.Parse(text)
		if err != nil {
			return nil, err
		}
		return &Expr{Call: call}, nil
	}
	path, err := jsonpath.Parse(text)
	if err != nil {
		return nil, err
	}
	return &Expr{Path: path}, nil
}

// String is the expression as it was written.
func (e *Expr) String() string {
	if e.Call != nil {
		return e.Call.String()
	}
	return e.Path.String()
}

// Eval computes the expression for the named field. Its error is a *Failure.
func (e *Expr) Eval(s *Scope, field string) (any, error) {
	if e.Call != nil {
		return s.call(e.Call)
	}
	v, err := s.follow(e.Path)
	if _, ok := errors.AsType[*jsonpath.NotFound](err); ok {
		return nil, runtimeFailure("The JSONPath '%s' specified for the field '%s' could not be found in the input '%s'",
			e.Path, field, s.text(e.Path))
	}
	return v, err
}

func (s *Scope) call(c *intrinsic.Call) (any, error) {
	v, err := c.Eval(&intrinsic.Env{Path: s.argument, Rand: s.Rand, UUID: s.UUID})
	if failure, ok := errors.AsType[*intrinsic.Failure](err); ok {
		return nil, &Failure{ErrIntrinsic, failure.Error()}
	}
	return v, err
}

func (s *Scope) argument(p *jsonpath.Path) (any, error) {
	v, err := s.follow(p)
	if _, ok := errors.AsType[*jsonpath.NotFound](err); ok {
		return nil, runtimeFailure("The JsonPath argument for the field '%s' could not be found in the input '%s'",
			p, s.text(p))
	}
	return v, err
}

// Apply selects from the scope's input, as InputPath and OutputPath do.
func (sel Select) Apply(s *Scope) (any, error) {
	if sel.Null {
		return value.NewObject(0), nil
	}
	if sel.Path == nil {
		return s.Input, nil
	}
	if sel.Path.Root == jsonpath.Input && s.Input == nil {
		if sel.Path.String() == "$" {
			return nil, nil
		}
		return nil, runtimeFailure("Unable to apply Path transformation to null or empty input.")
	}
	v, err := s.follow(sel.Path)
	if _, ok := errors.AsType[*jsonpath.NotFound](err); ok {
		return nil, runtimeFailure("Invalid path '%s' : %v", sel.Path, err)
	}
	return v, err
}

// Put writes a result into the state's input, as ResultPath does.
func (p Place) Put(input, result any) (any, error) {
	if p.Null {
		return input, nil
	}
	if p.Path == nil {
		return result, nil
	}
	output, err := p.Path.Set(input, result)
	if err != nil {
		return nil, &Failure{ErrPathConflict,
			fmt.Sprintf("Unable to apply ReferencePath %s to input %s", p.Path, value.Text(input))}
	}
	return output, nil
}
