package lambda_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"portolan/local/lambda"
)

// codeOf runs functions that have a layer: they answer with a variable of theirs.
func codeOf(f lambda.Function) (lambda.Code, error) {
	if len(f.Layers) == 0 {
		return nil, errors.New("function " + f.Name + " has no layer")
	}
	return func(context.Context, []byte) ([]byte, error) {
		return []byte(`"` + f.Environment.Variables["HELLO"] + `"`), nil
	}, nil
}

func made(name string, layers ...string) *sdk.CreateFunctionInput {
	return &sdk.CreateFunctionInput{FunctionName: &name, Role: aws.String("arn:aws:iam::000000000000:role/x"), Layers: layers,
		Code: &types.FunctionCode{ZipFile: []byte("zip")}, Environment: &types.Environment{Variables: map[string]string{"HELLO": name}}}
}

func TestFunctionsAreMadeAndRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := client(t, nil)
		in := made("one", "layer:1")
		in.VpcConfig = &types.VpcConfig{SubnetIds: []string{"subnet-1"}}
		if _, err := c.CreateFunction(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		state := func() types.State {
			out, err := c.GetFunction(t.Context(), &sdk.GetFunctionInput{FunctionName: aws.String("one")})
			if err != nil {
				t.Fatal(err)
			}
			return out.Configuration.State
		}
		invoke := func(name string) (string, error) {
			out, err := c.Invoke(t.Context(), &sdk.InvokeInput{FunctionName: &name, Payload: []byte("{}")})
			if err != nil {
				return "", err
			}
			return string(out.Payload), nil
		}
		if _, err := invoke("one"); err == nil || state() != types.StatePending {
			t.Errorf("a function without network interfaces is %s, and answers with %v", state(), err)
		}
		time.Sleep(time.Minute)
		if answer, err := invoke("one"); err != nil || answer != `"one"` || state() != types.StateActive {
			t.Errorf("got %s, %v from a function that is %s", answer, err, state())
		}
		var taken *types.ResourceConflictException
		if _, err := c.CreateFunction(t.Context(), in); !errors.As(err, &taken) {
			t.Errorf("the same name again: %v", err)
		}
		if _, err := c.CreateFunction(t.Context(), made("bare")); err != nil {
			t.Fatal(err)
		}
		if answer, err := invoke("bare"); err == nil {
			t.Errorf("code that cannot run here answers %s", answer)
		}
	})
}

func TestFunctionsThatAreGone(t *testing.T) {
	c := client(t, nil)
	name := aws.String("one")
	if _, err := c.CreateFunction(t.Context(), made("one", "layer:1")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.DeleteFunction(t.Context(), &sdk.DeleteFunctionInput{FunctionName: name}); err != nil {
		t.Fatal(err)
	}
	var missing *types.ResourceNotFoundException
	if _, err := c.GetFunction(t.Context(), &sdk.GetFunctionInput{FunctionName: name}); !errors.As(err, &missing) {
		t.Errorf("got %v", err)
	}
	if _, err := c.DeleteFunction(t.Context(), &sdk.DeleteFunctionInput{FunctionName: name}); !errors.As(err, &missing) {
		t.Errorf("got %v", err)
	}
	if _, err := c.CreateFunction(t.Context(), made("no name")); err == nil {
		t.Error("a name that is none is taken")
	}
}
