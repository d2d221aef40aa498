package resources

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"portolan/local/cloudformation"
)

func (m *maker) clusterKinds(kinds map[string]cloudformation.Kind) {
	kinds["AWS::ECS::Cluster"] = cloudformation.Kind{
		Provider: provider{
			create: m.createCluster, update: m.updateCluster,
			remove: func(ctx context.Context, r cloudformation.Request) error {
				_, err := m.ecs.DeleteCluster(ctx, &ecs.DeleteClusterInput{Cluster: &r.PhysicalID})
				return err
			},
		},
		CreateOnly: []string{"ClusterName"}, Patience: dependencyPatience,
		CreateTakes: 6 * time.Second, UpdateTakes: 5 * time.Second, DeleteTakes: 2 * time.Second,
	}
	kinds["AWS::ECS::CapacityProvider"] = cloudformation.Kind{
		Provider: provider{
			create: m.createCapacityProvider,
			remove: func(ctx context.Context, r cloudformation.Request) error {
				_, err := m.ecs.DeleteCapacityProvider(ctx, &ecs.DeleteCapacityProviderInput{CapacityProvider: &r.PhysicalID})
				if isCode(err, "ClientException", "InvalidParameterException") && strings.Contains(err.Error(), "does not exist") {
					return nil
				}
				return err
			},
		},
		CreateOnly: []string{"AutoScalingGroupProvider.AutoScalingGroupArn", "Name"}, Patience: dependencyPatience,
		CreateTakes: 10 * time.Second, DeleteTakes: 5 * time.Second,
	}
	kinds["AWS::ECS::ClusterCapacityProviderAssociations"] = cloudformation.Kind{
		Provider:   provider{create: m.putCapacityProviders, update: m.putCapacityProviders, remove: m.removeCapacityProviders},
		CreateOnly: []string{"Cluster"}, Patience: dependencyPatience,
		CreateTakes: 15 * time.Second, UpdateTakes: 15 * time.Second, DeleteTakes: 10 * time.Second,
	}
	kinds["AWS::Logs::LogGroup"] = cloudformation.Kind{
		Provider:    provider{create: m.createLogGroup, update: m.createLogGroup, remove: m.deleteLogGroup},
		CreateOnly:  []string{"LogGroupName"},
		CreateTakes: 4 * time.Second, UpdateTakes: 2 * time.Second, DeleteTakes: time.Second,
	}
}

func ecsTag(key, value *string) types.Tag { return types.Tag{Key: key, Value: value} }

// createCluster refuses a name that is taken, which ECS itself would hand out a
// second time.
func (m *maker) createCluster(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	name := of(r).text("ClusterName")
	if name == "" {
		name = r.Name
	}
	found, err := m.ecs.DescribeClusters(ctx, &ecs.DescribeClustersInput{
		Clusters: []string{name}, Include: []types.ClusterField{types.ClusterFieldTags},
	})
	if err != nil {
		return failed(err)
	}
	for _, cluster := range found.Clusters {
		if aws.ToString(cluster.Status) == "ACTIVE" && !ownCluster(r, cluster) {
			return failed(fmt.Errorf("Resource handler returned message: \"%s already exists in stack or account\" "+
				"(RequestToken: %s, HandlerErrorCode: AlreadyExists)", name, r.Token))
		}
	}
	out, err := m.ecs.CreateCluster(ctx, &ecs.CreateClusterInput{
		ClusterName: &name, Settings: clusterSettings(r), Tags: eachTag(tagsOf(r), ecsTag),
	})
	if err != nil {
		return failed(err)
	}
	return made(name, map[string]any{"Arn": *out.Cluster.ClusterArn})
}

func ownCluster(r cloudformation.Request, cluster types.Cluster) bool {
	for _, tag := range cluster.Tags {
		if aws.ToString(tag.Key) == "aws:cloudformation:stack-id" {
			return aws.ToString(tag.Value) == r.StackID
		}
	}
	return false
}

func clusterSettings(r cloudformation.Request) []types.ClusterSetting {
	var settings []types.ClusterSetting
	for _, setting := range of(r).objects("ClusterSettings") {
		settings = append(settings, types.ClusterSetting{
			Name: types.ClusterSettingName(setting.text("Name")), Value: setting.optional("Value"),
		})
	}
	return settings
}

func (m *maker) updateCluster(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	out, err := m.ecs.UpdateCluster(ctx, &ecs.UpdateClusterInput{Cluster: &r.PhysicalID, Settings: clusterSettings(r)})
	if err != nil {
		return failed(err)
	}
	_, err = m.ecs.TagResource(ctx, &ecs.TagResourceInput{
		ResourceArn: out.Cluster.ClusterArn, Tags: eachTag(tagsOf(r), ecsTag),
	})
	if err != nil {
		return failed(err)
	}
	return made(r.PhysicalID, map[string]any{"Arn": *out.Cluster.ClusterArn})
}

func (m *maker) createCapacityProvider(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	name := of(r).text("Name")
	if name == "" {
		name = r.Name
	}
	p := of(r).object("AutoScalingGroupProvider")
	arn := p.text("AutoScalingGroupArn")
	if !strings.HasPrefix(arn, "arn:") {
		group, err := m.findGroup(ctx, arn)
		if err != nil || group == nil {
			return failed(fmt.Errorf("finding Auto Scaling group %s: %w", arn, err))
		}
		arn = aws.ToString(group.AutoScalingGroupARN)
	}
	found, err := m.ecs.DescribeCapacityProviders(ctx, &ecs.DescribeCapacityProvidersInput{CapacityProviders: []string{name}})
	if err != nil {
		return failed(err)
	}
	for _, existing := range found.CapacityProviders {
		own := existing.AutoScalingGroupProvider != nil && aws.ToString(existing.AutoScalingGroupProvider.AutoScalingGroupArn) == arn
		if own && existing.Status == types.CapacityProviderStatusActive {
			return made(name, map[string]any{"Arn": *existing.CapacityProviderArn})
		}
	}
	out, err := m.ecs.CreateCapacityProvider(ctx, &ecs.CreateCapacityProviderInput{
		Name: &name, Tags: eachTag(ownTagsOnly(tagsOf(r)), ecsTag),
		AutoScalingGroupProvider: &types.AutoScalingGroupProvider{
			AutoScalingGroupArn:          &arn,
			ManagedScaling:               &types.ManagedScaling{Status: types.ManagedScalingStatus(p.object("ManagedScaling").text("Status"))},
			ManagedTerminationProtection: types.ManagedTerminationProtection(p.text("ManagedTerminationProtection")),
			ManagedDraining:              types.ManagedDraining(p.text("ManagedDraining")),
		},
	})
	if err != nil {
		return failed(err)
	}
	return made(name, map[string]any{"Arn": *out.CapacityProvider.CapacityProviderArn})
}

// ownTagsOnly leaves out the tags that begin with aws:, which capacity providers
// do not get.
func ownTagsOnly(tags map[string]string) map[string]string {
	for key := range tags {
		if strings.HasPrefix(key, "aws:") {
			delete(tags, key)
		}
	}
	return tags
}

func (m *maker) putCapacityProviders(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	cluster := of(r).text("Cluster")
	strategy := []types.CapacityProviderStrategyItem{}
	for _, item := range of(r).objects("DefaultCapacityProviderStrategy") {
		weight, base := int32(0), int32(0)
		if n := item.number("Weight"); n != nil {
			weight = *n
		}
		if n := item.number("Base"); n != nil {
			base = *n
		}
		strategy = append(strategy, types.CapacityProviderStrategyItem{
			CapacityProvider: item.optional("CapacityProvider"), Weight: weight, Base: base,
		})
	}
	_, err := m.ecs.PutClusterCapacityProviders(ctx, &ecs.PutClusterCapacityProvidersInput{
		Cluster: &cluster, CapacityProviders: of(r).texts("CapacityProviders"), DefaultCapacityProviderStrategy: strategy,
	})
	if err != nil {
		return failed(err)
	}
	return made(cluster, map[string]any{})
}

func (m *maker) removeCapacityProviders(ctx context.Context, r cloudformation.Request) error {
	_, err := m.ecs.PutClusterCapacityProviders(ctx, &ecs.PutClusterCapacityProvidersInput{
		Cluster: &r.PhysicalID, CapacityProviders: []string{},
		DefaultCapacityProviderStrategy: []types.CapacityProviderStrategyItem{},
	})
	return err
}

func (m *maker) createLogGroup(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	name := of(r).text("LogGroupName")
	if name == "" {
		name = r.Name
	}
	if m.logs != nil {
		days := 0
		if n := of(r).number("RetentionInDays"); n != nil {
			days = int(*n)
		}
		if err := m.logs.CreateLogGroup(ctx, name, days, tagsOf(r)); err != nil {
			return failed(err)
		}
	}
	_, account, _ := strings.Cut(r.StackID, "cloudformation:"+m.region+":")
	account, _, _ = strings.Cut(account, ":")
	return made(name, map[string]any{"Arn": "arn:aws:logs:" + m.region + ":" + account + ":log-group:" + name + ":*"})
}

func (m *maker) deleteLogGroup(ctx context.Context, r cloudformation.Request) error {
	if m.logs == nil {
		return nil
	}
	return m.logs.DeleteLogGroup(ctx, r.PhysicalID)
}
