package sweeper_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"portolan/functions/sweeper"
	"portolan/shared/contract"
	"portolan/shared/model"
	"portolan/shared/store"
)

// alarms are the names of alarms that are in ALARM, in the order in which pages list them.
type alarms struct {
	raised []string
	since  time.Time
	pages  int
}

func (a *alarms) DescribeAlarms(_ context.Context, in *cloudwatch.DescribeAlarmsInput, _ ...func(*cloudwatch.Options)) (*cloudwatch.DescribeAlarmsOutput, error) {
	a.pages++
	names := a.raised
	if in.NextToken != nil {
		names = names[slices.Index(names, *in.NextToken):]
	}
	out := &cloudwatch.DescribeAlarmsOutput{}
	if most := int(*in.MaxRecords); len(names) > most {
		out.NextToken, names = &names[most], names[:most]
	}
	for _, name := range names {
		out.MetricAlarms = append(out.MetricAlarms, types.MetricAlarm{AlarmArn: aws.String(alarmARN(name)),
			StateReason: aws.String("told by the test"), StateTransitionedTimestamp: &a.since})
	}
	return out, nil
}

// reads counts the lists of policies that are read.
type reads struct {
	*store.Store
	clusters, ofClusters, ofAlarms int
}

func (r *reads) Clusters(ctx context.Context, p store.Page) ([]model.Cluster, string, error) {
	r.clusters++
	return r.Store.Clusters(ctx, p)
}

func (r *reads) Policies(ctx context.Context, cluster string, p store.Page) ([]model.Policy, string, error) {
	r.ofClusters++
	return r.Store.Policies(ctx, cluster, p)
}

func (r *reads) PoliciesOfAlarm(ctx context.Context, alarm string, p store.Page) ([]model.Policy, string, error) {
	r.ofAlarms++
	return r.Store.PoliciesOfAlarm(ctx, alarm, p)
}

// An alarm that is nobody's costs no more than looking at each cluster.
func TestARaisedAlarmIsFollowedAmongOthers(t *testing.T) {
	tests := []struct {
		others, pages, ofClusters, ofAlarms int
	}{
		{others: 0, pages: 1, ofAlarms: 1},
		{others: 2, pages: 1, ofAlarms: 3},
		{others: 9, pages: 1, ofAlarms: 10},
		{others: 10, pages: 1, ofClusters: 3},
		{others: 250, pages: 3, ofClusters: 3},
	}
	for _, test := range tests {
		r := newRound(t)
		for _, name := range []string{"shop", "bank", "mill"} {
			r.cluster(name, nil)
		}
		r.cluster("new", func(c *model.Cluster) { c.Status = contract.ClusterProvisioning })
		for _, cluster := range []string{"shop", "new"} {
			r.commits(store.PutPolicy(model.Policy{Cluster: cluster, Name: "out", Team: "storefront",
				Spec: contract.PolicySpec{Alarm: alarmARN("ours"), Service: "web", Adjustment: 1, SizeMin: 1, SizeMax: 4}}),
				store.PutPolicy(model.Policy{Cluster: cluster, Name: "calm", Team: "storefront",
					Spec: contract.PolicySpec{Alarm: alarmARN("calm"), Service: "web", Adjustment: 1, SizeMin: 1, SizeMax: 4}}))
		}
		a := &alarms{since: noon.Add(-time.Hour)}
		for i := range test.others {
			a.raised = append(a.raised, fmt.Sprintf("other-%03d", i))
		}
		a.raised = append(a.raised, "ours")
		counted := &reads{Store: r.table}
		r.Handler.Alarms, r.Handler.Store = a, counted
		found := r.sweep(sweeper.In{Time: noon})
		if len(found) != 1 || found[0].What != "policy/shop/out" || len(r.queue("policy/shop/out")) != 1 {
			t.Errorf("among %d others, found %v", test.others, found)
		}
		if a.pages != test.pages || counted.ofClusters != test.ofClusters || counted.ofAlarms != test.ofAlarms {
			t.Errorf("among %d others, it read %d pages, %d clusters' policies and %d alarms'", test.others, a.pages,
				counted.ofClusters, counted.ofAlarms)
		}
	}
}

// An alarm that is in ALARM for hours is looked at with each round, and not in between.
func TestAnOldAlarmIsLookedAtInRounds(t *testing.T) {
	r := newRound(t)
	r.cluster("shop", nil)
	counted := &reads{Store: r.table}
	r.Handler.Alarms, r.Handler.Store = &alarms{since: noon.Add(-30 * time.Minute), raised: []string{"theirs"}}, counted
	for i := range 24 { // two hours
		r.now = noon.Add(time.Duration(i) * 5 * time.Minute)
		r.sweep(sweeper.In{Time: r.now})
	}
	if counted.ofAlarms != 7+2 { // until it is an hour old, and in the two rounds after that
		t.Errorf("it was looked at %d times", counted.ofAlarms)
	}
}

// While no alarm is in ALARM no policy is read, and the clusters once in a round, one of which
// counts orphans too; also where our clock is behind the schedule's.
func TestNothingIsReadInVain(t *testing.T) {
	for _, behind := range []time.Duration{0, time.Minute} {
		r := newRound(t)
		counted, a := &reads{Store: r.table}, &alarms{}
		r.Handler.Store, r.Handler.Alarms = counted, a
		r.cluster("shop", nil)
		for i := range 12 { // an hour
			at := noon.Add(time.Duration(i) * 5 * time.Minute)
			r.now = at.Add(-behind)
			if found := r.sweep(sweeper.In{Time: at}); len(found) > 0 || counted.ofClusters+counted.ofAlarms > 0 {
				t.Errorf("found %v, and read %d lists of policies", found, counted.ofClusters+counted.ofAlarms)
			}
		}
		if a.pages != 12 || counted.clusters != 2 {
			t.Errorf("%s behind, it read %d pages of alarms and %d of clusters in an hour", behind, a.pages, counted.clusters)
		}
	}
}
