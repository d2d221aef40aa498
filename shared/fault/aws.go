package fault

import (
	"context"
	"errors"
	"net"
	"strings"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// FromAWS gives an error of an AWS SDK client its kind, and says what was being
// done. An error that has a kind already keeps it, and nil stays nil.
//
// TransactionCanceledException is Internal here: its reasons say whether a
// condition or the load was to blame, and only DynamoDB's caller can read them.
func FromAWS(err error, doing string) error {
	if err == nil {
		return nil
	}
	return &Error{Kind: kindOfAWS(err), Doing: doing, Cause: err}
}

func kindOfAWS(err error) Kind {
	var already *Error
	if errors.As(err, &already) {
		return already.Kind
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return Unavailable
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		if kind, known := kindOfCode(api.ErrorCode(), api.ErrorMessage()); known {
			return kind
		}
	}
	var sending *smithyhttp.RequestSendError
	var network net.Error
	if errors.As(err, &sending) || errors.As(err, &network) {
		return Unavailable
	}
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) {
		if status := response.HTTPStatusCode(); status >= 500 || status == 429 {
			return Unavailable
		}
	}
	if api != nil && api.ErrorFault() == smithy.FaultServer {
		return Unavailable
	}
	return Internal
}

// kindOfCode looks at the message only where AWS uses one code for two kinds.
func kindOfCode(code, message string) (Kind, bool) {
	switch code {
	case "ValidationError", "ClientException":
		// CloudFormation and Auto Scaling have no code for what does not exist, and
		// ECS has none for a task definition.
		for _, words := range []string{"does not exist", "not found", "Unable to describe"} {
			if strings.Contains(message, words) {
				return NotFound, true
			}
		}
	case "InvalidParameterException":
		// ECS says so when CreateService names a service that exists.
		if strings.Contains(message, "Creation of service was not idempotent") {
			return Conflict, true
		}
	}
	kind, known := codes[code]
	return kind, known
}

// codes are the error codes of the services that Portolan calls, as their API
// references and the SDK's retryer list them.
var codes = invert(map[Kind][]string{
	Invalid: {
		"ClientException", "InvalidArn", "InvalidConfigurationRequest", "InvalidExecutionInput",
		"InvalidGroup.NotFound", "InvalidInput", "InvalidLoadBalancerAction", "InvalidName",
		"InvalidOutput", "InvalidParameter", "InvalidParameterCombination",
		"InvalidParameterException", "InvalidParameterValue", "InvalidParameterValueException",
		"InvalidRequestContentException", "InvalidRequestException", "InvalidTarget",
		"InvalidToken", "MalformedPolicyDocument", "MissingParameter",
		"MissingRequiredParameter", "PlatformTaskDefinitionIncompatibilityException",
		"PlatformUnknownException", "RequestTooLargeException", "SerializationException",
		"UnsupportedFeatureException", "UnsupportedProtocol", "ValidationError",
		"ValidationException",
	},
	NotFound: {
		"AWS.SimpleQueueService.NonExistentQueue", "AlarmNotFound", "ClusterNotFoundException",
		"ExecutionDoesNotExist", "ImageNotFoundException", "InvalidInstanceID.NotFound",
		"InvalidSubnetID.NotFound", "InvalidVpcID.NotFound", "ListenerNotFound",
		"LoadBalancerNotFound", "NoSuchEntity", "PipelineExecutionNotFoundException",
		"PipelineNotFoundException", "QueueDoesNotExist", "RepositoryNotFoundException",
		"ResourceNotFound", "ResourceNotFoundException", "RuleNotFound",
		"ServiceNotFoundException", "StackNotFoundException", "StateMachineDoesNotExist",
		"TargetGroupNotFound", "TargetNotFoundException", "TaskDoesNotExist",
		"TaskSetNotFoundException", "TaskTimedOut",
	},
	Conflict: {
		"AlreadyExists", "AlreadyExistsException", "ConcurrentModificationException",
		"ConditionalCheckFailedException", "ConflictException", "DeleteConflict",
		"DependencyViolation", "DuplicateListener", "DuplicateTargetGroupName",
		"EntityAlreadyExists", "ExecutionAlreadyExists", "IdempotentParameterMismatchException",
		"OperationInProgressException", "PriorityInUse", "ResourceConflictException",
		"ResourceInUse", "ResourceInUseException", "ScalingActivityInProgress",
		"ServiceNotActiveException", "TokenAlreadyExistsException",
		"UpdateInProgressException",
	},
	Unavailable: {
		"BandwidthLimitExceeded", "CapacityProviderLimitExceeded", "EC2ThrottledException",
		"ExecutionLimitExceeded", "InsufficientCapacity", "InsufficientInstanceCapacity",
		"InstanceLimitExceeded", "InternalError", "InternalFailure", "InternalServerError",
		"InternalServiceError", "LimitExceeded", "LimitExceededException",
		"PriorRequestNotComplete", "ProvisionedThroughputExceededException",
		"RequestLimitExceeded", "RequestThrottled", "RequestThrottledException",
		"RequestTimeout", "RequestTimeoutException", "ResourceContention", "ServerException",
		"ServiceException", "ServiceQuotaExceededException", "ServiceUnavailable", "SlowDown",
		"ThrottledException", "Throttling", "ThrottlingException",
		"ThrottlingExceptionException", "TooManyListeners", "TooManyRequestsException",
		"TooManyRules", "TooManyTargetGroups", "TransactionConflictException",
		"TransactionInProgressException", "TransactionInProgress", "VcpuLimitExceeded",
	},
})

func invert(byKind map[Kind][]string) map[string]Kind {
	kinds := map[string]Kind{}
	for kind, list := range byKind {
		for _, code := range list {
			kinds[code] = kind
		}
	}
	return kinds
}
