package sweep

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi/types"

	"portolan/shared/contract"
	"portolan/shared/fault"
	"portolan/shared/step"
	"portolan/shared/step/steptest"
	"portolan/shared/store"
	"portolan/shared/store/storetest"
)

// A scene is the handler on the real store, with resources that carry the tag.
type scene struct {
	*Handler
	tagged  []string
	alive   []string // ids of instances and gateways
	trouble error
	store   *store.Store
	call    step.Call
}

const arn = "arn:aws:ec2:eu-central-1:111122223333:"

// GetResources implements leftover.Resources, a hundred to a page.
func (s *scene) GetResources(_ context.Context, in *resourcegroupstaggingapi.GetResourcesInput,
	_ ...func(*resourcegroupstaggingapi.Options)) (*resourcegroupstaggingapi.GetResourcesOutput, error) {
	if s.trouble != nil {
		return nil, s.trouble
	}
	if len(in.TagFilters) != 1 || *in.TagFilters[0].Key != "portolan:cluster" || !slices.Equal(in.TagFilters[0].Values, []string{"shop"}) {
		return nil, errors.New("another tag")
	}
	from, _ := strconv.Atoi(aws.ToString(in.PaginationToken))
	to := min(from+100, len(s.tagged))
	out := &resourcegroupstaggingapi.GetResourcesOutput{PaginationToken: aws.String("")}
	for _, each := range s.tagged[from:to] {
		out.ResourceTagMappingList = append(out.ResourceTagMappingList, types.ResourceTagMapping{ResourceARN: &each,
			Tags: []types.Tag{{Key: aws.String("portolan:cluster"), Value: aws.String("shop")}}})
	}
	if to < len(s.tagged) {
		out.PaginationToken = aws.String(strconv.Itoa(to))
	}
	return out, nil
}

// DescribeInstances implements leftover.Compute.
func (s *scene) DescribeInstances(_ context.Context, in *ec2.DescribeInstancesInput, _ ...func(*ec2.Options)) (*ec2.DescribeInstancesOutput, error) {
	var reservation ec2types.Reservation
	for _, id := range s.among(in.Filters) {
		reservation.Instances = append(reservation.Instances, ec2types.Instance{InstanceId: &id})
	}
	return &ec2.DescribeInstancesOutput{Reservations: []ec2types.Reservation{reservation}}, nil
}

// DescribeNatGateways implements leftover.Compute.
func (s *scene) DescribeNatGateways(_ context.Context, in *ec2.DescribeNatGatewaysInput, _ ...func(*ec2.Options)) (*ec2.DescribeNatGatewaysOutput, error) {
	out := &ec2.DescribeNatGatewaysOutput{}
	for _, id := range s.among(in.Filter) {
		out.NatGateways = append(out.NatGateways, ec2types.NatGateway{NatGatewayId: &id})
	}
	return out, nil
}

// among are those of the ids that a filter names which are alive.
func (s *scene) among(filters []ec2types.Filter) []string {
	var out []string
	for _, id := range filters[0].Values {
		if slices.Contains(s.alive, id) {
			out = append(out, id)
		}
	}
	return out
}

func newScene(t *testing.T, tagged ...string) *scene {
	s := &scene{tagged: tagged, store: storetest.Open(t)}
	s.Handler = &Handler{Store: s.store, Resources: s, Compute: s, Log: steptest.Log()}
	s.call = steptest.Begin(t, s.store, "operation", contract.KindRetire, contract.Target{Cluster: "shop"})
	s.call.Step = "FindLeft"
	return s
}

func (s *scene) sweep(t *testing.T, state State) State {
	t.Helper()
	out, err := s.Handle(t.Context(), In{Call: s.call, State: state})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestNothingLeft(t *testing.T) {
	if out := newScene(t).sweep(t, State{Reason: "the stack failed"}); !out.Clean || out.Left == nil || out.Reason != "the stack failed" {
		t.Errorf("got %+v", out)
	}
}

// What is found by its tag although it is gone is not left.
func TestWhatIsGoneIsNotLeft(t *testing.T) {
	s := newScene(t, arn+"instance/i-dead", arn+"instance/i-alive", arn+"natgateway/nat-dead", arn+"volume/vol-1",
		"arn:aws:ecs:eu-central-1:111122223333:task-definition/portolan-shop-web:1")
	s.alive = []string{"i-alive"}
	out := s.sweep(t, State{})
	if out.Clean || !slices.Equal(out.Left, []string{arn + "instance/i-alive", arn + "volume/vol-1"}) ||
		out.Reason != "2 resources still carry the cluster's tag" {
		t.Errorf("got %+v", out)
	}
}

func TestAllPagesAreRead(t *testing.T) {
	s := newScene(t)
	for i := range 250 {
		s.tagged = append(s.tagged, fmt.Sprintf("%svolume/vol-%d", arn, i))
	}
	if out := s.sweep(t, State{}); len(out.Left) != 250 {
		t.Errorf("%d are left", len(out.Left))
	}
}

func TestSweepStandsBehindTheFence(t *testing.T) {
	s := newScene(t)
	steptest.Lose(t, s.store, s.call)
	if _, err := s.Handle(t.Context(), In{Call: s.call}); !fault.IsHalted(err) {
		t.Errorf("got %v", err)
	}
}

func TestTroubleIsTriedAgain(t *testing.T) {
	s := newScene(t)
	s.trouble = context.DeadlineExceeded
	if _, err := s.Handle(t.Context(), In{Call: s.call}); !fault.IsUnavailable(err) {
		t.Errorf("got %v", err)
	}
}
