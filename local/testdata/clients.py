"""Looks into `portolan local` with boto3, which reads AWS's answers by AWS's own models.

Usage: clients.py ENDPOINT. Cluster shop has been provisioned, and service wildfly runs on it
with two tasks. Exits with an AssertionError or boto3's own error when an answer is not as AWS's.
"""

import json
import sys

import boto3
from botocore.exceptions import ClientError

endpoint = sys.argv[1]


def client(name):
    return boto3.client(name, endpoint_url=endpoint)


def refused(code, call, **parameters):
    try:
        call(**parameters)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return
    raise AssertionError(f"{call.__name__} was not refused")


account = client("sts").get_caller_identity()
assert account["Arn"].endswith(":user/you"), account

states = client("stepfunctions")
machines = {m["name"]: m["stateMachineArn"] for m in states.list_state_machines()["stateMachines"]}
executions = states.list_executions(stateMachineArn=machines["portolan-provision"])["executions"]
assert [e["status"] for e in executions] == ["SUCCEEDED"], executions
described = states.describe_execution(executionArn=executions[0]["executionArn"])
assert json.loads(described["input"])["cluster"] == "shop", described
assert described["stopDate"] > described["startDate"], described
pages = states.get_paginator("get_execution_history").paginate(executionArn=executions[0]["executionArn"])
events = [event for page in pages for event in page["events"]]
assert [e["id"] for e in events] == list(range(1, len(events) + 1)), events
assert (events[0]["type"], events[-1]["type"]) == ("ExecutionStarted", "ExecutionSucceeded"), events
refused("ExecutionDoesNotExist", states.describe_execution, executionArn=executions[0]["executionArn"] + "0")

table = boto3.resource("dynamodb", endpoint_url=endpoint).Table("portolan-Table")
found = table.query(
    KeyConditionExpression="PK = :pk",
    ExpressionAttributeValues={":pk": "CLUSTER#shop"},
    ReturnConsumedCapacity="TOTAL",
)
assert found["Count"] > 0 and found["ConsumedCapacity"]["CapacityUnits"] > 0, found
client("dynamodb").put_item(TableName="portolan-Table", Item={"PK": {"S": "boto3"}, "SK": {"S": "1"}})
assert table.get_item(Key={"PK": "boto3", "SK": "1"})["Item"] == {"PK": "boto3", "SK": "1"}
refused(
    "ConditionalCheckFailedException",
    table.put_item,
    Item={"PK": "boto3", "SK": "1"},
    ConditionExpression="attribute_not_exists(PK)",
)

ecs = client("ecs")
service = ecs.describe_services(cluster="shop", services=["wildfly"])["services"][0]
assert (service["status"], service["desiredCount"], service["runningCount"]) == ("ACTIVE", 2, 2), service
tasks = ecs.list_tasks(cluster="shop", serviceName="wildfly")["taskArns"]
described = ecs.describe_tasks(cluster="shop", tasks=tasks)["tasks"]
assert [t["lastStatus"] for t in described] == ["RUNNING"] * 2, described
refused("ClusterNotFoundException", ecs.list_tasks, cluster="nowhere")

stacks = client("cloudformation")
names = {s["StackName"]: s["StackStatus"] for s in stacks.describe_stacks()["Stacks"]}
assert set(names.values()) == {"CREATE_COMPLETE"}, names
for name in names:
    history = stacks.describe_stack_events(StackName=name)["StackEvents"]
    assert history[0]["ResourceStatus"] == "CREATE_COMPLETE", history[0]
    assert history[-1]["ResourceStatus"] == "CREATE_IN_PROGRESS", history[-1]
refused("ValidationError", stacks.describe_stacks, StackName="nowhere")

sent = client("events").put_events(Entries=[{"Source": "me", "DetailType": "hello", "Detail": "{}"}])
assert sent["FailedEntryCount"] == 0 and sent["Entries"][0]["EventId"], sent

assert client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"] == []

alarms = client("cloudwatch")
alarms.put_metric_alarm(
    AlarmName="boto3", Namespace="AWS/ECS", MetricName="CPUUtilization", Statistic="Average", Period=60,
    EvaluationPeriods=1, Threshold=75, ComparisonOperator="GreaterThanThreshold",
)  # fmt: skip
alarms.set_alarm_state(AlarmName="boto3", StateValue="ALARM", StateReason="by hand")
alarm = alarms.describe_alarms(AlarmNames=["boto3"])["MetricAlarms"][0]
assert (alarm["StateValue"], alarm["StateReason"], alarm["Threshold"]) == ("ALARM", "by hand", 75.0), alarm
refused("ResourceNotFound", alarms.set_alarm_state, AlarmName="no", StateValue="OK", StateReason="no")

vpcs = client("ec2").describe_vpcs(Filters=[{"Name": "tag:portolan:cluster", "Values": ["shop"]}])["Vpcs"]
assert [v["State"] for v in vpcs] == ["available"], vpcs
refused("InvalidVpcID.NotFound", client("ec2").describe_vpcs, VpcIds=["vpc-00000000000000000"])

balancing = client("elbv2")
balancer = balancing.describe_load_balancers()["LoadBalancers"][0]
listener = balancing.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"][0]
rules = balancing.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]
assert rules[-1]["Priority"] == "default" and rules[-1]["IsDefault"], rules

queues = client("sqs")
queue = queues.list_queues()["QueueUrls"][0]
queues.send_message(QueueUrl=queue, MessageBody="hello")
message = queues.receive_message(QueueUrl=queue)["Messages"][0]
assert message["Body"] == "hello", message
queues.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])

images = client("ecr")
images.create_repository(repositoryName="shop/boto3")
assert images.describe_images(repositoryName="shop/boto3")["imageDetails"] == []
refused("RepositoryNotFoundException", images.describe_images, repositoryName="nowhere")

refused(
    "PipelineNotFoundException",
    client("codepipeline").get_pipeline_execution,
    pipelineName="nowhere",
    pipelineExecutionId="12345678-1234-5678-abcd-12345678abcd",
)

tagged = client("resourcegroupstaggingapi").get_resources(TagFilters=[{"Key": "portolan:cluster", "Values": ["shop"]}])
assert any(":cluster/shop" in r["ResourceARN"] for r in tagged["ResourceTagMappingList"]), tagged
