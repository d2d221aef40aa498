package store

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"

	"portolan/shared/contract"
	"portolan/shared/model"
	"portolan/shared/orchestrator"
)

func TestAnItemHasTheMembersThatJSONHas(t *testing.T) {
	at := time.Date(2026, 11, 28, 16, 0, 0, 0, time.UTC)
	for name, v := range map[string]any{
		"empty cluster": model.Cluster{},
		"cluster": model.Cluster{Spec: contract.ClusterSpec{Name: "demo", Team: "storefront", Orchestrator: contract.Ecs,
			NodePools: []contract.NodePoolSpec{{Name: "nodes", Size: 2}}},
			Facts: orchestrator.Facts{ECS: &orchestrator.ECSFacts{ClusterARN: "arn"}}, Version: 3},
		"empty facts":   model.Cluster{Facts: orchestrator.Facts{ECS: &orchestrator.ECSFacts{}}},
		"operation":     model.Operation{ID: "01", Joined: []contract.Cause{{Who: "ada"}}, CreatedAt: at, Deadline: at},
		"its end":       model.Operation{ID: "01", StartedAt: at, EndedAt: at},
		"empty release": model.Release{},
		"release": model.Release{Cluster: "demo", Service: "web", Number: 2, CreatedAt: at, Spec: contract.ServiceSpec{
			Image: "web:2", Environment: map[string]string{"A": "", "B": "b"}}},
		"policy":  model.Policy{Name: "busy", Spec: contract.PolicySpec{Alarm: "arn"}},
		"binding": model.Binding{Name: "web", Spec: contract.BindingSpec{Service: "web"}},
		"job":     model.Job{Cluster: "demo", Name: "import"},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			var want, got map[string]any
			if err := json.Unmarshal(text, &want); err != nil {
				t.Fatal(err)
			}
			item, err := encode(v)
			if err != nil {
				t.Fatal(err)
			}
			if err := attributevalue.UnmarshalMap(item, &got); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %v\nwant %v", got, want)
			}
			again := reflect.New(reflect.TypeOf(v))
			if err := decode(item, again.Interface()); err != nil || !reflect.DeepEqual(again.Elem().Interface(), v) {
				t.Errorf("decoded it is %+v, %v", again.Elem(), err)
			}
		})
	}
}
