package balancer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"portolan/shared/fault"
	"portolan/shared/orchestrator"
)

// Tags of everything that is made here.
const (
	TagCluster   = "portolan:cluster"
	TagService   = "portolan:service"
	TagTeam      = "portolan:team"
	TagOperation = "portolan:operation"
)

// Balancer makes and removes what services have. It keeps no state, and is safe for
// concurrent use.
type Balancer struct {
	lb *elbv2.Client
}

// New returns a balancer that calls AWS through this client.
func New(lb *elbv2.Client) *Balancer { return &Balancer{lb} }

// An Owner is the service that something belongs to.
type Owner struct {
	Service orchestrator.ServiceRef

	// Operation is the one on whose behalf it is made.
	Operation string

	// Groups are all names that a target group of the service may have. A rule is looked at
	// only if it forwards to one of them; without any, each rule is.
	Groups []string
}

func (o Owner) tags() []types.Tag {
	var tags []types.Tag
	for _, t := range [][2]string{
		{TagCluster, o.Service.Cluster.Name}, {TagService, o.Service.Name}, {TagTeam, o.Service.Cluster.Team}, {TagOperation, o.Operation},
	} {
		if t[1] != "" {
			tags = append(tags, types.Tag{Key: aws.String(t[0]), Value: aws.String(t[1])})
		}
	}
	return tags
}

// GroupName is a target group's name, which is unique in a Region and takes 32
// characters, for what identifies the group.
func GroupName(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return namePrefix + hex.EncodeToString(sum[:])[:20]
}

// namePrefix is how the names of target groups begin.
const namePrefix = "portolan-"

func isName(name string) bool { return strings.HasPrefix(name, namePrefix) }

// A Group is how a target group is to be. Port is what targets are registered with that
// name none of their own; Path is where their health is looked at, and Codes the HTTP
// codes that are healthy, 200 when it is empty.
type Group struct {
	Name        string
	Kind        types.TargetTypeEnum
	VPC         string
	Port        int
	Path, Codes string
}

// FindGroup returns the target group of a name, or nil.
func (b *Balancer) FindGroup(ctx context.Context, name string) (*types.TargetGroup, error) {
	out, err := b.lb.DescribeTargetGroups(ctx, &elbv2.DescribeTargetGroupsInput{
		Names: []string{name},
	})
	err = fault.FromAWS(err, "looking for target group "+name)
	if err != nil || len(out.TargetGroups) == 0 {
		return nil, fault.IgnoreNotFound(err)
	}
	return &out.TargetGroups[0], nil
}

// ApplyGroup makes a target group, or gives the one of that name the path, and returns
// its ARN.
func (b *Balancer) ApplyGroup(ctx context.Context, owner Owner, g Group) (string, error) {
	if g.Path == "" {
		g.Path = "/"
	}
	group, err := b.FindGroup(ctx, g.Name)
	if err != nil {
		return "", err
	}
	if group == nil {
		return b.createGroup(ctx, owner, g)
	}
	if aws.ToString(group.HealthCheckPath) != g.Path {
		_, err := b.lb.ModifyTargetGroup(ctx, &elbv2.ModifyTargetGroupInput{
			TargetGroupArn: group.TargetGroupArn, HealthCheckPath: aws.String(g.Path),
		})
		if err != nil {
			return "", fault.FromAWS(err, "changing target group "+g.Name)
		}
	}
	return aws.ToString(group.TargetGroupArn), nil
}

func (b *Balancer) createGroup(ctx context.Context, owner Owner, g Group) (string, error) {
	input := &elbv2.CreateTargetGroupInput{
		Name: aws.String(g.Name), Protocol: types.ProtocolEnumHttp, TargetType: g.Kind, VpcId: aws.String(g.VPC),
		Port: aws.Int32(int32(g.Port)), HealthCheckPath: aws.String(g.Path), Tags: owner.tags(),
	}
	if g.Codes != "" {
		input.Matcher = &types.Matcher{HttpCode: aws.String(g.Codes)}
	}
	out, err := b.lb.CreateTargetGroup(ctx, input)
	if err != nil {
		return "", fault.FromAWS(err, "creating target group "+g.Name)
	}
	return aws.ToString(out.TargetGroups[0].TargetGroupArn), nil
}

// RemoveGroup deletes the target group of a name, and returns its ARN where it is still in
// use.
func (b *Balancer) RemoveGroup(ctx context.Context, name string) (left string, err error) {
	group, err := b.FindGroup(ctx, name)
	if err != nil || group == nil {
		return "", err
	}
	_, err = b.lb.DeleteTargetGroup(ctx, &elbv2.DeleteTargetGroupInput{TargetGroupArn: group.TargetGroupArn})
	err = fault.IgnoreNotFound(fault.FromAWS(err, "deleting target group "+name))
	if fault.IsConflict(err) {
		return aws.ToString(group.TargetGroupArn), nil
	}
	return "", err
}
