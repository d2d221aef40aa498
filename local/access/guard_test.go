package access_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"portolan/local/access"
	"portolan/local/wire"
)

const session = "arn:aws:sts::111122223333:assumed-role/r/s"

// bench is an AWS whose services do nothing, behind a guard.
type bench struct {
	guard  *access.Guard
	config aws.Config
}

func newBench(t *testing.T, caller string, policies ...string) *bench {
	t.Helper()
	role := access.Role{}
	for _, text := range policies {
		role.Policies = append(role.Policies, policy(t, text))
	}
	b := &bench{guard: access.New(access.Config{
		Account: "111122223333", Region: "us-east-1", Log: slog.New(slog.DiscardHandler),
		Roles: map[string]access.Role{"r": role, "closed": {Trust: policy(t,
			`{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"ec2.amazonaws.com"}}}`)}},
		PartitionKeys: map[string]string{"t": "PK"},
		Group: func(name string) (string, map[string]string) {
			return "g-of-" + name, map[string]string{"portolan:cluster": "shop"}
		},
		Machine: func(token string) string { return "arn:aws:states:us-east-1:111122223333:stateMachine:" + token },
	})}
	router := wire.NewRouter(wire.ResolverFunc(func(context.Context, string) (wire.Identity, error) {
		return wire.Identity{Account: "111122223333", ARN: caller}, nil
	}))
	for name, protocol := range map[string]wire.Protocol{
		"dynamodb": wire.JSON10, "states": wire.JSON10, "ecs": wire.JSON11, "ec2": wire.EC2Query,
		"cloudformation": wire.Query, "autoscaling": wire.Query, "sts": wire.Query,
	} {
		router.Register(name, &nothing{wire.Service{Name: name, Protocol: protocol}})
	}
	router.Use(b.guard.Middleware)
	b.config = aws.Config{
		Region: "us-east-1", HTTPClient: router.Client(), BaseEndpoint: aws.String("http://aws.local"),
		RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "key", SecretAccessKey: "secret"}, nil
		}),
	}
	return b
}

// nothing answers each operation with nothing.
type nothing struct{ wire.Service }

func (n *nothing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, operation := wire.OperationOf(r)
	n.Operations = map[string]wire.Operation{
		operation: func(context.Context, *wire.Body) (any, error) { return struct{}{}, nil },
	}
	n.Service.ServeHTTP(w, r)
}

func policy(t *testing.T, text string) *access.Policy {
	t.Helper()
	var document any
	if err := json.Unmarshal([]byte(text), &document); err != nil {
		t.Fatal(err)
	}
	p, err := access.Parse(document)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func allow(actions, resource string) string {
	return `{"Statement":{"Effect":"Allow","Action":` + actions + `,"Resource":"` + resource + `"}}`
}

// refused checks the code of a refusal; an empty one is none.
func refused(t *testing.T, what string, err error, code string) string {
	t.Helper()
	var api smithy.APIError
	switch {
	case code == "" && err != nil:
		t.Errorf("%s: %v", what, err)
	case code != "" && (!errors.As(err, &api) || api.ErrorCode() != code):
		t.Errorf("%s: got %v, want %s", what, err, code)
	case code != "":
		return api.ErrorMessage()
	}
	return ""
}

func transact(b *bench, items ...types.TransactWriteItem) error {
	_, err := dynamodb.NewFromConfig(b.config).TransactWriteItems(context.Background(),
		&dynamodb.TransactWriteItemsInput{TransactItems: items})
	return err
}

func put(key string) types.TransactWriteItem {
	return types.TransactWriteItem{Put: &types.Put{TableName: aws.String("t"),
		Item: map[string]types.AttributeValue{"PK": &types.AttributeValueMemberS{Value: key}}}}
}

func TestTransactionsNeedEachItemsAction(t *testing.T) {
	const table = "arn:aws:dynamodb:us-east-1:111122223333:table/t"
	b := newBench(t, session, `{"Statement":[
		{"Effect":"Allow","Action":"dynamodb:PutItem","Resource":"`+table+`",
		 "Condition":{"ForAllValues:StringLike":{"dynamodb:LeadingKeys":["WAIT#*"]}}},
		{"Effect":"Allow","Action":"dynamodb:Query","Resource":"`+table+`/index/i"}]}`)
	refused(t, "a put under the prefix", transact(b, put("WAIT#1")), "")
	message := refused(t, "a put elsewhere", transact(b, put("WAIT#1"), put("LEASE#1")), "AccessDeniedException")
	want := "User: " + session + " is not authorized to perform: dynamodb:PutItem on resource: " + table +
		" because no identity-based policy allows the dynamodb:PutItem action"
	if message != want {
		t.Errorf("got %q,\nwant %q", message, want)
	}
	check := types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{TableName: aws.String("t"),
		ConditionExpression: aws.String("attribute_exists(PK)"),
		Key:                 map[string]types.AttributeValue{"PK": &types.AttributeValueMemberS{Value: "WAIT#1"}}}}
	refused(t, "a check", transact(b, put("WAIT#1"), check), "AccessDeniedException")
	query := func(index *string) error {
		_, err := dynamodb.NewFromConfig(b.config).Query(t.Context(), &dynamodb.QueryInput{
			TableName: aws.String("t"), IndexName: index, KeyConditionExpression: aws.String("a = b")})
		return err
	}
	refused(t, "a query of the index", query(aws.String("i")), "")
	refused(t, "a query of the table", query(nil), "AccessDeniedException")
}

func TestABatchNeedsItsTablesAndAllItsKeys(t *testing.T) {
	b := newBench(t, session, `{"Statement":[
		{"Effect":"Allow","Action":"dynamodb:BatchGetItem","Resource":"arn:aws:dynamodb:us-east-1:111122223333:table/t",
		 "Condition":{"ForAllValues:StringLike":{"dynamodb:LeadingKeys":["WAIT#*"]}}}]}`)
	read := func(table string, keys ...string) error {
		var wanted types.KeysAndAttributes
		for _, key := range keys {
			wanted.Keys = append(wanted.Keys, map[string]types.AttributeValue{"PK": &types.AttributeValueMemberS{Value: key}})
		}
		_, err := dynamodb.NewFromConfig(b.config).BatchGetItem(t.Context(), &dynamodb.BatchGetItemInput{
			RequestItems: map[string]types.KeysAndAttributes{table: wanted}})
		return err
	}
	refused(t, "keys under the prefix", read("t", "WAIT#1", "WAIT#2"), "")
	refused(t, "a key elsewhere", read("t", "WAIT#1", "LEASE#1"), "AccessDeniedException")
	refused(t, "another table", read("u", "WAIT#1"), "AccessDeniedException")
}

func TestPassingARoleIsAPermissionOfItsOwn(t *testing.T) {
	b := newBench(t, session, allow(`["cloudformation:CreateStack","ecs:*"]`, "*"),
		`{"Statement":{"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::111122223333:role/stacks",
		  "Condition":{"StringEquals":{"iam:PassedToService":"cloudformation.amazonaws.com"}}}}`)
	create := func(role string) error {
		_, err := cloudformation.NewFromConfig(b.config).CreateStack(t.Context(), &cloudformation.CreateStackInput{
			StackName: aws.String("portolan-shop"), RoleARN: &role})
		return err
	}
	refused(t, "the role for stacks", create("arn:aws:iam::111122223333:role/stacks"), "")
	refused(t, "another role", create("arn:aws:iam::111122223333:role/admin"), "AccessDenied")
	_, err := ecs.NewFromConfig(b.config).RegisterTaskDefinition(t.Context(), &ecs.RegisterTaskDefinitionInput{
		Family: aws.String("f"), TaskRoleArn: aws.String("arn:aws:iam::111122223333:role/stacks"),
		ContainerDefinitions: []ecstypes.ContainerDefinition{{Name: aws.String("c")}}})
	refused(t, "the role for stacks, to a task", err, "AccessDeniedException")
}

func TestServicesRefuseInTheirOwnWords(t *testing.T) {
	b := newBench(t, session, allow(`["sts:AssumeRole"]`, "*"))
	ctx := t.Context()
	_, err := ec2.NewFromConfig(b.config).DescribeVpcs(ctx, &ec2.DescribeVpcsInput{})
	refused(t, "EC2", err, "UnauthorizedOperation")
	_, err = autoscaling.NewFromConfig(b.config).SetDesiredCapacity(ctx, &autoscaling.SetDesiredCapacityInput{
		AutoScalingGroupName: aws.String("g"), DesiredCapacity: aws.Int32(1)})
	refused(t, "Auto Scaling", err, "AccessDenied")
	_, err = sfn.NewFromConfig(b.config).SendTaskSuccess(ctx, &sfn.SendTaskSuccessInput{
		TaskToken: aws.String("m"), Output: aws.String("{}")})
	refused(t, "Step Functions", err, "AccessDeniedException")
	assume := func(role string) error {
		_, err := sts.NewFromConfig(b.config).AssumeRole(ctx, &sts.AssumeRoleInput{
			RoleArn: aws.String("arn:aws:iam::111122223333:role/" + role), RoleSessionName: aws.String("s")})
		return err
	}
	refused(t, "a role that trusts somebody else", assume("closed"), "AccessDenied")
	refused(t, "a role of which nothing is known", assume("open"), "")
}

func TestTagsOfTheGroupCount(t *testing.T) {
	b := newBench(t, session, `{"Statement":{"Effect":"Allow","Action":"autoscaling:TerminateInstanceInAutoScalingGroup",
		"Resource":"arn:aws:autoscaling:us-east-1:111122223333:autoScalingGroup:*",
		"Condition":{"Null":{"aws:ResourceTag/portolan:cluster":"false"}}}}`)
	_, err := autoscaling.NewFromConfig(b.config).TerminateInstanceInAutoScalingGroup(t.Context(),
		&autoscaling.TerminateInstanceInAutoScalingGroupInput{InstanceId: aws.String("i-1"),
			ShouldDecrementDesiredCapacity: aws.Bool(true)})
	refused(t, "an instance of a tagged group", err, "")
}

func TestOthersMayDoEverything(t *testing.T) {
	for _, caller := range []string{"arn:aws:iam::111122223333:user/you", "arn:aws:sts::111122223333:assumed-role/other/s"} {
		b := newBench(t, caller)
		refused(t, caller, transact(b, put("LEASE#1")), "")
	}
}

func TestWhatWasNotUsedIsNamed(t *testing.T) {
	const table = "arn:aws:dynamodb:us-east-1:111122223333:table/"
	b := newBench(t, session, `{"Statement":[{"Effect":"Allow","Action":["dynamodb:PutItem","dynamodb:GetItem"],
		"Resource":["`+table+`t","`+table+`u"]}, {"Effect":"Deny","Action":"dynamodb:Scan","Resource":"*"}]}`)
	refused(t, "a put", transact(b, put("x")), "")
	want := []access.Grant{{Role: "r", Action: "dynamodb:GetItem"}, {Role: "r", Resource: table + "u"}}
	got := b.guard.Unused()
	if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("got %v", got)
	}
	if b.guard.Check("r", access.Request{Action: "dynamodb:GetItem", Resource: table + "u"}) != access.Allowed ||
		len(b.guard.Unused()) != 0 {
		t.Errorf("after a check there is %v", b.guard.Unused())
	}
	if b.guard.Check("r", access.Request{Action: "dynamodb:Scan", Resource: table + "u"}) != access.Denied {
		t.Error("what is denied is allowed")
	}
}
