package resources

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"portolan/local/cloudformation"
)

func (m *maker) kubernetesKinds(kinds map[string]cloudformation.Kind) {
	kinds["AWS::EKS::Cluster"] = cloudformation.Kind{
		Provider: provider{create: m.createEKS, remove: m.deleteEKS, stable: m.stableEKS, read: m.readEKS},
		CreateOnly: []string{"Name", "RoleArn", "BootstrapSelfManagedAddons", "AccessConfig.BootstrapClusterCreatorAdminPermissions",
			"KubernetesNetworkConfig", "ResourcesVpcConfig.SubnetIds"},
		CreateTakes: 5 * time.Second, DeleteTakes: time.Second,
	}
	kinds["AWS::EKS::Nodegroup"] = cloudformation.Kind{
		Provider: provider{create: m.createNodeGroup, remove: m.deleteNodeGroup, stable: m.nodeGroupStable},
		CreateOnly: []string{"ClusterName", "NodegroupName", "NodeRole", "Subnets", "AmiType", "CapacityType", "InstanceTypes",
			"DiskSize", "RemoteAccess"},
		CreateTakes: 5 * time.Second, DeleteTakes: time.Second,
	}
	kinds["AWS::EKS::Addon"] = cloudformation.Kind{
		Provider:   provider{create: m.createAddon, remove: m.deleteAddon, stable: m.addonStable},
		CreateOnly: []string{"ClusterName", "AddonName"}, CreateTakes: 5 * time.Second, DeleteTakes: time.Second,
	}
	kinds["AWS::EKS::AccessEntry"] = cloudformation.Kind{
		Provider:   provider{create: m.createAccessEntry, remove: m.deleteAccessEntry},
		CreateOnly: []string{"ClusterName", "PrincipalArn", "Type"}, CreateTakes: 3 * time.Second, DeleteTakes: time.Second,
	}
}

// eksTags are the tags of a resource whose Tags may be a list or, of a node group, a
// map. EKS takes no tags that begin with aws:.
func eksTags(r cloudformation.Request) map[string]string {
	tags := ownTagsOnly(tagsOf(r))
	for key := range of(r).object("Tags") {
		tags[key] = of(r).object("Tags").text(key)
	}
	return tags
}

func (m *maker) createEKS(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	p := of(r)
	name := p.text("Name")
	if name == "" {
		name = r.Name
	}
	vpc, access := p.object("ResourcesVpcConfig"), p.object("AccessConfig")
	in := &eks.CreateClusterInput{
		Name: &name, Version: p.optional("Version"), RoleArn: p.optional("RoleArn"), ClientRequestToken: &r.Token, Tags: eksTags(r),
		BootstrapSelfManagedAddons: p.truth("BootstrapSelfManagedAddons"),
		UpgradePolicy:              &types.UpgradePolicyRequest{SupportType: types.SupportType(p.object("UpgradePolicy").text("SupportType"))},
		ResourcesVpcConfig: &types.VpcConfigRequest{SubnetIds: vpc.texts("SubnetIds"), SecurityGroupIds: vpc.texts("SecurityGroupIds"),
			EndpointPrivateAccess: vpc.truth("EndpointPrivateAccess"), EndpointPublicAccess: vpc.truth("EndpointPublicAccess"),
			PublicAccessCidrs: vpc.texts("PublicAccessCidrs")},
		AccessConfig: &types.CreateAccessConfigRequest{AuthenticationMode: types.AuthenticationMode(access.text("AuthenticationMode")),
			BootstrapClusterCreatorAdminPermissions: access.truth("BootstrapClusterCreatorAdminPermissions")},
	}
	setup := types.LogSetup{Enabled: aws.Bool(true)}
	for _, each := range p.object("Logging").object("ClusterLogging").objects("EnabledTypes") {
		setup.Types = append(setup.Types, types.LogType(each.text("Type")))
	}
	if len(setup.Types) > 0 {
		in.Logging = &types.Logging{ClusterLogging: []types.LogSetup{setup}}
	}
	out, err := m.eks.CreateCluster(ctx, in)
	if err != nil {
		return failed(err)
	}
	return made(name, map[string]any{"Arn": aws.ToString(out.Cluster.Arn)})
}

func (m *maker) describeEKS(ctx context.Context, r cloudformation.Request) (*types.Cluster, error) {
	out, err := m.eks.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: &r.PhysicalID})
	if err != nil {
		return nil, err
	}
	return out.Cluster, nil
}

func (m *maker) stableEKS(ctx context.Context, r cloudformation.Request) error {
	found, err := m.describeEKS(ctx, r)
	if err != nil || found.Status == types.ClusterStatusActive {
		return err
	}
	return settlement("Cluster", r.PhysicalID, string(found.Status))
}

// readEKS tells what a cluster has only once it is active.
func (m *maker) readEKS(ctx context.Context, r cloudformation.Request) (map[string]any, error) {
	found, err := m.describeEKS(ctx, r)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"Arn": aws.ToString(found.Arn), "Endpoint": aws.ToString(found.Endpoint),
		"CertificateAuthorityData": aws.ToString(found.CertificateAuthority.Data),
		"ClusterSecurityGroupId":   aws.ToString(found.ResourcesVpcConfig.ClusterSecurityGroupId),
		"OpenIdConnectIssuerUrl":   aws.ToString(found.Identity.Oidc.Issuer),
	}, nil
}

// settlement is Pending, or the failure that a status stands for.
func settlement(what, name, status string) error {
	if strings.HasSuffix(status, "FAILED") {
		return fmt.Errorf("Resource handler returned message: \"%s %s is in status %s\" (HandlerErrorCode: NotStabilized)", what, name, status)
	}
	return pending("%s %s is in status %s", what, name, status)
}

func (m *maker) deleteEKS(ctx context.Context, r cloudformation.Request) error {
	found, err := m.describeEKS(ctx, r)
	if err != nil {
		return err
	}
	if found.Status != types.ClusterStatusDeleting {
		if _, err := m.eks.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: &r.PhysicalID}); err != nil {
			return err
		}
	}
	return pending("Cluster %s is still being deleted", r.PhysicalID)
}

func (m *maker) createNodeGroup(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	p := of(r)
	name := p.text("NodegroupName")
	if name == "" {
		name = r.Name
	}
	size, template := p.object("ScalingConfig"), p.object("LaunchTemplate")
	in := &eks.CreateNodegroupInput{
		ClusterName: p.optional("ClusterName"), NodegroupName: &name, NodeRole: p.optional("NodeRole"), Subnets: p.texts("Subnets"),
		AmiType: types.AMITypes(p.text("AmiType")), CapacityType: types.CapacityTypes(p.text("CapacityType")),
		InstanceTypes: p.texts("InstanceTypes"), ClientRequestToken: &r.Token, Tags: eksTags(r), Labels: map[string]string{},
		ScalingConfig: &types.NodegroupScalingConfig{MinSize: size.number("MinSize"), MaxSize: size.number("MaxSize"),
			DesiredSize: size.number("DesiredSize")},
		UpdateConfig: &types.NodegroupUpdateConfig{MaxUnavailable: p.object("UpdateConfig").number("MaxUnavailable")},
	}
	if template != nil {
		in.LaunchTemplate = &types.LaunchTemplateSpecification{Id: template.optional("Id"), Name: template.optional("Name"),
			Version: template.optional("Version")}
	}
	for key := range p.object("Labels") {
		in.Labels[key] = p.object("Labels").text(key)
	}
	out, err := m.eks.CreateNodegroup(ctx, in)
	if err != nil {
		return failed(err)
	}
	id := *in.ClusterName + "/" + name
	return made(id, map[string]any{"Arn": aws.ToString(out.Nodegroup.NodegroupArn), "Id": id, "NodegroupName": name,
		"ClusterName": *in.ClusterName})
}

func (m *maker) describeNodeGroup(ctx context.Context, r cloudformation.Request) (*types.Nodegroup, error) {
	cluster, name, _ := strings.Cut(r.PhysicalID, "/")
	out, err := m.eks.DescribeNodegroup(ctx, &eks.DescribeNodegroupInput{ClusterName: &cluster, NodegroupName: &name})
	if err != nil {
		return nil, err
	}
	return out.Nodegroup, nil
}

func (m *maker) nodeGroupStable(ctx context.Context, r cloudformation.Request) error {
	found, err := m.describeNodeGroup(ctx, r)
	if err != nil || found.Status == types.NodegroupStatusActive {
		return err
	}
	if found.Status == types.NodegroupStatusCreateFailed && found.Health != nil && len(found.Health.Issues) > 0 {
		issue := found.Health.Issues[0]
		return fmt.Errorf("Resource handler returned message: \"[Issue(Code=%s, Message=%s, ResourceIds=[%s])] (Service: null, Status Code: 0, "+
			"Request ID: null)\" (HandlerErrorCode: GeneralServiceException)", issue.Code, aws.ToString(issue.Message), strings.Join(issue.ResourceIds, ", "))
	}
	return settlement("Nodegroup", r.PhysicalID, string(found.Status))
}

func (m *maker) deleteNodeGroup(ctx context.Context, r cloudformation.Request) error {
	found, err := m.describeNodeGroup(ctx, r)
	if err != nil {
		return err
	}
	if found.Status != types.NodegroupStatusDeleting {
		_, err := m.eks.DeleteNodegroup(ctx, &eks.DeleteNodegroupInput{ClusterName: found.ClusterName, NodegroupName: found.NodegroupName})
		if err != nil {
			return err
		}
	}
	return pending("Nodegroup %s is still being deleted", r.PhysicalID)
}

func (m *maker) createAddon(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	p := of(r)
	in := &eks.CreateAddonInput{
		ClusterName: p.optional("ClusterName"), AddonName: p.optional("AddonName"), AddonVersion: p.optional("AddonVersion"),
		ConfigurationValues: p.optional("ConfigurationValues"), ResolveConflicts: types.ResolveConflicts(p.text("ResolveConflicts")),
		ClientRequestToken: &r.Token, Tags: eksTags(r),
	}
	for _, each := range p.objects("PodIdentityAssociations") {
		in.PodIdentityAssociations = append(in.PodIdentityAssociations, types.AddonPodIdentityAssociations{
			ServiceAccount: each.optional("ServiceAccount"), RoleArn: each.optional("RoleArn")})
	}
	id := p.text("ClusterName") + "|" + p.text("AddonName")
	out, err := m.eks.CreateAddon(ctx, in)
	if err != nil {
		return failed(err)
	}
	return made(id, map[string]any{"Arn": aws.ToString(out.Addon.AddonArn)})
}

func (m *maker) describeAddon(ctx context.Context, r cloudformation.Request) (*types.Addon, error) {
	cluster, name, _ := strings.Cut(r.PhysicalID, "|")
	out, err := m.eks.DescribeAddon(ctx, &eks.DescribeAddonInput{ClusterName: &cluster, AddonName: &name})
	if err != nil {
		return nil, err
	}
	return out.Addon, nil
}

func (m *maker) addonStable(ctx context.Context, r cloudformation.Request) error {
	found, err := m.describeAddon(ctx, r)
	if err != nil || found.Status == types.AddonStatusActive {
		return err
	}
	return settlement("Addon", r.PhysicalID, string(found.Status))
}

func (m *maker) deleteAddon(ctx context.Context, r cloudformation.Request) error {
	found, err := m.describeAddon(ctx, r)
	if err != nil {
		return err
	}
	if found.Status != types.AddonStatusDeleting {
		if _, err := m.eks.DeleteAddon(ctx, &eks.DeleteAddonInput{ClusterName: found.ClusterName, AddonName: found.AddonName}); err != nil {
			return err
		}
	}
	return pending("Addon %s is still being deleted", r.PhysicalID)
}

func (m *maker) createAccessEntry(ctx context.Context, r cloudformation.Request) (cloudformation.Made, error) {
	p := of(r)
	out, err := m.eks.CreateAccessEntry(ctx, &eks.CreateAccessEntryInput{
		ClusterName: p.optional("ClusterName"), PrincipalArn: p.optional("PrincipalArn"), Type: p.optional("Type"),
		Username: p.optional("Username"), KubernetesGroups: p.texts("KubernetesGroups"), ClientRequestToken: &r.Token, Tags: eksTags(r),
	})
	if err != nil {
		return failed(err)
	}
	for _, policy := range p.objects("AccessPolicies") {
		scope := policy.object("AccessScope")
		_, err := m.eks.AssociateAccessPolicy(ctx, &eks.AssociateAccessPolicyInput{
			ClusterName: p.optional("ClusterName"), PrincipalArn: p.optional("PrincipalArn"), PolicyArn: policy.optional("PolicyArn"),
			AccessScope: &types.AccessScope{Type: types.AccessScopeType(scope.text("Type")), Namespaces: scope.texts("Namespaces")},
		})
		if err != nil {
			return failed(err)
		}
	}
	return made(p.text("PrincipalArn")+"|"+p.text("ClusterName"), map[string]any{"AccessEntryArn": aws.ToString(out.AccessEntry.AccessEntryArn)})
}

func (m *maker) deleteAccessEntry(ctx context.Context, r cloudformation.Request) error {
	principal, cluster, _ := strings.Cut(r.PhysicalID, "|")
	_, err := m.eks.DeleteAccessEntry(ctx, &eks.DeleteAccessEntryInput{ClusterName: &cluster, PrincipalArn: &principal})
	return err
}
