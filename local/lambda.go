package local

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"portolan/functions/connector"
	"portolan/local/ec2"
	"portolan/local/lambda"
	"portolan/shared/environment"
)

// startLambda lets functions be invoked by hand, and stacks make connectors.
func (l *Local) startLambda(network *ec2.Service) (err error) {
	config := lambda.Config{Invoke: l.runtime.invoke, InvokeLater: l.targets.async.Take, Clock: l.Clock, Disk: l.disk,
		Account: Account, Region: l.config.Region,
		Code: func(f lambda.Function) (lambda.Code, error) { return l.connectorOf(f, network) }}
	for _, f := range l.deployment.functions {
		config.Functions = append(config.Functions, f.arn)
	}
	if l.lambda, err = lambda.New(config); err != nil {
		return err
	}
	l.AWS.Register("lambda", l.lambda)
	return nil
}

// connectorOf is what runs in a function whose layer takes the place of its runtime: the
// connector, in the function's VPC. Code of other functions cannot run here.
func (l *Local) connectorOf(f lambda.Function, network *ec2.Service) (lambda.Code, error) {
	variables := f.Environment.Variables
	layered := len(f.Layers) == 1 && strings.Contains(f.Layers[0], "-connector:")
	if !layered || variables["AWS_LAMBDA_EXEC_WRAPPER"] != "/opt/bootstrap" || variables["ALLOWED_HOSTS"] == "" {
		return nil, errors.New("the function " + f.Name + " has no layer with a runtime that runs here")
	}
	vpc := ""
	if len(f.VPC.Subnets) > 0 {
		subnet, _ := network.Subnet(f.VPC.Subnets[0])
		vpc = subnet.VpcID
	}
	env := &environment.Environment{
		Log: l.config.Log.With("function", f.Name), Now: l.Clock.Now,
		Variables:     func(name string) string { return variables[name] },
		WrapTransport: func(next http.RoundTripper) http.RoundTripper { return l.EKS.VPC(vpc, l.intoMachines(next)) },
	}
	handler := of(connector.New, (*connector.Handler).Handle)(env)
	return func(ctx context.Context, payload []byte) ([]byte, error) {
		answer, err := handler.Invoke(ctx, payload)
		return answer, asFunctionError(err)
	}, nil
}
