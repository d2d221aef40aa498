package tagging_test

import (
	"context"
	"maps"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi/types"

	"portolan/local/tagging"
	"portolan/local/wire"
)

// shelf is a source whose resources can be tagged.
type shelf map[string]map[string]string

func (s shelf) TaggedResources() []tagging.Resource {
	var all []tagging.Resource
	for arn, tags := range s {
		all = append(all, tagging.Resource{ARN: arn, Tags: tags})
	}
	return all
}

func (s shelf) TagResource(arn string, set map[string]string, remove []string) (bool, error) {
	tags, ok := s[arn]
	if ok {
		maps.Copy(tags, set)
		for _, key := range remove {
			delete(tags, key)
		}
	}
	return ok, nil
}

func newClient(sources ...tagging.Source) *sdk.Client {
	router := wire.NewRouter(wire.ResolverFunc(func(context.Context, string) (wire.Identity, error) {
		return wire.Identity{}, nil
	}))
	router.Register("tagging", tagging.New(sources...).Handler())
	return sdk.NewFromConfig(aws.Config{
		Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("AKIA", "secret", ""),
		HTTPClient: router.Client(), BaseEndpoint: aws.String("http://aws.local"),
	})
}

const (
	vpc      = "arn:aws:ec2:eu-west-1:111122223333:vpc/vpc-1"
	instance = "arn:aws:ec2:eu-west-1:111122223333:instance/i-1"
	balancer = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/web/1"
)

func sources() []tagging.Source {
	return []tagging.Source{
		shelf{vpc: {"portolan:cluster": "web"}, instance: {"portolan:cluster": "web", "Name": "node"}},
		shelf{balancer: {"portolan:cluster": "db"}},
	}
}

func TestGetResources(t *testing.T) {
	filter := func(key string, values ...string) []types.TagFilter {
		return []types.TagFilter{{Key: &key, Values: values}}
	}
	tests := map[string]struct {
		in   sdk.GetResourcesInput
		want []string
	}{
		"all":             {sdk.GetResourcesInput{}, []string{instance, vpc, balancer}},
		"by value":        {sdk.GetResourcesInput{TagFilters: filter("portolan:cluster", "web")}, []string{instance, vpc}},
		"by either value": {sdk.GetResourcesInput{TagFilters: filter("portolan:cluster", "web", "db")}, []string{instance, vpc, balancer}},
		"by key":          {sdk.GetResourcesInput{TagFilters: filter("Name")}, []string{instance}},
		"by both":         {sdk.GetResourcesInput{TagFilters: append(filter("Name"), filter("portolan:cluster", "db")...)}, nil},
		"by service":      {sdk.GetResourcesInput{ResourceTypeFilters: []string{"elasticloadbalancing"}}, []string{balancer}},
		"by type":         {sdk.GetResourcesInput{ResourceTypeFilters: []string{"ec2:vpc"}}, []string{vpc}},
		"by part of type": {sdk.GetResourcesInput{ResourceTypeFilters: []string{"ec2:vp"}}, nil},
		"by ARN":          {sdk.GetResourcesInput{ResourceARNList: []string{vpc}}, []string{vpc}},
	}
	client := newClient(sources()...)
	for name, test := range tests {
		test.in.ResourcesPerPage = aws.Int32(2)
		var got []string
		pages := sdk.NewGetResourcesPaginator(client, &test.in)
		for pages.HasMorePages() {
			out, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range out.ResourceTagMappingList {
				got = append(got, *m.ResourceARN)
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: found %v, want %v", name, got, test.want)
		}
	}
}

func TestTagResources(t *testing.T) {
	client := newClient(sources()...)
	out, err := client.TagResources(t.Context(), &sdk.TagResourcesInput{
		ResourceARNList: []string{balancer, "arn:aws:s3:::nope"}, Tags: map[string]string{"team": "shop"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := out.FailedResourcesMap["arn:aws:s3:::nope"]; !ok || len(out.FailedResourcesMap) != 1 {
		t.Errorf("failed: %+v", out.FailedResourcesMap)
	}
	values, err := client.GetTagValues(t.Context(), &sdk.GetTagValuesInput{Key: aws.String("team")})
	if err != nil || !slices.Equal(values.TagValues, []string{"shop"}) {
		t.Errorf("values are %v, %v", values, err)
	}
	if _, err := client.UntagResources(t.Context(), &sdk.UntagResourcesInput{ResourceARNList: []string{balancer}, TagKeys: []string{"team"}}); err != nil {
		t.Fatal(err)
	}
	keys, err := client.GetTagKeys(t.Context(), &sdk.GetTagKeysInput{})
	if err != nil || !slices.Equal(keys.TagKeys, []string{"Name", "portolan:cluster"}) {
		t.Errorf("keys are %v, %v", keys, err)
	}
}
