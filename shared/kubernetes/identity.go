package kubernetes

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// Tags of the associations that give a service its role.
const (
	tagCluster   = "portolan:cluster"
	tagTeam      = "portolan:team"
	tagService   = "portolan:service"
	tagOperation = "portolan:operation"
)

// giveRole gives the service account of a service the role that its release names, by
// an association of EKS Pod Identity. It makes at most 3 calls of EKS. Tasks get the
// credentials when they start, so it comes before them.
func (d *Driver) giveRole(ctx context.Context, facts orchestrator.KubernetesFacts, release orchestrator.Release) error {
	if facts.EKSCluster == "" {
		return nil // refused at the door where a role is asked for
	}
	ref, role := release.Service, release.Spec.Role
	existing, err := d.association(ctx, facts, ref)
	switch {
	case err != nil:
		return err
	case existing == nil && role == "":
		return nil
	case existing == nil:
		return d.associate(ctx, facts, release)
	case role == "":
		return d.dissociate(ctx, facts, existing, ref)
	case aws.ToString(existing.RoleArn) == role:
		return nil
	case !associated(existing, ref):
		return fault.New(fault.Conflict, "service account %s/%s has the role %s from somebody else", namespaceOf(ref), ref.Name,
			aws.ToString(existing.RoleArn))
	}
	_, err = eks.NewFromConfig(d.config.AWS).UpdatePodIdentityAssociation(ctx, &eks.UpdatePodIdentityAssociationInput{
		ClusterName: &facts.EKSCluster, AssociationId: existing.AssociationId, RoleArn: &role,
		ClientRequestToken: aws.String(digest("update", release.Operation, ref.Name, role)),
	})
	return fault.FromAWS(err, "giving service "+ref.Name+" another role")
}

// association returns the association of the service's own service account, or nil.
func (d *Driver) association(ctx context.Context, facts orchestrator.KubernetesFacts, ref orchestrator.ServiceRef) (*types.PodIdentityAssociation, error) {
	client := eks.NewFromConfig(d.config.AWS)
	list, err := client.ListPodIdentityAssociations(ctx, &eks.ListPodIdentityAssociationsInput{
		ClusterName: &facts.EKSCluster, Namespace: aws.String(namespaceOf(ref)), ServiceAccount: &ref.Name,
	})
	if err != nil {
		return nil, fault.FromAWS(err, "listing the roles of service "+ref.Name)
	}
	if len(list.Associations) == 0 {
		return nil, nil
	}
	out, err := client.DescribePodIdentityAssociation(ctx, &eks.DescribePodIdentityAssociationInput{
		ClusterName: &facts.EKSCluster, AssociationId: list.Associations[0].AssociationId,
	})
	if err != nil {
		return nil, fault.IgnoreNotFound(fault.FromAWS(err, "looking at the role of service "+ref.Name))
	}
	return out.Association, nil
}

// associated says whether an association was made for the service.
func associated(a *types.PodIdentityAssociation, ref orchestrator.ServiceRef) bool {
	return a.Tags[tagCluster] == ref.Cluster.Name && a.Tags[tagService] == ref.Name
}

func (d *Driver) associate(ctx context.Context, facts orchestrator.KubernetesFacts, release orchestrator.Release) error {
	ref := release.Service
	tags := map[string]string{tagCluster: ref.Cluster.Name, tagService: ref.Name, tagOperation: release.Operation}
	if ref.Cluster.Team != "" {
		tags[tagTeam] = ref.Cluster.Team
	}
	_, err := eks.NewFromConfig(d.config.AWS).CreatePodIdentityAssociation(ctx, &eks.CreatePodIdentityAssociationInput{
		ClusterName: &facts.EKSCluster, Namespace: aws.String(namespaceOf(ref)), ServiceAccount: &ref.Name,
		RoleArn: &release.Spec.Role, Tags: tags,
		ClientRequestToken: aws.String(digest("create", release.Operation, ref.Name, release.Spec.Role)),
	})
	return fault.FromAWS(err, "giving service "+ref.Name+" its role")
}

// dissociate takes the role away, if it was given here.
func (d *Driver) dissociate(ctx context.Context, facts orchestrator.KubernetesFacts, existing *types.PodIdentityAssociation,
	ref orchestrator.ServiceRef) error {
	if !associated(existing, ref) {
		return nil
	}
	_, err := eks.NewFromConfig(d.config.AWS).DeletePodIdentityAssociation(ctx, &eks.DeletePodIdentityAssociationInput{
		ClusterName: &facts.EKSCluster, AssociationId: existing.AssociationId,
	})
	return fault.IgnoreNotFound(fault.FromAWS(err, "taking the role of service "+ref.Name+" away"))
}
