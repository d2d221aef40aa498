package sdktask_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"portolan/local/states"
	"portolan/local/states/sdktask"
	"portolan/local/states/value"
)

// canned answers every request alike and keeps the last.
type canned struct {
	status  int
	body    string
	request *http.Request
	sent    string
}

func (c *canned) RoundTrip(r *http.Request) (*http.Response, error) {
	sent, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	c.request, c.sent = r, string(sent)
	if c.status == 0 {
		c.status = 200
	}
	return &http.Response{StatusCode: c.status, Header: http.Header{"X-Amzn-Requestid": {"id-1"}},
		Body: io.NopCloser(strings.NewReader(c.body)), Request: r}, nil
}

func (c *canned) call(service, action, parameters string) (string, error) {
	caller := sdktask.New(sdktask.Config{
		Client: &http.Client{Transport: c}, Endpoint: "http://aws.test", Region: "eu-west-1",
		Credentials: func(_ context.Context, role string) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "KEY-OF-" + role, SecretAccessKey: "secret"}, nil
		},
		Now: func() time.Time { return time.Unix(1_700_000_000, 0) },
	})
	out, err := caller.Call(context.Background(), service, action, json.RawMessage(parameters), "deployer")
	return string(out), err
}

func same(t *testing.T, got, want string) {
	t.Helper()
	g, err := value.ParseString(got)
	if err != nil {
		t.Fatalf("%v in %s", err, got)
	}
	w, err := value.ParseString(want)
	if err != nil {
		t.Fatal(err)
	}
	if !value.Equal(g, w) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestCamelCaseServices(t *testing.T) {
	c := &canned{body: `{"services":[{"serviceName":"web","desiredCount":2,"createdAt":1700000000.5,
		"deploymentConfiguration":{"maximumPercent":200}}],"failures":[]}`}
	got, err := c.call("aws-sdk:ecs", "updateService",
		`{"Cluster":"blue","Service":"web","DesiredCount":2,"Tags":[{"Key":"a","Value":"b"}],
		"ContainerDefinitions":[{"DockerLabels":{"Keep":"Me"}}]}`)
	if err != nil {
		t.Fatal(err)
	}
	same(t, c.sent, `{"cluster":"blue","service":"web","desiredCount":2,"tags":[{"key":"a","value":"b"}],
		"containerDefinitions":[{"dockerLabels":{"Keep":"Me"}}]}`)
	same(t, got, `{"Services":[{"ServiceName":"web","DesiredCount":2,"CreatedAt":"2023-11-14T22:13:20.5Z",
		"DeploymentConfiguration":{"MaximumPercent":200}}],"Failures":[]}`)
	if target := c.request.Header.Get("X-Amz-Target"); target != "AmazonEC2ContainerServiceV20141113.UpdateService" {
		t.Errorf("target %q", target)
	}
	if auth := c.request.Header.Get("Authorization"); !strings.Contains(auth, "KEY-OF-deployer/20231114/eu-west-1/ecs/aws4_request") {
		t.Errorf("authorization %q", auth)
	}
}

func TestDynamoDBTakesBothSpellings(t *testing.T) {
	c := &canned{body: `{"Item":{"on":{"BOOL":true},"n":{"N":"1"}}}`}
	got, err := c.call("aws-sdk:dynamodb", "getItem",
		`{"TableName":"t","Key":{"id":{"S":"x"}},"ExpressionAttributeValues":{":a":{"Bool":true},":b":{"Ss":["x"]},":c":{"Nul":true}}}`)
	if err != nil {
		t.Fatal(err)
	}
	same(t, c.sent, `{"TableName":"t","Key":{"id":{"S":"x"}},
		"ExpressionAttributeValues":{":a":{"BOOL":true},":b":{"SS":["x"]},":c":{"NULL":true}}}`)
	same(t, got, c.body)
}

func TestQueryServices(t *testing.T) {
	c := &canned{body: `<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/">
		<DescribeStacksResult><Stacks><member><StackName>blue</StackName><DisableRollback>false</DisableRollback>
		<Outputs><member><OutputKey>Vpc</OutputKey><OutputValue>vpc-1</OutputValue></member></Outputs>
		<Capabilities><member>CAPABILITY_IAM</member></Capabilities><Tags/><TimeoutInMinutes>5</TimeoutInMinutes>
		</member></Stacks></DescribeStacksResult></DescribeStacksResponse>`}
	got, err := c.call("aws-sdk:cloudformation", "describeStacks", `{"StackName":"blue"}`)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, `{"Stacks":[{"StackName":"blue","DisableRollback":false,"Capabilities":["CAPABILITY_IAM"],"Tags":[],
		"Outputs":[{"OutputKey":"Vpc","OutputValue":"vpc-1"}],"TimeoutInMinutes":5}]}`)
	_, err = c.call("aws-sdk:cloudformation", "createStack", `{"StackName":"blue","Capabilities":["CAPABILITY_IAM"],
		"DisableRollback":true,"Parameters":[{"ParameterKey":"Size","ParameterValue":"3"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	form, err := url.ParseQuery(c.sent)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Action": "CreateStack", "Version": "2010-05-15", "StackName": "blue", "DisableRollback": "true",
		"Capabilities.member.1": "CAPABILITY_IAM", "Parameters.member.1.ParameterKey": "Size",
		"Parameters.member.1.ParameterValue": "3",
	} {
		if form.Get(name) != want {
			t.Errorf("%s = %q, want %q", name, form.Get(name), want)
		}
	}
}

func TestErrorsHaveTheSDKsNames(t *testing.T) {
	for _, test := range []struct{ service, action, body, name, cause string }{
		{"aws-sdk:dynamodb", "putItem", `{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","message":"The conditional request failed"}`,
			"DynamoDb.ConditionalCheckFailedException", "The conditional request failed (Service: DynamoDb, Status Code: 400, Request ID: id-1)"},
		{"dynamodb", "putItem", `{"__type":"x#ConditionalCheckFailedException","Message":"The conditional request failed"}`,
			"DynamoDB.ConditionalCheckFailedException", "The conditional request failed (Service: AmazonDynamoDBv2; Status Code: 400; Error Code: ConditionalCheckFailedException; Request ID: id-1; Proxy: null)"},
		{"aws-sdk:dynamodb", "putItem", `{"__type":"x#ValidationException","message":"bad"}`,
			"DynamoDb.DynamoDbException", "bad (Service: DynamoDb, Status Code: 400, Request ID: id-1)"},
		{"aws-sdk:ecs", "describeServices", `{"__type":"ClusterNotFoundException","message":"Cluster not found."}`,
			"Ecs.ClusterNotFoundException", "Cluster not found. (Service: Ecs, Status Code: 400, Request ID: id-1)"},
		{"aws-sdk:cloudformation", "createStack", `<ErrorResponse><Error><Type>Sender</Type><Code>AlreadyExistsException</Code><Message>Stack [b] already exists</Message></Error><RequestId>r2</RequestId></ErrorResponse>`,
			"CloudFormation.AlreadyExistsException", "Stack [b] already exists (Service: CloudFormation, Status Code: 400, Request ID: r2)"},
		{"aws-sdk:cloudformation", "describeStacks", `<ErrorResponse><Error><Code>ValidationError</Code><Message>Stack with id b does not exist</Message></Error><RequestId>r2</RequestId></ErrorResponse>`,
			"CloudFormation.CloudFormationException", "Stack with id b does not exist (Service: CloudFormation, Status Code: 400, Request ID: r2)"},
		{"aws-sdk:autoscaling", "setDesiredCapacity", `<ErrorResponse><Error><Code>ScalingActivityInProgress</Code><Message>busy</Message></Error><RequestId>r2</RequestId></ErrorResponse>`,
			"AutoScaling.ScalingActivityInProgressException", "busy (Service: AutoScaling, Status Code: 400, Request ID: r2)"},
		{"aws-sdk:cloudformation", "detectStackDrift", "", "States.Runtime", "The embedded AWS does not call cloudformation:detectStackDrift from a state machine"},
		{"aws-sdk:glue", "startJobRun", "", "States.Runtime", "The embedded AWS does not call the service aws-sdk:glue from a state machine (startJobRun)"},
	} {
		c := &canned{status: 400, body: test.body}
		_, err := c.call(test.service, test.action, `{}`)
		refused, ok := errors.AsType[*states.CallError](err)
		if !ok || refused.Name != test.name || refused.Cause != test.cause {
			t.Errorf("%s:%s: got %v\nwant %s: %s", test.service, test.action, err, test.name, test.cause)
		}
	}
}

func TestOptimisedIntegrations(t *testing.T) {
	c := &canned{body: `{"MessageId":"m","MD5OfMessageBody":"x"}`}
	got, err := c.call("sqs", "sendMessage", `{"QueueUrl":"http://q","MessageBody":{"a":1}}`)
	if err != nil {
		t.Fatal(err)
	}
	same(t, c.sent, `{"QueueUrl":"http://q","MessageBody":"{\"a\":1}"}`)
	same(t, got, `{"MessageId":"m","MD5OfMessageBody":"x","SdkHttpMetadata":{"AllHttpHeaders":{"X-Amzn-Requestid":["id-1"]},
		"HttpHeaders":{"X-Amzn-Requestid":"id-1"},"HttpStatusCode":200},"SdkResponseMetadata":{"RequestId":"id-1"}}`)

	c = &canned{body: `{"Entries":[{"ErrorCode":"InternalFailure"}],"FailedEntryCount":1}`}
	_, err = c.call("events", "putEvents", `{"Entries":[{"Source":"s","DetailType":"d","Detail":{"a":1}}]}`)
	same(t, c.sent, `{"Entries":[{"Source":"s","DetailType":"d","Detail":"{\"a\":1}"}]}`)
	if failed, ok := errors.AsType[*states.CallError](err); !ok || failed.Name != "EventBridge.FailedEntry" {
		t.Errorf("an event that was not taken is %v", err)
	}
}
