package sdktask

import (
	"slices"
	"strings"
)

// A protocol is how a service is spoken to.
type protocol int

const (
	json10 protocol = iota
	json11
	query
)

// A service is what there is to know of one to call it.
type service struct {
	signing  string // name in the credential scope
	host     string // first label of its endpoint
	protocol protocol
	target   string // prefix of X-Amz-Target
	version  string // of the query protocol
	camel    bool   // its members begin with a small letter on the wire
	prefix   string // of errors from an SDK integration
	old      string // of errors from an optimised integration, where it has one
	oldName  string // its name in such an error's cause
	// modeled are the codes that the SDK has a class for. Where a service lists
	// none, all but those in unmodeled are taken to have one.
	modeled []string
}

// services are by the name in a resource's ARN.
var services = map[string]*service{
	"dynamodb": {signing: "dynamodb", host: "dynamodb", protocol: json10, target: "DynamoDB_20120810",
		prefix: "DynamoDb", old: "DynamoDB", oldName: "AmazonDynamoDBv2", modeled: []string{
			"BackupInUseException", "BackupNotFoundException", "ConditionalCheckFailedException",
			"ContinuousBackupsUnavailableException", "DuplicateItemException",
			"IdempotentParameterMismatchException", "IndexNotFoundException", "InternalServerError",
			"ItemCollectionSizeLimitExceededException", "LimitExceededException",
			"ProvisionedThroughputExceededException", "RequestLimitExceeded", "ResourceInUseException",
			"ResourceNotFoundException", "TableAlreadyExistsException", "TableInUseException",
			"TableNotFoundException", "ThrottlingException", "TransactionCanceledException",
			"TransactionConflictException", "TransactionInProgressException"}},
	"ecs": {signing: "ecs", host: "ecs", protocol: json11, target: "AmazonEC2ContainerServiceV20141113",
		camel: true, prefix: "Ecs"},
	"ecr": {signing: "ecr", host: "api.ecr", protocol: json11, target: "AmazonEC2ContainerRegistry_V20150921",
		camel: true, prefix: "Ecr"},
	"sfn": {signing: "states", host: "states", protocol: json10, target: "AWSStepFunctions",
		camel: true, prefix: "Sfn"},
	"codepipeline": {signing: "codepipeline", host: "codepipeline", protocol: json11,
		target: "CodePipeline_20150709", camel: true, prefix: "CodePipeline"},
	"resourcegroupstaggingapi": {signing: "tagging", host: "tagging", protocol: json11,
		target: "ResourceGroupsTaggingAPI_20170126", prefix: "ResourceGroupsTaggingApi"},
	"sqs": {signing: "sqs", host: "sqs", protocol: json10, target: "AmazonSQS",
		prefix: "Sqs", old: "SQS", oldName: "AmazonSQS"},
	"events": {signing: "events", host: "events", protocol: json11, target: "AWSEvents",
		prefix: "EventBridge", old: "EventBridge", oldName: "AmazonCloudWatchEvents"},
	"cloudformation": {signing: "cloudformation", host: "cloudformation", protocol: query,
		version: "2010-05-15", prefix: "CloudFormation", modeled: []string{
			"AlreadyExistsException", "InsufficientCapabilitiesException", "LimitExceededException",
			"TokenAlreadyExistsException", "ChangeSetNotFound", "OperationInProgressException",
			"StackNotFoundException"}},
	"autoscaling": {signing: "autoscaling", host: "autoscaling", protocol: query,
		version: "2011-01-01", prefix: "AutoScaling", modeled: []string{
			"AlreadyExists", "LimitExceeded", "ResourceContention", "ResourceInUse",
			"ScalingActivityInProgress", "InvalidNextToken", "ServiceLinkedRoleFailure"}},
	"cloudwatch": {signing: "monitoring", host: "monitoring", protocol: query,
		version: "2010-08-01", prefix: "CloudWatch", modeled: []string{
			"InvalidNextToken", "LimitExceeded", "ResourceNotFoundException", "ResourceNotFound"}},
	"sts": {signing: "sts", host: "sts", protocol: query, version: "2011-06-15", prefix: "Sts",
		modeled: []string{"ExpiredTokenException", "RegionDisabledException"}},
}

func init() { services["eventbridge"] = services["events"] }

// unmodeled are codes that no service's SDK has a class for, unless the service
// lists it itself.
var unmodeled = []string{
	"ValidationException", "ValidationError", "ThrottlingException", "Throttling",
	"UnrecognizedClientException", "InvalidClientTokenId", "SerializationException",
	"UnknownOperationException", "InvalidAction", "MissingAuthenticationToken", "InternalFailure",
	"ExpiredToken", "ExpiredTokenException", "InvalidSignatureException", "ServiceUnavailable",
}

// class is the name of the exception that an SDK raises for a code: that of the
// service where the code has none of its own.
func (s *service) class(code string) string {
	known := slices.Contains(s.modeled, code)
	if s.modeled == nil {
		known = !slices.Contains(unmodeled, code)
	}
	if !known {
		return s.prefix + "Exception"
	}
	// The Java SDK, whose names these are, takes Fault off, and nothing else.
	code = strings.TrimSuffix(code, "Fault")
	if !strings.HasSuffix(code, "Exception") {
		code += "Exception"
	}
	return code
}
