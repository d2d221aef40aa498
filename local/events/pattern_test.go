package events

import (
	"encoding/json"
	"strings"
	"testing"
)

const sample = `{"source":"aws.ecs","detail-type":"ECS Task State Change","resources":["arn:a","arn:b"],
 "detail":{"lastStatus":"RUNNING","version":4,"ratio":1.5,"ok":true,"nothing":null,"ip":"10.0.3.9",
 "containers":[{"name":"web","exitCode":1},{"name":"side"}],"empty":[],"file":"dir/a.png"}}`

func TestPatterns(t *testing.T) {
	for _, test := range []struct {
		pattern string
		want    bool
	}{
		{`{"source":["aws.ecs"]}`, true},
		{`{"source":["aws.ec2","aws.ecs"]}`, true},
		{`{"source":["aws.ec2"]}`, false},
		{`{"resources":["arn:b"]}`, true},
		{`{"detail":{"version":[4]}}`, true},
		{`{"detail":{"version":[4.0]}}`, true},
		{`{"detail":{"version":["4"]}}`, false},
		{`{"detail":{"ok":[true],"nothing":[null]}}`, true},
		{`{"detail":{"absent":[null]}}`, false},
		{`{"source":[{"prefix":"aws."}]}`, true},
		{`{"source":[{"prefix":{"equals-ignore-case":"AWS."}}]}`, true},
		{`{"detail":{"file":[{"suffix":".png"}]}}`, true},
		{`{"detail":{"lastStatus":[{"equals-ignore-case":"running"}]}}`, true},
		{`{"detail":{"lastStatus":[{"anything-but":"STOPPED"}]}}`, true},
		{`{"detail":{"lastStatus":[{"anything-but":["STOPPED","RUNNING"]}]}}`, false},
		{`{"detail":{"lastStatus":[{"anything-but":{"prefix":"RUN"}}]}}`, false},
		{`{"detail":{"lastStatus":[{"anything-but":{"wildcard":"*PP*"}}]}}`, true},
		{`{"detail":{"absent":[{"anything-but":"x"}]}}`, false},
		{`{"detail":{"version":[{"anything-but":5}]}}`, true},
		{`{"detail":{"version":[{"numeric":[">",3,"<=",4]}]}}`, true},
		{`{"detail":{"version":[{"numeric":["<",4]}]}}`, false},
		{`{"detail":{"ratio":[{"numeric":["=",1.5]}]}}`, true},
		{`{"detail":{"version":[{"exists":true}]}}`, true},
		{`{"detail":{"absent":[{"exists":false}]}}`, true},
		{`{"detail":{"errorCode":[{"exists":true}]}}`, false},
		{`{"other":{"absent":[{"exists":false}]}}`, true},
		{`{"detail":{"ip":[{"cidr":"10.0.0.0/16"}]}}`, true},
		{`{"detail":{"ip":[{"cidr":"10.1.0.0/16"}]}}`, false},
		{`{"detail":{"file":[{"wildcard":"dir/*.png"}]}}`, true},
		{`{"detail":{"file":[{"wildcard":"*.jpg"}]}}`, false},
		{`{"detail":{"file":[{"wildcard":"dir\\*"}]}}`, false},
		{`{"detail":{"containers":{"exitCode":[1]}}}`, true},
		{`{"detail":{"containers":{"name":["side"],"exitCode":[1]}}}`, false},
		{`{"$or":[{"source":["x"]},{"detail":{"version":[{"numeric":[">=",4]}]}}]}`, true},
		{`{"detail":{"$or":[{"version":[1]},{"ok":[false]}]}}`, false},
		{`{"detail":{"lastStatus":["STOPPED",{"prefix":"RUN"}]}}`, true},
	} {
		p, err := ParsePattern(test.pattern)
		if err != nil {
			t.Errorf("%s: %v", test.pattern, err)
			continue
		}
		if got := p.Matches([]byte(sample)); got != test.want {
			t.Errorf("%s: matches = %v", test.pattern, got)
		}
	}
}

func TestPatternRefuses(t *testing.T) {
	for _, pattern := range []string{
		``, `[]`, `{}`, `{"source":"aws.ecs"}`, `{"source":[]}`, `{"source":[{"frefix":"a"}]}`, `{"source":[[1]]}`,
		`{"source":[{"prefix":1}]}`, `{"a":[{"numeric":[">"]}]}`, `{"a":[{"numeric":[">",5,"<",1]}]}`,
		`{"a":[{"numeric":["~",5]}]}`, `{"a":[{"exists":"yes"}]}`, `{"a":[{"cidr":"10.0.0.0"}]}`,
		`{"a":[{"wildcard":"a**b"}]}`, `{"a":[{"wildcard":"a\\b"}]}`, `{"a":[{"prefix":"a","suffix":"b"}]}`,
		`{"detail":{}}`, `{"a":[{"anything-but":{"numeric":["=",1]}}]}`, `{"a":[1]}{"b":[2]}`,
	} {
		if _, err := ParsePattern(pattern); err == nil {
			t.Errorf("%s was accepted", pattern)
		}
	}
}

func FuzzPattern(f *testing.F) {
	f.Add(`{"detail":{"version":[{"numeric":[">",3,"<=",4]}]}}`, sample)
	f.Add(`{"$or":[{"a":[{"wildcard":"*x*"}]},{"b":[{"anything-but":{"suffix":["y"]}}]}]}`, `{"a":["x",{"b":[]}]}`)
	f.Add(`{"a":{"b":[{"exists":false}]}}`, `{"a":[[{"b":1}],2]}`)
	f.Fuzz(func(t *testing.T, pattern, event string) {
		p, err := ParsePattern(pattern)
		if err != nil {
			return
		}
		if strings.Contains(event, "\x00") || !json.Valid([]byte(event)) {
			return
		}
		if first, second := p.Matches([]byte(event)), p.Matches([]byte(event)); first != second {
			t.Error("matching is not deterministic")
		}
	})
}

func TestAPatternMayMatchWhatIsUnknown(t *testing.T) {
	event := map[string]any{"source": "aws.ecs", "detail": Unknown{}}
	for raw, want := range map[string]bool{
		`{"source":["aws.ecs"],"detail":{"lastStatus":["STOPPED"]}}`: true,
		`{"source":["aws.ec2"],"detail":{"lastStatus":["STOPPED"]}}`: false,
		`{"detail":["x"]}`: true,
		`{"detail":{"a":[{"exists":false}]},"other":[{"exists":true}]}`:                false,
		`{"$or":[{"source":["aws.ec2"]},{"detail":{"a":[{"anything-but":["b"]}]}}]}`:   true,
		`{"$or":[{"source":["aws.ec2"]},{"source":["aws.rds"],"detail":{"a":["b"]}}]}`: false,
	} {
		pattern, err := ParsePattern(raw)
		if err != nil {
			t.Fatal(err)
		}
		if pattern.MayMatch(event) != want {
			t.Errorf("%s may match: %v, want %v", raw, !want, want)
		}
	}
}
