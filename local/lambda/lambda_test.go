package lambda_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"portolan/local/clock"
	"portolan/local/lambda"
	"portolan/local/states"
)

const arn = "arn:aws:lambda:us-east-1:000000000000:function:echo"

type inProcess struct{ http.Handler }

func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w.Result(), nil
}

func client(t *testing.T, later func(string, []byte) error) *sdk.Client {
	t.Helper()
	server, err := lambda.New(lambda.Config{
		Clock: clock.New(1), Account: "000000000000", Region: "us-east-1", Code: codeOf,
		Functions: []string{arn}, InvokeLater: later,
		Invoke: func(_ context.Context, _ string, payload []byte) ([]byte, error) {
			if string(payload) == `"bad"` {
				return nil, &states.FunctionError{Type: "Invalid", Payload: []byte(`{"errorType":"Invalid"}`)}
			}
			return payload, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return sdk.New(sdk.Options{Region: "us-east-1", HTTPClient: &http.Client{Transport: inProcess{server}},
		Credentials: credentials.NewStaticCredentialsProvider("AKIA", "secret", ""), RetryMaxAttempts: 1})
}

func TestInvoke(t *testing.T) {
	later := ""
	c := client(t, func(_ string, payload []byte) error {
		if later = string(payload); later == `"full"` {
			return errors.New("the disk is full")
		}
		return nil
	})
	for _, name := range []string{"echo", arn} {
		out, err := c.Invoke(t.Context(), &sdk.InvokeInput{FunctionName: &name, Payload: []byte(`{"a":1}`)})
		if err != nil || string(out.Payload) != `{"a":1}` || out.FunctionError != nil {
			t.Errorf("%s: %v, %v", name, out, err)
		}
	}
	out, err := c.Invoke(t.Context(), &sdk.InvokeInput{FunctionName: aws.String("echo"), Payload: []byte(`"bad"`)})
	if err != nil || aws.ToString(out.FunctionError) != "Unhandled" || string(out.Payload) != `{"errorType":"Invalid"}` {
		t.Errorf("a function that fails: %v, %v", out, err)
	}
	out, err = c.Invoke(t.Context(), &sdk.InvokeInput{FunctionName: aws.String("echo"), Payload: []byte(`2`),
		InvocationType: types.InvocationTypeEvent})
	if err != nil || out.StatusCode != http.StatusAccepted || later != `2` {
		t.Errorf("an asynchronous invocation: %v, %v, %q", out, err, later)
	}
	if out, err = c.Invoke(t.Context(), &sdk.InvokeInput{FunctionName: aws.String("echo"), Payload: []byte(`"full"`),
		InvocationType: types.InvocationTypeEvent}); err == nil {
		t.Errorf("one that cannot be kept was taken: %v", out)
	}
	_, err = c.Invoke(t.Context(), &sdk.InvokeInput{FunctionName: aws.String("other")})
	var missing *types.ResourceNotFoundException
	if !errors.As(err, &missing) {
		t.Errorf("a function that is not there: %v", err)
	}
	_, err = c.Invoke(t.Context(), &sdk.InvokeInput{FunctionName: aws.String("echo"), Payload: []byte(`{`)})
	var invalid *types.InvalidRequestContentException
	if !errors.As(err, &invalid) {
		t.Errorf("no JSON: %v", err)
	}
}

func TestLook(t *testing.T) {
	c := client(t, nil)
	list, err := c.ListFunctions(t.Context(), &sdk.ListFunctionsInput{})
	if err != nil || len(list.Functions) != 1 || *list.Functions[0].FunctionArn != arn {
		t.Errorf("ListFunctions: %v, %v", list, err)
	}
	got, err := c.GetFunction(t.Context(), &sdk.GetFunctionInput{FunctionName: aws.String("echo")})
	if err != nil || *got.Configuration.FunctionName != "echo" {
		t.Errorf("GetFunction: %v, %v", got, err)
	}
	if _, err := c.DeleteFunction(t.Context(), &sdk.DeleteFunctionInput{FunctionName: aws.String("echo")}); err == nil {
		t.Error("DeleteFunction is no part of the embedded AWS")
	}
}
