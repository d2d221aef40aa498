package wire_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/smithy-go"

	"portolan/local/wire"
)

const account = "111122223333"

var accounts = wire.ResolverFunc(func(_ context.Context, key string) (wire.Identity, error) {
	if key != "AKIDTEST" {
		return wire.Identity{}, &wire.Error{Code: "UnrecognizedClientException",
			Message: "The security token included in the request is invalid.", Status: 403}
	}
	return wire.Identity{Account: account, AccessKey: key, ARN: "arn:aws:iam::" + account + ":user/me"}, nil
})

func config(router *wire.Router, key string) aws.Config {
	return aws.Config{
		Region: "eu-west-1", HTTPClient: router.Client(), BaseEndpoint: aws.String("http://aws.local"),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: key, SecretAccessKey: "secret"}, nil
		}),
		RetryMaxAttempts: 1,
	}
}

func code(t *testing.T, err error) (code, message string) {
	t.Helper()
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		t.Fatalf("got %v, want an error of AWS's", err)
	}
	return api.ErrorCode(), api.ErrorMessage()
}

type cluster struct {
	Name  string            `json:"clusterName"`
	Arn   string            `json:"clusterArn"`
	Tags  []map[string]any  `json:"tags"`
	Extra map[string]string `json:"extra,omitempty"`
}

func ecsService() *wire.Service {
	type in struct {
		Name string `json:"clusterName"`
	}
	type out struct {
		Cluster cluster `json:"cluster"`
	}
	return &wire.Service{Name: "ECS", Target: "AmazonEC2ContainerServiceV20141113", Protocol: wire.JSON11,
		Operations: map[string]wire.Operation{
			"CreateCluster": wire.Op(func(ctx context.Context, in *in) (*out, error) {
				if in.Name == "" {
					return nil, wire.Errorf("InvalidParameterException", "no name")
				}
				caller := wire.Caller(ctx)
				arn := "arn:aws:ecs:" + caller.Region + ":" + caller.Account + ":cluster/" + in.Name
				return &out{cluster{Name: in.Name, Arn: arn}}, nil
			}),
		}}
}

func TestJSON(t *testing.T) {
	router := wire.NewRouter(accounts)
	router.Register("ecs", ecsService())
	client := ecs.NewFromConfig(config(router, "AKIDTEST"))
	out, err := client.CreateCluster(t.Context(), &ecs.CreateClusterInput{ClusterName: aws.String("a")})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := *out.Cluster.ClusterArn, "arn:aws:ecs:eu-west-1:111122223333:cluster/a"; got != want {
		t.Errorf("arn = %s, want %s", got, want)
	}
	_, err = client.CreateCluster(t.Context(), &ecs.CreateClusterInput{})
	if code, message := code(t, err); code != "InvalidParameterException" || message != "no name" {
		t.Errorf("without a name: %s: %s", code, message)
	}
	_, err = client.ListClusters(t.Context(), &ecs.ListClustersInput{})
	if code, message := code(t, err); code != "UnknownOperationException" || !strings.Contains(message, "ECS ListClusters") {
		t.Errorf("unknown operation: %s: %s", code, message)
	}
	stranger := ecs.NewFromConfig(config(router, "AKIDOTHER"))
	_, err = stranger.CreateCluster(t.Context(), &ecs.CreateClusterInput{ClusterName: aws.String("a")})
	if code, _ := code(t, err); code != "UnrecognizedClientException" {
		t.Errorf("unknown access key: %s", code)
	}
}

func TestUnsignedCallsNameTheirCaller(t *testing.T) {
	router := wire.NewRouter(accounts)
	router.Register("ecs", ecsService())
	router.Use(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if text := r.Header.Get("Authorization"); !strings.HasSuffix(text, "Signature=none") {
				t.Errorf("signed all the same: %s", text)
			}
			next.ServeHTTP(w, r)
		})
	})
	known, unknown := config(router, "AKIDTEST"), config(router, "AKIDOTHER")
	known.ServiceOptions = []func(string, any){wire.Unsigned}
	unknown.ServiceOptions = known.ServiceOptions
	out, err := ecs.NewFromConfig(known).CreateCluster(t.Context(), &ecs.CreateClusterInput{ClusterName: aws.String("a")})
	if err != nil || *out.Cluster.ClusterArn != "arn:aws:ecs:eu-west-1:111122223333:cluster/a" {
		t.Errorf("a known key: %+v, %v", out, err)
	}
	_, err = ecs.NewFromConfig(unknown).CreateCluster(t.Context(), &ecs.CreateClusterInput{ClusterName: aws.String("a")})
	if code, _ := code(t, err); code != "UnrecognizedClientException" {
		t.Errorf("an unknown key: %s", code)
	}
}

type iamTag struct{ Key, Value string }

func TestQuery(t *testing.T) {
	type tag struct {
		Key   string `json:"Key"`
		Value string `json:"Value"`
	}
	type in struct {
		Name string `json:"RoleName"`
		Tags []tag  `json:"Tags"`
		Max  *int32 `json:"MaxSessionDuration"`
	}
	type role struct {
		Name    string    `json:"RoleName"`
		Arn     string    `json:"Arn"`
		Created wire.Time `json:"CreateDate"`
		Max     *int32    `json:"MaxSessionDuration"`
		Tags    []tag     `json:"Tags"`
	}
	type out struct {
		Role role `json:"Role"`
	}
	created := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	router := wire.NewRouter(accounts)
	router.Register("iam", &wire.Service{Name: "IAM", Protocol: wire.Query,
		Namespace: "https://iam.amazonaws.com/doc/2010-05-08/",
		Operations: map[string]wire.Operation{
			"CreateRole": wire.Op(func(ctx context.Context, in *in) (*out, error) {
				return &out{role{Name: in.Name, Arn: "a<&>b", Created: wire.At(created), Max: in.Max, Tags: in.Tags}}, nil
			}),
		}})
	client := iam.NewFromConfig(config(router, "AKIDTEST"))
	var tags []iamTag
	for _, c := range "abcdefghijkl" {
		tags = append(tags, iamTag{string(c), "v"})
	}
	input := &iam.CreateRoleInput{RoleName: aws.String("r"), MaxSessionDuration: aws.Int32(3600),
		AssumeRolePolicyDocument: aws.String("{}"), Tags: iamTags(tags)}
	got, err := client.CreateRole(t.Context(), input)
	if err != nil {
		t.Fatal(err)
	}
	r := got.Role
	if *r.RoleName != "r" || *r.Arn != "a<&>b" || !r.CreateDate.Equal(created) || *r.MaxSessionDuration != 3600 {
		t.Errorf("role = %+v", r)
	}
	if len(r.Tags) != 12 || *r.Tags[11].Key != "l" {
		t.Errorf("twelve tags came back as %d, out of order", len(r.Tags))
	}
	_, err = client.GetUser(t.Context(), &iam.GetUserInput{})
	if code, message := code(t, err); code != "InvalidAction" || !strings.Contains(message, "IAM GetUser") {
		t.Errorf("unknown operation: %s: %s", code, message)
	}
}

func TestEC2Query(t *testing.T) {
	type filter struct {
		Name   string   `json:"Name"`
		Values []string `json:"Value"`
	}
	type in struct {
		Filters []filter `json:"Filter"`
		IDs     []string `json:"VpcId"`
	}
	type vpc struct {
		ID      string `json:"vpcId"`
		Default bool   `json:"isDefault"`
	}
	type out struct {
		Vpcs []vpc `json:"vpcSet"`
	}
	router := wire.NewRouter(accounts)
	router.Register("ec2", &wire.Service{Name: "EC2", Protocol: wire.EC2Query,
		Namespace: "http://ec2.amazonaws.com/doc/2016-11-15/",
		Operations: map[string]wire.Operation{
			"DescribeVpcs": wire.Op(func(ctx context.Context, in *in) (*out, error) {
				if len(in.IDs) == 1 {
					return nil, wire.Errorf("InvalidVpcID.NotFound", "The vpc ID '%s' does not exist", in.IDs[0])
				}
				return &out{[]vpc{{ID: in.Filters[0].Values[1], Default: true}}}, nil
			}),
		}})
	client := ec2.NewFromConfig(config(router, "AKIDTEST"))
	got, err := client.DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{
		Filters: []ec2types.Filter{{Name: aws.String("vpc-id"), Values: []string{"vpc-1", "vpc-2"}}}})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Vpcs) != 1 || *got.Vpcs[0].VpcId != "vpc-2" || !*got.Vpcs[0].IsDefault {
		t.Errorf("vpcs = %+v", got.Vpcs)
	}
	_, err = client.DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{VpcIds: []string{"vpc-9"}})
	if code, _ := code(t, err); code != "InvalidVpcID.NotFound" {
		t.Errorf("code = %s", code)
	}
}

func TestCBOR(t *testing.T) {
	type datum struct {
		Name  string     `json:"MetricName"`
		Value *float64   `json:"Value"`
		Time  *wire.Time `json:"Timestamp"`
	}
	type alarm struct {
		Name      string     `json:"AlarmName"`
		Threshold *float64   `json:"Threshold,omitempty"`
		Periods   int32      `json:"EvaluationPeriods"`
		Updated   *wire.Time `json:"StateUpdatedTimestamp,omitempty"`
	}
	type describe struct {
		Names []string `json:"AlarmNames"`
	}
	type alarms struct {
		Alarms []alarm `json:"MetricAlarms"`
	}
	var got struct {
		Namespace string  `json:"Namespace"`
		Data      []datum `json:"MetricData"`
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 250e6, time.UTC)
	router := wire.NewRouter(accounts)
	router.Register("monitoring", &wire.Service{Name: "CloudWatch", Target: "GraniteServiceVersion20100801",
		Protocol: wire.CBOR, Operations: map[string]wire.Operation{
			"PutMetricData": func(_ context.Context, body *wire.Body) (any, error) { return nil, body.Decode(&got) },
			"DescribeAlarms": wire.Op(func(ctx context.Context, in *describe) (*alarms, error) {
				if len(in.Names) == 0 {
					return nil, &wire.Error{Code: "ResourceNotFoundException", QueryCode: "ResourceNotFound", Message: "none"}
				}
				return &alarms{[]alarm{{Name: in.Names[0], Threshold: aws.Float64(70), Periods: 2, Updated: wire.AtPtr(at)}}}, nil
			}),
		}})
	client := cloudwatch.NewFromConfig(config(router, "AKIDTEST"))
	_, err := client.PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{Namespace: aws.String("n"),
		MetricData: []cwtypes.MetricDatum{{MetricName: aws.String("m"), Value: aws.Float64(3), Timestamp: &at}}})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Data) != 1 || *got.Data[0].Value != 3 || !got.Data[0].Time.Equal(at) {
		t.Errorf("metric data = %+v", got.Data)
	}
	out, err := client.DescribeAlarms(t.Context(), &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{"cpu"}})
	if err != nil {
		t.Fatal(err)
	}
	a := out.MetricAlarms[0]
	if *a.AlarmName != "cpu" || *a.Threshold != 70 || *a.EvaluationPeriods != 2 || !a.StateUpdatedTimestamp.Equal(at) {
		t.Errorf("alarm = %+v", a)
	}
	_, err = client.DescribeAlarms(t.Context(), &cloudwatch.DescribeAlarmsInput{})
	if code, _ := code(t, err); code != "ResourceNotFound" {
		t.Errorf("code = %s", code)
	}
}

func TestMiddlewareSeesTheExchange(t *testing.T) {
	router := wire.NewRouter(accounts)
	router.Register("ecs", ecsService())
	var trace []string
	watch := func(name string) func(http.Handler) http.Handler {
		return func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				service, operation := wire.OperationOf(r)
				trace = append(trace, name+" "+service+" "+operation+" "+wire.Caller(r.Context()).ARN)
				next.ServeHTTP(w, r)
				if e := wire.ExchangeOf(r).Err; e != nil {
					trace = append(trace, name+" "+e.Code)
				}
			})
		}
	}
	router.Use(watch("inner"))
	router.Use(watch("outer"))
	_, err := ecs.NewFromConfig(config(router, "AKIDTEST")).CreateCluster(t.Context(), &ecs.CreateClusterInput{})
	if err == nil {
		t.Fatal("a cluster without a name was created")
	}
	arn := "arn:aws:iam::111122223333:user/me"
	want := "outer ecs CreateCluster " + arn + "|inner ecs CreateCluster " + arn +
		"|inner InvalidParameterException|outer InvalidParameterException"
	if got := strings.Join(trace, "|"); got != want {
		t.Errorf("trace = %s\nwant    %s", got, want)
	}
}

func TestRefusals(t *testing.T) {
	router := wire.NewRouter(accounts)
	router.Register("ecs", ecsService())
	authorization := "AWS4-HMAC-SHA256 Credential=AKIDTEST/20260102/eu-west-1/%s/aws4_request, SignedHeaders=host, Signature=0"
	for _, test := range []struct {
		name, service, body string
		status              int
		answer              string
	}{
		{"malformed", "ecs", "{", 400, "SerializationException"},
		{"wrong type", "ecs", `{"clusterName":{}}`, 400, "cannot be converted to String"},
		{"too large", "ecs", strings.Repeat(" ", wire.MaxBody+1), 413, "RequestEntityTooLargeException"},
		{"unknown service", "polly", "{}", 400, "does not have the service polly"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/", strings.NewReader(test.body))
			r.Header.Set("Authorization", strings.Replace(authorization, "%s", test.service, 1))
			r.Header.Set("Content-Type", "application/x-amz-json-1.1")
			r.Header.Set("X-Amz-Target", "AmazonEC2ContainerServiceV20141113.CreateCluster")
			w := httptest.NewRecorder()
			router.ServeHTTP(w, r)
			if w.Code != test.status || !strings.Contains(w.Body.String(), test.answer) {
				t.Errorf("answer = %d %s", w.Code, w.Body)
			}
			if w.Header().Get("X-Amzn-Requestid") == "" {
				t.Error("the answer has no request id")
			}
		})
	}
}

func iamTags(tags []iamTag) []iamtypes.Tag {
	converted := make([]iamtypes.Tag, len(tags))
	for i, tag := range tags {
		converted[i] = iamtypes.Tag{Key: aws.String(tag.Key), Value: aws.String(tag.Value)}
	}
	return converted
}
