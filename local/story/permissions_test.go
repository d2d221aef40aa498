package story_test

import (
	"strings"
	"testing"

	"portolan/local"
	"portolan/local/access"
)

// outsideTheStory are the permissions that the story makes no use of, and what
// does. All others have to be used: what is allowed and never used is a mistake.
var outsideTheStory = map[access.Grant]string{
	{Role: "ApiFunction", Action: "dynamodb:DeleteItem"}:                         "a policy or a binding is deleted",
	{Role: "TrailFunction", Action: "dynamodb:UpdateItem"}:                       "a role is assumed for a task of which ECS has not told yet",
	{Role: "TrailFunction", Action: "autoscaling:DescribeAutoScalingInstances"}:  "EC2 takes a Spot instance back",
	{Role: "SweeperFunction", Action: "ecr:DescribeImages"}:                      "a service is bound to a repository",
	{Role: "SweeperFunction", Action: "dynamodb:UpdateItem"}:                     "something is lost",
	{Role: "SweeperFunction", Action: "dynamodb:DeleteItem"}:                     "something is lost",
	{Role: "SweeperFunction", Action: "dynamodb:ConditionCheckItem"}:             "something is lost",
	{Role: "SweeperFunction", Action: "states:StopExecution"}:                    "a deadline passes",
	{Role: "SweeperFunction", Action: "tag:GetResources"}:                        "an hour begins",
	{Role: "SweeperFunction", Action: "ec2:DescribeInstances"}:                   "an hour begins",
	{Role: "SweeperFunction", Action: "ec2:DescribeNatGateways"}:                 "an hour begins",
	{Role: "ServiceOperation", Action: "elasticloadbalancing:ModifyRule"}:        "a release changes where its requests go",
	{Role: "ServiceOperation", Action: "elasticloadbalancing:ModifyTargetGroup"}: "a release changes its health check",
	{Role: "ServiceOperation", Action: "ecs:RunTask"}:                            "a job is run",
	{Role: "ServiceOperation", Action: "ecs:StopTask"}:                           "a job is stopped",
	{Role: "StackOperation", Action: "cloudformation:DescribeStackEvents"}:       "a stack could not be created",
	{Role: "StackOperation", Action: "cloudformation:DescribeStackResources"}:    "a provision that failed half way is cleaned up",
	{Role: "Stack", Action: "autoscaling:DescribeScalingActivities"}:             "CloudFormation looks whether instances start",
	{Role: "Stack", Action: "elasticloadbalancing:DescribeListeners"}:            "CloudFormation reads back what it made",
	{Role: "Stack", Action: "iam:GetRolePolicy"}:                                 "CloudFormation reads back what it made",
	{Role: "Stack", Action: "iam:CreateServiceLinkedRole"}:                       "an account uses a service for the first time",
	{Role: "Stack", Action: "ssm:GetParameters"}:                                 "CloudFormation here reads parameters without a call",
	{Role: "Stack", Action: "logs:CreateLogGroup"}:                               "CloudFormation here makes log groups without a call",
	{Role: "Stack", Action: "logs:DeleteLogGroup"}:                               "CloudFormation here makes log groups without a call",
	{Role: "Stack", Action: "logs:DescribeLogGroups"}:                            "CloudFormation here makes log groups without a call",
	{Role: "Stack", Action: "logs:PutRetentionPolicy"}:                           "CloudFormation here makes log groups without a call",
	{Role: "Stack", Action: "logs:TagResource"}:                                  "CloudFormation here makes log groups without a call",
}

// onlyKubernetes says whether clusters of Kubernetes alone make use of a permission:
// this story is told on one of ECS.
func onlyKubernetes(g access.Grant) bool {
	if onlySwarm(g) {
		return false
	}
	for _, role := range []string{"Upgrade", "Survey", "Adopt", "Drain", "Uncordon"} {
		if strings.HasPrefix(g.Role, role) {
			return true
		}
	}
	for _, machine := range []string{"adopt", "survey", "drain", "uncordon", "upgrade", "run-job"} {
		if strings.HasSuffix(g.Resource, "stateMachine:portolan-"+machine) {
			return true
		}
	}
	service, _, _ := strings.Cut(g.Action, ":")
	return service == "eks" || service == "lambda" || service == "secretsmanager" || kubernetesOnly[g]
}

// kubernetesOnly are the permissions of other services that stacks of Kubernetes need.
var kubernetesOnly = map[access.Grant]bool{
	{Role: "ServiceOperation", Action: "iam:GetRole"}:                                       true,
	{Role: "SweeperFunction", Action: "sts:AssumeRole"}:                                     true,
	{Role: "Stack", Action: "ec2:AuthorizeSecurityGroupEgress"}:                             true,
	{Role: "Stack", Action: "ec2:RevokeSecurityGroupEgress"}:                                true,
	{Role: "Stack", Action: "iam:AttachRolePolicy"}:                                         true,
	{Role: "Stack", Action: "iam:DetachRolePolicy"}:                                         true,
	{Role: "Stack", Action: "iam:PassRole"}:                                                 true,
	{Role: "ReplaceNodeMachine", Action: "autoscaling:TerminateInstanceInAutoScalingGroup"}: true,
	{Role: "ResizePoolMachine", Action: "autoscaling:SetDesiredCapacity"}:                   true,
}

// outsideTheKubernetesStory are the permissions for clusters of Kubernetes that the story
// of one in EKS makes no use of, and what does.
var outsideTheKubernetesStory = map[access.Grant]string{
	{Role: "ReplaceNodeMachine", Action: "autoscaling:TerminateInstanceInAutoScalingGroup"}: "a node of ECS is replaced",
	{Role: "ResizePoolMachine", Action: "autoscaling:SetDesiredCapacity"}:                   "a pool of ECS is resized",
	{Role: "Stack", Action: "iam:PassRole"}:                                                 "an instance profile of ECS is made",
	{Role: "ServiceOperation", Action: "eks:UpdatePodIdentityAssociation"}:                  "a service gets another role",
	{Role: "SweeperFunction", Action: "eks:DescribeNodegroup"}:                              "a node group was resized past Portolan",
	{Role: "UpgradeOperation", Action: "eks:DescribeInsight"}:                               "an API is in use that the next version has no more",
	{Role: "Stack", Action: "eks:DescribeAccessEntry"}:                                      "CloudFormation reads back what it made",
	{Role: "Stack", Action: "eks:DescribePodIdentityAssociation"}:                           "CloudFormation reads back what it made",
	{Role: "Stack", Action: "eks:ListAssociatedAccessPolicies"}:                             "CloudFormation reads back what it made",
	{Role: "Stack", Action: "lambda:GetFunctionCodeSigningConfig"}:                          "CloudFormation reads back what it made",
	{Role: "Stack", Action: "lambda:GetRuntimeManagementConfig"}:                            "CloudFormation reads back what it made",
}

// toldElsewhere says whether a permission is for adopted clusters, whose story is told on a
// real one, or for swarms.
func toldElsewhere(g access.Grant) bool {
	for _, role := range []string{"Survey", "Adopt", "Drain", "Uncordon", "Swarm"} {
		if strings.HasPrefix(g.Role, role) {
			return true
		}
	}
	for _, machine := range []string{"adopt", "survey", "drain", "uncordon"} {
		if strings.HasSuffix(g.Resource, "stateMachine:portolan-"+machine) {
			return true
		}
	}
	return strings.HasPrefix(g.Action, "secretsmanager:")
}

// checkKubernetesPermissions checks that the story of a cluster in EKS made use of
// everything that the template allows for such clusters only.
func checkKubernetesPermissions(t *testing.T, l *local.Local) {
	t.Helper()
	checkOnly(t, l, func(g access.Grant) bool { return onlyKubernetes(g) && !toldElsewhere(g) }, outsideTheKubernetesStory)
}

// checkOnly checks that a story made use of the permissions that it is about, but for its
// exceptions, each of which is one.
func checkOnly(t *testing.T, l *local.Local, about func(access.Grant) bool, exceptions map[access.Grant]string) {
	t.Helper()
	excused := map[access.Grant]bool{}
	for _, grant := range l.Guard.Unused() {
		role := strings.TrimSuffix(strings.TrimPrefix(grant.Role, "portolan-"), "Role-LOCAL")
		short := access.Grant{Role: role, Action: grant.Action, Resource: grant.Resource}
		if !about(short) {
			continue
		}
		if exceptions[short] == "" {
			t.Errorf("%s, and never does", short)
		}
		excused[short] = true
	}
	for grant := range exceptions {
		if !excused[grant] {
			t.Errorf("%s, and does: it is no exception", grant)
		}
	}
}

// onlySwarm says whether swarms alone make use of a permission.
func onlySwarm(g access.Grant) bool {
	service, _, _ := strings.Cut(g.Action, ":")
	return strings.HasPrefix(g.Role, "Swarm") || strings.HasPrefix(g.Role, "UpgradeSwarm") || service == "elasticfilesystem" ||
		swarmOnly[g]
}

const allLoadBalancers = "arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/*"

// swarmOnly are the permissions of roles that other clusters' operations have too.
var swarmOnly = map[access.Grant]bool{
	{Role: "BootstrapSwarmMachine", Action: "autoscaling:SuspendProcesses"}:      true,
	{Role: "ResizePoolMachine", Action: "autoscaling:UpdateAutoScalingGroup"}:    true,
	{Role: "NodeOperation", Action: "elasticloadbalancing:RegisterTargets"}:      true,
	{Role: "NodeOperation", Action: "elasticloadbalancing:DeregisterTargets"}:    true,
	{Role: "NodeOperation", Action: "elasticloadbalancing:DescribeTargetGroups"}: true,
	{Role: "ServiceOperation", Action: "elasticloadbalancing:DescribeListeners"}: true,
	{Role: "ServiceOperation", Action: "elasticloadbalancing:CreateListener"}:    true,
	{Role: "ServiceOperation", Action: "elasticloadbalancing:DeleteListener"}:    true,
	{Role: "ServiceOperation", Action: "elasticloadbalancing:ModifyListener"}:    true,
	{Role: "ServiceOperation", Action: "elasticloadbalancing:RegisterTargets"}:   true,
	{Role: "Stack", Action: "ec2:CreateLaunchTemplateVersion"}:                   true,
	{Role: "ServiceOperation", Resource: allLoadBalancers}:                       true,
}

// outsideTheSwarmStory are the permissions for swarms that their story makes no use of, and
// what does.
var outsideTheSwarmStory = map[access.Grant]string{
	{Role: "NodeOperation", Action: "elasticloadbalancing:RegisterTargets"}:   "a node is taken back into service",
	{Role: "ResizePoolMachine", Action: "autoscaling:UpdateAutoScalingGroup"}: "the number of managers changes",
	{Role: "ServiceOperation", Action: "elasticloadbalancing:ModifyListener"}: "a listener gets another certificate",
	{Role: "SwarmOperation", Action: "secretsmanager:TagResource"}:            "Secrets Manager asks for it where a secret is made with tags",
}

// checkSwarmPermissions checks that the story of a swarm made use of everything that the
// template allows for swarms only.
func checkSwarmPermissions(t *testing.T, l *local.Local) {
	t.Helper()
	// The story's swarm has no shared storage.
	checkOnly(t, l, func(g access.Grant) bool {
		return onlySwarm(g) && !strings.HasPrefix(g.Action, "elasticfilesystem:")
	}, outsideTheSwarmStory)
}

// checkPermissions checks that the story made use of everything that the template allows
// and that is not for other clusters alone.
func checkPermissions(t *testing.T, l *local.Local) {
	t.Helper()
	checkOnly(t, l, func(g access.Grant) bool {
		return outsideTheStory[g] != "" || !onlyKubernetes(g) && !onlySwarm(g)
	}, outsideTheStory)
}
