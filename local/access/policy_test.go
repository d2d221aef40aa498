package access

import (
	"encoding/json"
	"testing"
)

func parse(t *testing.T, text string) *Policy {
	t.Helper()
	var document any
	if err := json.Unmarshal([]byte(text), &document); err != nil {
		t.Fatal(err)
	}
	p, err := Parse(document)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestDecide(t *testing.T) {
	const table = "arn:aws:dynamodb:us-east-1:111122223333:table/t"
	policies := []*Policy{
		parse(t, `{"Statement":[
			{"Effect":"Allow","Action":["dynamodb:Get*","dynamodb:Query"],"Resource":"`+table+`"},
			{"Effect":"Allow","Action":"dynamodb:PutItem","Resource":"`+table+`",
			 "Condition":{"ForAllValues:StringLike":{"dynamodb:LeadingKeys":["WAIT#*"]}}},
			{"Effect":"Allow","Action":"ec2:Describe?","Resource":"*"}]}`),
		parse(t, `{"Statement":{"Effect":"Deny","Action":"*","Resource":"`+table+`-secret"}}`),
		parse(t, `{"Statement":{"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::111122223333:role/*",
			"Condition":{"StringEquals":{"iam:PassedToService":["ecs-tasks.amazonaws.com","ec2.amazonaws.com"]}}}}`),
		parse(t, `{"Statement":{"Effect":"Allow","Action":"autoscaling:SetDesiredCapacity",
			"Resource":"arn:aws:autoscaling:us-east-1:111122223333:autoScalingGroup:*",
			"Condition":{"Null":{"aws:ResourceTag/portolan:cluster":"false"}}}}`),
	}
	leading := func(keys ...string) map[string][]string { return map[string][]string{"dynamodb:leadingkeys": keys} }
	passed := func(to string) map[string][]string { return map[string][]string{"iam:passedtoservice": {to}} }
	const role, group = "arn:aws:iam::111122223333:role/r", "arn:aws:autoscaling:us-east-1:111122223333:autoScalingGroup:u:autoScalingGroupName/g"
	tests := []struct {
		name string
		r    Request
		want Effect
	}{
		{"action by wildcard", Request{Action: "dynamodb:GetItem", Resource: table}, Allowed},
		{"action in other letters", Request{Action: "DynamoDB:getitem", Resource: table}, Allowed},
		{"another action", Request{Action: "dynamodb:DeleteItem", Resource: table}, Unmentioned},
		{"another table", Request{Action: "dynamodb:GetItem", Resource: table + "2"}, Unmentioned},
		{"an index is another resource", Request{Action: "dynamodb:Query", Resource: table + "/index/GSI1"}, Unmentioned},
		{"a denial wins", Request{Action: "dynamodb:GetItem", Resource: table + "-secret"}, Denied},
		{"all keys match", Request{"dynamodb:PutItem", table, leading("WAIT#a", "WAIT#b")}, Allowed},
		{"one key does not", Request{"dynamodb:PutItem", table, leading("WAIT#a", "LEASE#b")}, Unmentioned},
		{"no key at all is all of them", Request{Action: "dynamodb:PutItem", Resource: table}, Allowed},
		{"? is one character", Request{Action: "ec2:DescribeX", Resource: "*"}, Allowed},
		{"and not two", Request{Action: "ec2:DescribeXY", Resource: "*"}, Unmentioned},
		{"one of the values", Request{"iam:PassRole", role, passed("ec2.amazonaws.com")}, Allowed},
		{"none of the values", Request{"iam:PassRole", role, passed("lambda.amazonaws.com")}, Unmentioned},
		{"no value", Request{Action: "iam:PassRole", Resource: role}, Unmentioned},
		{"* stays within a part of the ARN", Request{"iam:PassRole", "arn:aws:iam:x:111122223333:role/r", passed("ec2.amazonaws.com")}, Unmentioned},
		{"a tag that is there", Request{"autoscaling:SetDesiredCapacity", group,
			map[string][]string{"aws:resourcetag/portolan:cluster": {"shop"}}}, Allowed},
		{"and one that is not", Request{Action: "autoscaling:SetDesiredCapacity", Resource: group}, Unmentioned},
	}
	for _, test := range tests {
		if got := Decide(policies, test.r); got != test.want {
			t.Errorf("%s: got %d, want %d", test.name, got, test.want)
		}
	}
}

func TestTrust(t *testing.T) {
	trust := parse(t, `{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole",
		"Principal":{"AWS":"arn:aws:iam::111122223333:root"},
		"Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/p-StackFunctionRole-*"}}}}`)
	for role, want := range map[string]bool{
		"arn:aws:iam::111122223333:role/p-StackFunctionRole-1": true,
		"arn:aws:iam::111122223333:role/p-NodeFunctionRole-1":  false,
		"arn:aws:iam::444455556666:role/p-StackFunctionRole-1": false,
	} {
		if got := trust.Trusts(role); got != want {
			t.Errorf("%s: got %v", role, got)
		}
	}
	service := parse(t, `{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"ec2.amazonaws.com"}}}`)
	if service.Trusts("arn:aws:iam::111122223333:role/r") {
		t.Error("a role for a service is assumed by a role")
	}
}

func TestParseRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, text := range []string{
		`[]`, `{}`, `{"Statement":["x"]}`,
		`{"Statement":{"Effect":"Maybe","Action":"a:b"}}`,
		`{"Statement":{"Effect":"Allow"}}`,
		`{"Statement":{"Effect":"Allow","NotAction":"a:b","Resource":"*"}}`,
		`{"Statement":{"Effect":"Allow","Action":[1],"Resource":"*"}}`,
		`{"Statement":{"Effect":"Allow","Action":"a:b","Principal":"*"}}`,
		`{"Statement":{"Effect":"Allow","Action":"a:b","Principal":{"Federated":"x"}}}`,
		`{"Statement":{"Effect":"Allow","Action":"a:b","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}}`,
		`{"Statement":{"Effect":"Allow","Action":"a:b","Condition":{"ForSome:StringLike":{"k":"v"}}}}`,
		`{"Statement":{"Effect":"Allow","Action":"a:b","Condition":{"StringLike":{"k":{}}}}}`,
		`{"Statement":{"Effect":"Allow","Action":"a:b","Condition":[]}}`,
	} {
		var document any
		if err := json.Unmarshal([]byte(text), &document); err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(document); err == nil {
			t.Errorf("%s is taken for a policy", text)
		}
	}
}

func TestLike(t *testing.T) {
	for _, test := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"a*c", "abbc", true}, {"a*c", "abcb", false},
		{"*a*b*", "xaxxbx", true}, {"a?c", "abc", true}, {"a?c", "ac", false}, {"**", "x", true}, {"a*", "b", false},
	} {
		if got := like(test.pattern, test.text); got != test.want {
			t.Errorf("like(%q, %q) = %v", test.pattern, test.text, got)
		}
	}
}
