package intrinsic

import (
	"fmt"
	"math/rand/v2"

	"portolan/local/states/jsonpath"
	"portolan/local/states/value"
)

// Env is what a call is computed in.
type Env struct {
	Path func(*jsonpath.Path) (any, error)
	Rand *rand.Rand // of States.MathRandom
	UUID func() string
}

// A Failure is a call that could not be computed: States.IntrinsicFailure.
type Failure struct {
	Call   string
	Reason string
}

func (e *Failure) Error() string {
	return fmt.Sprintf("The function '%s' had the following error: %s", e.Call, e.Reason)
}

// Eval computes the call. Its error is a *Failure, or what env.Path returned.
func (c *Call) Eval(env *Env) (any, error) {
	arguments := make([]any, len(c.arguments))
	for i, a := range c.arguments {
		var err error
		switch {
		case a.path != nil:
			arguments[i], err = env.Path(a.path)
		case a.call != nil:
			arguments[i], err = a.call.Eval(env)
		case i == 0 && a.template != "" && c.function.template:
			arguments[i] = a.template
		default:
			arguments[i] = a.literal
		}
		if err != nil {
			return nil, err
		}
	}
	result, err := c.function.compute(env, arguments)
	if err != nil {
		return nil, &Failure{Call: c.text, Reason: err.Error()}
	}
	return result, nil
}

// A function takes between least and most arguments; most below zero is any
// number.
type function struct {
	least, most int
	template    bool // the first argument keeps its escapes
	compute     func(*Env, []any) (any, error)
}

var functions map[string]function

func init() {
	functions = map[string]function{
		"Format":         {1, -1, true, format},
		"StringToJson":   {1, 1, false, stringToJSON},
		"JsonToString":   {1, 1, false, jsonToString},
		"Array":          {0, -1, false, array},
		"ArrayPartition": {2, 2, false, arrayPartition},
		"ArrayContains":  {2, 2, false, arrayContains},
		"ArrayRange":     {3, 3, false, arrayRange},
		"ArrayGetItem":   {2, 2, false, arrayGetItem},
		"ArrayLength":    {1, 1, false, arrayLength},
		"ArrayUnique":    {1, 1, false, arrayUnique},
		"Base64Encode":   {1, 1, false, base64Encode},
		"Base64Decode":   {1, 1, false, base64Decode},
		"Hash":           {2, 2, false, hash},
		"JsonMerge":      {3, 3, false, jsonMerge},
		"MathRandom":     {2, 3, false, mathRandom},
		"MathAdd":        {2, 2, false, mathAdd},
		"StringSplit":    {2, 2, false, stringSplit},
		"UUID":           {0, 0, false, newUUID},
	}
}

func text(arguments []any, i int) (string, error) {
	s, ok := arguments[i].(string)
	if !ok {
		return "", wrong(i, "a string")
	}
	return s, nil
}

func list(arguments []any, i int) ([]any, error) {
	a, ok := arguments[i].([]any)
	if !ok {
		return nil, wrong(i, "an array")
	}
	return a, nil
}

// integer takes any number and rounds it as Java does: halves go up.
func integer(arguments []any, i int) (int64, error) {
	n, ok := arguments[i].(value.Number)
	if !ok {
		return 0, wrong(i, "an integer")
	}
	if whole, ok := n.Int(); ok {
		return whole, nil
	}
	return round(n.Float()), nil
}

func wrong(i int, want string) error {
	return fmt.Errorf("The argument at position %d must be %s", i+1, want)
}
