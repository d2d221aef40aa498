package resources

import (
	"archive/zip"
	"bytes"
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"portolan/local/cloudformation"
)

func (m *maker) functionKinds(kinds map[string]cloudformation.Kind) {
	kinds["AWS::Lambda::Function"] = cloudformation.Kind{
		Provider: provider{
			create: m.createFunction, stable: m.functionStable,
			remove: func(ctx context.Context, r cloudformation.Request) error {
				_, err := m.lambda.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: &r.PhysicalID})
				return err
			},
		},
		CreateOnly: []string{"FunctionName", "PackageType"}, CreateTakes: 5 * time.Second, DeleteTakes: 2 * time.Second,
	}
}

func (m *maker) createFunction(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	p := of(r)
	name := p.text("FunctionName")
	if name == "" {
		name = r.Name
	}
	code, err := zipped(p.object("Code").text("ZipFile"))
	if err != nil {
		return failed(err)
	}
	vpc, variables := p.object("VpcConfig"), p.object("Environment").object("Variables")
	in := &lambda.CreateFunctionInput{
		FunctionName: &name, Role: p.optional("Role"), Runtime: types.Runtime(p.text("Runtime")), Handler: p.optional("Handler"),
		Description: p.optional("Description"), Code: &types.FunctionCode{ZipFile: code}, Layers: p.texts("Layers"),
		Timeout: p.number("Timeout"), MemorySize: p.number("MemorySize"), Tags: ownTagsOnly(tagsOf(r)),
		LoggingConfig: loggingOf(p.object("LoggingConfig")),
		Environment:   &types.Environment{Variables: map[string]string{}},
		VpcConfig:     &types.VpcConfig{SubnetIds: vpc.texts("SubnetIds"), SecurityGroupIds: vpc.texts("SecurityGroupIds")},
	}
	for _, each := range p.texts("Architectures") {
		in.Architectures = append(in.Architectures, types.Architecture(each))
	}
	for name := range variables {
		in.Environment.Variables[name] = variables.text(name)
	}
	_, err = m.lambda.CreateFunction(ctx, in)
	if err != nil && !isCode(err, "ResourceConflictException") {
		return failed(err)
	}
	found, findErr := m.lambda.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: &name})
	if findErr != nil {
		return failed(findErr)
	}
	// The role is the stack's own: a function that has it was made by an earlier try.
	if err != nil && aws.ToString(found.Configuration.Role) != *in.Role {
		return failed(err)
	}
	return made(name, map[string]any{"Arn": aws.ToString(found.Configuration.FunctionArn)})
}

func loggingOf(p properties) *types.LoggingConfig {
	if p == nil {
		return nil
	}
	return &types.LoggingConfig{LogFormat: types.LogFormat(p.text("LogFormat")), LogGroup: p.optional("LogGroup")}
}

// zipped is inline code as CloudFormation hands it on.
func zipped(code string) ([]byte, error) {
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	file, err := archive.Create("index.py")
	if err != nil {
		return nil, err
	}
	if _, err := file.Write([]byte(code)); err != nil {
		return nil, err
	}
	err = archive.Close()
	return out.Bytes(), err
}

func (m *maker) functionStable(ctx context.Context, r cloudformation.Request) error {
	out, err := m.lambda.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: &r.PhysicalID})
	if err != nil || out.Configuration.State == types.StateActive {
		return err
	}
	return pending("Function %s is in state %s", r.PhysicalID, out.Configuration.State)
}
