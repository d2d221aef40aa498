package ecs

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"portolan/shared/contract"
	"portolan/shared/ecs/ecsspec"
	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// definitionsLooked is how many of a service's newest task definitions are looked
// at for one that a release has already. An older one is registered again, which
// costs a revision and changes nothing.
const definitionsLooked = 5

// register returns the ARN of the release's task definition, and registers it
// only if none of the newest has its hash. It makes at most 7 calls.
func (d *Driver) register(
	ctx context.Context, release orchestrator.Release, facts orchestrator.ECSFacts,
) (string, error) {
	input, err := newDefinition(release, facts)
	if err != nil {
		return "", err
	}
	return d.registered(ctx, input)
}

// registered returns the ARN of a task definition with the hash of that one.
func (d *Driver) registered(ctx context.Context, input *ecs.RegisterTaskDefinitionInput) (string, error) {
	list, err := d.ecs.ListTaskDefinitions(ctx, &ecs.ListTaskDefinitionsInput{
		FamilyPrefix: input.Family,
		Status:       types.TaskDefinitionStatusActive,
		Sort:         types.SortOrderDesc,
		MaxResults:   aws.Int32(definitionsLooked),
	})
	if err != nil {
		return "", fault.FromAWS(err, "listing task definitions of "+*input.Family)
	}
	for _, arn := range list.TaskDefinitionArns {
		_, tags, err := d.definition(ctx, arn)
		if err != nil {
			return "", err
		}
		if tag(tags, tagHash) == tag(input.Tags, tagHash) {
			return arn, nil
		}
	}
	out, err := d.ecs.RegisterTaskDefinition(ctx, input)
	if err != nil {
		return "", fault.FromAWS(err, "registering a task definition of "+*input.Family)
	}
	return aws.ToString(out.TaskDefinition.TaskDefinitionArn), nil
}

// definition looks at one task definition and its tags.
func (d *Driver) definition(
	ctx context.Context, arn string,
) (*types.TaskDefinition, []types.Tag, error) {
	out, err := d.ecs.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{
		TaskDefinition: aws.String(arn),
		Include:        []types.TaskDefinitionField{types.TaskDefinitionFieldTags},
	})
	if err != nil {
		return nil, nil, fault.FromAWS(err, "describing task definition "+lastPart(arn))
	}
	return out.TaskDefinition, out.Tags, nil
}

// newDefinition says a release in ECS's words. The hash among its tags stands for
// everything but the tags, and for the number of the release.
func newDefinition(
	release orchestrator.Release, facts orchestrator.ECSFacts,
) (*ecs.RegisterTaskDefinitionInput, error) {
	spec, ref := release.Spec, release.Service
	mode := ecsspec.NetworkMode(facts.Capacity, spec)
	input := &ecs.RegisterTaskDefinitionInput{
		Family:                  aws.String(Family(ref.Cluster.Name, ref.Name)),
		NetworkMode:             types.NetworkMode(mode),
		RequiresCompatibilities: []types.Compatibility{types.Compatibility(facts.Capacity)},
		TaskRoleArn:             optional(spec.Role),
		ExecutionRoleArn:        optional(facts.TaskExecutionRoleARN),
		ContainerDefinitions:    []types.ContainerDefinition{container(release, facts, mode)},
		Volumes:                 volumes(spec.Volumes),
	}
	if spec.Ecs.ExecutionRole != "" {
		input.ExecutionRoleArn = aws.String(spec.Ecs.ExecutionRole)
	}
	if facts.Capacity == contract.FARGATE {
		input.Cpu = aws.String(strconv.Itoa(spec.Cpu))
		input.Memory = aws.String(strconv.Itoa(spec.Memory.LimitMiB))
	}
	content, err := canonical(input)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "hashing a task definition")
	}
	number := strconv.FormatInt(release.Number, 10)
	input.Tags = tagsOf(
		TagCluster, ref.Cluster.Name, TagService, ref.Name, TagTeam, ref.Cluster.Team,
		TagRelease, number, TagCommit, release.Commit, TagOperation, release.Operation,
		tagHash, digest(string(content), number)[:32])
	return input, nil
}

// canonical is a value as JSON without the fields that are not set, so that a
// newer SDK, which knows more fields, gives the same hash for the same content.
func canonical(value any) ([]byte, error) {
	raw, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	var decoded any
	if err := json.Unmarshal(raw, &decoded); err != nil {
		return nil, err
	}
	return json.MarshalIndent(withoutUnset(decoded), "", "  ")
}

func withoutUnset(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key, field := range v {
			if v[key] = withoutUnset(field); v[key] == nil {
				delete(v, key)
			}
		}
		if len(v) == 0 {
			return nil
		}
	case []any:
		for i := range v {
			v[i] = withoutUnset(v[i])
		}
	case string:
		if v == "" {
			return nil
		}
	}
	return value
}

func container(
	release orchestrator.Release, facts orchestrator.ECSFacts, mode contract.EcsServiceNetworkMode,
) types.ContainerDefinition {
	spec := release.Spec
	c := types.ContainerDefinition{
		Name:              aws.String(containerName(release)),
		Image:             aws.String(release.Image),
		Essential:         aws.Bool(true),
		Command:           spec.Command,
		Cpu:               int32(spec.Cpu),
		Memory:            optionalNumber(spec.Memory.LimitMiB),
		MemoryReservation: optionalNumber(spec.Memory.ReservationMiB),
		PortMappings:      ports(spec.Ports, mode),
		HealthCheck:       healthCheck(spec.HealthCheck),
		LogConfiguration:  logging(release, facts),
	}
	for _, name := range slices.Sorted(maps.Keys(spec.Environment)) {
		c.Environment = append(c.Environment, types.KeyValuePair{
			Name: aws.String(name), Value: aws.String(spec.Environment[name]),
		})
	}
	for _, name := range slices.Sorted(maps.Keys(spec.Secrets)) {
		c.Secrets = append(c.Secrets, types.Secret{
			Name: aws.String(name), ValueFrom: aws.String(spec.Secrets[name]),
		})
	}
	for _, volume := range spec.Volumes {
		c.MountPoints = append(c.MountPoints, types.MountPoint{
			SourceVolume:  aws.String(volume.Name),
			ContainerPath: aws.String(volume.ContainerPath),
			ReadOnly:      aws.Bool(volume.ReadOnly),
		})
	}
	return c
}

func containerName(release orchestrator.Release) string {
	if release.Spec.Container != "" {
		return release.Spec.Container
	}
	return release.Service.Name
}

func ports(
	ports []contract.Port, mode contract.EcsServiceNetworkMode,
) []types.PortMapping {
	var mappings []types.PortMapping
	for _, port := range ports {
		mapping := types.PortMapping{
			ContainerPort: aws.Int32(int32(port.ContainerPort)),
			HostPort:      aws.Int32(int32(port.HostPort)),
			Protocol:      types.TransportProtocolTcp,
		}
		if mode != contract.Bridge {
			// Host port 0 means any free one, which only bridge mode has.
			mapping.HostPort = mapping.ContainerPort
		}
		if port.Protocol == contract.Udp {
			mapping.Protocol = types.TransportProtocolUdp
		}
		mappings = append(mappings, mapping)
	}
	return mappings
}

func healthCheck(check contract.HealthCheck) *types.HealthCheck {
	if len(check.Command) == 0 {
		return nil
	}
	command := check.Command
	if command[0] != "CMD" && command[0] != "CMD-SHELL" {
		command = append([]string{"CMD"}, command...)
	}
	return &types.HealthCheck{
		Command:     command,
		Interval:    aws.Int32(int32(orDefault(check.IntervalSeconds, 30))),
		Timeout:     aws.Int32(int32(orDefault(check.TimeoutSeconds, 5))),
		Retries:     aws.Int32(int32(orDefault(check.Retries, 3))),
		StartPeriod: optionalNumber(check.StartPeriodSeconds),
	}
}

func logging(
	release orchestrator.Release, facts orchestrator.ECSFacts,
) *types.LogConfiguration {
	if release.Spec.Logging.Driver == contract.None || facts.LogGroup == "" {
		return nil
	}
	return &types.LogConfiguration{
		LogDriver: types.LogDriverAwslogs,
		Options: map[string]string{
			"awslogs-group":         facts.LogGroup,
			"awslogs-region":        region(facts.ClusterARN),
			"awslogs-stream-prefix": release.Service.Name,
		},
	}
}

func volumes(volumes []contract.Volume) []types.Volume {
	var result []types.Volume
	for _, volume := range volumes {
		result = append(result, types.Volume{
			Name: aws.String(volume.Name),
			EfsVolumeConfiguration: &types.EFSVolumeConfiguration{
				FileSystemId:      aws.String(volume.FileSystemId),
				TransitEncryption: types.EFSTransitEncryptionEnabled,
			},
		})
	}
	return result
}

func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func optionalNumber(number int) *int32 {
	if number == 0 {
		return nil
	}
	return aws.Int32(int32(number))
}

func orDefault(number, standard int) int {
	if number == 0 {
		return standard
	}
	return number
}
