package sdktask

// A shape says what the parts of an XML answer are: XML itself does not tell a
// list of one from a structure, nor a number from text.
type shape struct {
	kind    shapeKind
	members map[string]*shape // those that are not text
	of      *shape
}

type shapeKind int

const (
	textKind shapeKind = iota
	numberKind
	booleanKind
	listShape
	structureShape
)

var (
	textShape = &shape{kind: textKind}
	number    = &shape{kind: numberKind}
	boolean   = &shape{kind: booleanKind}
	texts     = list(textShape)
	pairs     = list(structure(nil))
)

func list(of *shape) *shape { return &shape{kind: listShape, of: of} }

// structure lists the members that are not text.
func structure(members map[string]*shape) *shape {
	return &shape{kind: structureShape, members: members}
}

var stack = structure(map[string]*shape{
	"Parameters": pairs, "Outputs": pairs, "Tags": pairs, "Capabilities": texts, "NotificationARNs": texts,
	"DisableRollback": boolean, "EnableTerminationProtection": boolean, "RetainExceptOnCreate": boolean,
	"TimeoutInMinutes": number, "DriftInformation": structure(nil),
	"RollbackConfiguration": structure(map[string]*shape{
		"MonitoringTimeInMinutes": number, "RollbackTriggers": pairs}),
})

var stackResource = structure(map[string]*shape{
	"DriftInformation": structure(nil),
	"ModuleInfo":       structure(nil),
})

var launchTemplate = structure(nil)

var instance = structure(map[string]*shape{
	"ProtectedFromScaleIn": boolean, "LaunchTemplate": launchTemplate,
})

var group = structure(map[string]*shape{
	"MinSize": number, "MaxSize": number, "DesiredCapacity": number, "DefaultCooldown": number,
	"HealthCheckGracePeriod": number, "MaxInstanceLifetime": number, "DefaultInstanceWarmup": number,
	"PredictedCapacity": number, "WarmPoolSize": number,
	"AvailabilityZones": texts, "LoadBalancerNames": texts, "TargetGroupARNs": texts, "TerminationPolicies": texts,
	"Instances": list(instance), "LaunchTemplate": launchTemplate,
	"SuspendedProcesses": pairs, "EnabledMetrics": pairs, "TrafficSources": pairs,
	"Tags":                             list(structure(map[string]*shape{"PropagateAtLaunch": boolean})),
	"NewInstancesProtectedFromScaleIn": boolean, "CapacityRebalance": boolean,
	"MixedInstancesPolicy": structure(map[string]*shape{
		"LaunchTemplate": structure(map[string]*shape{
			"LaunchTemplateSpecification": launchTemplate,
			"Overrides":                   list(structure(map[string]*shape{"LaunchTemplateSpecification": launchTemplate}))}),
		"InstancesDistribution": structure(map[string]*shape{
			"OnDemandBaseCapacity": number, "OnDemandPercentageAboveBaseCapacity": number, "SpotInstancePools": number})}),
})

var activity = structure(map[string]*shape{"Progress": number})

var metricAlarm = structure(map[string]*shape{
	"ActionsEnabled": boolean, "OKActions": texts, "AlarmActions": texts, "InsufficientDataActions": texts,
	"Dimensions": pairs, "Period": number, "EvaluationPeriods": number, "DatapointsToAlarm": number,
	"Threshold": number,
	"Metrics": list(structure(map[string]*shape{
		"ReturnData": boolean, "Period": number,
		"MetricStat": structure(map[string]*shape{
			"Period": number, "Metric": structure(map[string]*shape{"Dimensions": pairs})})})),
})

var compositeAlarm = structure(map[string]*shape{
	"ActionsEnabled": boolean, "OKActions": texts, "AlarmActions": texts, "InsufficientDataActions": texts,
	"ActionsSuppressorWaitPeriod": number, "ActionsSuppressorExtensionPeriod": number,
})

// answers are the actions of query services that a machine can call, with the
// shape of what they answer.
var answers = map[string]*shape{
	"cloudformation:CreateStack":    structure(nil),
	"cloudformation:UpdateStack":    structure(nil),
	"cloudformation:DeleteStack":    structure(nil),
	"cloudformation:DescribeStacks": structure(map[string]*shape{"Stacks": list(stack)}),
	"cloudformation:DescribeStackResources": structure(map[string]*shape{
		"StackResources": list(stackResource)}),
	"cloudformation:ListStackResources": structure(map[string]*shape{
		"StackResourceSummaries": list(stackResource)}),

	"autoscaling:SetDesiredCapacity": structure(nil),
	"autoscaling:SuspendProcesses":   structure(nil),
	"autoscaling:DescribeAutoScalingGroups": structure(map[string]*shape{
		"AutoScalingGroups": list(group)}),
	"autoscaling:UpdateAutoScalingGroup": structure(nil),
	"autoscaling:TerminateInstanceInAutoScalingGroup": structure(map[string]*shape{
		"Activity": activity}),
	"autoscaling:CompleteLifecycleAction": structure(nil),

	"cloudwatch:DescribeAlarms": structure(map[string]*shape{
		"MetricAlarms": list(metricAlarm), "CompositeAlarms": list(compositeAlarm)}),

	"sts:GetCallerIdentity": structure(nil),
}
